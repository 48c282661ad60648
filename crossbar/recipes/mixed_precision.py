"""Mixed precision: gradients accumulate in digital, a pulse is fired when a full step is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from crossbar.recipes.base import Recipe
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.settings import RecipeSettings


@dataclass
class MixedPrecisionSettings(RecipeSettings):
    """Settings of `mixed_precision`: what counts as one pulse, and nothing else."""

    recipe: ClassVar[str] = "mixed_precision"


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
