"""Intervals of the fit hold the truth: a few trials here, hundreds a row in the store."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device_models.curves import ExponentialMixture
from experiments import fit_coverage
from experiments.fit_coverage import (
    LAWS,
    QUANTITIES,
    RESULT,
    TRUTHS,
    coverage_row,
    main,
    responses_held,
    rows_of,
)


@pytest.mark.parametrize(("name", "noise", "cycles"), rows_of("given"))
def test_intervals_of_a_given_law_hold_the_truth(name, noise, cycles):
    """40 trials: the mean over parameters within 5 points of 95 %."""
    row = coverage_row("given", name, noise, cycles, range(40))
    if noise > 0:
        assert 0.9 <= row["mean"] <= 1.0
    else:
        assert row["mean"] == 1.0


@pytest.mark.parametrize("name", TRUTHS)
def test_intervals_of_a_chosen_law_hold_the_truth(name):
    """5 trials of five cycles at 5 %: 50 quantities, far above what a wrong law leaves (54 %)."""
    row = coverage_row("auto", name, 0.05, 5, range(5))
    assert row["mean"] >= 0.88
    assert row["true_form"] >= 0.6


def test_stored_coverage_is_within_three_points():
    """Of 95 %, and one more where a hundred trials know the mean no better than that."""
    rows = json.loads(Path(RESULT).read_text())
    stored = [(r["laws"], r["truth"], r["noise_over_range"], r["cycles"]) for r in rows]
    assert stored == [(laws, *row) for laws in LAWS for row in rows_of(laws)]
    for row in rows:
        assert row["trials"] >= 100
        room = 0.03 if row["trials"] >= 300 else 0.04
        if row["noise_over_range"] > 0:
            assert abs(row["mean"] - 0.95) <= room, row


def test_a_trial_looks_at_what_every_law_has():
    held, right = responses_held("log_step", 0.01, seed=0, cycles=1)
    assert list(held) == [f"{branch} {name}" for branch in ("LTP", "LTD") for name in QUANTITIES]
    assert set(right) == {"LTP", "LTD"}


def test_a_trial_tells_a_wrong_interval(monkeypatch):
    """Held against another device's truth, no interval does."""
    other = (ExponentialMixture(2.0, (-1.5,), (10.0,)), ExponentialMixture(0.5, (1.5,), (10.0,)))
    data = fit_coverage.measured(TRUTHS["exponential_mixture_1"], 0.01, seed=0)
    monkeypatch.setattr(fit_coverage, "measured", lambda *_: data)
    monkeypatch.setitem(fit_coverage.TRUTHS, "exponential_mixture_1", other)
    held, _ = responses_held("exponential_mixture_1", 0.01, seed=0, cycles=1)
    assert not np.any(list(held.values()))


def test_the_command_stores_its_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fit_coverage, "TRUTHS", {"log_step": TRUTHS["log_step"]})
    main(["--trials", "1", "--laws", "auto", "--out", str(tmp_path / "rows.json")])
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(r["noise_over_range"], r["cycles"]) for r in rows] == [
        (noise, cycles) for noise in (0.01, 0.05) for cycles in (1, 5, 10)
    ]
    assert "log_step" in capsys.readouterr().out
