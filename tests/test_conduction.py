"""Resistance, TMR and current of a state."""

from __future__ import annotations

import numpy as np
import pytest
from junctions import settled

from device_models import Memristor
from device_models.junction import (
    Conduction,
    aligned_resistance_ohm,
    resistance_ohm,
    tmr,
    tmr_over_parallel,
)


def test_function_and_device_read_the_same():
    device = settled()
    fields = np.array([0.0, 120.0, 350.0])
    assert np.array_equal(device.resistance_ohm(fields), resistance_ohm(device.state, fields))
    assert device.conductance_S(120.0) * device.resistance_ohm(120.0) == pytest.approx(1)
    assert device.aligned_ohm(1.0) == aligned_resistance_ohm(device.state, 1.0)


def test_tmr_is_the_ratio_it_is_defined_as():
    """M1: (R_AP - R_P) / R_AP; C10: the other normalisation."""
    s = np.linspace(0, 1, 11)
    parallel, anti = aligned_resistance_ohm(s, 0.0), aligned_resistance_ohm(s, 1.0)
    assert np.allclose((anti - parallel) / anti, tmr(s), rtol=1e-12, atol=1e-15)
    assert np.allclose((anti - parallel) / parallel, tmr_over_parallel(tmr(s)), atol=1e-15)


def test_current_is_ohmic_at_the_read_bias_and_bends_above():
    """Ledger 6.6: G at 10 mV is the state; I / V grows with (V / v_c)^2."""
    device = settled(conduction=Conduction(v_c_V=0.5))
    conductance = 1 / device.read_ohm()
    assert device.current_A(0.010) == pytest.approx(0.010 * conductance, rel=1e-14)
    bias = np.array([0.1, 0.2, 0.4])
    excess = device.current_A(bias) / bias / conductance * (1 + (0.01 / 0.5) ** 2) - 1
    assert excess == pytest.approx((bias / 0.5) ** 2, rel=1e-12)
    assert device.current_A(-0.2) == -device.current_A(0.2)


def test_asymmetry_and_tmr_roll_off_are_off_until_asked_for():
    device = settled(conduction=Conduction(asymmetry_per_V=0.5, tmr_half_bias_V=0.3))
    assert device.current_A(0.2) > -device.current_A(-0.2)
    device.apply_field(150.0)
    opposed, parallel = device.current_A([0.01, 0.3]), settled().current_A([0.01, 0.3])
    shape = device.conduction.shape([0.01, 0.3]) / settled().conduction.shape([0.01, 0.3])
    effect = 1 - opposed / parallel / shape
    assert effect[1] / effect[0] == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Memristor().resistance_ohm(0.0, direction=0), "direction must be .* got 0"),
        (lambda: Conduction(asymmetry_per_V=9.0), "a current that rises .* got 9"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
