"""Tiki-Taka v2: a fast array gathers the gradients and is read into a digital buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from crossbar.reads.converters import Converters
from crossbar.reads.read import crossbar_product
from crossbar.recipes.analog_sgd import PulseTrainSettings, StochasticPulses
from crossbar.recipes.base import MakeArray, Recipe, checked_rate
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.settings import from_zero, share, whole_number

MEMORY = 0.99
"""Share of the running mean of gradients that stays from minibatch to minibatch."""


@dataclass
class TikiTakaSettings(PulseTrainSettings):
    """Settings of `tiki_taka_v2`.

    Raises InputError for a `fast_lr` beside `fast_pulses`, which choose the rate themselves.
    """

    recipe: ClassVar[str] = "tiki_taka_v2"

    fast_pulses: float = from_zero(10.0)
    """Pulses that a fast device sees in a minibatch, on average [1]; 0: as `fast_lr` says."""

    fast_lr: float = from_zero(1.0)
    """Learning rate of the fast array where `fast_pulses` is 0 [1]."""

    transfer_every: int = whole_number(1, least=1)
    """Minibatches between two transfers [1]."""

    reads_per_transfer: int = whole_number(0, least=0)
    """Columns read at a transfer, one product each [1]; 0 reads all."""

    transfer_lr: float = from_zero(0.2)
    """Share of a read weight that enters the buffer, times the learning rate [1]."""

    buffer_momentum: float = share(0.1)
    """Share of the digital buffer that stays after a pulse was fired [1]."""

    chop_probability: float = share(0.1)
    """Probability that the sign of a column turns after it was read [1]; 0 never turns it."""

    def __post_init__(self) -> None:
        if self.fast_pulses > 0:
            self._refuse_unless_default(("fast_lr",), "tiki_taka_v2 with fast_pulses")


class TikiTaka(Recipe):
    """Two arrays: stochastic pulses on a fast one, whose columns are read into a digital buffer
    that fires single pulses at the slow one, the weights.

    Gokmen, Front. Artif. Intell. 4, 699148 (2021); aihwkit's BufferedTransferCompound. Choppers,
    a sign for each column that its inputs and its reads share, turn at random, so that what a
    fast device shows without a gradient averages out: Rasch, Carta, Fagbohungbe & Gokmen, Nat.
    Commun. 15, 7133 (2024); aihwkit's ChoppedTransferCompound.
    """

    settings: TikiTakaSettings
    chopper: Tensor
    magnitude: Tensor

    def __init__(self, make_array: MakeArray, settings: TikiTakaSettings, converters: Converters):
        super().__init__(make_array, settings, converters)
        self.fast = StochasticPulses(lambda _: make_array(1), settings, converters)
        self.register_buffer("chopper", torch.ones(self.memory.shape[1]), persistent=False)
        nothing = torch.zeros((), dtype=torch.float64)
        self.register_buffer("magnitude", nothing, persistent=False)
        self.minibatch = 0

    def _learn(self, batch: Minibatch, rate: float) -> None:
        transfer_rate = checked_rate(rate * self.settings.transfer_lr)
        batch.check_finite()
        self.fast.fire(batch, self._fast_rate(batch), self.chopper)
        self.minibatch += 1
        if self.minibatch % self.settings.transfer_every == 0:
            columns = self._due_columns()
            self._transfer(columns, transfer_rate)
            self._chop(columns)

    def _fast_rate(self, batch: Minibatch) -> float | Tensor:
        """Learning rate at which a fast device sees `fast_pulses` in a minibatch.

        It forgets what it learned within tens of pulses, whichever way they went, and these come
        from the products d x of single images and positions, not from their sum, the gradient.
        """
        if self.settings.fast_pulses == 0:
            return self.settings.fast_lr
        now = batch.magnitude()
        mean = torch.where(self.magnitude > 0, now.lerp(self.magnitude, MEMORY), now)
        self.magnitude.copy_(mean)
        return self.settings.fast_pulses * self.granularity / mean.clamp(min=1e-200)

    def _due_columns(self) -> Tensor:
        """Numbers of the columns of this transfer, which follow those of the last one."""
        total = len(self.chopper)
        number = min(self.settings.reads_per_transfer or total, total)
        start = (self.minibatch // self.settings.transfer_every - 1) * number % total
        return torch.arange(start, start + number, device=self.chopper.device) % total

    def _transfer(self, columns: Tensor, rate: float) -> None:
        """Read `columns` of the fast array into the buffer and fire the pulses that are due."""
        weight, chopper = self.fast.array.effective, self.chopper[columns]
        lines = torch.eye(len(self.chopper), device=weight.device)[columns]
        read = crossbar_product(weight, lines, self.converters, self.array.stream)
        buffer = self.memory[:, columns] + rate * read.t() * chopper
        due = (buffer / self.granularity).trunc_().clamp_(-1, 1)
        kept = buffer * self.settings.buffer_momentum
        self.memory[:, columns] = torch.where(due == 0, buffer, kept)
        pulses = torch.zeros_like(weight)
        pulses[:, columns] = due
        self.array.fire(pulses)

    def _chop(self, columns: Tensor) -> None:
        """Turn the sign of each of `columns` with the chopping probability."""
        if self.settings.chop_probability > 0:
            chopper = self.chopper[columns]
            turns = self.array.stream.uniform(chopper) < self.settings.chop_probability
            self.chopper[columns] = torch.where(turns, -chopper, chopper)

    def reset(self) -> None:
        super().reset()
        self.minibatch = 0
        self.chopper.fill_(1)
        self.magnitude.zero_()
        self.fast.array.program(torch.zeros_like(self.fast.array.state))

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "fast": self.fast.array.snapshot(),
            "minibatch": self.minibatch,
            "chopper": self.chopper.clone(),
            "magnitude": self.magnitude.clone(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.fast.array.restore(state["fast"])
        self.minibatch = state["minibatch"]
        self.chopper.copy_(state["chopper"])
        self.magnitude.copy_(state["magnitude"])
