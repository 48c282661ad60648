"""Pulse dynamics of a card in closed form: k pulses are one jump along the curve.

A branch gives conductance against pulse number, G(n). A device at conductance g stands at the
pulse number n = G^-1(g), and k pulses take it to G(n + k): two table look-ups, whatever k is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from crossbar.arrays.travel import N_TABLE, BranchCurve, FloatArray, branch_curve, steps
from device_models import DeviceCard
from device_models.card import BRANCHES


class PulseResponse(nn.Module):
    """Jumps of many devices along the LTP and LTD curves of a card at one field [G].

    The state of a device is its place in its own conductance range: 0 at the lower end, 1 at the
    upper. Below or above a branch's own ends the step of that end is used, as in
    `device_models.steps.step_size`. An LTD pulse is an LTP pulse of the mirrored state, so both
    branches are tables of the distance travelled from where the branch starts.
    """

    number: Tensor
    place: Tensor
    step: Tensor

    def __init__(self, card: DeviceCard, field_G: float = 0.0):
        super().__init__()
        curves = [branch_curve(card, branch, field_G) for branch in BRANCHES]
        travelled = np.linspace(0, 1, N_TABLE)
        length = max(float(curve.pulses[-1]) for curve in curves)
        self.per_log_number = float(1 / np.log1p(length))
        # Pulse numbers are spaced logarithmically: the first pulses are the steep ones.
        numbers = np.expm1(np.linspace(0, np.log1p(length), N_TABLE))
        tables = {
            "number": [np.interp(travelled, c.travelled, c.pulses) for c in curves],
            "place": [np.interp(numbers, c.pulses, c.travelled) for c in curves],
            "step": [
                _steps_along(c) if c.lined else steps(card, branch, field_G, travelled)
                for c, branch in zip(curves, BRANCHES, strict=True)
            ],
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


def _steps_along(curve: BranchCurve) -> FloatArray:
    """Distance of one pulse along a curve with straight lines, at `N_TABLE` even places."""
    travelled = np.linspace(0, 1, N_TABLE)
    numbers = np.interp(travelled, curve.travelled, curve.pulses)
    return np.interp(numbers + 1, curve.pulses, curve.travelled) - travelled.clip(
        max=curve.travelled[-1]
    )
