"""`python -m experiments.fit_device`: CSV in, card out; errors of one line, never half a result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from crossbar import pulsed_device
from device_models import load_card
from experiments import fit_device


def pulses_csv(noise: float = 0.01, n: int = 40, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    count = np.arange(n + 1)
    rows = ["branch,pulse,conductance (uS)"]
    for branch, curve in (
        ("LTP", 10 - 8 * np.exp(-count / 12)),
        ("LTD", 2 + 8 * np.exp(-count / 6)),
    ):
        values = curve + 8 * noise * rng.standard_normal(n + 1)
        rows += [f"{branch},{i},{v:.6f}" for i, v in zip(count, values, strict=True)]
    return "\n".join(rows) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "device 7.csv"
    path.write_text(pulses_csv())
    return path


def run(capsys, *arguments: object) -> str:
    """Standard output of the command."""
    fit_device.main([str(a) for a in arguments])
    return capsys.readouterr().out


def refused(*arguments: object) -> str:
    """The one line the command ends with."""
    with pytest.raises(SystemExit) as caught:
        fit_device.main([str(a) for a in arguments])
    message = str(caught.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def test_from_csv_to_a_device_in_an_aihwkit_script(data, tmp_path):
    """The third journey through the real command line: card, page, text; the card is usable."""
    out = tmp_path / "card.json"
    command = [sys.executable, "-m", "experiments.fit_device", str(data), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert (tmp_path / "card.txt").read_text() == done.stdout
    assert (tmp_path / "card.png").read_bytes().startswith(b"\x89PNG")
    card = load_card(out)
    assert (card.name, card.kind, card.unit, card.n_pulses) == ("device_7", "measured", "S", 40)
    assert card.conductance_range() == pytest.approx((2e-6, 10e-6), rel=0.05)
    assert card.source["file"] == "device 7.csv"
    assert card.uncertainty is not None
    device = pulsed_device(out)
    assert device.write_noise_std * device.dw_min == pytest.approx(card.spread.write_noise)
    for text in ("LTP at 0 G: exponential_mixture", "tau_1 = ", "AICc", "aihwkit tile", "Warnings"):
        assert text in done.stdout


def test_the_same_file_gives_the_same_card(data, tmp_path, capsys):
    for name in ("a.json", "b.json"):
        run(capsys, data, "--out", tmp_path / name, "--no-tile")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_options_reach_the_reader_and_the_fit(tmp_path, capsys):
    rows = pulses_csv().replace("conductance (uS)", "i [nA]")
    path = tmp_path / "current.csv"
    path.write_text(rows)
    out = tmp_path / "card.json"
    run(
        capsys, path, "--out", out, "--read-voltage", 0.1, "--law", "power_law", "--field", 30,
        "--name", "mine", "--title", "A $device$", "--kind", "digitised", "--reference", "me",
        "--amplitude", 1.5, "--width", 0.01, "--no-tile",
    )  # fmt: skip
    card = load_card(out)
    assert {c.law.name for c in card.curves} == {"power_law"}
    assert card.conductance_range(30.0) == pytest.approx((2e-8, 1e-7), rel=0.05)
    assert (card.name, card.title, card.kind) == ("mine", "A $device$", "digitised")
    assert card.conditions["ltp_width_s"] == 0.01
    assert card.source["reference"] == "me"


def test_nothing_existing_is_overwritten(data, tmp_path, capsys):
    out = tmp_path / "card.json"
    (tmp_path / "card.txt").write_text("mine")
    assert "card.txt: exists already" in refused(data, "--out", out)
    assert not out.exists()
    run(capsys, data, "--out", out, "--overwrite", "--no-tile")
    before = out.read_bytes()
    assert "exists already" in refused(data, "--out", out)
    bad = tmp_path / "bad.csv"
    bad.write_text(pulses_csv().replace("LTP,3,", "LTP,three,"))
    assert "bad.csv: line 5, column 2" in refused(bad, "--out", out, "--overwrite")
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv", "--out", "card.json"], "missing.csv: No such file"),
        (["DATA", "--out", "card.csv"], "a card is a .json file"),
        (["DATA", "--out", "nowhere/card.json"], "the folder does not exist"),
        (["DATA", "--out", "card.json", "--column", "pulse"], "expected HEADING=ROLE"),
        (["DATA", "--out", "card.json", "--unit", "parsec"], "parsec"),
        (["DATA", "--out", "card.json", "--quantity", "resistance"], "resistance"),
    ],
)
def test_wrong_input_is_one_line(data, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert message in refused(*[data if a == "DATA" else a for a in arguments])
    assert set(tmp_path.iterdir()) == before


def test_a_disk_that_fails_leaves_no_card(data, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit_device, "write_atomically", fail)
    message = refused(data, "--out", tmp_path / "card.json", "--no-tile")
    assert "No space left" in message
    assert not (tmp_path / "card.json").exists()


WORDS = ("", "nan", "inf", "-1", "1e400", "LTP", "LTD", "ohm", "\x00", "ü", "-", "0", "5;5", '"')


def mutated(text: str, rng: np.random.Generator) -> bytes:
    """The file with a few cells, lines or bytes changed, as an editor or a disk would do it."""
    lines = text.split("\n")
    for _ in range(int(rng.integers(1, 6))):
        lines = lines or [""]
        i = int(rng.integers(len(lines)))
        match int(rng.integers(7)):
            case 0:
                del lines[i]
            case 1:
                lines.insert(i, lines[int(rng.integers(len(lines)))])
            case 2:
                cells = lines[i].split(",")
                cells[int(rng.integers(len(cells)))] = str(rng.choice(WORDS))
                lines[i] = ",".join(cells)
            case 3:
                lines = lines[: i + 1]
            case 4:
                lines[i] = lines[i].replace(",", str(rng.choice([";", "\t", " ", ",,"])))
            case 5:
                swapped = str(rng.choice(["LTD", "up", "x", ""]))
                lines = [line.replace("LTP", swapped) for line in lines]
            case _:
                lines[i] = lines[i][::-1]
    content = bytearray("\n".join(lines).encode())
    if content and rng.random() < 0.3:
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    return bytes(content)


def test_mutated_files_give_a_card_or_one_line(tmp_path, monkeypatch, capsys):
    """300 broken files: what is written can be read, what is refused leaves nothing."""
    monkeypatch.setattr(fit_device, "draw_fit", lambda fit, checks: Figure())
    rng = np.random.default_rng(11)
    text, cards, errors = pulses_csv(n=14), 0, 0
    for i in range(300):
        path, out = tmp_path / f"{i}.csv", tmp_path / f"{i}.json"
        path.write_bytes(mutated(text, rng))
        try:
            fit_device.main([str(path), "--out", str(out), "--no-tile", "--bootstrap", "0"])
        except SystemExit as caught:
            message = str(caught.code)
            assert message.startswith("error: "), message
            assert "\n" not in message
            assert str(path) in message
            assert not out.exists()
            errors += 1
        else:
            card = load_card(out)
            assert json.loads(out.read_text())["name"] == card.name
            cards += 1
    assert cards > 15
    assert errors > 60
