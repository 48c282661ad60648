"""Fields and heat of a line against Biot-Savart and Ohm (ledger rows N1 to N4)."""

from __future__ import annotations

import numpy as np
import pytest

from device_models.junction import joule_energy_J, strip_field_G, thin_wire_field_G


def test_thin_wire_gives_the_stated_100_gauss():
    assert thin_wire_field_G(1e-3, 20e-9) == pytest.approx(100.0)


def test_strip_is_a_sheet_of_thin_wires():
    """The component along the width, summed over 10,000 wires side by side."""
    width, distance, current = 1e-6, 70e-9, 1e-3
    x = ((np.arange(10_000) + 0.5) / 10_000 - 0.5) * width
    radius = np.hypot(x, distance)
    wires = [thin_wire_field_G(current / 10_000, r) * distance / r for r in radius]
    assert strip_field_G(current, width, distance) == pytest.approx(sum(wires), rel=1e-6)


def test_strip_is_a_thin_wire_from_far_away():
    assert strip_field_G(1e-3, 1e-6, 1e-3) == pytest.approx(thin_wire_field_G(1e-3, 1e-3), rel=1e-6)


def test_joule_energy_is_power_times_time():
    assert joule_energy_J(1e-3, 100.0, 1e-6) == pytest.approx(1e-10)
