"""Training recipes of the memristor tile: from inputs and gradients to pulses."""

from __future__ import annotations

from crossbar.reads.converters import Converters
from crossbar.recipes.analog_sgd import MomentumPulses, StochasticPulses
from crossbar.recipes.base import MakeArray, Recipe
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.mixed_precision import MixedPrecision
from crossbar.recipes.settings import PulseUpdate
from crossbar.recipes.tiki_taka import TikiTaka

__all__ = ["RECIPES", "MakeArray", "Minibatch", "PulseUpdate", "Recipe", "make_recipe"]

RECIPES: dict[str, type[Recipe]] = {
    "mixed_precision": MixedPrecision,
    "sgd": StochasticPulses,
    "tiki_taka_v2": TikiTaka,
}


def make_recipe(make_array: MakeArray, settings: PulseUpdate, converters: Converters) -> Recipe:
    """The recipe that `settings` names, with its arrays."""
    kind = RECIPES[settings.recipe]
    if kind is StochasticPulses and settings.momentum > 0:
        kind = MomentumPulses
    return kind(make_array, settings, converters)
