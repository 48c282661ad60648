"""Training recipes on crossbar tiles, and networks whose weights live on them.

`mixed_precision` is the default: gradients accumulate in digital and a pulse is fired when a full
step is due. Plain analog SGD fires stochastic pulses for every sample, and on a coarse and
asymmetric device (one LTD pulse from the top takes away almost half of the conductance range)
the asymmetry, not the gradient, decides where the weights go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from aihwkit.nn import AnalogConv2d, AnalogLinear
from aihwkit.nn.modules.base import AnalogLayerBase
from aihwkit.simulator.configs import (
    DigitalRankUpdateRPUConfig,
    SingleRPUConfig,
    UnitCellRPUConfig,
)
from aihwkit.simulator.configs.compounds import BufferedTransferCompound, MixedPrecisionCompound
from aihwkit.simulator.configs.devices import PulsedDevice
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU, MappingParameter
from torch import nn

from crossbar.choices import check_choice
from crossbar.device import pulsed_device
from crossbar.periphery import periphery
from crossbar.random import derived_seed
from crossbar.recipes import RECIPES, PulseUpdate
from crossbar.tile import MemristorConv2d, MemristorRPUConfig
from device_models import DeviceCard

CONVOLUTIONS = {"aihwkit": AnalogConv2d, "memristor": MemristorConv2d}
TILES = tuple(CONVOLUTIONS)


def rpu_config(
    device: PulsedDevice,
    recipe: str = "mixed_precision",
    io: IOParameters | None = None,
    *,
    tile: str = "aihwkit",
    update: Mapping[str, Any] | None = None,
) -> MappableRPU:
    """aihwkit configuration that trains `device` with a named recipe.

    `recipe`: `mixed_precision`, `sgd` (plain analog SGD) or `tiki_taka_v2` (two devices a weight
    and a digital buffer). `tile`: `aihwkit` (its C++ tiles, any pulsed device) or `memristor`
    (`crossbar.tile`: seeded, faster, a `CardDevice`). `update`: the recipe's settings on a
    memristor tile, keywords of `crossbar.recipes.PulseUpdate`. Weights are scaled into the part
    of the range that is open to both signs, and a digital scale per output learns the rest.
    """
    check_choice("recipe", recipe, RECIPES)
    check_choice("tile", tile, TILES)
    io = io or periphery()
    common = {
        "forward": io,
        "backward": deepcopy(io),
        "mapping": MappingParameter(
            weight_scaling_omega=_weight_span(device),
            learn_out_scaling=True,
            out_scaling_columnwise=True,
            digital_bias=True,
        ),
    }
    if tile == "memristor":
        settings = PulseUpdate(recipe=recipe, **(update or {}))
        return MemristorRPUConfig(device=device, update=settings, **common)
    if update:
        raise ValueError(f"update ({', '.join(update)}) needs tile='memristor', got {tile!r}")
    if recipe == "mixed_precision":
        return DigitalRankUpdateRPUConfig(device=MixedPrecisionCompound(device=device), **common)
    if recipe == "sgd":
        return SingleRPUConfig(device=device, **common)
    pair = [deepcopy(device), deepcopy(device)]
    return UnitCellRPUConfig(
        device=BufferedTransferCompound(unit_cell_devices=pair, units_in_mbatch=True), **common
    )


def crossbar_layers(model: nn.Module) -> list[str]:
    """Names of the conv and linear layers whose weights can live on a crossbar, in order."""
    return [n for n, m in model.named_modules() if type(m) in (nn.Conv2d, nn.Linear)]


def to_crossbar(
    model: nn.Module,
    card: str | Path | DeviceCard,
    weights_G: float | Sequence[float] = 0.0,
    *,
    recipe: str = "mixed_precision",
    tile: str = "aihwkit",
    io: IOParameters | None = None,
    update: Mapping[str, Any] | None = None,
    seed: int = 0,
    zero: str = "symmetry_point",
    step_c2c: float | None = None,
    write_noise: float | None = None,
    step_d2d: float | None = None,
    range_d2d: float | None = None,
) -> nn.Module:
    """Move the weights of every conv and linear layer of `model` to crossbar tiles, in place.

    `weights_G`: one field [G] for all layers, or one per layer. `recipe`, `tile`, `io`, `update`:
    see `rpu_config`. `seed` fixes the device-to-device draws, and with `tile="memristor"`
    everything random. Raises ValueError when the number of fields is not the number of layers.
    """
    check_choice("tile", tile, TILES)
    names = crossbar_layers(model)
    fields = [weights_G] * len(names) if isinstance(weights_G, int | float) else list(weights_G)
    if len(fields) != len(names):
        raise ValueError(
            f"{len(fields)} fields for {len(names)} crossbar layers ({', '.join(names)})"
        )
    for index, (name, field_G) in enumerate(zip(names, fields, strict=True)):
        device = pulsed_device(
            card,
            field_G,
            zero=zero,
            step_c2c=step_c2c,
            write_noise=write_noise,
            step_d2d=step_d2d,
            range_d2d=range_d2d,
            construction_seed=1 + seed * 1000 + index,
        )
        layer = model.get_submodule(name)
        kind = CONVOLUTIONS[tile] if isinstance(layer, nn.Conv2d) else AnalogLinear
        analog = kind.from_digital(layer, rpu_config(device, recipe, io, tile=tile, update=update))
        if tile == "memristor":
            _reseed_further_tiles(analog, layer, device.construction_seed)
        model.set_submodule(name, analog)
    return model


def count_crossbar_weights(model: nn.Module) -> int:
    """Number of weights that live on crossbar tiles."""
    tiles = [m.analog_module for m in model.modules() if isinstance(m, AnalogConv2d | AnalogLinear)]
    return sum(tile.in_size * tile.out_size for tile in tiles)


def _reseed_further_tiles(analog: AnalogLayerBase, digital: nn.Module, seed: int) -> None:
    """Give each tile of a layer that is split into several devices and numbers of its own."""
    tiles = list(analog.analog_tiles())
    for number, tile in enumerate(tiles[1:], 1):
        tile.tile.reseed(derived_seed(seed, 2, number))
    if len(tiles) > 1:
        analog.set_weights(digital.weight, digital.bias)


def _weight_span(device: PulsedDevice) -> float:
    """Largest initial weight: 0.8 of the shorter side of the range, of the range if one-sided."""
    sides = [side for side in (-device.w_min, device.w_max) if side > 0]
    return 0.8 * min(sides)
