"""The paper's device figures and the command that draws them beside the table of statements."""

from __future__ import annotations

import csv
import os
import warnings

import matplotlib.image
import numpy as np
import pytest

from experiments import device_figures
from experiments.device_figures import FIGURES, main, selected
from experiments.paper.measurements import Measurements
from experiments.paper.reading import Reading
from experiments.paper.statements import STATEMENTS
from experiments.paper.statements.stdp import stdp_outcome


@pytest.fixture(scope="module")
def measured() -> Measurements:
    return Measurements()


@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_that_it_is_reconstructed_and_names_its_units(name, measured):
    figure = FIGURES[name](measured)
    assert "reconstructed (model)" in figure.get_suptitle()
    for axes in figure.axes:
        assert axes.has_data()
    labels = [axes.get_ylabel() for axes in figure.axes] + [a.get_xlabel() for a in figure.axes]
    named = [label for label in labels if label]
    assert named
    unitless = {"Pulse number", "Cycle", "R(H) / R(0 G)"}
    assert all("[" in label or label in unitless for label in named), named


def test_command_writes_figures_and_table(tmp_path, capsys):
    assert main(["--only", "S6", "--out", str(tmp_path)]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"fig_S6.png", "statements.csv", "statements.md"}
    assert np.ptp(matplotlib.image.imread(tmp_path / "fig_S6.png")) > 0.5
    with (tmp_path / "statements.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(STATEMENTS)
    assert rows["E2"]["result"] == "pass"
    assert " 0 fail" in capsys.readouterr().out
    assert "| M1 | [T] |" in (tmp_path / "statements.md").read_text()


def test_command_ends_non_zero_when_a_statement_fails(tmp_path, capsys):
    assert main(["--only", "S6", "--spikes", "main", "--out", str(tmp_path)]) == 1
    assert "fail" in capsys.readouterr().out


def test_panels_are_found_and_unknown_ones_named():
    assert selected("1c, 3b") == ["1c", "3b"]
    assert selected("2b,2c,2bc") == ["2bc"]
    assert selected(None) == list(FIGURES)
    with pytest.raises(ValueError, match=r"no figure '9z': choose from 1ab, 1c"):
        selected("9z")
    with pytest.raises(ValueError, match="names no figure"):
        selected(" ,")


def test_wrong_panel_ends_with_one_line_and_writes_nothing(tmp_path):
    with pytest.raises(SystemExit, match="error: no figure '9z'"):
        main(["--only", "9z", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_leaves_no_figure_without_its_table(tmp_path, monkeypatch):
    sync, syncs = os.fsync, []

    def full(number: int) -> None:
        syncs.append(number)
        if len(syncs) == 3:
            raise OSError(28, "No space left on device")
        sync(number)

    out = tmp_path / "new" / "folder"
    monkeypatch.setattr(device_figures, "evaluate", lambda measured: [])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match=r"^error: .*statements.md: No space left on device$"):
        main(["--only", "S6", "--out", str(out)])
    assert list(tmp_path.iterdir()) == []


def test_spikes_too_short_to_move_the_device_fail_without_a_warning():
    still = Measurements(Reading(rect_s=5e-324))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = stdp_outcome(still)
    assert outcome.status == "fail"
    assert "nothing moves" in outcome.value


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--rect-s", v) for v in ("nan", "0", "-1", "inf")),
        *(("--ramp-V-per-s", v) for v in ("nan", "0")),
        *(("--unpolarised", v) for v in ("nan", "-0.1", "1.1", "x")),
        ("--immobile", "2"),
        ("--fig2-pair", "x"),
    ],
)
def test_wrong_options_end_with_one_line_that_names_them(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit, match=rf"^error: argument {option}: [^\n]*'{value}'") as caught:
        main([option, value, "--out", str(tmp_path / "out")])
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []
