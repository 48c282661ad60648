"""Nonidealities of a network on crossbars: set in all layers or some, and drawn anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from crossbar.memristor_layers import known_layers, memristor_layers
from crossbar.nonideality import Nonideality, WriteNoise, checked_effects


def set_nonidealities(
    model: nn.Module, effects: Nonideality | Sequence[Nonideality], layers: Iterable[str] = ()
) -> None:
    """Use `effects`, in their order, in all crossbar layers of `model`, or in those named.

    They replace the ones before; none takes all away. Raises InputError for what is no effect,
    for unknown names and for layers on aihwkit's own tiles.
    """
    checked, all_layers = checked_effects(effects), memristor_layers(model)
    names = known_layers(list(layers) or list(all_layers), list(all_layers))
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
