"""Analog SGD: pulses drawn from each minibatch, with or without a digital momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from crossbar.recipes.base import Recipe
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.settings import RecipeSettings, share, whole_number


@dataclass
class PulseTrainSettings(RecipeSettings):
    """Base of the recipes that fire stochastic pulse trains."""

    desired_bl: int = whole_number(31, least=1)
    """Largest number of pulses in a train [1]."""

    chunks: int = whole_number(8, least=1)
    """Parts of a minibatch that are pulsed one after the other [1]."""


@dataclass
class AnalogSGDSettings(PulseTrainSettings):
    """Settings of `sgd`.

    Raises InputError for `desired_bl` or `chunks` beside a momentum, which fires no trains.
    """

    recipe: ClassVar[str] = "sgd"

    momentum: float = share(0.0)
    """Digital momentum: share of the last gradient sum that stays [1]; 0 keeps none."""

    def __post_init__(self) -> None:
        if self.momentum > 0:
            self._refuse_unless_default(("desired_bl", "chunks"), "sgd with momentum")


class StochasticPulses(Recipe):
    """Plain analog SGD: stochastic pulse trains on both lines, a step where two pulses meet.

    Gokmen & Vlasov, Front. Neurosci. 10, 333 (2016), with aihwkit's update management. The
    coincidences of a chunk of the minibatch are counted by matrix products and drawn for each
    device on its own (devices on one line share no pulse), then fired as one block of LTP and one
    of LTD pulses, in random order.
    """

    settings: PulseTrainSettings

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

    settings: AnalogSGDSettings

    def _learn(self, batch: Minibatch, rate: float) -> None:
        total = torch.add(batch.gradient(), self.memory, alpha=self.settings.momentum)
        pulses = total * (rate / self.granularity)
        batch.check_pulses(pulses)
        self.memory.copy_(total)
        self.array.fire(-(pulses + self.array.stream.uniform(pulses)).floor_())


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


def _outer_sum(d: Tensor, x: Tensor) -> Tensor:
    """Sum of d x^T over images and positions, out x in."""
    return torch.bmm(d, x.transpose(1, 2)).sum(0)
