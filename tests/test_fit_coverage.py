"""Intervals of the fit hold the truth: a few trials here, hundreds a row in the store."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from device_models.curves import ExponentialMixture
from experiments import fit_coverage
from experiments.fit_coverage import (
    DEVICES,
    FROM_PULSE_1,
    LAWS,
    OVER_DECADES,
    QUANTITIES,
    RELATIVE,
    RESULT,
    TRUTHS,
    Setting,
    coverage_row,
    main,
    measured,
    responses_held,
    rows_of,
)


def label(setting: Setting) -> str:
    return f"{setting.truth}-{setting.kind}-{setting.noise:g}"


@pytest.mark.parametrize("setting", rows_of("given"), ids=label)
def test_intervals_of_a_given_law_hold_the_truth(setting):
    """40 trials: the mean over parameters within 5 points of 95 %."""
    row = coverage_row("given", setting, range(40))
    if setting.noise > 0:
        assert 0.9 <= row["mean"] <= 1.0
    else:
        assert row["mean"] == 1.0


CHOSEN = [
    *(Setting(name, 0.05, 5) for name in TRUTHS if name not in OVER_DECADES),
    *(Setting(name, 0.05, 5, RELATIVE) for name in OVER_DECADES),
    Setting("logistic", 0.01, 1, FROM_PULSE_1),
    Setting("logistic", 0.01, 3, DEVICES),
]


@pytest.mark.parametrize("setting", CHOSEN, ids=label)
def test_intervals_of_a_chosen_law_hold_the_truth(setting):
    """5 trials: 50 quantities, far above what a wrong law leaves (54 %)."""
    row = coverage_row("auto", setting, range(5))
    assert row["mean"] >= 0.86
    assert row["true_form"] >= 0.6


def test_stored_coverage_is_near_95_percent():
    """Within three points of it, and more where few trials know the mean no better than that.

    Two time constants in one cycle at 5 % noise are not told from other forms: there the mean is
    lower (README).
    """
    rows = json.loads(Path(RESULT).read_text())
    stored = [(r["laws"], Setting(**{f.name: r[f.name] for f in fields(Setting)})) for r in rows]
    assert stored == [(laws, setting) for laws in LAWS for setting in rows_of(laws)]
    for row, (_, setting) in zip(rows, stored, strict=True):
        assert row["trials"] >= 40
        room = 0.03 if row["trials"] >= 300 else 0.05
        if setting == Setting("exponential_mixture_2", 0.05):
            assert row["mean"] >= 0.87
        elif setting.noise > 0:
            assert abs(row["mean"] - 0.95) <= room, row


def test_a_trial_looks_at_what_every_law_has():
    held, right = responses_held(Setting("log_step", 0.01), seed=0)
    assert list(held) == [f"{branch} {name}" for branch in ("LTP", "LTD") for name in QUANTITIES]
    assert set(right) == {"LTP", "LTD"}


def test_kinds_of_readings_are_what_they_say():
    truth = TRUTHS["geometric_logistic"]
    proportional = measured(truth, 0.1, 0, kind=RELATIVE).segments[0]
    assert np.std(proportional.values / truth[0](proportional.pulses)) == pytest.approx(
        0.1, rel=0.2
    )
    assert measured(truth, 0.1, 0, kind=FROM_PULSE_1).segments[0].pulses[0] == 1
    devices = measured(TRUTHS["logistic"], 0.0, 0, 200, DEVICES)
    tops = [s.values[-1] for s in devices.segments if s.branch == "LTP"]
    assert len(devices.devices) == 200
    assert np.std(tops) / np.mean(tops) == pytest.approx(0.1, rel=0.2)


def test_a_trial_tells_a_wrong_interval(monkeypatch):
    """Held against another device's truth, no interval does."""
    other = (ExponentialMixture(2.0, (-1.5,), (10.0,)), ExponentialMixture(0.5, (1.5,), (10.0,)))
    data = measured(TRUTHS["exponential_mixture_1"], 0.01, seed=0)
    monkeypatch.setattr(fit_coverage, "measured", lambda *_: data)
    monkeypatch.setitem(fit_coverage.TRUTHS, "exponential_mixture_1", other)
    held, _ = responses_held(Setting("exponential_mixture_1", 0.01), seed=0)
    assert not np.any(list(held.values()))


def test_the_command_stores_its_rows(tmp_path, monkeypatch, capsys):
    rows = [Setting("log_step", 0.01), Setting("logistic", 0.05, 5)]
    monkeypatch.setattr(fit_coverage, "rows_of", lambda laws: rows)
    main(["--trials", "1", "--laws", "auto", "--out", str(tmp_path / "rows.json")])
    stored = json.loads((tmp_path / "rows.json").read_text())
    assert [(r["truth"], r["noise"], r["cycles"], r["kind"]) for r in stored] == [
        ("log_step", 0.01, 1, "range"), ("logistic", 0.05, 5, "range"),
    ]  # fmt: skip
    assert "log_step" in capsys.readouterr().out
