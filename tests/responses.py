"""Cards of one field with any response, for tests of what crossbars make of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

from device_models import DeviceCard, ExponentialMixture
from device_models.card import Curve
from device_models.curves import Law, MonotoneSpline, spline_design


def card_of(ltp: Law, ltd: Law, n_pulses: int = 64, quantity: str = "conductance") -> DeviceCard:
    unit = "ohm" if quantity == "resistance" else "1"
    curves = (Curve("LTP", 0.0, ltp), Curve("LTD", 0.0, ltd))
    return DeviceCard("a card", "a card", "measured", "", quantity, unit, n_pulses, curves)


def exponential_card(tau_up: float, tau_down: float, n_pulses: int = 64) -> DeviceCard:
    """LTP from 1 to 3 and LTD from 3 to 1, one exponential each."""
    up = 2 / -np.expm1(-n_pulses / tau_up)
    down = 2 / -np.expm1(-n_pulses / tau_down)
    return card_of(
        ExponentialMixture(1 + up, (-up,), (tau_up,)),
        ExponentialMixture(3 - down, (down,), (tau_down,)),
        n_pulses,
    )


def spline_through(response: Callable[[np.ndarray], np.ndarray], n_pulses: int) -> MonotoneSpline:
    """Monotone spline of up to 63 knots through a response from 0 to `n_pulses`."""
    knots = np.linspace(0, n_pulses, min(63, n_pulses + 1))
    pulses = np.linspace(0, n_pulses, 600)
    values = response(pulses)
    sign = np.sign(values[-1] - values[0])
    sizes, _ = nnls(spline_design(knots, pulses), sign * (values - values[0]))
    return MonotoneSpline(float(values[0]), tuple(sign * sizes), tuple(knots))


def s_shape(low: float, high: float, centre: float, width: float, n_pulses: int) -> MonotoneSpline:
    """S-shaped curve from `low` to `high`."""
    return spline_through(
        lambda n: low + (high - low) / (1 + np.exp(-(n - centre) / width)), n_pulses
    )


def s_card(centre: float, width: float, n_pulses: int, down: tuple[float, float] | None = None):
    """S-shaped LTP from 1 to 20 and LTD from 20 to 1; `down`: other centre and width of LTD."""
    up = s_shape(1, 20, centre, width, n_pulses)
    return card_of(up, s_shape(20, 1, *(down or (centre, width)), n_pulses), n_pulses)
