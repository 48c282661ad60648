"""What every recipe is: pulses from inputs and gradients, and the digital memory it keeps.

Every recipe lowers the weights by the learning rate times the gradient d^T x on average.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from crossbar.arrays.array import MemristorArray
from crossbar.arrays.pair import MemristorPair
from crossbar.finite import check_state
from crossbar.reads.converters import Converters
from crossbar.recipes.minibatch import UNCHANGED, Minibatch
from crossbar.recipes.settings import RecipeSettings
from device_models.errors import InputError

MakeArray = Callable[[int], MemristorArray | MemristorPair]

HIGHEST_RATE = 1e30
"""Learning rates beyond it are refused: float32 could not hold what they add up to."""


class Recipe(nn.Module):
    """Base: an array and the digital memory a recipe keeps beside it (`memory`, out x in).

    `make_array` gives the arrays of a tile. The weights' own, number 0, is the tile's: the recipe
    borrows it.
    """

    memory: Tensor

    def __init__(self, make_array: MakeArray, settings: RecipeSettings, converters: Converters):
        super().__init__()
        self.array, self.settings, self.converters = make_array(0), settings, converters
        self.register_buffer("memory", torch.zeros_like(self.array.state), persistent=False)

    @property
    def granularity(self) -> float:
        """Weight change that counts as one pulse [weight]: the array's at its field by default."""
        return self.settings.granularity or self.array.granularity

    def update(self, batch: Minibatch, rate: float) -> None:
        """Fire the pulses of one minibatch at learning rate `rate`.

        Refuses, before anything has changed, a minibatch that does not fit (RuntimeError), a
        rate that is negative or not finite (InputError), and inputs or gradients that are not
        finite, or whose products are not (NonFiniteError).
        """
        batch.check_fits(self.memory)
        self._learn(batch, checked_rate(rate))

    def _learn(self, batch: Minibatch, rate: float) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was accumulated: the weights were set anew."""
        self.memory.zero_()

    def state(self) -> dict[str, Any]:
        """What was accumulated; the array remembers its devices itself."""
        return {"memory": self.memory.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises NonFiniteError, and changes nothing, where an entry is not finite.
        """
        check_state(state)
        self.memory.copy_(state["memory"])


def checked_rate(rate: float) -> float:
    """`rate`; InputError for one that no minibatch can be learned at."""
    if not 0 <= rate <= HIGHEST_RATE:
        raise InputError(
            f"the learning rate must lie from 0 to {HIGHEST_RATE:g}, got {rate}; {UNCHANGED}"
        )
    return float(rate)
