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
  `MixedPrecisionSettings(granularity=...)` makes both count alike.
- Gradients at the inputs of the first layer, which nobody uses, are not read.
- Tiki-Taka reads its fast array with the converters of the forward pass. Its defaults are not
  aihwkit's: the fast pulses are scaled, all columns are read, and their signs are chopped.
- Stochastic pulses are counted for parts of the minibatch, see `crossbar.recipes`.
- A frozen layer gets no pulses, `zero_grad` drops what was gathered, a state of another reference
  field is refused, and optimizers made before go on: `crossbar.context`.
- The field is a variable: `crossbar.set_field` carries devices made at one field to others, by
  layer, row, column or device. A weight may be a pair of devices, reads may see nonidealities
  (`crossbar.nonideality`), and a tile without a recipe reads only.
"""

# No `from __future__ import annotations`: aihwkit reads the field types of its dataclasses.

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from aihwkit.nn import AnalogConv2d
from aihwkit.simulator.configs import SingleRPUConfig
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.parameters.mapping import MappableRPU, MappingParameter
from aihwkit.simulator.parameters.pre_post import PrePostProcessingRPU
from aihwkit.simulator.parameters.training import UpdateParameters
from aihwkit.simulator.tiles.array import TileModuleArray
from aihwkit.simulator.tiles.custom import CustomTile
from torch import Tensor, nn

from crossbar.choices import check_choice
from crossbar.context import KeepsContext, check_one_tile
from crossbar.device import CardDevice, scaled_mapping
from crossbar.finite import check_finite
from crossbar.layers.convolutions import CrossbarConvolution, turns_back
from crossbar.nonideality import Nonideality, checked_effects
from crossbar.reads.converters import periphery
from crossbar.reads.window import Window
from crossbar.recipes import MixedPrecisionSettings, RecipeSettings
from crossbar.simulator import MemristorSimulatorTile

CELLS = ("single", "pair")
"""What a weight is made of, see `MemristorRPUConfig.cells`."""

CLIPPED = 0.01
"""Share of weights outside the devices' range from which on it is said."""

INPUT = 2
"""Place of the layer's input among the arguments of aihwkit's autograd function."""


class MemristorTile(KeepsContext, CustomTile):
    """aihwkit tile module around a `MemristorSimulatorTile`: scales, bias and state dict.

    With a `window` (see `MemristorConv2d`) it also takes images, n x channels x rows x columns.
    """

    window: Window | None = None

    def _create_simulator_tile(
        self, x_size: int, d_size: int, rpu_config: "MemristorRPUConfig"
    ) -> MemristorSimulatorTile:
        """A tile from the device's `construction_seed`; 0 draws one from torch's own numbers."""
        seed = rpu_config.device.construction_seed or int(torch.randint(1, 2**31, ()))
        return rpu_config.simulator_tile_class(x_size, d_size, rpu_config, seed)

    def use_window(self, window: Window) -> None:
        """Take images that `window` looks at; the kernel of a channel stays on one tile."""
        self.window = window
        self.tile.keep_whole(window.entries(1))

    def _recreate_simulator_tile(
        self, x_size: int, d_size: int, rpu_config: "MemristorRPUConfig"
    ) -> MemristorSimulatorTile:
        """A tile whose seed comes with the state that is loaded into it next."""
        tile = rpu_config.simulator_tile_class(x_size, d_size, rpu_config, 1)
        if self.window is not None:
            tile.keep_whole(self.window.entries(1))
        return tile

    def set_weights(self, weight: Tensor, *arguments: Any, **named_arguments: Any) -> None:
        """As aihwkit's; NonFiniteError, before a scale is taken from them, for a NaN weight."""
        check_finite("weights", torch.as_tensor(weight), "no device was programmed")
        super().set_weights(weight, *arguments, **named_arguments)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        check_one_tile(prefix.rstrip("."), state_dict)
        extra = state_dict.get(self.get_analog_state_name(prefix), {}).get("state_extra")
        if extra is not None:
            try:
                self.tile.check_extra(extra)
            except ValueError as error:
                raise type(error)(f"{prefix.rstrip('.')}: {error}") from None
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def set_nonidealities(self, effects: Sequence[Nonideality]) -> None:
        """Use these effects instead of those before; copies of the tile have them too."""
        self.rpu_config.nonidealities = checked_effects(effects)
        self.tile.set_nonidealities(self.rpu_config.nonidealities)

    def joint_forward(self, x_input: Tensor, is_test: bool = False, ctx: Any = None) -> Tensor:
        if not self._are_images(x_input):
            return super().joint_forward(x_input, is_test, ctx)
        return self.tile.forward_images(x_input, self.window, self._gain())

    def backward(self, d_input: Tensor, ctx: Any = None) -> Tensor | None:
        if ctx is not None and not ctx.needs_input_grad[INPUT]:
            return None  # the images of the first layer: a read that nobody asks for is not made
        if not self._are_images(d_input):
            return super().backward(d_input, ctx)
        shape = ctx.saved_analog_tensors[0].shape
        return self.tile.backward_images(d_input, shape, self.window, self._gain())

    def update(self, x_input: Tensor, d_input: Tensor) -> None:
        if not self._are_images(x_input):
            super().update(x_input, d_input)
        else:
            gain = 1 / (self._gain() * self.mapping_lr_scale)
            self.tile.update_images(x_input, d_input, self.window, gain)

    def apply_weight_scaling(
        self, combined_weights: Tensor, weight_scaling_omega: float | None = None
    ) -> Tensor:
        """Weights in the unit of the devices; an omega of None stands for the array's span."""
        array, mapping = self.tile.array, self.rpu_config.mapping
        low, high = array.weight_range
        if weight_scaling_omega is None:
            weight_scaling_omega = mapping.weight_scaling_omega
        if weight_scaling_omega is None:
            weight_scaling_omega = array.span
        weights = super().apply_weight_scaling(combined_weights, weight_scaling_omega)
        outside = (weights < low) | (weights > high)
        if outside.float().mean() > CLIPPED:
            warnings.warn(
                f"weights outside {low:.3g} to {high:.3g} are clipped: the "
                f"default mapping of MemristorRPUConfig scales them into that range",
                stacklevel=2,
            )
        return weights

    def takes_images(self) -> bool:
        """Whether all that aihwkit does before and behind a read comes to one factor."""
        scales = self.mapping_scales
        one_factor = scales is None or scales.numel() == 1
        return (
            self.window is not None
            and one_factor
            and self.tile.is_linear()
            and all(size % self.window.entries(1) == 0 for size in self.tile.in_blocks)
            and self.input_range is None
            and not self.handle_output_bound
        )

    def _are_images(self, values: Tensor) -> bool:
        return self.window is not None and values.dim() == 4

    def _gain(self) -> Tensor:
        """Output of the layer over that of the crossbar: the mapping scale of the weights."""
        if self.mapping_scales is None:
            return torch.ones((), device=self.tile.array.state.device)
        return self.mapping_scales.view(())

    def get_learning_rate(self) -> float:
        return self.tile.get_learning_rate()

    def set_learning_rate(self, learning_rate: float | None) -> None:
        self.tile.set_learning_rate(learning_rate)


