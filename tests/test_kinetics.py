"""Switching of the barrier sites against theory: rates, thresholds, waveforms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junctions import after, settled

from device_models import Memristor, MemristorParameters
from device_models.junction import equivalent_pulses

PULSES = st.lists(
    st.tuples(st.floats(-2.5, 2.5), st.floats(0, 1.0)),
    min_size=1,
    max_size=6,
)
ONE_SITE = MemristorParameters(sites_per_axis=1)


def test_one_site_follows_its_exponential():
    """Ledger 6.1: f = 1 - exp(-r t) with r = exp((|V| - V_k) / v0) / t_ref."""
    for voltage, width in ((-1.0, 0.3), (-1.25, 1.0), (-1.6, 0.02)):
        rate = np.exp((abs(voltage) - ONE_SITE.v_ltp_mean_V) / ONE_SITE.v_slope_V)
        device = after(voltage, width_s=width, parameters=ONE_SITE)
        assert device.state == pytest.approx(1 - np.exp(-rate * width), rel=1e-12)


@pytest.mark.parametrize("amplitude", [-1.3, 2.0])
def test_n_pulses_equal_one_n_times_as_long(amplitude):
    """Rate equation: at one amplitude only the total time counts."""
    one_by_one, at_once, counted = settled(), settled(), settled()
    for _ in range(10):
        one_by_one.pulse(amplitude, 0.01)
    at_once.pulse(amplitude, 0.1)
    counted.pulse(amplitude, 0.01, count=10)
    assert one_by_one.state == pytest.approx(at_once.state, rel=1e-12)
    assert counted.state == pytest.approx(at_once.state, rel=1e-12)


def test_width_trades_against_amplitude():
    """E5, E14: ten times shorter needs v0 ln 10 more volts."""
    p = MemristorParameters()
    short = after(-1.2 - p.v_slope_V * np.log(10), width_s=0.1)
    assert short.state == pytest.approx(after(-1.2, width_s=1.0).state, rel=1e-12)


def test_below_the_dead_zone_nothing_moves():
    """C5: retention is infinite below 0.70 V and 1.05 V, and at 10 mV for ever (E18)."""
    device = after(-1.2)
    before = device.sites.copy()
    for voltage in (-0.7, 1.05, 0.0, 0.01):
        device.pulse(voltage, 1e6)
    device.wait(1e9)
    assert np.array_equal(device.sites, before)
    device.pulse(-0.71, 1.0)
    assert not np.array_equal(device.sites, before)


@given(PULSES, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_sites_stay_shares(pulses, start):
    device = Memristor(fluorine=start, n_sites=16)
    for voltage, width in pulses:
        device.pulse(voltage, width)
        assert np.all((device.sites >= 0) & (device.sites <= 1))


@given(st.floats(0.0, 2.4), st.floats(0.01, 0.5), st.floats(1e-4, 1.0), st.sampled_from([-1, 1]))
@settings(max_examples=60, deadline=None)
def test_higher_or_longer_never_switches_less(amplitude, more_V, width, sign):
    start = 0.0 if sign < 0 else 1.0
    base, higher, longer = (
        abs(after(sign * a, width_s=w, fluorine=start, n_sites=16).state - start)
        for a, w in ((amplitude, width), (amplitude + more_V, width), (amplitude, 2 * width))
    )
    assert higher >= base
    assert longer >= base


def test_pulses_saturate():
    assert after(*[-2.4] * 5).state == pytest.approx(1.0, abs=1e-9)
    assert after(-2.4, *[3.0] * 5).state == pytest.approx(0.0, abs=1e-9)


def test_settled_cycle_repeats_exactly():
    """Fig. 3b: the end points of the +2 V / -1.3 V loop repeat, and loops go there."""
    device = settled()
    start = device.sites.copy()
    device.pulse(-1.3, 0.01, count=64)
    device.pulse(2.0, 0.01, count=64)
    assert np.allclose(device.sites, start, rtol=1e-12)
    looped = Memristor(fluorine=0.3)
    for _ in range(300):
        looped.pulse(-1.3, 0.01, count=64)
        looped.pulse(2.0, 0.01, count=64)
    assert looped.state == pytest.approx(device.state, abs=1e-4)


def test_train_reports_each_state():
    device, train = settled(), settled()
    states = train.pulse_train(-1.3, 0.01, 5)
    expected = [device.state]
    for _ in range(5):
        device.pulse(-1.3, 0.01)
        expected.append(device.state)
    assert np.array_equal(states, expected)


def protocol_states(**options) -> np.ndarray:
    device = after(-0.8, -1.2, -1.3, 1.6, **options)
    loop = settled(**options)
    return np.array([device.state, *loop.pulse_train(-1.3, 0.01, 64)])


def test_sites_converge():
    """The golden lattice goes to the fine grid's answer as K grows; K = 400 is there to 0.005."""
    fine = protocol_states(parameters=MemristorParameters(sites_per_axis=100))
    errors = [np.abs(protocol_states(n_sites=k) - fine).max() for k in (4, 16, 64, 1024)]
    assert np.all(np.diff(errors) < 0)
    assert errors[1] < 0.01
    assert errors[-1] < 0.001
    assert np.abs(protocol_states() - fine).max() < 0.005


