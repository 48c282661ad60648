"""Pulse dynamics of a card in closed form: k pulses are one jump along the curve.

A branch gives conductance against pulse number, G(n). A device at conductance g stands at the
pulse number n = G^-1(g), and k pulses take it to G(n + k): two table look-ups, whatever k is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crossbar.device import step_size
from device_models import DeviceCard

FloatArray = NDArray[np.float64]

N_TABLE = 4097
"""Nodes of each table; one LTP pulse of the coarse cards spans hundreds of them."""

SMALLEST_STEP = 1e-7
"""Steps below this share of the conductance range count as none: the branch ends there."""


class PulseResponse(nn.Module):
    """Jumps of many devices along the LTP and LTD curves of a card at one field [G].

    The state of a device is its place in its own conductance range: 0 at the lower end, 1 at the
    upper. Below or above a branch's own ends the step of that end is used, as in
    `crossbar.device.step_size`. An LTD pulse is an LTP pulse of the mirrored state, so both
    branches are tables of the distance travelled from where the branch starts.
    """

    number: Tensor
    place: Tensor
    step: Tensor

    def __init__(self, card: DeviceCard, field_G: float = 0.0):
        super().__init__()
        curves = [_branch_curve(card, branch, field_G) for branch in ("LTP", "LTD")]
        travelled = np.linspace(0, 1, N_TABLE)
        length = max(float(pulses[-1]) for pulses, _ in curves)
        self.per_log_number = float(1 / np.log1p(length))
        # Pulse numbers are spaced logarithmically: the first pulses are the steep ones.
        numbers = np.expm1(np.linspace(0, np.log1p(length), N_TABLE))
        tables = {
            "number": [np.interp(travelled, distance, pulses) for pulses, distance in curves],
            "place": [np.interp(numbers, pulses, distance) for pulses, distance in curves],
            "step": [_steps(card, branch, field_G, travelled) for branch in ("LTP", "LTD")],
        }
        for name, pair in tables.items():
            # Value at each node and the way to the next, both branches one after the other.
            ways = [np.diff(table, append=table[-1]) for table in pair]
            nodes = np.stack([np.concatenate(pair), np.concatenate(ways)], axis=1)
            table = torch.tensor(nodes, dtype=torch.float32)
            self.register_buffer(name, table, persistent=False)

    def forward(self, state: Tensor, pulses: Tensor, scale: Tensor | None = None) -> Tensor:
        """State [1] after `pulses` pulses (LTP > 0, LTD < 0, real numbers allowed), all (n,).

        `scale`: step of each device over the card's step [1], the mean over its pulses. A first
        pulse is then exactly `scale` times the card's step; later ones keep the share of a pulse
        number that the first one covered, which is exact where steps shrink linearly.
        """
        sign = pulses.sign()
        branch = (sign < 0).to(torch.long) * N_TABLE
        travelled = 0.5 + sign * (state - 0.5)
        number = _interpolate(self.number, travelled, branch)
        count = pulses.abs()
        if scale is not None:
            first = travelled + scale * _interpolate(self.step, travelled, branch)
            count = count * (_interpolate(self.number, first, branch) - number)
        numbers = torch.cat([number, number + count]).clamp_(min=0)
        places = numbers.log1p_().mul_(self.per_log_number)
        start, end = _interpolate(self.place, places, branch.repeat(2)).chunk(2)
        return state + sign * (end - start)


def _interpolate(table: Tensor, place: Tensor, branch: Tensor) -> Tensor:
    """Linear interpolation at `place` (0 to 1) in the part of `table` that starts at `branch`."""
    position = (place * (N_TABLE - 1)).clamp_(0, N_TABLE - 1)
    node = position.to(torch.long)
    position -= node
    value, way = table.index_select(0, node + branch).unbind(1)
    return torch.addcmul(value, way, position)


def _branch_curve(card: DeviceCard, branch: str, field_G: float) -> tuple[FloatArray, FloatArray]:
    """Pulse numbers from 0 and the distance travelled there [1], from one end of the range on.

    Beyond the branch's own ends the curve goes on in the steps of that end, as far as they lead.
    """
    pulses = np.expm1(np.linspace(0, np.log1p(card.n_pulses), 4 * N_TABLE))
    travelled = _distance(card, branch, field_G, card.conductance(branch, pulses, field_G))
    travelled = np.maximum.accumulate(np.clip(travelled, 0, 1))
    start, end = travelled[0], travelled[-1]
    first, last = _steps(card, branch, field_G, np.array([start, end]))
    if start > 0 and first > SMALLEST_STEP:
        pulses = np.concatenate([[-start / first], pulses])
        travelled = np.concatenate([[0.0], travelled])
    if end < 1 and last > SMALLEST_STEP:
        pulses = np.append(pulses, pulses[-1] + (1 - end) / last)
        travelled = np.append(travelled, 1.0)
    return pulses - pulses[0], travelled


def _steps(card: DeviceCard, branch: str, field_G: float, travelled: FloatArray) -> FloatArray:
    """Distance of one pulse [1] at each distance travelled, never negative."""
    low, high = card.conductance_range(field_G)
    share = travelled if branch == "LTP" else 1 - travelled
    step = np.abs(step_size(card, branch, low + share * (high - low), field_G))
    return step / (high - low)


def _distance(card: DeviceCard, branch: str, field_G: float, conductance: FloatArray) -> FloatArray:
    """Share of the conductance range between a conductance and where the branch starts."""
    low, high = card.conductance_range(field_G)
    share = (conductance - low) / (high - low)
    return share if branch == "LTP" else 1 - share
