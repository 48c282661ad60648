"""How an input becomes a pulse number; the paper only says it is "converted into" one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from crossbar.activation.grid import Encoding


def clip(x: Tensor, n_pulses: int) -> Tensor:
    """n = clip(N/2 + N/4 x, 0, N) [1]."""
    pulses = n_pulses / 2 + n_pulses / 4 * x
    # Not `clamp`: its slope on the bounds themselves is not the same in every torch.
    pulses = torch.where(pulses < 0, 0.0, pulses)
    return torch.where(pulses > n_pulses, float(n_pulses), pulses)


def sigmoid(x: Tensor, n_pulses: int) -> Tensor:
    """n = N sigmoid(x) [1]."""
    return n_pulses * torch.sigmoid(x)


def raw(x: Tensor, n_pulses: int) -> Tensor:
    """n = x [1], not bounded."""
    return x


ENCODERS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "clip": clip,
    "sigmoid": sigmoid,
    "raw": raw,
}

ENCODINGS = tuple(ENCODERS)

BOUNDS = {"clip": (-2.0, 2.0), "sigmoid": (0.0, 1.0)}
"""Inputs of 0 and of N pulses; of `sigmoid`, its values. `raw` has none."""


def table_range(encoding: str, n_pulses: int) -> Encoding | None:
    """What a table has to span; None where the encoding has no bounds."""
    return Encoding(n_pulses, *BOUNDS[encoding]) if encoding in BOUNDS else None
