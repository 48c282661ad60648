"""Step sizes on the evenly spaced nodes of aihwkit's PiecewiseStep device.

The device interpolates the step of one pulse between 63 nodes of the weight. Where the steps of a
card change by more than that from node to node, as at the slow start of an S-shaped response, the
plain samples are a device that stays where it is. The nodes are then fitted, so that pulse after
pulse from the branch's start follows the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossbar.arrays.travel import distance, steps_at
from crossbar.nodes.fitted import fitted_nodes
from crossbar.nodes.walk import pulse_numbers, walk
from crossbar.per_card import per_card
from crossbar.zero import evenly
from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.steps import last_pulse

FloatArray = NDArray[np.float64]

N_NODES = 63
"""aihwkit's GPU code takes fewer than 64 nodes; the same number everywhere keeps one behaviour."""

CLOSE = 1e-3
"""Samples that follow the curve to this share of the range are kept as they are."""


@dataclass(frozen=True)
class Nodes:
    """Steps of one pulse at `N_NODES` even places from the lower to the upper end of the range.

    `up`, `down`: (n_nodes,), in half ranges, which are the unit of the weight; `missed`: distance
    of the device from the card's curve over the range, by branch (n_numbers,) [1].
    """

    up: FloatArray
    down: FloatArray
    missed: Mapping[str, FloatArray]


@per_card
def step_nodes(card: DeviceCard, field_G: float) -> Nodes:
    """Nodes of the card at `field_G` [G]: its steps, fitted where samples do not follow."""
    low, high = card.conductance_range(field_G)
    conductance = evenly(low, high, N_NODES)
    found, missed = {}, {}
    for branch in BRANCHES:
        sampled = 2 * steps_at(card, branch, field_G, conductance)
        found[branch], missed[branch] = _following(card, branch, field_G, sampled)
    for kept in (*found.values(), *missed.values()):
        kept.setflags(write=False)
    return Nodes(found["LTP"], found["LTD"], missed)


def _following(
    card: DeviceCard, branch: str, field_G: float, sampled: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Nodes that follow the branch from its start, and their distance from it [1]."""
    at = pulse_numbers(last_pulse(card, branch, field_G))
    curve = distance(card, branch, field_G, card.conductance(branch, at, field_G))
    order = slice(None) if branch == "LTP" else slice(None, None, -1)
    missed = walk(sampled[order], curve[0], at) - curve
    best = sampled, missed
    if np.abs(missed).max() <= CLOSE:
        return best
    for shares in fitted_nodes(card, branch, field_G, sampled[order] / 2, at, curve):
        missed = walk(2 * shares, curve[0], at) - curve
        best = min(best, (2 * shares[order], missed), key=lambda x: np.abs(x[1]).max())
        if np.abs(best[1]).max() <= CLOSE:
            break
    return best
