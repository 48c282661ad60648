"""The compact model as a whole: fields and pulses together, many devices at once, its input.

What the paper states about the device is in `test_statements.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from junctions import SPREAD, after, settled

from device_models import Memristor
from device_models.junction import Layer, Variability, fluorine_in_coo, resistance_ohm


def test_field_and_pulses_commute_exactly():
    """Q10: pulses then field equals field then pulses, history included."""
    fields, other = [350.0, 100.0, -60.0], [-1.3, 2.0, -0.9]
    first, second = settled(), settled()
    for voltage in other:
        first.pulse(voltage, 0.01)
    for field in fields:
        first.apply_field(field)
    second.sweep_field(fields)
    for voltage in other:
        second.pulse(voltage, 0.01)
    assert first.read_ohm() == second.read_ohm()
    assert np.array_equal(first.sites, second.sites)
    assert first.resistance_ohm(200) == second.resistance_ohm(200)


def test_reading_moves_nothing():
    device = settled()
    before = device.sites.copy()
    device.resistance_ohm([0, 100, -2000])
    device.sweep_field([350.0, -350.0])
    device.current_A(0.3)
    assert np.array_equal(device.sites, before)


def test_history_counts_only_in_the_historic_reading():
    """Q11: without the -2 kG initialisation a field reads otherwise."""
    device = settled()
    assert device.read_ohm() == device.resistance_ohm(0.0)
    device.sweep_field([350.0, 0.0])
    assert abs(device.read_ohm() / device.resistance_ohm(0.0) - 1) > 0.01
    device.sweep_field([-2000.0, 0.0])
    assert device.read_ohm() == device.resistance_ohm(0.0)


def test_immobile_fluorine_stays_at_lsmo():
    """G8, C13."""
    assert fluorine_in_coo(1.0, immobile=0.25) == 0.75
    assert fluorine_in_coo(after(-2.4).state) == pytest.approx(1.0, abs=1e-3)


def test_an_array_equals_a_loop_over_single_devices():
    """Own amplitude, width, start and polarity for each; a device is one row of the array."""
    rng = np.random.default_rng(3)
    shape = (3, 4)
    start = rng.uniform(size=shape)
    together = Memristor(fluorine=start, shape=shape)
    alone = [Memristor(fluorine=f) for f in start.ravel()]
    for _ in range(4):
        amplitude = rng.choice([-1.5, -0.5, 0.0, 1.4, 2.2], size=shape)
        width = rng.uniform(0.001, 0.1, size=shape)
        together.pulse(amplitude, width, count=2)
        for device, a, w in zip(alone, amplitude.ravel(), width.ravel(), strict=True):
            device.pulse(a, w, count=2)
    together.pulse(-1.1, 0.02, ramp_V_per_s=50.0)
    for device in alone:
        device.pulse(-1.1, 0.02, ramp_V_per_s=50.0)
    together.settle(-1.0, 1.4, 0.01, 8)
    for device in alone:
        device.settle(-1.0, 1.4, 0.01, 8)
    expected = np.array([d.state for d in alone]).reshape(shape)
    assert together.state == pytest.approx(expected, rel=1e-12)
    assert together.resistance_ohm(120.0) == pytest.approx(resistance_ohm(expected, 120.0))
    fields = rng.uniform(0, 350, size=shape)
    assert together.resistance_ohm(fields) == pytest.approx(resistance_ohm(expected, fields))


@pytest.mark.parametrize("variability", [None, SPREAD])
def test_pulses_for_all_equal_the_same_pulses_for_each(variability):
    for_all, for_each = (Memristor(shape=5, variability=variability, n_sites=16) for _ in range(2))
    for voltage in (-1.3, 2.0, -0.9):
        for_all.pulse(voltage, 0.05)
        for_each.pulse(np.full(5, voltage), 0.05)
    assert for_each.sites == pytest.approx(for_all.sites, rel=1e-10, abs=1e-14)
    assert (np.ptp(for_all.state) > 0) == (variability is not None)


def test_single_precision_stays_close():
    double, single = (
        Memristor(shape=50, n_sites=16, variability=SPREAD, dtype=t) for t in ("f8", "f4")
    )
    for device in (double, single):
        for voltage in (-1.3, 2.0, -1.0) * 5:
            device.pulse(voltage, 0.01)
            device.pulse(np.full(50, voltage), 0.01)
    assert single.sites.dtype == np.float32
    assert single.state == pytest.approx(double.state, abs=1e-5)


def test_fields_of_many_devices_have_their_own_history():
    device = Memristor(shape=2, fluorine=1.0)
    device.apply_field([350.0, 0.0])
    device.apply_field(0.0)
    assert device.read_ohm()[1] == device.resistance_ohm(0.0)[1]
    assert device.read_ohm()[0] != device.read_ohm()[1]


def test_a_copy_goes_its_own_way():
    device = settled(shape=3, variability=Variability(rate_c2c=0.2))
    before, twin = device.sites.copy(), device.copy()
    twin.pulse(-1.3, 0.01)
    twin.apply_field(300.0)
    assert np.array_equal(device.sites, before)
    assert device.electrodes.field_G == 0
    device.pulse(-1.3, 0.01)
    assert np.array_equal(device.sites, twin.sites)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Memristor(fluorine=-0.1), "between 0 and 1, got -0.1"),
        (lambda: Memristor(fluorine=float("nan")), "between 0 and 1, got nan"),
        (lambda: Memristor(fluorine=[0.1, 0.2], shape=3), r"shape \(2,\): one value or one per"),
        (lambda: Memristor().pulse(float("inf"), 1.0), "amplitude_V must be finite, got inf"),
        (lambda: Memristor().pulse(-1.0, -1.0), "width_s must be finite and not negative, got -1"),
        (lambda: Memristor().pulse(-1.0, 1.0, count=-1), "count must be .* got -1"),
        (lambda: Memristor().pulse(-1.0, 1.0, count=2.5), "count must be .* got 2.5"),
        (lambda: Memristor(shape=3).pulse([-1.0, 1.0], 1.0), r"amplitude_V has shape \(2,\)"),
        (lambda: fluorine_in_coo(0.5, immobile=1.0), "immobile must .* got 1"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_electrodes_are_a_choice():
    sharp = Memristor(fluorine=1.0, lsmo=Layer(90.0, 5.0), co=Layer(300.0, 5.0))
    assert sharp.resistance_ohm(200.0) == pytest.approx(sharp.aligned_ohm(1.0), rel=1e-9)