def test_correlation_lets_low_thresholds_meet():
    """Ledger 6.2: sites that switch early one way tend to switch early the other way."""
    device = Memristor(n_sites=4096)
    ltp, ltd = device.kinetics.ltp_threshold_V, device.kinetics.ltd_threshold_V
    assert np.corrcoef(ltp, ltd)[0, 1] == pytest.approx(0.8, abs=0.01)
    assert (ltp.mean(), ltp.std()) == pytest.approx((1.25, 0.25), abs=0.003)
    assert (ltd.mean(), ltd.std()) == pytest.approx((1.60, 0.35), abs=0.003)


def test_trapezoid_equals_its_drawn_waveform():
    """E6: 1 V/s ramps around 1 s; -2.4 V takes 5.8 s in all."""
    for amplitude in (-2.4, -1.2, 1.8):
        rise = abs(amplitude)
        drawn, ramped = settled(), settled()
        drawn.apply_waveform(np.cumsum([0, rise, 1.0, rise]), [0, amplitude, amplitude, 0])
        ramped.pulse(amplitude, 1.0, ramp_V_per_s=1.0)
        assert np.allclose(drawn.sites, ramped.sites, rtol=0, atol=1e-12)
        assert abs(ramped.state - settled().state) > abs(
            (after_settled(amplitude)).state - settled().state
        )


def after_settled(amplitude: float) -> Memristor:
    device = settled()
    device.pulse(amplitude, 1.0)
    return device


def test_straight_pieces_agree_with_fine_steps():
    """The exact integral of a ramp through both polarities against 40,000 short rectangles."""
    exact, stepped = settled(), settled()
    time, voltage = np.array([0.0, 0.1, 0.1, 0.3]), np.array([0.3, -1.6, 1.9, -1.4])
    exact.apply_waveform(time, voltage)
    for t0, t1, v0, v1 in zip(time, time[1:], voltage, voltage[1:], strict=False):
        for share in (np.arange(4000) + 0.5) / 4000:
            stepped.pulse(v0 + share * (v1 - v0), (t1 - t0) / 4000)
    assert exact.state == pytest.approx(stepped.state, rel=1e-5)
    assert len(equivalent_pulses(time, voltage)) == 3


def test_sampled_waveform_converges_with_the_square_of_the_step():
    def state(n: int) -> float:
        time = np.linspace(0, 0.02, n + 1)
        device = settled()
        device.apply_waveform(time, -1.5 * np.sin(np.pi * time / 0.02))
        return float(device.state)

    reference = state(20_000)
    errors = [abs(state(n) - reference) for n in (20, 40, 80)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_waveform_inside_the_dead_zones_does_nothing():
    assert equivalent_pulses([0, 1, 2, 3], [0, 1.05, -0.7, 0]) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Memristor(n_sites=0), "from 1 up, got 0"),
        (lambda: Memristor().pulse(-1.0, 1.0, ramp_V_per_s=0.0), "ramp_V_per_s .* got 0"),
        (lambda: Memristor().apply_waveform([0, 1], [0.0]), r"shapes \(2,\) and \(1,\)"),
        (lambda: Memristor().apply_waveform([0, 2, 1], [0, 1, 0]), "2 s is followed by 1 s"),
        (lambda: Memristor().apply_waveform([0, np.nan], [0, 1]), "must be finite"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
