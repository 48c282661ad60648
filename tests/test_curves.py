"""Curve laws and their fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models import ExponentialMixture
from device_models.fit.mixture import fit_exponential_mixture

numbers = st.floats(-1e3, 1e3)
mixtures = st.builds(
    lambda offset, terms: ExponentialMixture(offset, [a for a, _ in terms], [t for _, t in terms]),
    numbers,
    st.lists(st.tuples(numbers, st.floats(0.5, 500)), min_size=1, max_size=3),
)


@given(mixtures, st.floats(0, 100))
def test_value_is_the_sum_of_its_terms(law, n):
    by_hand = law.offset
    for amplitude, tau in zip(law.amplitudes, law.tau_pulses, strict=True):
        by_hand += amplitude * np.exp(-n / tau)
    assert law(n) == pytest.approx(by_hand, rel=1e-12, abs=1e-9)


@given(mixtures, st.floats(1, 100))
def test_derivative_is_the_limit_of_the_difference(law, n):
    step = 1e-4
    difference = (law(n + step) - law(n - step)) / (2 * step)
    assert law.derivative(n) == pytest.approx(difference, rel=1e-4, abs=1e-4)


@given(mixtures, mixtures, st.floats(0, 1))
def test_mixing_two_laws_mixes_their_values(first, second, share):
    n = np.linspace(0, 64, 9)
    mixed = first.mixed_with(second, share)
    assert np.allclose(mixed(n), (1 - share) * first(n) + share * second(n), atol=1e-9)


@pytest.mark.parametrize(
    ("amplitudes", "tau", "message"),
    [
        ((1.0,), (2.0, 3.0), "as many amplitudes"),
        ((), (), "as many amplitudes"),
        ((1.0,), (0.0,), "positive"),
        ((float("nan"),), (1.0,), "finite"),
    ],
)
def test_impossible_parameters_are_refused(amplitudes, tau, message):
    with pytest.raises(ValueError, match=message):
        ExponentialMixture(0.0, amplitudes, tau)


@settings(deadline=None, max_examples=15)
@given(
    st.floats(0.2, 2.0),
    st.floats(1.0, 20.0),
    st.floats(1.5, 6.0),
    st.floats(12.0, 40.0),
    st.booleans(),
)
def test_fit_finds_the_mixture_it_was_given(ratio, size, fast, slow, falls):
    """Round trip without noise: curve to 1e-6, time constants to 0.1 %."""
    sign = 1.0 if falls else -1.0
    offset = 1.0 if falls else 2.0 + size * (1 + ratio)
    law = ExponentialMixture(offset, (sign * size, sign * size * ratio), (fast, slow))
    n = np.arange(65)
    fitted = fit_exponential_mixture(n, law(n), order=2)
    assert np.allclose(fitted(n), law(n), rtol=1e-6)
    assert np.allclose(fitted.tau_pulses, (fast, slow), rtol=1e-3)


def test_fit_keeps_the_direction_of_noisy_data():
    rng = np.random.default_rng(0)
    n = np.arange(65)
    noisy = (1 + 5 * np.exp(-n / 10)) * (1 + 0.05 * rng.standard_normal(65))
    fitted = fit_exponential_mixture(n, noisy, order=3)
    assert np.all(np.diff(fitted(np.linspace(0, 64, 500))) <= 0)


def test_fit_refuses_too_few_points():
    with pytest.raises(ValueError, match="at least 8"):
        fit_exponential_mixture([0, 1, 2], [3, 2, 1], order=3)
