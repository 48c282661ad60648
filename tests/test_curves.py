"""Curve laws and their fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models import ExponentialMixture

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
