"""Spikes, their superposition, and plasticity against theory (ledger rows S1 to S5)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models import Memristor
from device_models.junction import (
    READINGS,
    Spike,
    Variability,
    conductance_change,
    single_spike_change,
    spike_pair,
    stdp_curve,
    stdp_start,
    superpose,
)

DELAYS_S = np.linspace(-0.06, 0.06, 25)


def test_spike_is_a_rectangle_and_a_fading_slope():
    pre, post = spike_pair()
    time = np.array([-1e-6, 0.0, 0.005, 0.010, 0.030, 0.050, 0.051])
    assert pre.voltage_V(time) == pytest.approx([0, 1.0, 1.0, -0.67, -0.335, 0, 0])
    assert post.voltage_V(time) == pytest.approx([0, 0.67, 0.67, -1.0, -0.5, 0, 0])
    step = (pre.voltage_V(0.031) - pre.voltage_V(0.030)) / 0.001
    assert pre.steepness_V_per_s(0.030) == pytest.approx(step)


@given(st.floats(-0.07, 0.07), st.sampled_from(sorted(READINGS)), st.sampled_from([0.005, 0.01]))
@settings(max_examples=60, deadline=None)
def test_sum_is_pre_minus_delayed_post(delay, reading, width):
    """At times off the corners the superposed points interpolate to pre(t) - post(t - delay)."""
    pre, post = spike_pair(reading, width)
    time, voltage = superpose(pre, post, delay)
    corners = np.unique(time)
    # A middle between two corners is on no jump.
    middle = (corners[1:] + corners[:-1]) / 2
    middle = middle[np.diff(corners) > 1e-9]
    expected = pre.voltage_V(middle) - post.voltage_V(middle - delay)
    for t, v in zip(middle, expected, strict=True):
        after = np.searchsorted(time, t)
        share = (t - time[after - 1]) / (time[after] - time[after - 1])
        straight = voltage[after - 1] + share * (voltage[after] - voltage[after - 1])
        assert straight == pytest.approx(v, abs=1e-9)


def test_change_is_the_integral_of_the_waveform():
    """The exact update against 10 us rectangles of the sampled sum, at one delay of either sign."""
    pre, post = spike_pair()
    step = 1e-5
    for delay in (0.0123, -0.0177):
        device = stdp_start()
        start_ohm = device.aligned_ohm(0.0)
        for t in np.arange(-0.02, 0.07, step) + step / 2:
            device.pulse(float(pre.voltage_V(t) - post.voltage_V(t - delay)), step)
        stepped = start_ohm / device.aligned_ohm(0.0) - 1
        assert stdp_curve([delay])[0, 0] == pytest.approx(stepped, rel=1e-3)


@pytest.mark.parametrize("start", [0.2, 0.5, 0.8, None])
def test_sign_follows_the_delay_from_any_start(start):
    device = None if start is None else Memristor(fluorine=start)
    change = stdp_curve([-0.03, -0.01, 0.01, 0.03], start=device)
    assert np.all(change[:, :2] < 0)
    assert np.all(change[:, 2:] > 0)


def test_change_decays_beyond_the_rectangle_and_ends_with_the_spikes():
    parallel = stdp_curve(DELAYS_S)[0]
    later = parallel[DELAYS_S >= 0.0099]
    earlier = parallel[DELAYS_S <= -0.0099]
    assert np.all(np.diff(later) <= 0)
    assert np.all(np.diff(earlier) <= 0)
    assert np.all(parallel[np.abs(DELAYS_S) > 0.0501] == 0)


def test_coincident_spikes_leave_only_the_difference_of_the_rectangles():
    assert np.array_equal(stdp_curve([0.0]), np.zeros((2, 1)))


def test_antiparallel_changes_more_because_the_tmr_falls_with_the_state():
    """S4, C9: with G_AP = G_P (1 - TMR), a TMR that falls with s adds to every change of s."""
    parallel, anti = stdp_curve([-0.02, 0.02])
    assert np.all(anti / parallel > 1)


def test_single_spike_does_nothing_from_any_start():
    """S1: below threshold, on its own; C2: the amplitudes of the main text are not."""
    for start in (None, Memristor(fluorine=0.3), Memristor(fluorine=0.9)):
        for pre, post in (spike_pair(), spike_pair("si", 0.005)):
            assert np.all(single_spike_change(pre, start) == 0)
            assert np.all(single_spike_change(Spike(-post.rect_V, -post.slope_V), start) == 0)
    assert single_spike_change(spike_pair("main")[0])[0] > 0.05
    assert single_spike_change(spike_pair("main_swapped")[0])[0] < -0.005


def test_start_is_left_as_it_was_and_matters():
    start = stdp_start()
    before = start.sites.copy()
    ledger = stdp_curve([-0.01, 0.01], start=start)
    assert np.array_equal(start.sites, before)
    other = stdp_curve([-0.01, 0.01], start=Memristor(fluorine=0.2))
    assert abs(ledger[0, 0] / ledger[0, 1]) != pytest.approx(
        abs(other[0, 0] / other[0, 1]), rel=0.1
    )


def test_many_devices_at_once_equal_one_at_a_time():
    start = np.array([0.2, 0.6, 0.9])
    together = stdp_curve([0.01, -0.02], start=Memristor(fluorine=start, shape=3))
    assert together.shape == (2, 2, 3)
    for i, fluorine in enumerate(start):
        alone = stdp_curve([0.01, -0.02], start=Memristor(fluorine=fluorine))
        assert together[..., i] == pytest.approx(alone, rel=1e-10)


def test_noise_is_the_same_from_the_same_start():
    start = Memristor(fluorine=0.5, shape=4, variability=Variability(rate_c2c=0.4), seed=2)
    first, second = stdp_curve([0.01, 0.01], start=start)[0]
    assert np.array_equal(first, second)
    assert np.ptp(first) > 0


def test_waveform_and_change_are_one():
    pre, post = spike_pair()
    time, voltage = superpose(pre, post, 0.01)
    change = conductance_change(stdp_start(), time, voltage, (0.0, 1.0))
    assert np.array_equal(change, stdp_curve([0.01])[:, 0])


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="si, main, main_swapped, got 'paper'"):
        spike_pair("paper")
    with pytest.raises(ValueError, match=r"between 0 and length_s = 0.05 s, got 0.06 s"):
        Spike(1.0, -0.5, rect_s=0.06)
