"""`fit_device` on several files, one branch, one of several conditions; options that do not go."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from device_models import PulseData, load_card
from device_models.pulses import Segment
from experiments import fit_device
from experiments.fitting import fit_cards
from experiments.fitting.conditions import file_part, split_conditions
from experiments.fitting.fit_report import make_report

N = np.arange(15)
UP, DOWN = 10 - 8 * np.exp(-N / 5), 2 + 8 * np.exp(-N / 4)
QUICK = ("--no-tile", "--law", "exponential_mixture_1", "--bootstrap", "0")


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Leaves out the drawing, which takes most of a second."""
    monkeypatch.setattr(fit_cards, "draw_fit", lambda report: Figure())


def write(path: Path, values: np.ndarray, heading: str = "G (uS)") -> Path:
    rows = [f"{i},{v:.5f}" for i, v in enumerate(values)]
    path.write_text("\n".join([f"pulse,{heading}", *rows]) + "\n")
    return path


def conditions_csv(path: Path, column: str, names: tuple[str, ...]) -> Path:
    """Both branches under each of several conditions, the second 10 % larger than the first."""
    rows = [
        f"{name},{branch},{i},{(1 + k / 10) * v:.5f}"
        for k, name in enumerate(names)
        for branch, curve in (("LTP", UP), ("LTD", DOWN))
        for i, v in enumerate(curve)
    ]
    path.write_text("\n".join([f"{column},branch,pulse,G (uS)", *rows]) + "\n")
    return path


def run(capsys, *arguments: object) -> str:
    fit_device.main([*map(str, arguments), *QUICK])
    return capsys.readouterr().out


