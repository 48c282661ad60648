"""Training recipes of the memristor tile: from inputs and gradients to pulses.

Every recipe lowers the weights by the learning rate times the gradient d^T x on average.
"""

# No `from __future__ import annotations`: aihwkit reads the field types of its dataclasses.

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from aihwkit.simulator.parameters.helpers import _PrintableMixin
from torch import Tensor, nn

from crossbar.array import MemristorArray
from crossbar.choices import check_choice
from crossbar.finite import check_state
from crossbar.minibatch import UNCHANGED, Minibatch
from crossbar.periphery import Converters, crossbar_product

MakeArray = Callable[[int], MemristorArray]

MEMORY = 0.99
"""Share of the running mean of gradients that stays from minibatch to minibatch."""

HIGHEST_RATE = 1e30
"""Learning rates beyond it are refused: float32 could not hold what they add up to."""


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
        check_choice("recipe", self.recipe, RECIPES)
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


class Recipe(nn.Module):
    """Base: an array and the digital memory a recipe keeps beside it (`memory`, out x in).

    `make_array` makes the arrays of a tile, the weights' own with number 0.
    """

    memory: Tensor

    def __init__(self, make_array: MakeArray, settings: PulseUpdate, converters: Converters):
        super().__init__()
        self.array, self.settings, self.converters = make_array(0), settings, converters
        self.granularity = settings.granularity or self.array.device.dw_min
        self.register_buffer("memory", torch.zeros_like(self.array.weight), persistent=False)

    def update(self, batch: Minibatch, rate: float) -> None:
        """Fire the pulses of one minibatch at learning rate `rate`.

        Refuses, before anything has changed, a minibatch that does not fit (RuntimeError), a
        rate that is negative or not finite (ValueError), and inputs or gradients that are not
        finite, or whose products are not (NonFiniteError).
        """
        batch.check_fits(self.memory)
        self._learn(batch, _checked_rate(rate))

    def _learn(self, batch: Minibatch, rate: float) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was accumulated: the weights were set anew."""
        self.memory.zero_()

    def state(self) -> dict[str, Any]:
        return {"array": self.array.state(), "memory": self.memory.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises NonFiniteError, and changes nothing, where an entry is not finite.
        """
        check_state(state)
        self.array.restore(state["array"])
        self.memory.copy_(state["memory"])


class MixedPrecision(Recipe):
    """Gradients accumulate in digital (chi); a pulse is fired for every whole granularity.

    Nandakumar et al., Front. Neurosci. 14, 406 (2020); aihwkit's MixedPrecisionCompound.
    """

    def _learn(self, batch: Minibatch, rate: float) -> None:
        total = torch.add(self.memory, batch.gradient(), alpha=rate)
        pulses = (total / self.granularity).trunc_()
        batch.check_pulses(pulses)
        torch.sub(total, pulses, alpha=self.granularity, out=self.memory)
        self.array.fire(-pulses)


class StochasticPulses(Recipe):
    """Plain analog SGD: stochastic pulse trains on both lines, a step where two pulses meet.

    Gokmen & Vlasov, Front. Neurosci. 10, 333 (2016), with aihwkit's update management. The
    coincidences of a chunk of the minibatch are counted by matrix products and drawn for each
    device on its own (devices on one line share no pulse), then fired as one block of LTP and one
    of LTD pulses, in random order.
    """

    def _learn(self, batch: Minibatch, rate: float) -> None:
        batch.check_finite()
        self.fire(batch, rate)

    def fire(self, batch: Minibatch, rate: float | Tensor, chopper: Tensor | None = None) -> None:
        """Fire the trains of a finite minibatch; `chopper` (in): a sign for each input line."""
        pulses_per_gradient = torch.as_tensor(batch.gain).double() * (rate / self.granularity)
        for x, d in batch.chunks(self.settings.chunks):
            self._fire_chunk(x, d, pulses_per_gradient, chopper)

    def _fire_chunk(self, x: Tensor, d: Tensor, rate: Tensor, chopper: Tensor | None) -> None:
        x, size, largest = shares(x)
        pulses, length = expected_pulses(largest, d, rate, self.settings.desired_bl)
        # Sums over the columns of probabilities and of their squares, signed and unsigned.
        number = pulses.abs()
        square = (pulses * number).div_(length.clamp(min=1))
        net, total = _outer_sum(pulses, x), _outer_sum(number, size)
        net_square, total_square = (
            _outer_sum(square, x * size),
            _outer_sum(square.abs(), size.square_()),
        )
        if chopper is not None:
            net, net_square = net * chopper, net_square * chopper
        down = self._count((total + net) / 2, (total_square + net_square) / 2)
        up = self._count((total - net) / 2, (total_square - net_square) / 2)
        up_first = self.array.stream.uniform(up) < 0.5
        self.array.fire(torch.where(up_first, up, -down))
        self.array.fire(torch.where(up_first, -down, up))

    def _count(self, mean: Tensor, square: Tensor) -> Tensor:
        """Whole numbers with this `mean` and the variance `mean - square` of a sum of trains.

        A Bernoulli number of mean sqrt(square) and a Poisson number of what is left: exact up to
        square = 1, above it rounding adds at most a variance of 1/4.
        """
        square = square.clamp_(min=0)
        steady = torch.minimum(torch.maximum(square, square.sqrt()), mean.clamp_(min=0))
        rounded = (steady + self.array.stream.uniform(steady)).floor_()
        return rounded.add_(self.array.stream.poisson(mean - steady))


