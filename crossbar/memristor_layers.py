"""The layers of a network that are on memristor tiles, by name."""

from __future__ import annotations

from collections.abc import Iterable

from aihwkit.nn.modules.base import AnalogLayerBase
from aihwkit.nn.modules.container import AnalogContainerBase
from aihwkit.simulator.tiles.module import TileModule
from torch import nn

from crossbar.layers.attention import CrossbarAttention
from crossbar.layers.convolutions import GroupedConvolution
from crossbar.layers.recurrent import CrossbarRNN
from crossbar.tile import MemristorTile
from device_models.errors import InputError

SEVERAL_MATRICES = (CrossbarAttention, CrossbarRNN, GroupedConvolution)
"""Layers that hold several matrices, each on tiles of its own, under one name."""


def memristor_layers(model: nn.Module) -> dict[str, list[MemristorTile]]:
    """Tiles of each crossbar layer of `model`, by its name, in order.

    Raises InputError for a model without one, and for layers on aihwkit's own tiles.
    """
    found: dict[str, list[MemristorTile]] = {}
    seen: set[nn.Module] = set()
    for name, module in model.named_modules():
        if module in seen or not _is_layer(module):
            continue
        seen.update(module.modules())
        tiles = [part for part in module.modules() if isinstance(part, TileModule)]
        others = [tile for tile in tiles if not isinstance(tile, MemristorTile)]
        if others:
            raise InputError(
                f"{name or 'the layer'} is on aihwkit's {type(others[0]).__name__}, whose field "
                f"is fixed: convert the network with tile='memristor'"
            )
        if tiles:
            found[name] = tiles
    if not found:
        raise InputError("the model has no crossbar layer: call to_crossbar first")
    return found


def _is_layer(module: nn.Module) -> bool:
    if isinstance(module, SEVERAL_MATRICES):
        return True
    return isinstance(module, AnalogLayerBase) and not isinstance(module, AnalogContainerBase)


def known_layers(asked: list[str], names: list[str]) -> list[str]:
    """`asked`; InputError, with what there is, for a name that is not among `names`."""
    for name in asked:
        if name not in names:
            raise InputError(f"there is no crossbar layer {name!r:.60}; there are {listed(names)}")
    return asked


def listed(names: Iterable[str]) -> str:
    """Names of layers in a row; that of a bare layer is empty."""
    return ", ".join(name or "''" for name in names)
