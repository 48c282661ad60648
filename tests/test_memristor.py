"""The compact model against the paper's statements (rows of the ledger) and against theory."""

from __future__ import annotations

import numpy as np
import pytest

from device_models import Memristor, MemristorParameters
from device_models.magnetics import CO, LSMO, antiparallel_fraction, sweep_magnetization
from device_models.memristor import SOURCES, resistance_ohm, tmr


def after(*pulses_V: float, width_s: float = 1.0) -> Memristor:
    device = Memristor()
    for voltage in pulses_V:
        device.pulse(voltage, width_s)
    return device


def settled() -> Memristor:
    device = Memristor()
    device.settle(-1.3, 2.0, 0.01, 64)
    return device


def test_resistance_change_ratio_is_the_stated_one():
    """E2: (R_H - R_L) / R_L up to 1.1e4 %."""
    high, low = after(3.0).resistance_ohm(), after(-3.0).resistance_ohm()
    assert (high - low) / low == pytest.approx(110, rel=0.1)


def test_tmr_after_full_negative_polarisation():
    """M1: -43.9 % after -2.4 V, 1 s."""
    assert tmr(after(-2.4).state) == pytest.approx(-0.439, abs=0.005)


def test_tmr_changes_sign_where_stated():
    """M4: positive after -0.8 V, about zero after -1.2 V, negative after -1.3 V (successive)."""
    assert tmr(after(-0.8).state) > 0.02
    assert abs(tmr(after(-0.8, -1.2).state)) < 0.02
    assert tmr(after(-0.8, -1.2, -1.3).state) < -0.02


def test_ltp_switches_the_tmr_sign():
    """M7: TMR > 0 after +2 V pulses, < 0 after 64 pulses of -1.3 V, 10 ms."""
    device = settled()
    assert tmr(device.state) > 0
    device.pulse_train(-1.3, 0.01, 64)
    assert tmr(device.state) < 0


def test_no_single_ltp_pulse_dominates():
    """E10 for the -1.3 V train: the first pulse makes less than 30 % of the resistance change."""
    device = settled()
    resistance = resistance_ohm(device.pulse_train(-1.3, 0.01, 64))
    assert np.all(np.diff(resistance) < 0)
    assert (resistance[0] - resistance[1]) / (resistance[0] - resistance[-1]) < 0.3


def test_below_the_dead_zone_nothing_moves():
    """C5: retention is infinite below 0.70 V and 1.05 V."""
    device = after(-1.2)
    before = device.sites.copy()
    for voltage in (-0.7, 1.05, 0.0, 0.01):
        device.pulse(voltage, 1e6)
    assert np.array_equal(device.sites, before)


def test_n_pulses_equal_one_n_times_as_long():
    """Rate equation: at one amplitude only the total time counts."""
    one_by_one, at_once = settled(), settled()
    for _ in range(10):
        one_by_one.pulse(-1.3, 0.01)
    at_once.pulse(-1.3, 0.1)
    assert one_by_one.state == pytest.approx(at_once.state, rel=1e-12)


def test_settled_cycle_repeats_exactly():
    """Fig. 3b: the end points of the +2 V / -1.3 V loop repeat."""
    device = settled()
    start = device.sites.copy()
    device.pulse(-1.3, 0.01, count=64)
    device.pulse(2.0, 0.01, count=64)
    assert np.allclose(device.sites, start, rtol=1e-12)


def test_field_and_pulses_commute():
    """Q10: pulses then field equals field then pulses."""
    first, second = settled(), settled()
    first.pulse(-1.3, 0.01)
    _ = [second.resistance_ohm(h) for h in (0, 350, -2000)]
    second.pulse(-1.3, 0.01)
    assert first.resistance_ohm(200) == second.resistance_ohm(200)


def test_more_sites_change_little():
    """K = 400 sites are enough: the loop's end states agree with K = 2500 to 0.005."""
    fine = Memristor(MemristorParameters(sites_per_axis=50))
    fine.settle(-1.3, 2.0, 0.01, 64)
    assert settled().state == pytest.approx(fine.state, abs=0.005)


def test_saturation_is_parallel_and_mirror_symmetric():
    """M2: P at +-2 kG; the down sweep mirrors the up sweep."""
    field = np.linspace(-2000, 2000, 81)
    up, down = antiparallel_fraction(field, +1), antiparallel_fraction(field, -1)
    assert up[[0, -1]] == pytest.approx([0, 0], abs=1e-6)
    assert np.allclose(up, down[::-1])


def test_lsmo_switches_at_90_gauss():
    assert sweep_magnetization(90.0, LSMO) == 0
    assert sweep_magnetization(90.0, CO) < -0.98


def test_every_parameter_says_where_it_comes_from():
    assert set(SOURCES) == set(MemristorParameters.__dataclass_fields__)


@pytest.mark.parametrize("fluorine", [-0.1, 1.1])
def test_impossible_state_is_refused(fluorine):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Memristor(fluorine=fluorine)
