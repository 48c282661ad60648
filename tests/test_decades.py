"""Responses over decades and S-shapes: errors where the information is, curves above 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossbar.activation import EMActivation
from device_models import fit_card
from device_models.curves import (
    LAWS,
    ExponentialMixture,
    GeometricExponential,
    GeometricLogistic,
    GeometricSpline,
    Law,
    Logistic,
    StretchedExponential,
)
from device_models.fit import (
    CANDIDATES,
    Branch,
    Points,
    as_mixture,
    choose_law,
    fit_curves,
    fit_law,
    select_branches,
)
from device_models.fit.findings import find_findings
from device_models.fit.noise import robust_weights
from device_models.fit.solver import signed_least_squares
from device_models.pulses import PulseData, Segment

UP = GeometricLogistic(2e-10, 4.0, 9.0, 3.0)
DOWN = GeometricLogistic(2e-6, -4.0, 12.0, 4.0)


def data_of(*segments: Segment) -> PulseData:
    return PulseData("conductance", "S", segments, "decades.csv", "")


def noisy(law: Law, n, share: float, of_reading: bool, seed: int) -> np.ndarray:
    """Readings with noise of a `share` of each reading, or of the range."""
    y = law(n)
    scale = y if of_reading else float(np.ptp(y))
    return y + share * scale * np.random.default_rng(seed).standard_normal(len(n))


def branch_of(values, branch: str = "LTP") -> Branch:
    n = np.arange(float(len(values)))
    return select_branches(data_of(Segment(branch, n, np.asarray(values))))[0][0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_readings", [31, 101])
def test_noise_in_proportion_is_told_from_noise_of_one_size(seed, n_readings):
    """Four decades; the weights are inverse variances, so they fall with the square."""
    n = np.linspace(0, 30, n_readings)
    proportional = branch_of(noisy(UP, n, 0.05, True, seed))
    assert proportional.noise_growth > 100
    assert proportional.noise_proven
    level = np.log(UP(n))
    slope = np.polyfit(level, np.log(proportional.weights), 1)[0]
    assert slope == pytest.approx(-2, abs=0.25)
    fallen = noisy(ExponentialMixture(0.01, (0.99,), (3.0,)), n, 1e-3, False, seed)
    if n_readings > 100:
        assert branch_of(fallen, "LTD").noise_growth == 1


def test_short_files_over_decades_are_fitted_in_proportion_and_say_so():
    """Ten readings over four decades: each followed to a share of itself, the start above 0."""
    up = np.array([4e-9, 5e-8, 8e-7, 5e-6, 1.6e-5, 2.7e-5, 3.4e-5, 3.9e-5, 4.2e-5, 4.4e-5])
    down = np.array([4.3e-5, 3.4e-5, 2.1e-5, 8e-6, 2.4e-6, 5e-7, 1.1e-7, 4e-8, 1.4e-8, 8e-9])
    n = np.arange(1.0, 11.0)
    fit = fit_card(data_of(Segment("LTP", n, up), Segment("LTD", n, down)))
    card = fit.card
    for branch, values in (("LTP", up), ("LTD", down)):
        curve = card.conductance(branch, n - 1)
        assert np.median(np.abs(curve / values - 1)) < 0.08
        assert np.abs(np.log(curve / values)).max() < np.log(1.7)
        assert curve[0] == pytest.approx(values[0], rel=0.1)
    assert card.conductance_range()[0] > 0
    error = card.uncertainty.standard_errors()[0]
    name, start = card.parameters[0], card.curves[0].law.theta[0]
    assert name == "LTP 0 G log_start"
    assert abs(start - np.log(up[0])) < 1.96 * error
    assert (
        sum("fitted with errors in proportion to the conductance" in w for w in fit.warnings) == 2
    )
    assert all(c.fit["median_relative_error"] < 0.08 for c in card.curves)


@pytest.mark.parametrize("n_readings", [31, 101])
def test_noise_of_one_size_is_rarely_taken_for_one_in_proportion(n_readings):
    """A positive offset keeps every reading above 0; a few of a hundred are taken wrongly."""
    n, law = np.linspace(0, 30, n_readings), ExponentialMixture(1.03, (-1.0,), (6.0,))
    grows = [branch_of(noisy(law, n, 2e-3, False, seed)).noise_growth != 1 for seed in range(50)]
    assert sum(grows) <= 4


@settings(deadline=None, max_examples=25)
@given(
    steps=st.lists(st.floats(0.01, 2.5), min_size=5, max_size=14),
    start=st.floats(1e-12, 1e3),
    falling=st.booleans(),
)
def test_no_curve_goes_to_0_where_every_reading_is_above(steps, start, falling):
    values = start * np.exp(np.cumsum([0.0, *steps]))
    branch = branch_of(values[::-1] if falling else values, "LTD" if falling else "LTP")
    law = choose_law([branch]).fits[0].law
    curve = law(np.linspace(0, branch.end, 301))
    assert np.all(curve > 0)
    assert np.all(branch.direction * np.diff(curve) >= -1e-9 * np.ptp(curve))


def test_a_form_that_goes_below_0_is_no_candidate_and_says_why():
    n = np.arange(31.0)
    segments = Segment("LTP", n, Logistic(1.0, 19.0, 8.0, 2.0)(n)), Segment("LTD", n, 20 - n / 2)
    choice = fit_curves(data_of(*segments), bootstrap=0).choices["LTP"]
    assert "values of 0 or below" in choice.left_out["exponential_mixture_1"]


def test_laws_of_the_logarithm_need_readings_above_0():
    n = np.arange(20.0)
    points = Points(n, n / 10, np.ones(20))
    with pytest.raises(ValueError, match="geometric_logistic needs readings above 0"):
        fit_law(CANDIDATES["geometric_logistic"], points, 1.0)
    assert points.decades == 0
    assert Points(n, 10 ** (n / 10), np.ones(20)).decades == pytest.approx(1.9)


S_SHAPES = {
    "logistic": (Logistic(2.0, 30.0, 12.0, 2.5), Logistic(31.0, -28.0, 9.0, 3.0)),
    "stretched_exponential": (
        StretchedExponential(2.0, 30.0, 14.0, 2.6), StretchedExponential(31.0, -28.0, 11.0, 3.4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", S_SHAPES)
@pytest.mark.parametrize("digits", [4, 12])
def test_noise_free_s_shapes_are_found_again(name, digits):
    """To the digits of the file: the curve within 0.1 % of the range, the start as read."""
    n = np.arange(36.0)
    segments = [
        Segment(branch, n, 1e-6 * np.round(law(n), digits))
        for branch, law in zip(("LTP", "LTD"), S_SHAPES[name], strict=True)
    ]
    fit = fit_card(data_of(*segments), bootstrap=0)
    assert {c.name for c in fit.choices.values()} == {name}
    for own, law in zip(S_SHAPES[name], fit.laws, strict=True):
        assert np.abs(law(n) - 1e-6 * own(n)).max() < 1e-5 * 30e-6
        assert law(0.0) == pytest.approx(1e-6 * float(own(0.0)), rel=1e-3)
    assert not any("RMSE" in w or "follow each other" in w for w in fit.warnings)


@pytest.mark.parametrize(
    ("form", "parameters", "message"),
    [
        (Logistic, (0.0, 1.0, 0.0, 1.0), "centre_pulses must be positive, got 0"),
        (Logistic, (0.0, 1.0, 5.0, -1.0), "width_pulses must be positive, got -1"),
        (StretchedExponential, (0.0, 1.0, 5.0, 0.0), "beta must be positive, got 0"),
        (StretchedExponential, (0.0, 1.0, np.nan, 1.0), "stretched_exponential needs finite"),
        (GeometricExponential, (0.0, 1.0, 5.0), "start must be positive, got 0"),
        (GeometricLogistic, (-1.0, 1.0, 5.0, 1.0), "start must be positive, got -1"),
        (GeometricSpline, (1.0, (1.0, -1.0, 1.0), (0.0, 5.0)), "increments must share one sign"),
    ],
)  # fmt: skip
def test_impossible_parameters_are_refused(form, parameters, message):
    with pytest.raises(ValueError, match=message):
        form(*parameters)


def test_logistic_and_stretched_exponential_are_the_textbook_forms():
    n = np.array([0.0, 3.0, 12.0, 40.0])
    logistic = Logistic(2.0, 30.0, 12.0, 2.5)
    by_hand = 30 / (1 + np.exp(-(n - 12) / 2.5)) - 30 / (1 + np.exp(12 / 2.5)) + 2
    assert np.allclose(logistic(n), by_hand, rtol=1e-12)
    avrami = StretchedExponential(2.0, 30.0, 14.0, 2.6)
    assert np.allclose(avrami(n), 2 + 30 * (1 - np.exp(-((n / 14) ** 2.6))), rtol=1e-12)
    assert np.allclose(GeometricExponential(3.0, 2.0, 5.0)(n), 3 * 10 ** (2 * (1 - np.exp(-n / 5))))
    assert set(LAWS) >= {"logistic", "stretched_exponential", "geometric_spline"}


def test_far_from_the_middle_nothing_overflows():
    with np.errstate(all="raise", under="ignore"):
        law = StretchedExponential(0.0, 1.0, 0.1, 15.0)
        n = np.array([0.0, 1e-9, 1.0, 1e9])
        assert np.all(np.isfinite([law(n), law.derivative(n), *law.jacobian(n).T]))
        steep = Logistic(0.0, 1.0, 1e6, 1e-3)
        assert np.all(np.isfinite([steep(n), steep.derivative(n), *steep.jacobian(n).T]))


@pytest.mark.parametrize(
    "law", [Logistic(1.0, 9.0, 30.0, 6.0), GeometricExponential(0.01, 2.0, 9.0)]
)
def test_a_mixture_stands_in_for_the_new_laws(law):
    n = np.linspace(0, 60, 301)
    assert np.abs(as_mixture(law, 60)(n) - law(n)).max() < 1e-2 * np.ptp(law(n))
    with pytest.raises(ValueError, match="follows this logistic closer than"):
        as_mixture(Logistic(0.0, 1.0, 30.0, 0.5), 60)


def test_an_activation_takes_an_s_shaped_card():
    """As it was fitted: no mixture stands in."""
    n = np.arange(41.0)
    up, down = Logistic(1.0, 19.0, 18.0, 4.0)(n), Logistic(20.0, -19.0, 16.0, 4.0)(n)
    card = fit_card(data_of(Segment("LTP", n, up), Segment("LTD", n, down)), bootstrap=0).card
    layer = EMActivation(card, quantity="conductance")
    found = (layer.curves(torch.arange(41.0)).double()).numpy()
    assert layer.n_pulses == 40
    for column, branch in enumerate(("LTD", "LTP")):
        assert found[:, column] == pytest.approx(card.conductance(branch, n), rel=1e-5)


def test_least_squares_with_signs_end_where_weights_span_decades():
    """scipy's search goes in circles on some of these; the bounded one answers."""
    rng = np.random.default_rng(0)
    for seed in range(40):
        values = noisy(
            GeometricLogistic(1e-8, 8.0, 8.0, 2.0), np.linspace(0, 30, 16), 0.05, True, seed
        )
        weights = 1 / values**2
        points = Points(np.arange(16.0), values, weights / weights.mean())
        law = CANDIDATES["monotone_spline_8"].starts(points, 1.0)[0]
        assert np.diff(law(np.linspace(0, 15, 91))).min() >= -1e-15
    columns = np.abs(rng.standard_normal((30, 4)))
    truth = np.array([2.0, 0.0, 3.0])
    free, signed = signed_least_squares(columns[:, :1], columns[:, 1:], columns @ [-1.0, *truth])
    assert free == pytest.approx([-1.0])
    assert signed == pytest.approx(truth, abs=1e-12)