class MomentumPulses(Recipe):
    """Analog SGD with digital momentum: the gradient sum decays in digital, pulses are drawn."""

    def _learn(self, batch: Minibatch, rate: float) -> None:
        total = torch.add(batch.gradient(), self.memory, alpha=self.settings.momentum)
        pulses = total * (rate / self.granularity)
        batch.check_pulses(pulses)
        self.memory.copy_(total)
        self.array.fire(-(pulses + self.array.stream.uniform(pulses)).floor_())


class TikiTaka(Recipe):
    """Two arrays: stochastic pulses on a fast one, whose columns are read into a digital buffer
    that fires single pulses at the slow one, the weights.

    Gokmen, Front. Artif. Intell. 4, 699148 (2021); aihwkit's BufferedTransferCompound. Choppers,
    a sign for each column that its inputs and its reads share, turn at random, so that what a
    fast device shows without a gradient averages out: Rasch, Carta, Fagbohungbe & Gokmen, Nat.
    Commun. 15, 7133 (2024); aihwkit's ChoppedTransferCompound.
    """

    chopper: Tensor
    magnitude: Tensor

    def __init__(self, make_array: MakeArray, settings: PulseUpdate, converters: Converters):
        super().__init__(make_array, settings, converters)
        self.fast = StochasticPulses(lambda _: make_array(1), settings, converters)
        self.register_buffer("chopper", torch.ones(self.memory.shape[1]), persistent=False)
        nothing = torch.zeros((), dtype=torch.float64)
        self.register_buffer("magnitude", nothing, persistent=False)
        self.minibatch = 0

    def _learn(self, batch: Minibatch, rate: float) -> None:
        transfer_rate = _checked_rate(rate * self.settings.transfer_lr)
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
        weight, chopper = self.fast.array.weight, self.chopper[columns]
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
        self.fast.array.program(torch.zeros_like(self.fast.array.weight))

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "fast": self.fast.array.state(),
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


RECIPES: dict[str, type[Recipe]] = {
    "mixed_precision": MixedPrecision,
    "sgd": StochasticPulses,
    "tiki_taka_v2": TikiTaka,
}


def shares(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (n x in x positions) as shares of the largest of a column, their sizes, the largest.

    Products of large gradients and tiny inputs, and their squares, have to fit into float32.
    """
    size = x.abs()
    largest = size.amax(1, keepdim=True)
    unit = _or_one(largest)
    return x / unit, size.div_(unit), largest


def expected_pulses(
    x_max: Tensor, d: Tensor, rate: float | Tensor, desired_bl: int
) -> tuple[Tensor, Tensor]:
    """Gradients as the pulses that the largest input fires, and the lengths of the pulse trains.

    `x_max` (n x 1 x positions), `d` (n x out x positions), `rate`: learning rate over granularity.
    A device sees `expected_pulses * share` coincidences of one column on average, each of the
    `length` slots alike. aihwkit's `update_bl_management` with update management: trains just
    long enough for the largest product of a column, up to `desired_bl`; beyond that the gradient
    is clipped, never the input. Lengths are n x 1 x positions, 0 where there is no gradient.
    """
    d_max = d.abs().amax(1, keepdim=True)
    due = x_max.double().mul_(rate).mul_(d_max)  # in float64: the product of all may be anything
    due = due.clamp_(max=torch.finfo(d.dtype).max).to(d.dtype)
    length = due.ceil().clamp_(max=desired_bl)
    return (d / _or_one(d_max)).mul_(due).clamp_(-length, length), length


def _or_one(largest: Tensor) -> Tensor:
    return largest.masked_fill(largest == 0, 1)


def _checked_rate(rate: float) -> float:
    """`rate`; ValueError for one that no minibatch can be learned at."""
    if not 0 <= rate <= HIGHEST_RATE:
        raise ValueError(
            f"the learning rate must lie from 0 to {HIGHEST_RATE:g}, got {rate}; {UNCHANGED}"
        )
    return float(rate)


def _outer_sum(d: Tensor, x: Tensor) -> Tensor:
    """Sum of d x^T over images and positions, out x in."""
    return torch.bmm(d, x.transpose(1, 2)).sum(0)


def make_recipe(make_array: MakeArray, settings: PulseUpdate, converters: Converters) -> Recipe:
    """The recipe that `settings` names, with its arrays."""
    kind = RECIPES[settings.recipe]
    if kind is StochasticPulses and settings.momentum > 0:
        kind = MomentumPulses
    return kind(make_array, settings, converters)
