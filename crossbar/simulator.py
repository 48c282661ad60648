"""Devices, converters and recipe of one crossbar tile, behind aihwkit's simulator interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.tiles.base import SimulatorTile
from torch import Tensor, nn

from crossbar.arrays.array import MemristorArray
from crossbar.random import RandomStream, derived_seed
from crossbar.reads.blocks import block_sizes
from crossbar.reads.converters import Converters
from crossbar.reads.read import convolve, convolve_back, crossbar_product
from crossbar.reads.window import Window
from crossbar.recipes import make_recipe
from crossbar.recipes.minibatch import Minibatch

if TYPE_CHECKING:
    from crossbar.tile import MemristorRPUConfig


class MemristorSimulatorTile(SimulatorTile, nn.Module):
    """Devices, converters and recipe of one tile; aihwkit's `CustomTile` talks to it.

    Everything random comes from `seed`: the devices from the seed itself, noise and pulses from
    the stream it starts. Weights are kept in `recipe.array`, in the unit of
    `crossbar.scale.weight_scale`, and are copied in and out.
    """

    def __init__(self, x_size: int, d_size: int, rpu_config: MemristorRPUConfig, seed: int):
        nn.Module.__init__(self)
        self.x_size, self.d_size = x_size, d_size
        self.learning_rate = 0.1
        self._config = rpu_config
        self.keep_whole(1)
        self._io: tuple[IOParameters, IOParameters] | None = None
        self.set_config(rpu_config)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw other devices and start another stream, with all weights at 0."""
        self.stream = RandomStream(seed)
        self.recipe = make_recipe(self._make_array, self._config.update, self._forward)

    def keep_whole(self, lines: int) -> None:
        """Cut the layer into tiles of the mapping's sizes, `lines` inputs of which stay together.

        Each tile along the inputs has a DAC, output noise and an ADC of its own, see
        `crossbar.reads.blocks`; backward those along the outputs.
        """
        mapping = self._config.mapping
        self.in_blocks = block_sizes(self.x_size, mapping.max_input_size, lines)
        self.out_blocks = block_sizes(self.d_size, mapping.max_output_size)

    def set_config(self, rpu_config: MemristorRPUConfig) -> None:
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
        read = x_input, self._forward, self.stream, self.in_blocks
        return crossbar_product(self.recipe.array.weight, *read)

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
        return crossbar_product(weight, d_input, self._backward, self.stream, self.out_blocks)

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
        read = images, window, self._forward, self.stream, gain, self.in_blocks
        return convolve(self.recipe.array.weight, *read)

    @torch.no_grad()
    def backward_images(
        self, gradients: Tensor, shape: torch.Size, window: Window, gain: Tensor
    ) -> Tensor:
        """Gradients at images of `shape` for gradients at the output images."""
        read = gradients, shape, window, self._backward, self.stream, gain, self.out_blocks
        return convolve_back(self.recipe.array.weight, *read)

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

    def get_meta_parameters(self) -> MemristorRPUConfig:
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