def refused(*arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        fit_device.main([*map(str, arguments), *QUICK])
    message = str(caught.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


@pytest.mark.usefixtures("undrawn")
def test_one_file_a_branch(tmp_path, capsys):
    up, down = write(tmp_path / "dev5_up.txt", UP), write(tmp_path / "dev5_down.txt", DOWN)
    out = tmp_path / "card.json"
    text = run(capsys, "--ltp", up, "--ltd", down, "--out", out)
    card = load_card(out)
    assert card.name == "dev5"
    assert card.source["file"] == "dev5_up.txt + dev5_down.txt"
    assert card.conductance_range() == pytest.approx((2e-6, 10e-6), rel=0.1)
    assert "dev5_up.txt + dev5_down.txt: 30 readings, 1 device" in text


@pytest.mark.usefixtures("undrawn")
def test_several_files_a_branch_in_either_spelling(tmp_path, capsys):
    ups = [write(tmp_path / f"u{i}", (1 + i / 10) * UP) for i in range(3)]
    downs = [write(tmp_path / f"d{i}", (1 + i / 10) * DOWN) for i in range(3)]
    message = refused("--ltp", *ups, "--ltd", *downs, "--out", tmp_path / "c.json")
    assert "give --files-are device or --files-are cycle" in message
    one = tmp_path / "one.json"
    run(capsys, "--ltp", *ups, "--ltd", *downs, "--files-are", "device", "--out", one)
    two, words = tmp_path / "two.json", []
    for up, down in zip(ups, downs, strict=True):
        words += ["--ltp", up, "--ltd", down]
    run(capsys, *words, "--files-are=device", "--out", two)
    assert one.read_bytes() == two.read_bytes()
    assert load_card(one).source["n_devices"] == 3


@pytest.mark.usefixtures("undrawn")
def test_files_of_branches_are_never_written_over(tmp_path):
    """A measurement that is called as the report would be."""
    up, down = write(tmp_path / "c.report.txt", UP), write(tmp_path / "down", DOWN)
    words = ("--ltp", up, "--ltd", down, "--out", tmp_path / "c.json", "--overwrite")
    assert "is read by this command and never overwritten" in refused(*words)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.report.txt", "down"]


def test_one_branch_gives_its_report_the_way_on_and_no_card(tmp_path, capsys):
    up = write(tmp_path / "only up.csv", UP)
    out = tmp_path / "card.json"
    out.write_text("old")
    message = refused("--ltp", up, "--out", out, "--overwrite")
    said = capsys.readouterr().out
    assert out.read_text() == "old"
    text = (tmp_path / "card.LTP.report.txt").read_text()
    assert text == said
    assert (tmp_path / "card.LTP.report.png").read_bytes().startswith(b"\x89PNG")
    assert "Verdict: half a device, LTP without LTD: no card" in text
    assert "tau_1 = " in text
    advice = f"no card: a card needs the other branch: --ltp {shlex.quote(str(up))} --ltd FILE"
    assert message.endswith(advice)
    assert text.rstrip().endswith(advice)


@pytest.mark.usefixtures("undrawn")
def test_the_way_on_from_one_branch_leads_to_a_card(tmp_path, capsys):
    up, down = write(tmp_path / "up.csv", UP), write(tmp_path / "down.csv", DOWN)
    message = refused(down, "--branch", "LTD", "--out", tmp_path / "card.json")
    words = shlex.split(message.partition("other branch: ")[2])
    assert words == ["--ltd", str(down), "--ltp", "FILE"]
    words[-1] = str(up)
    run(capsys, *words, "--out", tmp_path / "card.json")
    assert load_card(tmp_path / "card.json").source["n_readings"] == 30


def test_nothing_is_left_of_one_branch_that_cannot_be_fitted(tmp_path):
    up = write(tmp_path / "up.csv", UP[:3])
    assert "a curve needs" in refused("--ltp", up, "--out", tmp_path / "card.json")
    assert list(tmp_path.iterdir()) == [up]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("column", ["amplitude (V)", "width (ms)"])
def test_one_of_several_pulses(tmp_path, capsys, column):
    """Widths and amplitudes are conditions of the pulse: one by its name, or a card each."""
    data = conditions_csv(tmp_path / "d.csv", column, ("1.2", "0.9"))
    names = {"amplitude (V)": ("1.2 V", "0.9 V"), "width (ms)": ("0.0012 s", "0.0009 s")}[column]
    text = run(capsys, data, "--out", tmp_path / "one.json", "--condition", names[1])
    assert load_card(tmp_path / "one.json").conductance_range()[1] == pytest.approx(11e-6, rel=0.05)
    assert "several pulses" not in text
    run(capsys, data, "--out", tmp_path / "all.json", "--each-condition")
    ends = [load_card(tmp_path / f"all_{file_part(n)}.json").conductance_range()[1] for n in names]
    assert ends == pytest.approx([10e-6, 11e-6], rel=0.05)
    assert not (tmp_path / "all.json").exists()
    text = run(capsys, data, "--out", tmp_path / "most.json")
    assert f"--condition '{names[0]}' fits one of them, --each-condition all" in " ".join(
        text.split()
    )


@pytest.mark.usefixtures("undrawn")
def test_conditions_the_file_names_are_asked_for(tmp_path, capsys, monkeypatch):
    data = conditions_csv(tmp_path / "d.csv", "device", ("300 K", "350 K"))
    read = fit_cards.read

    def conditions(given):
        from dataclasses import replace

        found = read(given)
        named = tuple(replace(s, device="1", condition=s.device) for s in found.segments)
        return replace(found, segments=named)

    monkeypatch.setattr(fit_cards, "read", conditions)
    message = refused(data, "--out", tmp_path / "c.json")
    assert "give --condition '300 K', or --each-condition for all" in message
    run(capsys, data, "--out", tmp_path / "c.json", "--condition", "350 k")
    assert load_card(tmp_path / "c.json").conductance_range()[1] == pytest.approx(11e-6, rel=0.05)
    assert "there are '300 K', '350 K'" in refused(data, "--out", tmp_path / "d.json",
                                                   "--condition", "4 K")  # fmt: skip
    text = run(capsys, data, "--out", tmp_path / "all.json", "--each-condition")
    assert {p.name for p in tmp_path.glob("all*.json")} == {"all_300_K.json", "all_350_K.json"}
    assert text.count("Verdict: ") == 2
    card = load_card(tmp_path / "all_350_K.json")
    assert (card.name, card.title) == ("d_350_k", "Device measured in d.csv, 350 K")


def segment(branch: str, amplitude: float | None = None, condition: str = "") -> Segment:
    return Segment(branch, N, UP, "1", 1, amplitude_V=amplitude, condition=condition)


@pytest.mark.parametrize(
    ("segments", "conditions"),
    [
        ([("LTP", 1.2), ("LTD", -1.0)], []),
        ([("LTP", 1.2), ("LTP", 0.9), ("LTD", -1.2), ("LTD", -0.9)], ["1.2 V", "0.9 V"]),
        ([("LTP", 1.2), ("LTP", 0.9), ("LTD", -2.0)], ["1.2 V", "0.9 V"]),
        ([("LTP", 1.2), ("LTP", 0.9), ("LTD", -1.2), ("LTD", -0.7)], []),
        ([("LTP", None, "a"), ("LTD", None, "a")], []),
        ([("LTP", None, "a"), ("LTD", None, "a"), ("LTP", None, ""), ("LTD", None, "")],
         ["a", "not stated"]),
    ],
)  # fmt: skip
def test_conditions_are_what_both_branches_were_measured_under(segments, conditions):
    made = tuple(segment(*own) for own in segments)
    data = PulseData("conductance", "S", made, "d.csv", "0" * 64)
    parts = split_conditions(data)
    assert list(parts) == conditions
    assert all(part.branches == ("LTP", "LTD") for part in parts.values())
    assert sum(len(p.segments) for p in parts.values()) in (0, 4)


@pytest.mark.usefixtures("undrawn")
def test_each_condition_writes_all_or_nothing(tmp_path):
    data = conditions_csv(tmp_path / "d.csv", "amplitude (V)", ("1.2", "0.9"))
    (tmp_path / "all_0.9_V.report.txt").write_text("mine")
    words = (data, "--out", tmp_path / "all.json", "--each-condition")
    assert "all_0.9_V.report.txt: exists already" in refused(*words)
    assert not list(tmp_path.glob("*.json"))
    one = write(tmp_path / "one.csv", np.concatenate([UP, DOWN]))
    assert "one condition; leave out --each-condition" in refused(one, *words[1:])


@pytest.mark.usefixtures("undrawn")
def test_one_device_or_cycle_of_several(tmp_path, capsys):
    for column, option in (("device", "--device"), ("cycle", "--cycle")):
        data = conditions_csv(tmp_path / f"{column}.csv", column, ("4", "7"))
        out = tmp_path / f"{column}.json"
        run(capsys, data, "--out", out, option, "7")
        card = load_card(out)
        assert card.conductance_range()[1] == pytest.approx(11e-6, rel=0.05)
        assert card.source["n_readings"] == 30
        assert "there are " in refused(data, "--out", tmp_path / "x.json", option, "5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--out c.json", "no measurement: give its file, or --ltp FILE --ltd FILE"),
        ("d.csv", "nothing to write: give --out card.json, or --show"),
        ("d.csv --ltp a --out c.json", "d.csv beside --ltd FILE"),
        ("d.csv --out c.json --files-are cycle", "there is one file"),
        ("--ltp a --ltd b --branch LTP --out c.json", "which say it already"),
        ("d.csv --out c.json --condition x --each-condition", "give one of the two"),
        ("d.csv --out c.json --show", "leave out --out"),
        ("d.csv --show a.pdf", "--show a.pdf: the picture is a .png file"),
        ("d.csv --out c.json --where step", "--where: expected COLUMN=VALUE"),
        ("d.csv --out c.json --wide-of pulse", "--wide-of"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(words, message):
    assert message.split(" beside ")[0] in refused(*words.split())


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("word", "character"), [("tab", "\t"), ("comma", ","), ("semicolon", ";"), (";", ";")]
)
def test_delimiters_by_word_or_character(tmp_path, capsys, word, character):
    path = write(tmp_path / "d.csv", np.concatenate([UP, DOWN]))
    path.write_text(path.read_text().replace(",", character))
    run(capsys, path, "--out", tmp_path / "c.json", "--delimiter", word)
    assert load_card(tmp_path / "c.json").source["n_readings"] > 29


def test_errors_of_the_reader_speak_the_command_line(tmp_path):
    path = write(tmp_path / "d.csv", np.concatenate([UP, DOWN]), "I (nA)")
    message = refused(path, "--out", tmp_path / "c.json")
    assert "--read-voltage" in message
    assert "read_voltage_V" not in message
    assert "--column: no column is called '9'" in refused(path, "--out", tmp_path / "c.json",
                                                          "--column", "9=pulse")  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_what_is_said_to_users_while_a_tile_is_driven_is_in_the_report(
    tmp_path, capsys, monkeypatch
):
    def check(fit):
        for field_G in (0, 0, 50, 100):
            text = f"card 'd' at {field_G} G: zero='mid_range' leaves both signs room"
            warnings.warn(text, stacklevel=1)
        return []

    monkeypatch.setattr(fit_cards, "check_tile", check)
    path = write(tmp_path / "d.csv", np.concatenate([UP, DOWN]))
    words = [str(path), "--out", str(tmp_path / "c.json"), *QUICK[1:]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_device.main(words)
    captured = capsys.readouterr()
    said = "! card 'd' at 0 G: crossbar.zero=mid_range leaves both signs room"
    assert f"{said} (and at 2 more fields)\n" in captured.out
    assert captured.out.count("leaves both signs room") == 2  # in the verdict, too
    assert captured.err == ""


def test_text_of_the_page_lies_on_the_page_and_over_nothing(tmp_path, monkeypatch):
    """With far more warnings than a page holds, and a title longer than a line."""
    path = conditions_csv(tmp_path / "d.csv", "device", ("4", "7"))
    seen: list[Figure] = []
    draw = fit_cards.draw_fit

    def drawn(report):
        wordy = [f"warning {i}: {'a word or two ' * 12}" for i in range(60)]
        seen.append(draw(make_report(report.fit, report.checks, wordy)))
        return Figure()

    monkeypatch.setattr(fit_cards, "draw_fit", drawn)
    words = ["--title", "$x_1$ and more words than a line has room for " * 9, *QUICK[1:]]
    fit_device.main([str(path), "--out", str(tmp_path / "c.json"), *words])
    figure = seen[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    head, plots, details = figure.subfigs
    page = figure.bbox
    boxes = [t.get_window_extent(renderer) for part in (head, details) for t in part.texts]
    (title, verdict), (below,) = (
        sorted(head.texts, key=lambda t: -t.get_position()[1]),
        details.texts,
    )
    drawn_on = [axes.get_tightbbox(renderer) for axes in plots.axes]
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= page.x1
        assert box.y0 >= 0
        assert box.y1 <= page.y1
    assert title.get_window_extent(renderer).y0 > verdict.get_window_extent(renderer).y1
    assert verdict.get_window_extent(renderer).y0 > max(b.y1 for b in drawn_on)
    assert below.get_window_extent(renderer).y1 < min(b.y0 for b in drawn_on)
    assert "more lines in the text report" in below.get_text()
    assert "\N{MINUS SIGN}" in verdict.get_text()
