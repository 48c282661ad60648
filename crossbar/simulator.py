"""Devices, converters and recipe of one crossbar tile, behind aihwkit's simulator interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.tiles.base import SimulatorTile
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from crossbar.arrays.array import MemristorArray
from crossbar.arrays.nominal import FieldAndScale
from crossbar.arrays.pair import MemristorPair
from crossbar.finite import check_state
from crossbar.nonideality import Nonideality, checked_effects
from crossbar.random import RandomStream, derived_seed
from crossbar.reads.blocks import block_sizes
from crossbar.reads.converters import Converters
from crossbar.reads.read import convolve, convolve_back, crossbar_product
from crossbar.reads.window import Window
from crossbar.recipes import Recipe, make_recipe
from crossbar.recipes.minibatch import Minibatch
from crossbar.recipes.tiki_taka import TikiTaka
from device_models.errors import InputError

if TYPE_CHECKING:
    from crossbar.tile import MemristorRPUConfig


FloatArray = NDArray[np.float64]

SECOND = 1000
"""Number of the first array of second devices of a pair: those of single devices are below."""


class MemristorSimulatorTile(SimulatorTile, nn.Module):
    """Devices, converters and recipe of one tile; aihwkit's `CustomTile` talks to it.

    Everything random comes from `seed`: the devices from the seed itself, noise and pulses from
    the stream it starts. The tile owns its `array` of devices, or of pairs of them; the recipe
    borrows it. Every read uses the array's effective matrix. A tile without a recipe reads only.
    """

    recipe: Recipe | None

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
        self.array = self._make_array(0)
        settings = self._config.update
        self.recipe = settings and make_recipe(self._give_array, settings, self._forward)

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

    @property
    def effective(self) -> Tensor:
        """Matrix that reads use, out x in, as `MemristorArray.effective` says."""
        return self.array.effective

    def set_field(self, field_G: ArrayLike, rescale: bool = False) -> None:
        """Read all arrays of the tile at `field_G` [G] from now on; see `MemristorArray`."""
        for array in self._arrays():
            array.set_field(field_G, rescale)

    @property
    def field_G(self) -> float | FloatArray:
        """Field that the tile is read at [G]: a number, or an array that broadcasts to out x in."""
        return self.array.field_G

    def place_in_field(self) -> list[FieldAndScale]:
        """Field and scale of each array, for `go_back_to`."""
        return [array.field_and_scale for array in self._arrays()]

    def go_back_to(self, places: Sequence[FieldAndScale]) -> None:
        """Read at the fields and with the scales that `place_in_field` gave."""
        for array, place in zip(self._arrays(), places, strict=True):
            array.go_back_to(place)

    def set_nonidealities(self, effects: Sequence[Nonideality]) -> None:
        """Use these effects, in their order, instead of those before."""
        self._config.nonidealities = checked_effects(effects)
        for array in self._arrays():
            array.set_nonidealities(self._config.nonidealities)

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
        return crossbar_product(self.effective, *read)

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
        read = d_input, self._backward, self.stream, self.out_blocks
        return crossbar_product(self.effective.t(), *read)

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
        self._learner().update(Minibatch(x_input, d_input), self.learning_rate)

    @torch.no_grad()
    def forward_images(self, images: Tensor, window: Window, gain: Tensor) -> Tensor:
        """Output images of a convolution, n x out x rows x columns, times `gain`."""
        read = images, window, self._forward, self.stream, gain, self.in_blocks
        return convolve(self.effective, *read)

    @torch.no_grad()
    def backward_images(
        self, gradients: Tensor, shape: torch.Size, window: Window, gain: Tensor
    ) -> Tensor:
        """Gradients at images of `shape` for gradients at the output images."""
        read = gradients, shape, window, self._backward, self.stream, gain, self.out_blocks
        return convolve_back(self.effective, *read)

    @torch.no_grad()
    def update_images(
        self, images: Tensor, gradients: Tensor, window: Window, gain: Tensor
    ) -> None:
        """Fire the pulses of a minibatch of a convolution, for `gain` times the gradients."""
        batch = Minibatch(images, gradients, window, gain)
        self._learner().update(batch, self.learning_rate)

    def is_linear(self) -> bool:
        """Whether gradients that are twice as large come out twice as large."""
        return self._backward.perfect or self._backward.managed

    def get_weights(self, as_ref: bool = False) -> Tensor:
        """Copy of the effective matrix on the CPU, out x in; `as_ref` gives the tile's own."""
        weight = self.effective.detach()
        return weight if as_ref else weight.cpu().clone()

    def set_weights(self, weight: Tensor) -> None:
        """Set all devices so that `weight` (out x in) is read; forget what was accumulated."""
        self.array.program(weight)
        if self.recipe is not None:
            self.recipe.reset()

    def set_weights_uniform_random(self, bmin: float, bmax: float) -> None:
        """Set the weights to random numbers from `bmin` to `bmax` [weight]."""
        self.set_weights(bmin + (bmax - bmin) * self.stream.uniform(self.array.state))

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
        recipe = self._config.update.recipe if self._config.update else "no recipe"
        return f"{self.d_size}, {self.x_size}, {recipe}"

    def get_meta_parameters(self) -> MemristorRPUConfig:
        """The configuration the tile was made of."""
        return self._config

    def dump_extra(self) -> dict[str, Any]:
        """Everything the tile remembers, as plain tensors and numbers."""
        learned = {} if self.recipe is None else {"recipe": self.recipe.state()}
        return {"stream": self.stream.state(), "array": self.array.snapshot(), **learned}

    def load_extra(self, extra: dict[str, Any], strict: bool = False) -> None:
        """Go on where `extra` was dumped: the same devices, field, state and random numbers.

        What a recipe accumulated stays behind where the tile has none, and the other way round.
        """
        self.check_extra(extra)
        self.reseed(extra["stream"]["seed"])
        self.array.restore(extra["array"])
        if self.recipe is not None and "recipe" in extra:
            self.recipe.restore(extra["recipe"])
        self.stream.restore(extra["stream"])

    def check_extra(self, extra: dict[str, Any]) -> None:
        """Raise InputError, in one line, for what `load_extra` could not go on with."""
        check_state(extra)
        self.array.check(extra.get("array", {}))

    def _learner(self) -> Recipe:
        if self.recipe is None:
            raise InputError(
                "a tile without a recipe reads only and takes no update: give to_crossbar a recipe"
            )
        return self.recipe

    def _arrays(self) -> Iterator[MemristorArray | MemristorPair]:
        yield self.array
        if isinstance(self.recipe, TikiTaka):
            yield self.recipe.fast.array

    def _give_array(self, number: int) -> MemristorArray | MemristorPair:
        """The tile's own array for a recipe, number 0, or a further one at the same field."""
        return self.array if number == 0 else self._make_array(number)

    def _make_array(self, number: int) -> MemristorArray | MemristorPair:
        """Array number 0 holds the weights; a further one has devices of its own."""
        if self._config.cells == "single":
            return self._devices(number)
        return MemristorPair(self._devices(number), self._devices(SECOND + number))

    def _devices(self, number: int) -> MemristorArray:
        seed = derived_seed(self.stream.seed, 1, number)
        config, effects = self._config, checked_effects(self._config.nonidealities)
        size = self.d_size, self.x_size
        return MemristorArray(
            *size, config.device, self.stream, seed, effects, counted=config.update is None
        )
