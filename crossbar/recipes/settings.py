"""Settings of the training recipes of the memristor tile."""

# No `from __future__ import annotations`: aihwkit reads the field types of its dataclasses.

import math
from dataclasses import dataclass

from aihwkit.simulator.parameters.helpers import _PrintableMixin

from crossbar.choices import check_choice

NAMES = ("mixed_precision", "sgd", "tiki_taka_v2")
"""Recipes there are; `crossbar.recipes.RECIPES` holds their classes."""


@dataclass
class PulseUpdate(_PrintableMixin):
    """How a memristor tile learns. The comments name the recipes that read a field."""

    recipe: str = "mixed_precision"
    """`mixed_precision`, `sgd` or `tiki_taka_v2`."""

    granularity: float = 0.0
    """Weight change that counts as one pulse [weight]; 0 takes the device's `dw_min`. All."""

    desired_bl: int = 31
    """Largest number of pulses in a train. `sgd`, `tiki_taka_v2`."""

    chunks: int = 8
    """Parts of a minibatch that are pulsed one after the other. `sgd`, `tiki_taka_v2`."""

    momentum: float = 0.0
    """Digital momentum: share of the last gradient sum that stays. `sgd`; 0 keeps none."""

    fast_pulses: float = 10.0
    """Pulses that a fast device sees in a minibatch, on average; 0: see `fast_lr`.
    `tiki_taka_v2`."""

    fast_lr: float = 1.0
    """Learning rate of the fast array where `fast_pulses` is 0. `tiki_taka_v2`."""

    transfer_every: int = 1
    """Minibatches between two transfers. `tiki_taka_v2`."""

    reads_per_transfer: int = 0
    """Columns read at a transfer, one product each; 0 reads all. `tiki_taka_v2`."""

    transfer_lr: float = 0.2
    """Share of a read weight that enters the buffer, times the learning rate. `tiki_taka_v2`."""

    buffer_momentum: float = 0.1
    """Share of the digital buffer that stays after a pulse was fired. `tiki_taka_v2`."""

    chop_probability: float = 0.1
    """Probability that the sign of a column turns after it was read; 0 never turns it.
    `tiki_taka_v2`."""

    def __post_init__(self) -> None:
        check_choice("recipe", self.recipe, NAMES)
        for name, least in (
            *(("desired_bl", 1), ("chunks", 1), ("transfer_every", 1)),
            ("reads_per_transfer", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number from {least}, got {value!r}")
        for name in ("granularity", "fast_pulses", "fast_lr", "transfer_lr"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0, got {value!r}")
        for name in ("momentum", "buffer_momentum", "chop_probability"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise ValueError(f"{name} must lie from 0 to below 1, got {value!r}")
