"""MemristorTile: a seeded crossbar tile in pure torch, usable wherever aihwkit's tiles are.

    layer = AnalogLinear(8, 2, rpu_config=MemristorRPUConfig(device=CardDevice(field_G=150.0)))

Forward, backward and update are those of aihwkit's C++ tiles with the same `CardDevice`, but:

- k pulses are one jump along the card's curve, not k steps along 63 nodes of it.
- Random numbers come from the tile's own stream. It travels in the state dict together with the
  accumulators, so that a run that was killed and resumed goes on bit for bit.
- Mixed precision fires exactly the pulses that are due, one for every `dw_min`, which is the
  pulse at the weight 0. aihwkit counts in LTP pulses at the middle of the range, and draws the
  pulses of a row when not all of its devices are due the same number.
- Stochastic pulses are counted for parts of the minibatch, see `crossbar.recipes`.
"""

# No `from __future__ import annotations`: aihwkit reads the field types of its dataclasses.

from dataclasses import dataclass, field
from typing import Any

import torch
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU
from aihwkit.simulator.parameters.pre_post import PrePostProcessingRPU
from aihwkit.simulator.tiles.array import TileModuleArray
from aihwkit.simulator.tiles.base import SimulatorTile
from aihwkit.simulator.tiles.custom import CustomTile
from torch import Tensor, nn

from crossbar.array import MemristorArray
from crossbar.device import CardDevice
from crossbar.periphery import check_periphery, crossbar_product, periphery
from crossbar.random import RandomStream
from crossbar.recipes import PulseUpdate, make_recipe