def test_a_reading_on_the_curve_keeps_its_weight():
    weights = robust_weights(np.array([0.0, 0.1, -0.1, 0.05, 5.0]), 1.0)
    assert weights[:4].tolist() == [1.0] * 4
    assert weights[4] == pytest.approx(3 * 1.4826 * 0.1 / 5.0)


def test_a_spline_that_ends_flat_before_its_readings_do_is_named():
    """Its last increments are taken away: the readings are a line to the end."""
    n = np.arange(61.0)
    values = 1 + n / 60
    branch = branch_of(values)
    (line,) = CANDIDATES["monotone_spline_8"].starts(branch.points(), 1.0)
    increments = np.array(line.increments)
    increments[-2:] = 1e-9
    flat = type(line)(line.start, tuple(increments), line.knots_pulses)
    small = np.eye(len(flat.theta)) * 1e-6
    findings = find_findings([branch], [flat], small, None)[1]
    assert any("the spline ends flat while its readings still rise" in w for w in findings)
    findings = find_findings([branch], [line], small, None)[1]
    assert not any("ends flat" in w for w in findings)


def test_few_devices_say_how_well_their_mean_is_known():
    """Heights that differ: the error of the mean height is their standard error."""
    rng = np.random.default_rng(4)
    n, heights, segments = np.arange(31.0), 1 + 0.2 * rng.standard_normal(4), []
    for i, height in enumerate(heights):
        for branch, sign in (("LTP", 1.0), ("LTD", -1.0)):
            law = ExponentialMixture(sign * height, (-sign * height,), (6.0,))
            segments.append(Segment(branch, n, 2 + law(n) + 1e-3 * rng.standard_normal(31), str(i)))
    data = PulseData("conductance", "1", tuple(segments), "few.csv", "")
    fit = fit_curves(data, law="exponential_mixture_1")
    assert fit.covariance_from == "how 4 devices differ"
    of_height = np.std(heights, ddof=1) / 2 / heights.mean()
    # LTP and LTD of a device are high together, as far as their readings alone do not say it.
    assert 0.6 < fit.covariance[1, 4] / fit.covariance[1, 1] <= 1.0
    # Three squares take 3.182 for 1.960.
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(3.182 / 1.960 * of_height, rel=0.1)
