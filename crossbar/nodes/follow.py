"""How well tiles follow a card: its response pulse after pulse, on both kinds of tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crossbar.arrays.response import PulseResponse
from crossbar.arrays.travel import distance
from crossbar.nodes.even import step_nodes
from crossbar.nodes.walk import pulse_numbers
from crossbar.per_card import per_card
from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.plain_text import one_line
from device_models.steps import last_pulse

FloatArray = NDArray[np.float64]

FAR = 0.05
"""Distance of aihwkit's device from the card's curve, over the range, from which on it is said."""

MOST_JUMPS = 3000
"""Pulses that are fired one by one; of longer branches several at a time."""


@dataclass(frozen=True)
class Miss:
    """Distance of a device without noise from the card's curve over the card's range [1].

    `rmse`: root of the mean square over the pulses of a branch; `largest`: the largest one.
    """

    rmse: float
    largest: float


@dataclass(frozen=True)
class Follow:
    """Misses of aihwkit's device (63 nodes) and of the memristor tile (the curve), by branch."""

    aihwkit: Mapping[str, Miss]
    memristor: Mapping[str, Miss]

    @property
    def worst_aihwkit(self) -> float:
        """Largest distance of aihwkit's device on either branch [1]."""
        return max(miss.largest for miss in self.aihwkit.values())

    @property
    def worst_memristor(self) -> float:
        """Largest distance of the memristor tile on either branch [1]."""
        return max(miss.largest for miss in self.memristor.values())


@per_card
def followed(card: DeviceCard, field_G: float = 0.0) -> Follow:
    """Both tiles against the card at `field_G` [G], from the start of each branch, without noise.

    Raises InputError for a field outside the card's range.
    """
    aihwkit = step_nodes(card, field_G).missed
    response = PulseResponse(card, field_G)
    memristor = {b: memristor_misses(card, b, field_G, response) for b in BRANCHES}
    return Follow(
        {branch: _miss(distances) for branch, distances in aihwkit.items()},
        {branch: _miss(distances) for branch, distances in memristor.items()},
    )


def complaint_about_nodes(card: DeviceCard, field_G: float) -> str | None:
    """One line about a response that 63 nodes of the weight do not hold."""
    missed = step_nodes(card, field_G).missed
    worst = max(missed, key=lambda branch: np.abs(missed[branch]).max())
    if np.abs(missed[worst]).max() <= FAR:
        return None
    follow = followed(card, field_G)
    return (
        f"card {one_line(card.name)!r:.80} at {field_G:g} G: aihwkit's device is up to "
        f"{follow.worst_aihwkit:.0%} of the range off the {worst} curve, tile='memristor' "
        f"{follow.worst_memristor:.1%}"
    )


def memristor_misses(
    card: DeviceCard, branch: str, field_G: float, response: PulseResponse
) -> FloatArray:
    """Distance of a memristor from the card's curve over the range [1], pulse after pulse."""
    from crossbar.arrays.response_cpu import fire

    at = pulse_numbers(last_pulse(card, branch, field_G))
    block = max(1, int(at[-1]) // MOST_JUMPS)
    curve = distance(card, branch, field_G, card.conductance(branch, at, field_G))
    sign = 1.0 if branch == "LTP" else -1.0
    state = torch.full((1,), (1 + sign * (2 * curve[0] - 1)) / 2, dtype=torch.float32)
    rest = torch.zeros(1), torch.zeros(1), torch.ones(1)
    hit = torch.zeros(1, dtype=torch.int64)
    places, done = np.empty(len(at)), 0
    for i, number in enumerate(at):
        while done < number:
            count = min(block, int(number) - done)
            fire(response, state, *rest, hit, torch.full((1,), sign * count), None)
            done += count
        places[i] = (1 + sign * (2 * state.item() - 1)) / 2
    return places - curve


def _miss(distances: FloatArray) -> Miss:
    return Miss(float(np.sqrt(np.mean(distances**2))), float(np.abs(distances).max()))
