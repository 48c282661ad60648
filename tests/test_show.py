"""`fit_device --show`: what was understood, in a table and a plot, for any number of segments."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mutations import changed, check_mutations

from device_models import PulseData, PulseDataError
from device_models.pulses import ColumnUse, Segment
from experiments import fit_device
from experiments.command.text_plot import Panel, text_plot
from experiments.figures.show import draw_readings
from experiments.fitting.show import MOST_ROWS, describe, grouped

N = np.arange(12)


def trace(folder: Path, name: str = "trace.csv") -> Path:
    path = folder / name
    values = [*(10 + 10 * (1 - np.exp(-N / 4))), *(10 + 9 * np.exp(-N / 3))]
    path.write_text("pulse,G (uS)\n" + "".join(f"{i},{v:.4f}\n" for i, v in enumerate(values)))
    return path


def shown(capsys, *arguments: object) -> str:
    fit_device.main(["--show", *map(str, arguments)])
    return capsys.readouterr().out


def many(devices: int, cycles: int, **labels) -> PulseData:
    segments = tuple(
        Segment(b, N, 1e-6 * (1 + d + N * s), f"cell {d}", c, lines=N + 2, **labels)
        for d in range(devices)
        for c in range(1, cycles + 1)
        for b, s in (("LTP", 1.0), ("LTD", -0.01))
    )
    return PulseData("conductance", "S", segments, "many.csv", "0" * 64)


def test_branches_with_counts_first_and_last_readings_units_and_lines(tmp_path, capsys):
    text = shown(capsys, trace(tmp_path))
    assert "conductance in S, LTP and LTD: 25 readings, 2 segments, 1 device, 1 cycle" in text
    rows = [line.split() for line in text.splitlines() if line.startswith(("LTP ", "LTD "))]
    assert rows[0][:7] == ["LTP", "1", "1", "12", "0", "to", "11"]
    assert rows[0][7:] == ["10", "µS", "19.36", "µS", "2", "to", "13"]
    assert rows[1][3] == "13"
    assert rows[1][-5:] == ["10.23", "µS", "13", "to", "25"]
    assert not list(tmp_path.glob("*.png"))


def test_nothing_is_fitted_and_torch_is_not_loaded(tmp_path):
    code = (
        "import sys; from experiments.fit_device import main\n"
        f"main(['--show', {str(trace(tmp_path))!r}])\n"
        "assert not {'torch', 'aihwkit'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Branches" in done.stdout


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_picture_is_optional(tmp_path, capsys, order):
    path, picture = trace(tmp_path), tmp_path / "seen.png"
    words = ["--show", str(picture)]
    words = [*words, str(path)] if order == "before" else [str(path), *words]
    fit_device.main(words)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"Picture: {picture}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="exists already"):
        fit_device.main(words)


def test_warnings_and_columns_are_shown_in_the_words_of_the_command_line():
    data = replace(
        many(1, 1),
        columns=(ColumnUse("Pulse #", "pulse number"), ColumnUse("avg", "left out: average")),
        warnings=("sheet 'a' read; sheet='b' reads another", "x: not identified by the data: tau"),
    )
    text = describe(data, 100)
    assert "--sheet b reads another" in text
    assert "sheet='b'" not in text
    assert text.index("! x: not identified") < text.index("- sheet 'a'")
    assert "Pulse #  pulse number" in text
    assert "avg      left out: average" in text


@pytest.mark.parametrize(("devices", "cycles"), [(1, 1), (12, 1), (11, 40), (50, 10)])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_any_number_of_segments_fits_the_screen(devices, cycles, width):
    data = many(devices, cycles)
    lines = describe(data, width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.startswith(("LTP ", "LTD "))]
    assert 2 <= len(rows) <= MOST_ROWS
    assert len(lines) < 110


@pytest.mark.parametrize(("devices", "cycles"), [(1, 1), (12, 1), (11, 40), (50, 10), (40, 1)])
def test_groups_hold_every_segment_once(devices, cycles):
    data = many(devices, cycles)
    groups = grouped(data.segments)
    assert sum(len(own) for own in groups) == len(data.segments)
    assert all(len({s.branch for s in own}) == 1 for own in groups)
    assert (len(groups) == len(data.segments)) == (len(data.segments) <= MOST_ROWS)


def test_more_conditions_than_rows_are_counted():
    data = many(1, 1)
    segments = tuple(replace(s, condition=f"{t} K") for t in range(40) for s in data.segments)
    text = describe(replace(data, segments=segments), 100)
    assert "56 more rows" in text
    assert "40 conditions: 0 K, 1 K" in text


def test_one_of_several_is_shown(tmp_path, capsys):
    path = tmp_path / "two.csv"
    rows = [f"{d},{i},{1 + d + i}" for d in (1, 2) for i in N]
    path.write_text("device,pulse,G (uS)\n" + "\n".join(rows) + "\n")
    assert "12 readings, 1 segment, 1 device" in shown(capsys, path, "--device", "2")
    with pytest.raises(SystemExit, match="no device '3'; there are '1', '2'"):
        shown(capsys, path, "--device", "3")


def test_hostile_names_stay_on_their_line():
    data = many(1, 1, condition="\x1b[31m[bold]x\n")
    text = describe(replace(data, source="\x1b[2J[red]a\nb.csv"), 100)
    assert "\x1b" not in text
    assert "[red]a" in text
    assert "[bold]x" in text


def test_every_dot_of_a_plot_stands_where_its_reading_is():
    x = np.array([0.0, 10.0])
    panel = Panel("LTP", x, np.array([0.0, 1.0]), "pulse 0", "10")
    lines = text_plot([panel], 0.0, 1.0, ("1 S", "0 S"), (10, 4))
    body = [line[4:].strip("│") for line in lines[1:5]]
    assert lines[1].startswith("1 S │")
    assert lines[4].startswith("0 S │")
    assert body[0] == "\u2800" * 9 + chr(0x2800 + 0x08)
    assert body[3] == chr(0x2800 + 0x40) + "\u2800" * 9
    assert set(body[1] + body[2]) == {"\u2800"}


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [0.0, -1.0], [1e-12, 1e-3]])
def test_readings_that_are_few_alike_negative_or_far_apart_have_a_plot(values):
    n = np.arange(len(values))
    segment = Segment("LTP", n, np.array(values), "1", 1, lines=n)
    data = PulseData("conductance", "S", (segment,), "x.csv", "0" * 64)
    assert "LTP only" in describe(data, 80)
    draw_readings(data).savefig("/dev/null", format="png")


def test_pictures_of_many_devices_and_conditions_have_short_legends():
    figure = draw_readings(many(30, 2))
    assert all(len(axes.get_legend().get_texts()) <= 8 for axes in figure.axes)
    assert len(figure.axes) == 2


def test_a_terminal_without_greek_letters_gets_its_table(tmp_path):
    command = [sys.executable, "-m", "experiments.fit_device", "--show", str(trace(tmp_path))]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"10 ?S" in done.stdout


@pytest.mark.parametrize("branch", ["", "LTP,"])
def test_damaged_files_are_shown_or_refused_in_one_line(tmp_path, capsys, branch):
    heading = "branch,pulse,G (uS)" if branch else "pulse,G (uS)"
    rows = [f"{branch}{i},{v:.3f}" for i, v in enumerate(10 - 8 * np.exp(-N / 4))]
    text = "\n".join([heading, *rows]).encode() + b"\n"

    def attempt(path: Path) -> None:
        try:
            fit_device.main(["--show", str(path)])
        except SystemExit as caught:
            raise PulseDataError(str(caught.code).removeprefix("error: ")) from None
        assert "\x1b" not in capsys.readouterr().out

    outcomes = check_mutations(changed(text, 200), tmp_path, "d.csv", attempt, (PulseDataError,))
    assert min(outcomes["fine"], outcomes["refused"]) > 20
