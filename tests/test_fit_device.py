"""`python -m experiments.fit_device`: CSV in, card out; errors of one line, never half a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from crossbar import pulsed_device
from device_models import fit_card, load_card, read_pulses
from experiments import export_card, fit_device
from experiments.command import shell
from experiments.fitting import fit_cards


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


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Leaves out the drawing, which takes most of a second."""
    monkeypatch.setattr(fit_cards, "draw_fit", lambda report: Figure())


QUICK = ("--no-tile", "--law", "exponential_mixture_1", "--bootstrap", 0)


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
    assert (tmp_path / "card.report.txt").read_text() == done.stdout
    assert (tmp_path / "card.report.png").read_bytes().startswith(b"\x89PNG")
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
    assert card.conditions.ltp_pulse_width_s == 0.01
    assert card.source["reference"] == "me"


def test_conditions_go_from_the_measurement_to_neurosim(tmp_path, capsys):
    """Pulse width, amplitude and read voltage of the file, by the two commands a user gives."""
    path, out, target = (tmp_path / name for name in ("current.csv", "card.json", "neurosim.json"))
    path.write_text(pulses_csv().replace("conductance (uS)", "i [nA]"))
    options = ("--read-voltage", 0.1, "--amplitude", 1.5, "--width", 0.01, "--no-tile")
    run(capsys, path, "--out", out, "--law", "power_law", *options)
    conditions = load_card(out).conditions
    assert conditions.read_voltage_V == 0.1
    assert conditions.words() == "LTP 1.5 V, 0.01 s; LTD 1.5 V, 0.01 s; read at 0.1 V"
    export_card.main([str(out), "--neurosim", str(target), "--crosssim", str(tmp_path / "t.csv")])
    stated = json.loads(target.read_text())
    assert stated["read_voltage_V"] == 0.1
    assert (stated["write_pulse_width_ltp_s"], stated["write_pulse_width_ltd_s"]) == (0.01, 0.01)
    assert (stated["write_voltage_ltp_V"], stated["write_voltage_ltd_V"]) == (1.5, 1.5)
    lines = stated["mlp_neurosim_cell_cpp"]
    assert {"readVoltage = 0.1;  // V", "writePulseWidthLTP = 0.01;  // s"} <= set(lines)
    assert "# pulses: LTP 1.5 V, 0.01 s;" in (tmp_path / "t.csv").read_text()


def test_what_a_file_states_above_its_table_is_in_the_card(tmp_path):
    rows = "".join(f"{n},{1 + n}\n" for n in range(12)) + "".join(
        f"{n},{12 - n}\n" for n in range(12)
    )
    head = "Read voltage: 0.2 V\nTemperature: 77 K\nPulse width: 1 ms\n\npulse,G (uS)\n"
    path = tmp_path / "stated.csv"
    path.write_text(head + rows)
    conditions = fit_card(read_pulses(path), law="exponential_mixture_1").card.conditions
    assert (conditions.read_voltage_V, conditions.temperature_K) == (0.2, 77.0)
    assert (conditions.ltp_pulse_width_s, conditions.ltd_pulse_width_s) == (1e-3, 1e-3)


def test_nothing_existing_is_overwritten(data, tmp_path, capsys):
    out = tmp_path / "card.json"
    (tmp_path / "card.report.txt").write_text("mine")
    assert "card.report.txt: exists already" in refused(data, "--out", out)
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
        (["DATA", "--out", "folder.json"], "is a folder, not a regular file"),
        (["DATA", "--out", "fifo.json", "--overwrite"], "is a fifo, not a regular file"),
        (["fifo.json", "--out", "card.json"], "is a fifo, not a regular file"),
        (["DATA", "--out", "a\nb.json"], "a b.json: has characters that cannot be printed"),
        (["DATA", "--out", "card.json", "--column", "pulse"], "--column: expected HEADING=ROLE"),
        (["DATA", "--out", "card.json", "--unit", "parsec"], "parsec"),
        (["DATA", "--out", "card.json", "--quantity", "resistance"], "resistance"),
    ],
)
def test_wrong_input_is_one_line(data, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "fifo.json")
    before = set(tmp_path.iterdir())
    assert message in refused(*[data if a == "DATA" else a for a in arguments])
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--amplitude", v) for v in ("inf", "nan", "x")),
        *(("--width", v) for v in ("nan", "-1", "0", "inf")),
        *(("--field", v) for v in ("nan", "1e400")),
        *(("--read-voltage", v) for v in ("0", "nan")),
        *(("--bootstrap", v) for v in ("-1", "1e9", "1000000000")),
        *(("--seed", v) for v in ("-1", "0.5", str(10**30))),
    ],
)
def test_numbers_are_checked_as_they_are_read(data, tmp_path, option, value):
    """Before the measurement is: `--amplitude inf` left a report and no card."""
    message = refused("missing.csv", "--out", tmp_path / "card.json", option, value)
    assert f"argument {option}: expected a" in message
    assert repr(value) in message
    assert list(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize("name", ["dev.json", "dev.report.txt", "dev.report.png"])
def test_a_measurement_is_never_written_over(tmp_path, name):
    """Whatever it is called and whatever the flags; the message does not suggest one either."""
    path = tmp_path / name
    path.write_text(pulses_csv(n=14))
    for flags in ([], ["--overwrite"]):
        message = refused(path, "--out", tmp_path / "dev.json", *flags)
        assert f"{name}: is read by this command and never overwritten" in message
        assert "--overwrite" not in message
    assert path.read_text() == pulses_csv(n=14)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".png"])