class MemristorSimulatorTile(SimulatorTile, nn.Module):
    """Devices, converters and recipe of one tile; aihwkit's `CustomTile` talks to it.

    Everything random comes from `seed`: the devices from the seed itself, noise and pulses from
    the stream it starts. Weights are kept in `recipe.array`, in the unit of
    `crossbar.device.weight_scale`, and are copied in and out.
    """

    def __init__(self, x_size: int, d_size: int, rpu_config: "MemristorRPUConfig", seed: int):
        nn.Module.__init__(self)
        self.x_size, self.d_size = x_size, d_size
        self.learning_rate = 0.1
        self._config = rpu_config
        self._forward_io, self._backward_io = _checked_converters(rpu_config)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw other devices and start another stream, with all weights at 0."""
        self.stream = RandomStream(seed)
        self.recipe = make_recipe(self._make_array, self._config.update, self._forward_io)

    def set_config(self, rpu_config: "MemristorRPUConfig") -> None:
        """Use the converters of `rpu_config` from now on."""
        changed = rpu_config.forward is not self._forward_io
        if changed or rpu_config.backward is not self._backward_io:
            self._forward_io, self._backward_io = _checked_converters(rpu_config)

    @torch.no_grad()
    def forward(
        self,
        x_input: Tensor,
        bias: bool = False,
        in_trans: bool = False,
        out_trans: bool = False,
        is_test: bool = False,
        non_blocking: bool = False,
    ) -> Tensor:
        """Outputs (... x out) of the crossbar for inputs (... x in); the flags change nothing."""
        return crossbar_product(self.recipe.array.weight, x_input, self._forward_io, self.stream)

    @torch.no_grad()
    def backward(
        self,
        d_input: Tensor,
        bias: bool = False,
        in_trans: bool = False,
        out_trans: bool = False,
        non_blocking: bool = False,
    ) -> Tensor:
        """Gradients at the inputs (... x in) for gradients at the outputs (... x out)."""
        weight = self.recipe.array.weight.t()
        return crossbar_product(weight, d_input, self._backward_io, self.stream)

    @torch.no_grad()
    def update(
        self,
        x_input: Tensor,
        d_input: Tensor,
        bias: bool = False,
        in_trans: bool = False,
        out_trans: bool = False,
        non_blocking: bool = False,
    ) -> None:
        """Fire the pulses of a minibatch: inputs (... x in), gradients at outputs (... x out)."""
        self.recipe.update(x_input, d_input, self.learning_rate)

    def get_weights(self, as_ref: bool = False) -> Tensor:
        """Copy of the weights on the CPU, out x in; `as_ref` gives the tile's own tensor."""
        weight = self.recipe.array.weight.detach()
        return weight if as_ref else weight.cpu().clone()

    def set_weights(self, weight: Tensor) -> None:
        """Set all devices to `weight` (out x in) and forget what was accumulated."""
        self.recipe.array.program(weight)
        self.recipe.reset()

    def set_weights_uniform_random(self, bmin: float, bmax: float) -> None:
        """Set the weights to random numbers from `bmin` to `bmax` [weight]."""
        self.set_weights(bmin + (bmax - bmin) * self.stream.uniform(self.recipe.array.weight))

    def get_x_size(self) -> int:
        return self.x_size

    def get_d_size(self) -> int:
        return self.d_size

    def get_learning_rate(self) -> float:
        return self.learning_rate

    def set_learning_rate(self, learning_rate: float | None) -> None:
        if learning_rate is not None:
            self.learning_rate = learning_rate

    def get_brief_info(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        return f"{self.d_size}, {self.x_size}, {self._config.update.recipe}"

    def get_meta_parameters(self) -> "MemristorRPUConfig":
        """The configuration the tile was made of."""
        return self._config

    def dump_extra(self) -> dict[str, Any]:
        """Everything the tile remembers, as plain tensors and numbers."""
        return {"stream": self.stream.state(), "recipe": self.recipe.state()}

    def load_extra(self, extra: dict[str, Any], strict: bool = False) -> None:
        """Go on where `extra` was dumped: the same devices, state and random numbers."""
        self.reseed(extra["stream"]["seed"])
        self.recipe.restore(extra["recipe"])
        self.stream.restore(extra["stream"])

    def _make_array(self, number: int) -> MemristorArray:
        """Array number 0 holds the weights; a second one has devices of its own."""
        seed = self.stream.seed + number * 2**32
        device = self._config.device
        return MemristorArray(self.d_size, self.x_size, device, self.stream, seed)


class MemristorTile(CustomTile):
    """aihwkit tile module around a `MemristorSimulatorTile`: scales, bias and state dict."""

    def _create_simulator_tile(
        self, x_size: int, d_size: int, rpu_config: "MemristorRPUConfig"
    ) -> MemristorSimulatorTile:
        """A tile from the device's `construction_seed`; 0 draws one from torch's own numbers."""
        seed = rpu_config.device.construction_seed or int(torch.randint(1, 2**31, ()))
        return rpu_config.simulator_tile_class(x_size, d_size, rpu_config, seed)

    def _recreate_simulator_tile(
        self, x_size: int, d_size: int, rpu_config: "MemristorRPUConfig"
    ) -> MemristorSimulatorTile:
        """A tile whose seed comes with the state that is loaded into it next."""
        return rpu_config.simulator_tile_class(x_size, d_size, rpu_config, 1)

    def get_learning_rate(self) -> float:
        return self.tile.get_learning_rate()

    def set_learning_rate(self, learning_rate: float | None) -> None:
        self.tile.set_learning_rate(learning_rate)


@dataclass
class MemristorRPUConfig(MappableRPU, PrePostProcessingRPU):
    """aihwkit configuration of a layer on `MemristorTile`s."""

    tile_class: type = MemristorTile
    simulator_tile_class: type = MemristorSimulatorTile
    tile_array_class: type = TileModuleArray

    device: CardDevice = field(default_factory=CardDevice)
    """Card, field and spreads of the devices."""

    forward: IOParameters = field(default_factory=periphery)
    """Converters of the forward pass, see `crossbar.periphery`."""

    backward: IOParameters = field(default_factory=periphery)
    """Converters of the backward pass."""

    update: PulseUpdate = field(default_factory=PulseUpdate)
    """Recipe that turns gradients into pulses."""


def _checked_converters(rpu_config: MemristorRPUConfig) -> tuple[IOParameters, IOParameters]:
    check_periphery(rpu_config.forward)
    check_periphery(rpu_config.backward)
    return rpu_config.forward, rpu_config.backward
