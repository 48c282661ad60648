"""How much of each part of a card is read at a state: the reading as tables.

A device's state is its place in the conductance range at one field, the reference. Both branches
say which conductance the parts of the card have at a state, and they agree wherever both pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossbar.arrays.travel import N_TABLE
from crossbar.zero import half_range
from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.steps import last_pulse

FloatArray = NDArray[np.float64]

FADING = 0.1
"""Share of the range over which a branch gives way to the other one before it ends."""


def part_tables(card: DeviceCard, reference_G: float) -> FloatArray:
    """Place of each part of the card [1] at `N_TABLE` even states from 0 to 1, parts x states.

    Places count in the conductance range at `reference_G` [G]: mixed for that field they are the
    states themselves. Rising along the states.
    """
    branches = [_along_branch(card, branch, reference_G) for branch in BRANCHES]
    weights = np.stack([weight for _, weight in branches])
    known = weights.sum(0) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = sum(places * weight for places, weight in branches) / weights.sum(0)
    states = np.linspace(0, 1, N_TABLE)
    tables = np.stack([np.interp(states, states[known], places[known]) for places in mixed])
    return np.maximum.accumulate(tables, axis=1)


def _along_branch(
    card: DeviceCard, branch: str, reference_G: float
) -> tuple[FloatArray, FloatArray]:
    """Places of the parts where a branch passes a state, and how much that counts (states,)."""
    low, high = card.conductance_range(reference_G)
    n_pulses = last_pulse(card, branch, reference_G)
    pulses = np.expm1(np.linspace(0, np.log1p(n_pulses), 4 * N_TABLE))
    if branch == "LTD":
        pulses = pulses[::-1]
    passed = _place(card.conductance(branch, pulses, reference_G), low, high)
    passed = np.maximum.accumulate(passed)
    states = np.linspace(0, 1, N_TABLE)
    parts = _place(card.part_conductance(branch, pulses), low, high)
    places = np.stack([np.interp(states, passed, part) for part in parts])
    return places, _counts(states, passed[0], passed[-1])


def _place(conductance: FloatArray, low: float, high: float) -> FloatArray:
    """Place [1] of a conductance in the range from `low` to `high`."""
    return (conductance / 2 - low / 2) / half_range(low, high)


def _counts(states: FloatArray, start: float, end: float) -> FloatArray:
    """1 inside a branch, falling to 0 where it starts or ends inside the range."""
    below = np.clip((states - start) / FADING, 0, 1) if start > 0 else np.ones_like(states)
    above = np.clip((end - states) / FADING, 0, 1) if end < 1 else np.ones_like(states)
    return below * above
