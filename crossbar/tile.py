"""MemristorTile: a seeded crossbar tile, usable wherever aihwkit's tiles are.

    layer = AnalogLinear(8, 2, rpu_config=MemristorRPUConfig(device=CardDevice(field_G=150.0)))

It is plain torch for any device, with compiled forms of its reads and pulses on the CPU
(`crossbar.kernels`). Forward, backward and update are those of aihwkit's C++ tiles with the same
`CardDevice`, but:

- k pulses are one jump along the card's curve, not k steps along 63 nodes of it.
- Random numbers come from the tile's own stream. It travels in the state dict together with the
  accumulators, so that a run that was killed and resumed goes on bit for bit.
- Mixed precision fires exactly the pulses that are due when a minibatch ends, one for every
  `dw_min`, the pulse at the weight 0. aihwkit fires one input vector later, counts in LTP pulses
  at the middle of the range, and draws the pulses of a row whose devices are due unequal numbers.
  `PulseUpdate(granularity=...)` makes both count alike.
- Gradients at the inputs of the first layer, which nobody uses, are not read.
- Tiki-Taka reads its fast array with the converters of the forward pass. Its defaults are not
  aihwkit's: the fast pulses are scaled, all columns are read, and their signs are chopped.
- Stochastic pulses are counted for parts of the minibatch, see `crossbar.recipes`.
"""

# No `from __future__ import annotations`: aihwkit reads the field types of its dataclasses.

from dataclasses import dataclass, field
from typing import Any

import torch
from aihwkit.nn import AnalogConv2d
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU
from aihwkit.simulator.parameters.pre_post import PrePostProcessingRPU
from aihwkit.simulator.tiles.array import TileModuleArray
from aihwkit.simulator.tiles.base import SimulatorTile
from aihwkit.simulator.tiles.custom import CustomTile
from torch import Tensor, nn

from crossbar.array import MemristorArray
from crossbar.convolution import Window, convolve, convolve_back
from crossbar.device import CardDevice
from crossbar.finite import check_finite
from crossbar.periphery import Converters, crossbar_product, periphery
from crossbar.random import RandomStream, derived_seed
from crossbar.recipes import Minibatch, PulseUpdate, make_recipe

INPUT = 2
"""Place of the layer's input among the arguments of aihwkit's autograd function."""


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
        self._io: tuple[IOParameters, IOParameters] | None = None
        self.set_config(rpu_config)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw other devices and start another stream, with all weights at 0."""
        self.stream = RandomStream(seed)
        self.recipe = make_recipe(self._make_array, self._config.update, self._forward)

    def set_config(self, rpu_config: "MemristorRPUConfig") -> None:
        """Use the converters of `rpu_config` from now on."""
        io = rpu_config.forward, rpu_config.backward
        if self._io is None or any(a is not b for a, b in zip(io, self._io, strict=True)):
            self._io = io
            self._forward, self._backward = Converters(io[0]), Converters(io[1])

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
        return crossbar_product(self.recipe.array.weight, x_input, self._forward, self.stream)

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
        return crossbar_product(weight, d_input, self._backward, self.stream)

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
        self.recipe.update(Minibatch(x_input, d_input), self.learning_rate)

    @torch.no_grad()
    def forward_images(self, images: Tensor, window: Window, gain: Tensor) -> Tensor:
        """Output images of a convolution, n x out x rows x columns, times `gain`."""
        return convolve(self.recipe.array.weight, images, window, self._forward, self.stream, gain)

    @torch.no_grad()
    def backward_images(
        self, gradients: Tensor, shape: torch.Size, window: Window, gain: Tensor
    ) -> Tensor:
        """Gradients at images of `shape` for gradients at the output images."""
        weight = self.recipe.array.weight
        return convolve_back(weight, gradients, shape, window, self._backward, self.stream, gain)

    @torch.no_grad()
    def update_images(
        self, images: Tensor, gradients: Tensor, window: Window, gain: Tensor
    ) -> None:
        """Fire the pulses of a minibatch of a convolution, for `gain` times the gradients."""
        self.recipe.update(Minibatch(images, gradients, window, gain), self.learning_rate)

    def is_linear(self) -> bool:
        """Whether gradients that are twice as large come out twice as large."""
        return self._backward.perfect or self._backward.managed

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
        seed = derived_seed(self.stream.seed, 1, number)
        device = self._config.device
        return MemristorArray(self.d_size, self.x_size, device, self.stream, seed)


class MemristorTile(CustomTile):
    """aihwkit tile module around a `MemristorSimulatorTile`: scales, bias and state dict.

    With a `window` (see `MemristorConv2d`) it takes images, n x channels x rows x columns.
    """

    window: Window | None = None

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

    def set_weights(self, weight: Tensor, *arguments: Any, **named_arguments: Any) -> None:
        """As aihwkit's; NonFiniteError, before a scale is taken from them, for a NaN weight."""
        check_finite("weights", torch.as_tensor(weight), "no device was programmed")
        super().set_weights(weight, *arguments, **named_arguments)

    def joint_forward(self, x_input: Tensor, is_test: bool = False, ctx: Any = None) -> Tensor:
        if self.window is None:
            return super().joint_forward(x_input, is_test, ctx)
        return self.tile.forward_images(x_input, self.window, self._gain())

    def backward(self, d_input: Tensor, ctx: Any = None) -> Tensor | None:
        if ctx is not None and not ctx.needs_input_grad[INPUT]:
            return None  # the images of the first layer: a read that nobody asks for is not made
        if self.window is None:
            return super().backward(d_input, ctx)
        shape = ctx.saved_analog_tensors[0].shape
        return self.tile.backward_images(d_input, shape, self.window, self._gain())

    def update(self, x_input: Tensor, d_input: Tensor) -> None:
        if self.window is None:
            super().update(x_input, d_input)
        else:
            gain = 1 / (self._gain() * self.mapping_lr_scale)
            self.tile.update_images(x_input, d_input, self.window, gain)

    def takes_images(self) -> bool:
        """Whether all that aihwkit does before and behind a read comes to one factor."""
        scales = self.mapping_scales
        one_factor = scales is None or scales.numel() == 1
        return (
            one_factor
            and self.tile.is_linear()
            and self.input_range is None
            and not self.handle_output_bound
        )

    def _gain(self) -> Tensor:
        """Output of the layer over that of the crossbar: the mapping scale of the weights."""
        if self.mapping_scales is None:
            return torch.ones((), device=self.tile.recipe.array.weight.device)
        return self.mapping_scales.view(())

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


class MemristorConv2d(AnalogConv2d):
    """AnalogConv2d that hands images to its tile; on any other tile it is an AnalogConv2d.

    An AnalogConv2d on a memristor tile computes the same from unfolded patches, more slowly.
    """

    def __init__(self, *arguments: Any, **named_arguments: Any):
        super().__init__(*arguments, **named_arguments)
        if isinstance(self.analog_module, MemristorTile) and self.analog_module.takes_images():
            options = self.kernel_size, self.stride, self.padding, self.dilation
            self.analog_module.window = Window(*options)

    def forward(self, x_input: Tensor) -> Tensor:
        """Output images (n x out x rows x columns) of images (n x channels x rows x columns)."""
        if getattr(self.analog_module, "window", None) is None:
            return super().forward(x_input)
        if x_input.dim() == 3:
            return self.forward(x_input[None])[0]
        return self.analog_module(x_input, tensor_view=self.tensor_view)
