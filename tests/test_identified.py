"""What readings determine: no degenerate laws, no certainty that the noise does not allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device_models import fit_card, read_pulses
from device_models.curves import ExponentialMixture, Logistic, PowerLaw
from device_models.fit import choose_law, select_branches
from device_models.fit import curve_fit as curve_fit_module
from device_models.fit.identified import degenerate, too_certain
from device_models.fit.laws import CANDIDATES, Points, fit_law, prior_std, refit
from device_models.fit.solver import Solution, beyond, covariance
from device_models.fit.uncertainty import (
    chance_of_difference,
    reading_covariance,
    student,
    widening,
)
from device_models.pulses import PulseData, Segment
from experiments.fit_coverage import OVER_DECADES, RELATIVE, TRUTHS, measured
from experiments.fitting.fit_report import choice_lines

LOW, HIGH, TAU_UP, TAU_DOWN = 4e-6, 4e-5, 12.0, 9.0


def one_exponential(path, seed, n=50, cycles=5, noise=0.01):
    """A trace that relaxes to one of two ends in turn, `noise` of their distance on a reading."""
    rng = np.random.default_rng(seed)
    trace = [LOW]
    for _ in range(cycles):
        for tau, end in ((TAU_UP, HIGH), (TAU_DOWN, LOW)):
            trace += list(end + (trace[-1] - end) * np.exp(-np.arange(1, n + 1) / tau))
    values = np.array(trace) + noise * (HIGH - LOW) * rng.standard_normal(len(trace))
    path.write_text("conductance_S\n" + "\n".join(f"{v:.6e}" for v in values) + "\n")
    return read_pulses(path)


@pytest.mark.parametrize("seed", [0, 5, 10, 17])
def test_one_exponential_is_fitted_as_one(tmp_path, seed):
    """Three of these traces once got three exponentials, two alike and one of 0.02 pulses."""
    fit = fit_card(one_exponential(tmp_path / "one.csv", seed))
    assert {choice.name for choice in fit.choices.values()} == {"exponential_mixture_1"}
    errors = fit.card.uncertainty.standard_errors().reshape(2, 3)
    # Fifty pulses leave this much of the way to either end.
    left_up, left_down = np.exp(-50 / TAU_UP), np.exp(-50 / TAU_DOWN)
    high = HIGH - (HIGH - LOW) * left_up
    low = LOW + (high - LOW) * left_down
    truth = np.array([[low, np.log(HIGH - low), np.log(TAU_UP)],
                      [high, np.log(high - LOW), np.log(TAU_DOWN)]])  # fmt: skip
    theta = np.array([law.theta for law in fit.laws])
    assert np.all(np.abs(theta - truth) < 4 * errors)
    # No better than the mean of all readings, about as well as that of the five at the start.
    noise = 0.01 * (HIGH - LOW)
    assert np.all(errors[:, 0] > noise / np.sqrt(5 * 51))
    assert np.all(errors[:, 0] < 2.5 * noise / np.sqrt(5))


def branch_of(law, noise=0.01, seed=0, cycles=1):
    """LTP branch of synthetic readings of a law that rises."""
    return select_branches(measured((law, TRUTHS["log_step"][1]), noise, seed, cycles))[0][0]


ONE = ExponentialMixture(1.0, (-0.9,), (15.0,))


@pytest.mark.parametrize(
    ("law", "names"),
    [
        (ExponentialMixture(1.0, (-0.5, -0.4), (15.0, 15.0)), ["amplitude_1", "tau_1"]),
        (ExponentialMixture(1.0, (-0.5, -0.4), (15.0, 15.1)), ["amplitude_1", "tau_1"]),
        (ExponentialMixture(1.0, (-0.88, -0.02), (15.0, 0.04)), ["tau_2"]),
        (ExponentialMixture(5.0, (-0.9, -4.0), (15.0, 1e5)), ["amplitude_2", "tau_2"]),
        (PowerLaw(0.1, 0.06, 130.0, -8.0), ["exponent"]),
        (Logistic(0.1, 40.0, 200.0, 45.0), ["size"]),
    ],
    ids=["met", "nearly met", "below a pulse", "beyond the range", "on a bound", "no middle"],
)
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_degenerate_laws_are_named(law, names, scale):
    branch = branch_of(ONE)
    branch = replace(branch, values=scale * branch.values)
    size = {n: tuple(scale * a for a in getattr(law, n)) if n == "amplitudes"
            else scale * getattr(law, n) for n in law.in_unit}  # fmt: skip
    found = degenerate(branch, replace(law, **size))
    assert set(names) <= set(found)


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_a_true_law_is_never_degenerate(name, noise):
    kind = RELATIVE if name in OVER_DECADES else "range"
    for seed in range(3):
        for branch in select_branches(measured(TRUTHS[name], noise, seed, kind=kind))[0]:
            fit = fit_law(CANDIDATES[name], branch.points(), branch.direction)
            assert degenerate(branch, fit.law) == []


def test_a_direction_lost_in_rounding_is_unknown_and_not_exact():
    """Two equal columns: their difference is as wide as the prior, or without bound."""
    column = np.linspace(1, 2, 50)
    solution = Solution(np.zeros(2), 1e-11 * np.ones(50), np.stack([column, column], 1))
    matrix = covariance(solution, np.array([3.0, 3.0]))
    assert np.allclose(np.sqrt(np.diag(matrix)), 3 / np.sqrt(2), rtol=1e-6)
    assert np.sqrt(np.diag(covariance(solution))).min() > 1


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e12])
def test_a_bounded_search_goes_as_far_in_any_unit(scale):
    """A straight line drives the time constant to its bound, in siemens as on a scale of 1."""
    n = np.arange(40.0)
    line = 0.1 + 0.02 * n
    start = ExponentialMixture(1.0, (-0.9,), (15.0,))
    scaled = ExponentialMixture(scale, (-0.9 * scale,), (15.0,))
    one = refit(start, Points(n, line, np.ones(40)), quick=True).law
    other = refit(scaled, Points(n, scale * line, np.ones(40)), quick=True).law
    assert np.abs(one(n) - line).max() < 1e-3
    assert np.allclose(other(n) / scale, one(n), rtol=1e-3)


def differing(height, cycles=6, seed=0):
    """Cycles of one exponential whose heights scatter by `height`, 1 % noise."""
    rng = np.random.default_rng(seed)
    n, segments = np.arange(41.0), []
    for cycle in range(cycles):
        size = 1 + height * rng.standard_normal()
        for branch, y in (("LTP", 1 - np.exp(-n / 9)), ("LTD", np.exp(-n / 9))):
            noisy = size * y + 0.01 * rng.standard_normal(41)
            segments.append(Segment(branch, n, noisy, cycle=cycle + 1))
    return PulseData("conductance", "1", tuple(segments), "cycles.csv", "")


def test_cycles_that_are_alike_are_pooled():
    fit = fit_card(differing(0.0), law="exponential_mixture_1")
    assert fit.covariance_from == "residuals of single readings"
    single = [reading_covariance(b, law) for b, law in zip(fit.branches, fit.laws, strict=True)]
    expected = np.sqrt(np.concatenate([np.diag(m) for m in single]))
    assert np.allclose(fit.card.uncertainty.standard_errors(), expected, rtol=1e-6)


def test_cycles_too_few_to_resample_count_by_students_t():
    fit = fit_card(differing(0.1, cycles=4), law="exponential_mixture_1")
    assert fit.covariance_from == "how 4 cycles differ"
    alike = fit_card(differing(0.0, cycles=4), law="exponential_mixture_1")
    assert alike.covariance_from == "residuals of single readings"


def test_cycles_that_differ_widen_and_never_narrow():
    """The height is known as from six cycles, and nothing better than the readings allow."""
    data = differing(0.1)
    fit = fit_card(data, law="exponential_mixture_1")
    assert fit.covariance_from == "bootstrap over cycles, 200 draws"
    errors = fit.card.uncertainty.standard_errors()
    single = [reading_covariance(b, law) for b, law in zip(fit.branches, fit.laws, strict=True)]
    least = np.sqrt(np.concatenate([np.diag(m) for m in single]))
    assert np.all(errors >= least * (1 - 1e-6))
    heights = [s.values[30:].mean() for s in data.segments if s.branch == "LTP"]
    of_mean = np.std(heights, ddof=1) / np.mean(heights) / np.sqrt(6)
    # Five squares: 2.571 where a normal takes 1.960.
    assert errors[1] == pytest.approx(2.571 / 1.960 * of_mean, rel=0.25)


def test_chance_of_difference_is_uniform_for_readings_of_one_curve():
    """40 values for alike cycles: a tenth below 0.1, mean one half; none for others."""

    def chance(height, seed):
        branches, _, _ = select_branches(differing(height, seed=seed))
        law = CANDIDATES["exponential_mixture_1"]
        fits = [fit_law(law, b.points(), b.direction) for b in branches]
        return chance_of_difference(branches, fits, [b.clusters for b in branches])

    chances = np.array([chance(0.0, seed) for seed in range(40)])
    assert 0.35 < chances.mean() < 0.65
    assert np.mean(chances < 0.1) < 0.25
    assert max(chance(0.05, seed) for seed in range(5)) < 1e-6


def test_few_squares_need_students_quantile():
    """2.776 standard errors for five, where a normal takes 1.960."""
    assert np.sqrt(student(4)) == pytest.approx(2.776 / 1.960, rel=1e-3)
    assert student(1e6) == pytest.approx(1, rel=1e-5)


def test_beyond_is_what_a_covariance_has_on_top():
    known = np.diag([1.0, 4.0])
    assert np.allclose(beyond(known + np.diag([3.0, 0.0]), known), np.diag([3.0, 0.0]))
    assert np.allclose(beyond(0.5 * known, known), 0)


def test_laws_that_fit_as_well_widen_the_intervals():
    """Two laws of one score: half of the squared distance over the variance comes on top."""
    branch = branch_of(ONE, noise=0.05)
    own = fit_law(CANDIDATES["exponential_mixture_1"], branch.points(), 1.0)
    error = np.sqrt(reading_covariance(branch, own.law)[0, 0])
    moved = replace(own, law=replace(own.law, offset=own.law.offset + error))
    fits = {"own": own, "moved": moved}
    # The start is the least known response there is, so it moves by more than one error elsewhere.
    factor = widening(branch, fits, {"own": 0.0, "moved": 0.0}, "own")
    assert factor > np.sqrt(1.5)
    assert widening(branch, fits, {"own": 0.0, "moved": 40.0}, "own") == 1
    assert widening(branch, {"own": own}, {"own": 0.0}, "own") == pytest.approx(1)


def test_errors_below_what_noise_allows_are_said(monkeypatch):
    data = measured(TRUTHS["exponential_mixture_1"], 0.01, seed=0, cycles=5)
    fit = fit_card(data, law="exponential_mixture_1")
    assert not any("a fault of the fit" in w for w in fit.warnings)
    branch, law = fit.branches[0], fit.laws[0]
    errors = fit.card.uncertainty.standard_errors()[:3]
    assert too_certain(branch, law, errors) == []
    assert too_certain(branch, law, errors * [1e-3, 1, 1]) == ["start"]
    exact = np.diag(np.full(6, 1e-27)), "a broken bootstrap"
    monkeypatch.setattr(curve_fit_module, "all_curves_covariance", lambda *_: exact)
    broken = fit_card(data, law="exponential_mixture_1")
    assert any(
        w.startswith("LTP at 0 G: standard errors far below what the noise allows")
        and w.endswith("start, amplitude_1, tau_1")
        for w in broken.warnings
    )


def test_the_prior_is_no_bound_for_the_start():
    assert prior_std(ONE).tolist() == [np.inf, 3.0, 3.0]


def waves(seed):
    """A response with slow noise, which invites curves without a formula."""
    rng = np.random.default_rng(seed)
    n = np.arange(120.0)
    segments = []
    for branch, y in (("LTP", 1 - np.exp(-n / 40)), ("LTD", np.exp(-n / 40))):
        slow = np.convolve(rng.standard_normal(140), np.ones(21) / 21, mode="valid")
        segments.append(Segment(branch, n, y + 0.08 * slow + 0.01 * rng.standard_normal(120)))
    return PulseData("conductance", "1", tuple(segments), "waves.csv", "")


def test_a_law_that_wins_with_a_worse_score_says_why():
    """Each law that scores better is named in the reason, and the report prints it."""
    explained = 0
    sets = [waves(seed) for seed in range(3)] + [differing(0.1, seed=seed) for seed in range(2)]
    for data in sets:
        for branch in select_branches(data)[0]:
            choice = choose_law([branch])
            better = [n for n, s in choice.scores.items() if s < choice.scores[choice.name]]
            assert all(name in choice.reason for name in better)
            assert bool(choice.reason) == bool(better)
            assert not set(choice.left_out) & set(choice.scores)
            explained += bool(better)
    assert explained >= 2


def test_the_report_names_reasons_and_degenerate_laws():
    fit = fit_card(waves(0), bootstrap=0)
    text = "\n".join(choice_lines(fit))
    for choice in fit.choices.values():
        assert choice.reason in text
        for name, open_ones in choice.left_out.items():
            assert f"{name} ({', '.join(open_ones)})" in text
    assert "no candidates, for what the data do not identify: " in text
