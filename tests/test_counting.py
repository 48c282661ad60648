"""What a column of numbers does: counts, tells time, is held, is swept, rises or falls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.pulses.columns.counting import (
    counts,
    counts_by_steps,
    even_step,
    is_below_zero,
    is_clock,
    is_held,
    is_swept,
    last_places,
    movement,
    resolution,
)

NAN = np.nan


@given(n=st.integers(3, 40), start=st.integers(0, 1), times=st.integers(1, 4))
def test_a_count_may_start_again(n, start, times):
    numbers = np.tile(np.arange(start, start + n, dtype=float), times)
    assert counts(numbers)
    assert counts(np.r_[numbers, NAN, NAN])
    assert counts_by_steps(numbers)
    assert not counts(np.r_[numbers, numbers[-1] + 5])
    assert not counts(numbers[::-1])
    assert not counts(2 * numbers)
    assert counts_by_steps(5 * numbers)
    assert not counts(numbers + 2)
    assert not is_clock(numbers)


@pytest.mark.parametrize(
    "numbers",
    [[0.0], [0, 0, 0], [1, 1, 2, 3], [0, 1, NAN, 3], [0, 1, 2, 2], [0, 1, 2, 3.2], [], [NAN, NAN]],
)
def test_numbers_that_do_not_count(numbers):
    assert not counts(np.array(numbers, dtype=float))
    assert not counts(None)


def test_digitised_numbers_count_where_most_are_a_little_off():
    numbers = np.arange(1, 13) + 0.08 * np.cos(np.arange(12))
    assert counts(numbers)
    assert not counts(np.arange(1, 13) + 0.45 * np.cos(np.arange(12)))
    assert not counts(np.arange(12) + np.where(np.arange(12) == 4, 0.1, 0))


@given(step=st.floats(1e-6, 1e6), n=st.integers(5, 60), later=st.floats(1.5, 4))
def test_a_clock_ticks_evenly_from_about_zero(step, n, later):
    times = step * np.arange(n)
    assert even_step(times) == pytest.approx(step)
    if abs(step - 1) > 0.06:
        assert is_clock(times)
        assert is_clock(times + step)
    assert not is_clock(times + 10 * step)
    assert not is_clock(times[::-1])
    assert even_step(step * np.arange(n) ** 2) is None
    slower = np.r_[step * np.arange(30), step * (29 + later * np.arange(1, 31))]
    assert even_step(slower) == pytest.approx(step)


def test_settings_are_held_and_readings_are_not():
    assert is_held(np.full(6, 0.1))
    assert is_held(np.r_[[1.5] * 20, [-1.5] * 20])
    assert is_held(np.repeat([1.0, 2, 3, 4, 5], 20))
    assert not is_held(np.repeat([1.3, 2.1, 3.4, 4.9, 5.2], 20))
    assert not is_held(np.arange(20.0))
    assert not is_held(np.tile([1.5, -1.5], 20))
    assert not is_held(np.full(5, 0.1))


def test_sweeps_go_up_and_down_in_even_steps():
    up = np.arange(0, 2, 0.1)
    assert is_swept(np.r_[up, up[::-1], -up, -up[::-1]])
    assert not is_swept(up)
    assert not is_swept(np.r_[up**2, up[::-1] ** 2])
    assert not is_swept(np.tile([0.0, 1.0], 20))


@given(scale=st.sampled_from([1e-12, 1e-6, 1.0, 1e6]), sign=st.sampled_from([1, -1]))
def test_movement_is_that_of_the_size(scale, sign):
    rising = sign * scale * (2 - np.exp(-np.arange(30) / 8))
    assert movement(rising) == 1
    assert movement(rising[::-1]) == -1
    assert movement(np.r_[rising, rising[::-1]]) == 0
    assert movement(rising[:2]) == 0
    assert is_below_zero(rising) == (sign < 0)


def test_noise_around_zero_is_not_below_zero():
    assert is_below_zero(np.array([-1.0, -0.5, 0.01]))
    assert not is_below_zero(np.array([-1.0, -0.5, 0.2]))
    assert not is_below_zero(np.array([-1.0, 0.5, 0.4]))
    assert not is_below_zero(np.array([NAN]))


def test_last_places_of_numbers_as_written():
    assert list(last_places(["1.25", "1e-6", "7.0E6", "3", "", "abc", "-0,5"])) == pytest.approx(
        [0.01, 1e-6, 1e5, 1, 0, 0, 0.1]
    )
    assert resolution(["1.25", "1.2", "1.37", ""]) == pytest.approx(0.01)
    assert resolution([]) == 0
