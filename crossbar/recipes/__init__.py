"""Training recipes of the memristor tile: from inputs and gradients to pulses."""

from __future__ import annotations

from typing import Any

from crossbar.choices import check_choice
from crossbar.reads.converters import Converters
from crossbar.recipes.analog_sgd import AnalogSGDSettings, MomentumPulses, StochasticPulses
from crossbar.recipes.base import MakeArray, Recipe
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.mixed_precision import MixedPrecision, MixedPrecisionSettings
from crossbar.recipes.settings import RecipeSettings, not_read
from crossbar.recipes.tiki_taka import TikiTaka, TikiTakaSettings

__all__ = [
    "RECIPES",
    "SETTINGS",
    "AnalogSGDSettings",
    "MakeArray",
    "Minibatch",
    "MixedPrecisionSettings",
    "Recipe",
    "RecipeSettings",
    "TikiTakaSettings",
    "make_recipe",
    "not_read",
    "recipe_settings",
]

RECIPES: dict[str, type[Recipe]] = {
    "mixed_precision": MixedPrecision,
    "sgd": StochasticPulses,
    "tiki_taka_v2": TikiTaka,
}

SETTINGS: dict[str, type[RecipeSettings]] = {
    kind.recipe: kind for kind in (MixedPrecisionSettings, AnalogSGDSettings, TikiTakaSettings)
}
"""Settings of each recipe."""


def recipe_settings(recipe: str = "mixed_precision", **given: Any) -> RecipeSettings:
    """Settings of the recipe of that name, those not `given` at their defaults.

    Raises InputError for a recipe that there is not, for a setting that it does not read, and for
    one out of its range.
    """
    check_choice("recipe", recipe, SETTINGS)
    return SETTINGS[recipe].of(**given)


def make_recipe(make_array: MakeArray, settings: RecipeSettings, converters: Converters) -> Recipe:
    """The recipe whose `settings` these are, with its arrays."""
    kind = RECIPES[settings.recipe]
    if isinstance(settings, AnalogSGDSettings) and settings.momentum > 0:
        kind = MomentumPulses
    return kind(make_array, settings, converters)
