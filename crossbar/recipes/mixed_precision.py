"""Mixed precision: gradients accumulate in digital, a pulse is fired when a full step is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from crossbar.kernels import has_cpu_kernels
from crossbar.recipes.base import Recipe
from crossbar.recipes.minibatch import Minibatch, largest
from crossbar.recipes.settings import RecipeSettings

SAFE = 1e36
"""Sums of up to this size, counted in pulses too, are far from what float32 cannot hold."""


@dataclass
class MixedPrecisionSettings(RecipeSettings):
    """Settings of `mixed_precision`: what counts as one pulse, and nothing else."""

    recipe: ClassVar[str] = "mixed_precision"


class MixedPrecision(Recipe):
    """Gradients accumulate in digital (chi); a pulse is fired for every whole granularity.

    Nandakumar et al., Front. Neurosci. 14, 406 (2020); aihwkit's MixedPrecisionCompound.
    """

    def _learn(self, batch: Minibatch, rate: float) -> None:
        compiled = has_cpu_kernels(self.memory, batch.x, batch.d)
        if not (compiled and self._learn_on_cpu(batch, rate)):
            self._learn_in_torch(batch, rate)

    def _learn_in_torch(self, batch: Minibatch, rate: float) -> None:
        total = torch.add(self.memory, batch.gradient(), alpha=rate)
        pulses = (total / self.granularity).trunc_()
        batch.check_pulses(pulses)
        torch.sub(total, pulses, alpha=self.granularity, out=self.memory)
        self.array.fire(-pulses)

    def _learn_on_cpu(self, batch: Minibatch, rate: float) -> bool:
        """The same in one pass over the memory.

        Where a number is none, or so large that a sum might overflow, nothing is changed and False
        given. What is fewer is looked through: the gradient, or inputs and gradients at outputs.
        """
        from crossbar.recipes.due_cpu import take_due

        granularity = self.granularity
        few = self.memory.numel() < batch.x.numel() + batch.d.numel()
        gradient = batch.gradient() if few else None
        most = batch.bound() if gradient is None else largest(gradient)
        if not most * rate < SAFE * min(1.0, granularity):
            return False
        if gradient is None:
            batch.add_gradient_(self.memory, rate)
        hit, counts = take_due(self.memory, granularity, gradient, rate)
        self.array.fire_at(hit, counts.neg_())
        return True
