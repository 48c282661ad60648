"""Configurations of crossbar tiles that train a device with a named recipe.

`mixed_precision` is the default: gradients accumulate in digital and a pulse is fired when a full
step is due. Plain analog SGD fires stochastic pulses for every sample, and on a coarse and
asymmetric device (one LTD pulse from the top takes away almost half of the conductance range)
the asymmetry, not the gradient, decides where the weights go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from aihwkit.simulator.configs import (
    DigitalRankUpdateRPUConfig,
    SingleRPUConfig,
    UnitCellRPUConfig,
)
from aihwkit.simulator.configs.compounds import BufferedTransferCompound, MixedPrecisionCompound
from aihwkit.simulator.configs.devices import PulsedDevice
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU
from aihwkit.simulator.tiles import analog

from crossbar.choices import check_choice
from crossbar.context import KeepsContext
from crossbar.device import scaled_mapping, weight_span
from crossbar.nonideality import Nonideality
from crossbar.reads.converters import periphery
from crossbar.recipes import RECIPES, RecipeSettings, recipe_settings
from crossbar.tile import CELLS, MemristorRPUConfig
from device_models.errors import InputError

TILES = ("aihwkit", "memristor")

NO_RECIPE = "none"
"""Name of the missing recipe of a tile that reads only."""


class AnalogTile(KeepsContext, analog.AnalogTile):
    """aihwkit's C++ tile with a `PulseContext`; aihwkit's states name the class, so it keeps it."""


def rpu_config(
    device: PulsedDevice,
    recipe: str | None = "mixed_precision",
    io: IOParameters | None = None,
    *,
    tile: str = "memristor",
    update: Mapping[str, Any] | None = None,
    cells: str = "single",
    nonidealities: Nonideality | Sequence[Nonideality] = (),
) -> MappableRPU:
    """aihwkit configuration that trains `device` with a named recipe.

    `recipe`: `mixed_precision`, `sgd` (plain analog SGD), `tiki_taka_v2` (two devices a weight
    and a digital buffer), or None ("none") for tiles that read only. `tile`: `memristor`
    (`crossbar.tile`: seeded, faster, a `CardDevice`) or `aihwkit` (its C++ tiles, any pulsed
    device). `update`: the recipe's settings on a memristor tile, fields of its class in
    `crossbar.recipes.SETTINGS`. `cells`: `single` devices against a reference, or a `pair` of
    devices a weight, whose difference is read. `nonidealities`: effects on what is read, see
    `crossbar.nonideality`. Weights are scaled into the part of the range that is open to both
    signs, and a digital scale per output learns the rest. Raises InputError for unknown names,
    for settings that the recipe does not read, and for a device that cannot hold weights of both
    signs.
    """
    recipe = None if recipe == NO_RECIPE else recipe
    check_choice("recipe", recipe or NO_RECIPE, (*RECIPES, NO_RECIPE))
    check_choice("tile", tile, TILES)
    check_choice("cells", cells, CELLS)
    io = io or periphery()
    converters = {"forward": io, "backward": deepcopy(io)}
    if tile == "memristor":
        if cells == "single":
            weight_span(device)  # a device of one sign is refused before anything is built
        settings = _settings(recipe, update or {})
        own = {"device": device, "cells": cells, "nonidealities": nonidealities}
        return MemristorRPUConfig(update=settings, **own, **converters)
    settings_given = f"update ({', '.join(update)})" if update else ""
    asked = ("recipe=None", "cells='pair'", "nonidealities", settings_given)
    given = (recipe is None, cells == "pair", nonidealities != (), bool(update))
    for name in (name for name, is_given in zip(asked, given, strict=True) if is_given):
        raise InputError(f"{name} needs tile='memristor', got {tile!r}")
    span = weight_span(device)
    common = {**converters, "mapping": scaled_mapping(span), "tile_class": AnalogTile}
    if recipe == "mixed_precision":
        return DigitalRankUpdateRPUConfig(device=MixedPrecisionCompound(device=device), **common)
    if recipe == "sgd":
        return SingleRPUConfig(device=device, **common)
    pair = [deepcopy(device), deepcopy(device)]
    return UnitCellRPUConfig(
        device=BufferedTransferCompound(unit_cell_devices=pair, units_in_mbatch=True), **common
    )


def _settings(recipe: str | None, update: Mapping[str, Any]) -> RecipeSettings | None:
    if recipe is not None:
        return recipe_settings(recipe, **update)
    if update:
        raise InputError(f"update ({', '.join(update)}) is read by no recipe: recipe is None")
    return None
