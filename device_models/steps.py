"""The step of one pulse as a function of the conductance it starts from.

A pulse takes a device from g = G(n) to G(n + 1), so each branch of a card is also a change of the
conductance over the conductance; simulators of crossbars want it that way round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card import DeviceCard

FloatArray = NDArray[np.float64]

_GRID = 4097
STOPPED = 1e-12
"""A pulse that moves a device by less than this share of its way moves nothing."""

SATURATED = 1e-3
"""A curve that ends at this share of its mean slope, or less, ends for want of anything to move."""

_SHORT = 1e-3
"""Pulses over which the slope of an end is taken."""


def step_size(card: DeviceCard, branch: str, conductance: ArrayLike, field_G: float) -> FloatArray:
    """Signed conductance change of one pulse at each `conductance`, in the card's unit.

    Any shape, same shape out. Below or above the branch's own ends the step of that end is used;
    at the end of a curve that is cut off while it still moves, its last step inside.
    Raises InputError for an unknown branch or a field outside the card's range.
    """
    pulses = pulse_grid(last_pulse(card, branch, field_G))
    law_conductance = card.conductance(branch, pulses, field_G)
    order = slice(None) if branch == "LTP" else slice(None, None, -1)
    rising = np.maximum.accumulate(law_conductance[order])
    n = np.interp(np.asarray(conductance, dtype=float), rising, pulses[order])
    n = np.minimum(n, _last_start(card, branch, field_G, pulses, law_conductance))
    with np.errstate(all="ignore"):
        return card.conductance(branch, n + 1, field_G) - card.conductance(branch, n, field_G)


def last_pulse(card: DeviceCard, branch: str, field_G: float) -> float:
    """Pulses that the curve of a branch goes on for at `field_G` [G]."""
    return float(card.measured_pulses(branch, field_G))


def pulse_grid(n_pulses: float) -> FloatArray:
    """Pulse numbers from 0 to `n_pulses`, rising; of long cards the first pulses one by one."""
    even = np.linspace(0, n_pulses, _GRID)
    if n_pulses < _GRID:
        return even
    first = np.expm1(np.linspace(0, np.log1p(n_pulses), _GRID)).clip(0, n_pulses)
    return np.unique(np.concatenate([even, first]))


def _last_start(
    card: DeviceCard, branch: str, field_G: float, pulses: FloatArray, conductance: FloatArray
) -> float:
    """Last pulse number that a pulse of the curve can start from.

    A law goes on past its last pulse. Where it does not (a spline holds its value there, a
    resistance falls to 0), a step across the end says nothing: the last one inside does.
    """
    end, way = conductance[-1], conductance[-1] - conductance[0]
    with np.errstate(all="ignore"):
        beyond = (card.conductance(branch, pulses[-1] + 1, field_G) - end) / way
        if beyond > STOPPED:
            return float(pulses[-1])
        reached = np.argmax(np.abs(conductance - end) <= STOPPED * np.abs(way))
        stop = float(pulses[reached])
        slope = (end - card.conductance(branch, max(stop - _SHORT, 0), field_G)) / way / _SHORT
    saturated = beyond >= -STOPPED and slope * pulses[-1] <= SATURATED
    return float(pulses[-1]) if saturated or stop <= 1 else stop - 1