@dataclass
class MemristorRPUConfig(MappableRPU, PrePostProcessingRPU):
    """aihwkit configuration of a layer on `MemristorTile`s, as `crossbar.to_crossbar` makes it."""

    tile_class: type = MemristorTile
    simulator_tile_class: type = MemristorSimulatorTile
    tile_array_class: type = TileModuleArray

    device: CardDevice = field(default_factory=CardDevice)
    """Card, field and spreads of the devices."""

    forward: IOParameters = field(default_factory=periphery)
    """Converters of the forward pass, see `crossbar.reads.converters`."""

    backward: IOParameters = field(default_factory=periphery)
    """Converters of the backward pass."""

    update: RecipeSettings | None = field(default_factory=MixedPrecisionSettings)
    """Settings of the recipe that turns gradients into pulses, see `crossbar.recipes`; None for
    tiles that read only."""

    cells: str = "single"
    """`single` devices against a reference, or `pair`: two devices, whose difference is read."""

    nonidealities: tuple[Nonideality, ...] = ()
    """Effects on what is read, in their order, see `crossbar.nonideality`."""

    def __post_init__(self) -> None:
        check_choice("cells", self.cells, CELLS)
        self.nonidealities = checked_effects(self.nonidealities)

    mapping: MappingParameter = field(default_factory=scaled_mapping)
    """Weights are scaled into the devices' range, a learned scale per output does the rest."""

    def get_default_tile_module_class(self, out_size: int = 0, in_size: int = 0) -> type:
        """One `MemristorTile` whatever the size: it reads its tiles as blocks of one matrix."""
        return self.tile_class

    def as_bindings(self) -> Any:
        """C++ parameters of the same device and converters: aihwkit's plots build C++ tiles."""
        asked = vars(self.update) if self.update else {}
        names = ("desired_bl", "update_management", "update_bl_management")
        update = UpdateParameters(**{name: asked[name] for name in names if name in asked})
        settings = {"device": self.device, "forward": self.forward, "backward": self.backward}
        return SingleRPUConfig(update=update, **settings).as_bindings()


@turns_back
class MemristorConv2d(CrossbarConvolution, AnalogConv2d):
    """AnalogConv2d that hands images to its tile; on any other tile it is an AnalogConv2d.

    An AnalogConv2d on a memristor tile computes the same from unfolded patches, more slowly.
    """

    digital = nn.Conv2d

    def __init__(self, *arguments: Any, **named_arguments: Any):
        super().__init__(*arguments, **named_arguments)
        self.take_geometry(self)

    def take_geometry(self, module: Any) -> None:
        """Stride, dilation and padding of a digital convolution; the tile gets its window."""
        super().take_geometry(module)
        left, right, top, bottom = self._reversed_padding_repeated_twice
        self._tile_pads = self.padding_mode == "zeros" and left == right and top == bottom
        if isinstance(self.analog_module, MemristorTile):
            padding = (top, left) if self._tile_pads else (0, 0)
            sizes: tuple[Any, ...] = self.kernel_size, self.stride, padding, self.dilation
            self.analog_module.use_window(Window(*sizes))

    def convolve(self, inputs: Tensor) -> Tensor:
        """Output images (n x out x rows x columns) of images (n x channels x rows x columns)."""
        tile = self.analog_module
        if not isinstance(tile, MemristorTile) or not tile.takes_images():
            return super().convolve(inputs)
        images = inputs if self._tile_pads else self.padded(inputs)
        return tile(images, tensor_view=self.tensor_view)
