"""Magnetic fields of a network on crossbars: set, carried from one to another, and told.

    set_field(model, 150.0)                           # all layers
    set_field(model, {"features.1": 50.0})            # one layer, the others stay
    set_field(model, {"classifier.1": rows})          # out x 1, 1 x in or out x in devices

The field acts on what is read, never on the states: there and back is bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from crossbar.memristor_layers import known_layers, listed, memristor_layers
from device_models.errors import InputError

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


def _by_layer(field_G: Any, names: list[str]) -> dict[str, Field]:
    if isinstance(field_G, Mapping):
        known_layers(list(field_G), names)
        return dict(field_G)
    if isinstance(field_G, str) or not np.ndim(field_G):
        return dict.fromkeys(names, field_G)
    fields = list(field_G)
    if len(fields) != len(names):
        raise InputError(f"{len(fields)} fields for {len(names)} crossbar layers ({listed(names)})")
    return dict(zip(names, fields, strict=True))


def _named(name: str, action: Callable[..., None], *arguments: Any) -> None:
    """Call `action`; its complaints begin with the name of the layer."""
    try:
        action(*arguments)
    except ValueError as error:
        raise InputError(f"{name or 'the layer'}: {error}") from None
