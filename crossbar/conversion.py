"""Networks whose weights move to crossbar tiles, all of them or none.

    to_crossbar(model, "my_card.json")
    optimizer = AnalogSGD(model.parameters(), lr=0.05)

The layers are looked through first, then built, and put in their places last; what stays digital
is named in one warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aihwkit.nn import AnalogLinear
from aihwkit.nn.modules.base import AnalogLayerBase
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU
from aihwkit.simulator.tiles.module import TileModule
from torch import nn

from crossbar.choices import check_choice
from crossbar.device import CardDevice, one_field_G, pulsed_device
from crossbar.layers.attention import CrossbarAttention
from crossbar.layers.convolutions import (
    CrossbarConv1d,
    CrossbarConv3d,
    GroupedConvolution,
    MakeLayer,
)
from crossbar.layers.recurrent import CrossbarRNN
from crossbar.layers.survey import digital_matrices, survey
from crossbar.nonideality import Nonideality
from crossbar.random import derived_seed
from crossbar.rpu import TILES, rpu_config
from crossbar.tile import MemristorConv2d
from device_models import DeviceCard
from device_models.errors import InputError

ONE_MATRIX = {
    nn.Linear: AnalogLinear,
    nn.Conv1d: CrossbarConv1d,
    nn.Conv2d: MemristorConv2d,
    nn.Conv3d: CrossbarConv3d,
}
SEVERAL_MATRICES: dict[type[nn.Module], Callable[[Any, MakeLayer], nn.Module]] = {
    nn.MultiheadAttention: CrossbarAttention,
    **dict.fromkeys((nn.LSTM, nn.GRU, nn.RNN), CrossbarRNN),
}
KINDS = (*ONE_MATRIX, *SEVERAL_MATRICES)

HOOKS = (
    *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    *("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
    *("_backward_pre_hooks", "_backward_hooks", "_is_full_backward_hook"),
)
"""What torch's modules keep their forward and backward hooks in."""


def crossbar_layers(model: nn.Module) -> list[str]:
    """Names of the layers that `to_crossbar` converts, in order; one that is used twice once."""
    return list(survey(model, KINDS).layers)


def to_crossbar(
    model: nn.Module,
    card: str | Path | DeviceCard,
    weights_G: float | Sequence[float] = 0.0,
    *,
    recipe: str | None = "mixed_precision",
    tile: str = "memristor",
    io: IOParameters | None = None,
    update: Mapping[str, Any] | None = None,
    seed: int = 0,
    zero: str = "symmetry_point",
    cells: str = "single",
    nonidealities: Nonideality | Sequence[Nonideality] = (),
) -> nn.Module:
    """Move the weights of `model` to crossbar tiles, in place; a bare layer gives the new one.

    Linear layers, convolutions (1-d to 3-d, grouped too), `nn.MultiheadAttention` and
    `nn.RNN`, `nn.LSTM`, `nn.GRU` are converted, also inside torch's transformer layers; a warning
    names what keeps a matrix in digital. Hooks, train or eval mode and `requires_grad` are those
    of the layers replaced: a frozen weight gets no pulses. Train with `AnalogSGD` or `AnalogAdam`
    of `aihwkit.optim`; a weight decay acts on digital scales and biases only.

    `weights_G`: one field [G] for all layers, or one for each of `crossbar_layers`, that devices
    are made and read at; `crossbar.set_field` carries the network to others. `recipe`, `tile`,
    `io`, `update`, `cells`, `nonidealities`: see `rpu_config`. `seed` fixes the device-to-device
    draws, and with `tile="memristor"` everything random. `zero`: see `pulsed_device`; spreads of
    the devices are the card's, `load_card(card).with_spread(step_c2c=0.1)` has others.
    Raises InputError, with `model` as it was, for settings or layers that do not work.
    """
    check_choice("tile", tile, TILES)
    found = survey(model, KINDS)
    fields_G = _fields_G(weights_G, list(found.layers))
    chosen: dict[str, Any] = {"recipe": recipe, "io": io, "tile": tile, "update": update}
    configure = partial(rpu_config, **chosen, cells=cells, nonidealities=nonidealities)
    built = {}
    for index, (layer, field_G) in enumerate(zip(found.layers.values(), fields_G, strict=True)):
        construction_seed = 1 + seed * 1000 + index
        device = pulsed_device(card, field_G, zero=zero, construction_seed=construction_seed)
        built[layer] = _on_tiles(layer, _LayerMaker(device, configure))
    left = digital_matrices(model, found)
    model = _replaced(model, built)
    if left:
        warnings.warn(f"not on crossbars: {', '.join(left)}", stacklevel=2)
    return model


def count_crossbar_weights(model: nn.Module) -> int:
    """Number of weights that live on crossbar tiles."""
    tiles = [m for m in model.modules() if isinstance(m, TileModule)]
    return sum(tile.in_size * tile.out_size for tile in tiles)


@dataclass
class _LayerMaker:
    """Puts the matrices of one layer on tiles, each with devices and random numbers of its own."""

    device: CardDevice
    configure: Callable[[CardDevice], MappableRPU]
    made: int = 0

    def __call__(self, digital: nn.Module) -> AnalogLayerBase:
        device = self.device
        if self.made > 0:
            device = deepcopy(device)
            # One bit less than the memristor tile takes: aihwkit's seeds are signed.
            device.construction_seed = derived_seed(device.construction_seed, 3, self.made) >> 1
        self.made += 1
        kind = next(kind for kind in ONE_MATRIX if isinstance(digital, kind))
        analog = ONE_MATRIX[kind].from_digital(digital, self.configure(device))
        _freeze_like(digital, analog)
        return analog


def _on_tiles(layer: Any, make_layer: MakeLayer) -> nn.Module:
    """The analog form of a layer, with its hooks and its mode."""
    several = [make for kind, make in SEVERAL_MATRICES.items() if isinstance(layer, kind)]
    if several:
        analog = several[0](layer, make_layer)
    elif getattr(layer, "groups", 1) > 1:
        analog = GroupedConvolution(layer, make_layer)
    else:
        analog = make_layer(layer)
    for name in HOOKS:  # the very objects: a handle that removes a hook finds it in them
        setattr(analog, name, getattr(layer, name))
    return analog.train(layer.training)


def _replaced(model: nn.Module, built: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """`model` with the layers that were `built` in every place that they are used in."""
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child is not None and child in built:
                module._modules[name] = built[child]
        # In eval mode torch's fused kernels would read the weights past the layers.
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False
    return built.get(model, model)


def _fields_G(weights_G: Any, names: Sequence[str]) -> list[float]:
    """One field [G] for each of the layers called `names`."""
    is_one = isinstance(weights_G, str) or getattr(weights_G, "ndim", 1) == 0
    if is_one or not isinstance(weights_G, Iterable):
        return [one_field_G(weights_G)] * len(names)
    fields_G = [one_field_G(value) for value in weights_G]
    if len(fields_G) != len(names):
        raise InputError(
            f"{len(fields_G)} fields for {len(names)} crossbar layers ({', '.join(names)})"
        )
    return fields_G


def _freeze_like(digital: nn.Module, analog: AnalogLayerBase) -> None:
    """Freeze devices and output scales where the weight is, and the bias where the bias is."""
    for tile in analog.analog_tiles():
        for parameter in (tile.analog_ctx, tile.out_scaling_alpha):
            parameter.requires_grad_(digital.weight.requires_grad)
    if digital.bias is not None:
        analog.analog_module.bias.requires_grad_(digital.bias.requires_grad)
