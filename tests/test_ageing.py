"""The options that lose states and windows."""

from __future__ import annotations

import numpy as np
import pytest
from junctions import after, aligned_plateau_ohm

from device_models import Memristor
from device_models.junction import Ageing


def test_retention_option_relaxes_exponentially():
    device = after(-2.4, ageing=Ageing(retention_s=100.0, rest_state=0.4))
    start = float(device.state)
    device.wait(100.0)
    assert device.state == pytest.approx(0.4 + (start - 0.4) / np.e)


def test_endurance_option_closes_the_window_about_its_middle():
    """One cycle is all fluorine there and back; after `endurance_cycles` ln(window) is 1/e."""
    device = Memristor(ageing=Ageing(endurance_cycles=50.0))
    for _ in range(50):
        device.pulse(-3.0, 10.0)
        device.pulse(3.5, 10.0)
    assert device.cycles == pytest.approx(50.0, abs=0.01)
    high, low = aligned_plateau_ohm(device, 0.0), aligned_plateau_ohm(device, 1.0)
    assert np.log(high / low) == pytest.approx(np.log(111) / np.e, rel=1e-3)
    assert high * low == pytest.approx(1e5 * 1e5 * 111)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Memristor().wait(-1.0), "time_s must not be negative, got -1"),
        (lambda: Ageing(rest_state=2.0), "rest_state must lie between 0 and 1, got 2"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