def test_data_beside_the_card_stay_as_they_are(tmp_path, capsys, suffix):
    """`dev.txt --out dev.json --overwrite` wrote its report over the measurement."""
    path = (tmp_path / "dev").with_suffix(suffix)
    path.write_text(pulses_csv(n=14))
    for _ in range(2):
        run(capsys, path, "--out", tmp_path / "dev.json", "--overwrite", *QUICK)
    assert path.read_text() == pulses_csv(n=14)
    reports = {"dev.json", "dev.report.png", "dev.report.txt"}
    assert {p.name for p in tmp_path.iterdir()} == {path.name, *reports}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_full_disk_leaves_all_or_nothing_and_names_the_file(data, tmp_path, monkeypatch, broken):
    sync, syncs = os.fsync, []

    def full(number: int) -> None:
        syncs.append(number)
        if len(syncs) == broken:
            raise OSError(28, "No space left on device")
        sync(number)

    old = tmp_path / "card.json"
    old.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    message = refused(data, "--out", old, "--overwrite", *QUICK)
    name = ("card.report.png", "card.report.txt", "card.json")[broken - 1]
    assert f"{name}: No space left" in message
    assert old.read_text() == "old"
    assert set(tmp_path.iterdir()) == {data, old}


NAMES = ("card", "my card=1,2", "é{x}[y](z)", 'it\'s "so"', "$HOME ${x} #1", "a\\'b\\", "~;&|*?!")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", NAMES)
def test_printed_commands_run_when_pasted(tmp_path, capsys, name):
    """Through bash, and through hydra for its overrides: the card's path arrives as it is."""
    path = tmp_path / "data.csv"
    path.write_text(pulses_csv(n=14))
    card = tmp_path / f"{name}.json"
    printed = run(capsys, path, "--out", card, *QUICK)
    assert name != "card" or f"device.card={card}\n" in printed
    train, export = (line for line in printed.splitlines() if line.startswith("  python -m"))
    train, export = pasted(train, tmp_path), pasted(export, tmp_path)
    assert train[:3] == ["-m", "experiments.train", "experiment=crossbar"]
    override = OverridesParser.create().parse_override(train[3])
    assert override.key_or_group == "device.card"
    assert OmegaConf.create({"card": override.value()}).card == str(card)
    assert export[:2] == ["-m", "experiments.export_card"]
    export_card.main(export[2:])
    assert card.with_name(f"{name}_preset.py").read_text().startswith('"""')


def pasted(line: str, folder: Path) -> list[str]:
    """Arguments that `python` gets when bash runs `line`."""
    python = folder / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    python.chmod(0o755)
    environment = {"PATH": str(python.parent), "HOME": "/wrong"}
    done = subprocess.run(
        ["/bin/bash", "-c", line], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@given(st.text("\\'\"${}()[]:=,# ~@%a1\n\té", max_size=12))
def test_hydra_reads_any_text_back(text):
    override = OverridesParser.create().parse_override(shell.override("device.card", text))
    assert OmegaConf.create({"card": override.value()}).card == text


@pytest.mark.usefixtures("undrawn")
def test_long_readings_are_announced_where_there_is_no_terminal(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(fit_cards, "SLOW_BYTES", 100)
    fit_device.main([str(a) for a in (data, "--out", tmp_path / "card.json", *QUICK)])
    said = capsys.readouterr().err.splitlines()
    assert said == ["reading device 7.csv", "fitting 82 readings", "drawing the report"]


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


@pytest.mark.usefixtures("undrawn")
def test_mutated_files_give_a_card_or_one_line(tmp_path, capsys):
    """300 broken files: what is written can be read, what is refused leaves nothing."""
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
