"""Steps of one pulse over the conductance, at the ends of curves and along long ones."""

from __future__ import annotations

import pytest
from responses import card_of

from device_models.curves import LogStep, MonotoneSpline, PowerLaw
from device_models.steps import step_size


def test_a_saturated_curve_stops_at_its_end():
    """A spline whose slope falls to 0 moves nothing there."""
    card = card_of(
        MonotoneSpline(0.0, (1.0, 0.5, 0.0), (0.0, 40.0)),
        MonotoneSpline(1.5, (-1.0, -0.5, 0.0), (0.0, 40.0)),
        40,
    )
    assert step_size(card, "LTP", 1.5, 0.0) == 0


def test_a_resistance_that_falls_below_0_behind_its_end_keeps_the_sign_of_its_step():
    ltp, ltd = PowerLaw(10.5, -1.0, 5.0, 1.0), PowerLaw(0.5, 1.0, 5.0, 1.0)
    card = card_of(ltp, ltd, 10, "resistance")
    low, high = card.conductance_range()
    assert step_size(card, "LTP", [low, high], 0.0).min() > 0


def test_the_first_pulses_of_a_long_card_are_not_lost():
    """Of 100,000 pulses the first takes half of the range: the step halfway is that of LogStep."""
    card = card_of(LogStep(0.0, 1.0, 0.5), LogStep(6.0, -1.0, 0.5), 100_000)
    g = card.conductance("LTP", 3.0)
    step = card.conductance("LTP", 4.0) - g
    assert step_size(card, "LTP", g, 0.0) == pytest.approx(step, rel=1e-3)
