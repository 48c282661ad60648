"""A fit does not know units: the same readings in another unit give the same card up to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.curves import ExponentialMixture, GeometricLogistic, Logistic, PowerLaw
from device_models.fit import CardFit, fit_card
from device_models.pulses import PulseData, Segment

N = np.arange(31.0)


def readings(up, down, devices=1, cycles=1, noise=0.005, d2d=0.0, relative=False, n=N):
    """Synthetic cycles of devices that differ in size by `d2d`."""
    rng = np.random.default_rng(7)
    segments = []
    for device in range(devices):
        size = 1 + d2d * rng.standard_normal()
        for cycle in range(cycles):
            for branch, law in (("LTP", up), ("LTD", down)):
                y = size * law(n)
                scale = y if relative else float(np.ptp(y))
                values = y + noise * scale * rng.standard_normal(len(n))
                segments.append(Segment(branch, n, values, str(device + 1), cycle + 1))
    return PulseData("conductance", "S", tuple(segments), "units.csv", "")


EXPONENTIAL = ExponentialMixture(10.0, (-9.0,), (6.0,)), ExponentialMixture(1.0, (9.0,), (4.0,))
DATA = {
    "one device": readings(*EXPONENTIAL),
    "three devices": readings(*EXPONENTIAL, devices=3, d2d=0.1),
    "cycles": readings(*EXPONENTIAL, cycles=6, d2d=0.0, noise=0.02),
    "cycles that differ": readings(*EXPONENTIAL, devices=6, d2d=0.1, noise=0.02),
    "noise-free": readings(PowerLaw(1.0, 1.0, 4.0, -1.0), PowerLaw(5.0, -1.0, 3.0, -2.0), noise=0),
    "S-shaped": readings(Logistic(1.0, 19.0, 14.0, 2.0), Logistic(20.0, -19.0, 12.0, 3.0)),
    "decades": readings(
        GeometricLogistic(1e-3, 4.0, 8.0, 4.0), GeometricLogistic(10.0, -4.0, 12.0, 4.0),
        noise=0.05, relative=True,
    ),
}  # fmt: skip
ONE = {name: fit_card(data, bootstrap=20) for name, data in DATA.items()}


def times(data: PulseData, factor: float) -> PulseData:
    """The readings in a unit in which their numbers are `factor` times as large."""
    segments = tuple(replace(s, values=factor * s.values) for s in data.segments)
    return replace(data, segments=segments)


def as_resistance(data: PulseData) -> PulseData:
    segments = tuple(replace(s, values=1 / s.values) for s in data.segments)
    return replace(data, quantity="resistance", unit="ohm", segments=segments)


def assert_same(fit: CardFit, one: CardFit, factor: float) -> None:
    """The cards are one card in two units: curves to 1e-6, errors and spreads to 1e-3."""
    assert [c.law.name for c in fit.card.curves] == [c.law.name for c in one.card.curves]
    # Which coordinates of a law that is no candidate have run away is chance.
    own, other = ([set(c.left_out) for c in f.choices.values()] for f in (fit, one))
    assert own == other
    for law, other in zip(fit.laws, one.laws, strict=True):
        assert np.allclose(law(N) / factor, other(N), rtol=1e-6, atol=1e-6 * np.ptp(other(N)))
    unit = [factor if name.endswith(" start") else 1.0 for name in one.card.parameters]
    errors = one.card.uncertainty.standard_errors()
    assert np.allclose(fit.card.uncertainty.standard_errors() / unit, errors, rtol=1e-3)
    for name in ("step_c2c", "write_noise", "step_d2d", "range_d2d"):
        own, other = getattr(fit.card.spread, name), getattr(one.card.spread, name)
        assert own == pytest.approx(other, rel=2e-3, abs=1e-9)
    if one.card.uncertainty.d2d is not None:
        spread = np.sqrt(np.diag(fit.card.uncertainty.d2d)) / unit
        assert np.allclose(spread, np.sqrt(np.diag(one.card.uncertainty.d2d)), rtol=2e-3)
    for own, other in zip(fit.card.curves, one.card.curves, strict=True):
        assert dict(own.fit) == pytest.approx(dict(other.fit), rel=2e-3, abs=1e-9)
    assert len(fit.warnings) == len(one.warnings)


@pytest.mark.parametrize("name", DATA)
@given(exponent=st.one_of(st.integers(-12, 12), st.floats(-12, 12)))
@settings(deadline=None, max_examples=4)
def test_conductances_in_any_unit_give_one_card(name, exponent):
    factor = float(10.0**exponent)
    assert_same(fit_card(times(DATA[name], factor), bootstrap=20), ONE[name], factor)


@pytest.mark.parametrize("name", DATA)
@given(exponent=st.one_of(st.integers(-12, 12), st.floats(-12, 12)))
@settings(deadline=None, max_examples=2)
def test_resistances_in_any_unit_give_one_card(name, exponent):
    factor = float(10.0**exponent)
    data = as_resistance(times(DATA[name], factor))
    assert_same(fit_card(data, bootstrap=20), ONE[name], factor)
