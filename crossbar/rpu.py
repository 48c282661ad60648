"""Configurations of crossbar tiles that train a device with a named recipe.

`mixed_precision` is the default: gradients accumulate in digital and a pulse is fired when a full
step is due. Plain analog SGD fires stochastic pulses for every sample, and on a coarse and
asymmetric device (one LTD pulse from the top takes away almost half of the conductance range)
the asymmetry, not the gradient, decides where the weights go.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from crossbar.reads.converters import periphery
from crossbar.recipes import RECIPES, recipe_settings
from crossbar.tile import MemristorRPUConfig

TILES = ("aihwkit", "memristor")


class AnalogTile(KeepsContext, analog.AnalogTile):
    """aihwkit's C++ tile with a `PulseContext`; aihwkit's states name the class, so it keeps it."""


def rpu_config(
    device: PulsedDevice,
    recipe: str = "mixed_precision",
    io: IOParameters | None = None,
    *,
    tile: str = "memristor",
    update: Mapping[str, Any] | None = None,
) -> MappableRPU:
    """aihwkit configuration that trains `device` with a named recipe.

    `recipe`: `mixed_precision`, `sgd` (plain analog SGD) or `tiki_taka_v2` (two devices a weight
    and a digital buffer). `tile`: `memristor` (`crossbar.tile`: seeded, faster, a `CardDevice`)
    or `aihwkit` (its C++ tiles, any pulsed device). `update`: the recipe's settings on a
    memristor tile, fields of its class in `crossbar.recipes.SETTINGS`. Weights are scaled into
    the part of the range that is open to both signs, and a digital scale per output learns the
    rest. Raises ValueError for unknown names, for settings that the recipe does not read, and for
    a device that cannot hold weights of both signs.
    """
    check_choice("recipe", recipe, RECIPES)
    check_choice("tile", tile, TILES)
    span, io = weight_span(device), io or periphery()
    converters = {"forward": io, "backward": deepcopy(io)}
    if tile == "memristor":
        settings = recipe_settings(recipe, **(update or {}))
        return MemristorRPUConfig(device=device, update=settings, **converters)
    if update:
        raise ValueError(f"update ({', '.join(update)}) needs tile='memristor', got {tile!r}")
    common = {**converters, "mapping": scaled_mapping(span), "tile_class": AnalogTile}
    if recipe == "mixed_precision":
        return DigitalRankUpdateRPUConfig(device=MixedPrecisionCompound(device=device), **common)
    if recipe == "sgd":
        return SingleRPUConfig(device=device, **common)
    pair = [deepcopy(device), deepcopy(device)]
    return UnitCellRPUConfig(
        device=BufferedTransferCompound(unit_cell_devices=pair, units_in_mbatch=True), **common
    )
