"""Magnetic fields of a network on crossbars: set, carried from one to another, and told.

    set_field(model, 150.0)                           # all layers
    set_field(model, {"features.1": 50.0})            # one layer, the others stay
    set_field(model, {"classifier.1": rows})          # out x 1, 1 x in or out x in devices

The field acts on what is read, never on the states: there and back is bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from aihwkit.nn.modules.base import AnalogLayerBase
from aihwkit.nn.modules.container import AnalogContainerBase
from aihwkit.simulator.tiles.module import TileModule
from torch import nn

from crossbar.layers.attention import CrossbarAttention
from crossbar.layers.convolutions import GroupedConvolution
from crossbar.layers.recurrent import CrossbarRNN
from crossbar.nonideality import Nonideality, WriteNoise, checked_effects
from crossbar.tile import MemristorTile
from device_models.errors import InputError

SEVERAL_MATRICES = (CrossbarAttention, CrossbarRNN, GroupedConvolution)
"""Layers that hold several matrices, each on tiles of its own, under one name."""

Field = Any
"""A number [G], or an array that broadcasts to the devices of a layer, out x in."""


def set_field(
    model: nn.Module,
    field_G: Field | Sequence[float] | Mapping[str, Field],
    rescale: bool = False,
) -> None:
    """Read the devices of `model` at `field_G` [G] from now on; training goes on there.

    One number for all layers, a sequence with one a layer in the order of `fields_of`, or a
    mapping from names of layers, the others staying where they are. In a mapping a field may be
    an array: (out, 1) a row, (1, in) a column, (out, in) a device; layers of several matrices
    (attention, recurrent, grouped) take one number only. The scale from siemens to
    weights is kept, as one reference and one converter gain are, or with `rescale` chosen anew,
    for the mean conductances at the new field.
    Raises InputError, with all layers as they were, for unknown names, fields outside the card's
    range, arrays that do not fit and layers on aihwkit's own tiles.
    """
    layers = memristor_layers(model)
    fields = _by_layer(field_G, list(layers))
    tiles = [(name, tile) for name in fields for tile in layers[name]]
    before = [(tile, tile.tile.place_in_field()) for _, tile in tiles]
    try:
        for name, tile in tiles:
            if np.ndim(fields[name]) > 0 and len(layers[name]) > 1:
                raise InputError(
                    f"{name} is on {len(layers[name])} tiles and takes one number for all devices"
                )
            _named(name, tile.tile.set_field, fields[name], rescale)
    except ValueError:
        for tile, place in before:
            tile.tile.go_back_to(place)
        raise


def fields_of(model: nn.Module) -> dict[str, float | np.ndarray]:
    """Field [G] that each crossbar layer of `model` is read at, by name, in order.

    A number, or an array that broadcasts to the devices of the layer, out x in.
    """
    return {name: tiles[0].tile.field_G for name, tiles in memristor_layers(model).items()}


def set_nonidealities(
    model: nn.Module, effects: Nonideality | Sequence[Nonideality], layers: Iterable[str] = ()
) -> None:
    """Use `effects`, in their order, in all crossbar layers of `model`, or in those named.

    They replace the ones before; none takes all away. Raises InputError for what is no effect,
    for unknown names and for layers on aihwkit's own tiles.
    """
    checked, all_layers = checked_effects(effects), memristor_layers(model)
    names = _known(list(layers) or list(all_layers), list(all_layers))
    for tile in (tile for name in names for tile in all_layers[name]):
        tile.set_nonidealities(checked)


def set_draw(model: nn.Module, draw: int) -> None:
    """Use draw number `draw`, from 0, of all nonidealities in all crossbar layers of `model`.

    Draw k is the same devices in every configuration of one seed. Write noise of the devices is
    among them; with the next pulse a device draws its own anew.
    """
    for tiles in memristor_layers(model).values():
        for tile in tiles:
            array = getattr(tile.tile.array, "plus", tile.tile.array)
            noise: WriteNoise = array.write_noise_effect
            effects = (*([noise] if noise.amplitude > 0 else []), *array.effects)
            tile.set_nonidealities([effect.with_draw(draw) for effect in effects])


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


def _by_layer(field_G: Any, names: list[str]) -> dict[str, Field]:
    if isinstance(field_G, Mapping):
        _known(list(field_G), names)
        return dict(field_G)
    if isinstance(field_G, str) or not np.ndim(field_G):
        return dict.fromkeys(names, field_G)
    fields = list(field_G)
    if len(fields) != len(names):
        raise InputError(f"{len(fields)} fields for {len(names)} crossbar layers ({_list(names)})")
    return dict(zip(names, fields, strict=True))


def _known(asked: list[str], names: list[str]) -> list[str]:
    for name in asked:
        if name not in names:
            raise InputError(f"there is no crossbar layer {name!r:.60}; there are {_list(names)}")
    return asked


def _list(names: Iterable[str]) -> str:
    return ", ".join(name or "''" for name in names)


def _named(name: str, action: Callable[..., None], *arguments: Any) -> None:
    """Call `action`; its complaints begin with the name of the layer."""
    try:
        action(*arguments)
    except ValueError as error:
        raise InputError(f"{name or 'the layer'}: {error}") from None
