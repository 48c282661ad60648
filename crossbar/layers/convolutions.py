"""Convolutions on crossbar tiles of any kind: padding, groups, and the way back to digital."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from aihwkit.nn import AnalogConv1d, AnalogConv3d, conversion
from aihwkit.nn.modules.base import AnalogLayerBase
from aihwkit.nn.modules.container import AnalogContainerBase
from aihwkit.nn.modules.conv import _AnalogConvNd
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

MakeLayer = Callable[[nn.Module], AnalogLayerBase]
"""Puts one linear or ungrouped convolution on tiles with devices of their own."""

BY_AXES: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def turns_back(layer: type) -> type:
    """Class decorator: aihwkit's `convert_to_digital` turns such layers back too."""
    conversion._DEFAULT_DIGITAL_CONVERSION_SET.add(layer)
    return layer


class CrossbarConvolution(_AnalogConvNd):
    """Base of the convolutions: each patch of the input is one vector that a tile reads.

    `from_digital` takes what torch's convolutions take, but for groups: padding by words, other
    padding modes, dilation. Inputs may be of other sizes from call to call.
    """

    digital: ClassVar[Callable[..., Any]]

    @classmethod
    def from_digital(
        cls, module: _ConvNd, rpu_config: Any, tile_module_class: type | None = None
    ) -> CrossbarConvolution:
        """The same convolution on tiles of `rpu_config`. Raises InputError for groups."""
        layer = cls(
            module.in_channels,
            module.out_channels,
            module.kernel_size,
            groups=module.groups,
            bias=module.bias is not None,
            rpu_config=rpu_config,
            tile_module_class=tile_module_class,
        )
        layer.take_geometry(module)
        layer.set_weights(module.weight, module.bias)
        return layer.to(module.weight.device)

    @classmethod
    def to_digital(cls, module: CrossbarConvolution, realistic: bool = False) -> nn.Module:
        """torch's convolution with the weights of `module`; `realistic`: as reads show them."""
        weight, bias = module.get_weights(realistic=realistic)
        layer = module.digital(
            module.in_channels,
            module.out_channels,
            module.kernel_size,
            module.stride,
            module.padding,
            module.dilation,
            bias=bias is not None,
            padding_mode=module.padding_mode,
        )
        return with_weights(layer, weight, bias)

    def take_geometry(self, module: _ConvNd) -> None:
        """Stride, dilation and padding of a digital convolution."""
        self.stride, self.dilation = module.stride, module.dilation
        self.padding, self.padding_mode = module.padding, module.padding_mode
        self._reversed_padding_repeated_twice = module._reversed_padding_repeated_twice

    def forward(self, x_input: Tensor) -> Tensor:
        """Outputs (n x out x positions) of inputs (n x channels x pixels), or without the n."""
        if x_input.dim() == len(self.kernel_size) + 1:
            return self.forward(x_input[None])[0]
        return self.convolve(x_input)

    def convolve(self, inputs: Tensor) -> Tensor:
        """Outputs (n x out x positions) of inputs (n x channels x pixels)."""
        vectors, positions = self._patches(self.padded(inputs))
        outputs = self.analog_module(vectors).transpose(1, 2)
        return outputs.reshape(len(inputs), self.out_channels, *positions)

    def padded(self, inputs: Tensor) -> Tensor:
        """Inputs with what torch's layer puts around them."""
        margins = self._reversed_padding_repeated_twice
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return functional.pad(inputs, tuple(margins), mode=mode) if any(margins) else inputs

    def _patches(self, padded: Tensor) -> tuple[Tensor, torch.Size]:
        """Patches (n x positions x channels*kernel) and the positions along each axis."""
        axes = len(self.kernel_size)
        sizes = zip(self.kernel_size, self.stride, self.dilation, strict=True)
        for axis, (kernel, stride, dilation) in enumerate(sizes, 2):
            reach = dilation * (kernel - 1) + 1
            padded = padded.unfold(axis, reach, stride)[..., ::dilation]
        positions = padded.shape[2 : 2 + axes]
        patches = padded.movedim(1, 1 + axes).flatten(1 + axes)
        return patches.flatten(1, axes), positions


@turns_back
class CrossbarConv1d(CrossbarConvolution, AnalogConv1d):
    """AnalogConv1d on tiles of any kind."""

    digital = nn.Conv1d


@turns_back
class CrossbarConv3d(CrossbarConvolution, AnalogConv3d):
    """AnalogConv3d on tiles of any kind."""

    digital = nn.Conv3d


@turns_back
class GroupedConvolution(AnalogContainerBase, nn.Module):
    """A grouped convolution: each group reads its share of the channels with tiles of its own."""

    def __init__(self, digital: _ConvNd, make_layer: MakeLayer):
        super().__init__()
        self.channel_axis = -1 - len(digital.kernel_size)
        self.parts = nn.ModuleList(make_layer(part) for part in _groups(digital))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (n x out x positions) of inputs (n x channels x pixels), or without the n."""
        shares = inputs.chunk(len(self.parts), self.channel_axis)
        outputs = [part(share) for part, share in zip(self.parts, shares, strict=True)]
        return torch.cat(outputs, self.channel_axis)

    @classmethod
    def to_digital(cls, module: GroupedConvolution, realistic: bool = False) -> nn.Module:
        """torch's grouped convolution with the weights of `module`."""
        parts: list[Any] = [p.to_digital(p, realistic) for p in module.parts]  # type: ignore
        one, groups = parts[0], len(parts)
        layer = type(one)(
            one.in_channels * groups,
            one.out_channels * groups,
            one.kernel_size,
            one.stride,
            one.padding,
            one.dilation,
            groups,
            one.bias is not None,
            one.padding_mode,
        )
        bias = None if one.bias is None else torch.cat([p.bias for p in parts])
        return with_weights(layer, torch.cat([p.weight for p in parts]), bias)


@torch.no_grad()
def with_weights(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """`layer`, linear or convolution, holding `weight` (any shape of its size) and `bias`."""
    layer.to(weight.device, weight.dtype)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None:
            parameter = getattr(layer, name)
            parameter.copy_(given.reshape(parameter.shape))
    return layer


def trained_like(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """`layer`, frozen where the parameters `weight` and `bias` are."""
    layer.weight.requires_grad_(weight.requires_grad)
    if bias is not None:
        layer.bias.requires_grad_(bias.requires_grad)
    return layer


def _groups(digital: _ConvNd) -> list[nn.Module]:
    """One convolution for each group, frozen where `digital` is."""
    groups = digital.groups
    weights = digital.weight.chunk(groups)
    biases = [None] * groups if digital.bias is None else digital.bias.chunk(groups)
    parts = []
    for weight, bias in zip(weights, biases, strict=True):
        part = BY_AXES[len(digital.kernel_size)](
            digital.in_channels // groups,
            digital.out_channels // groups,
            digital.kernel_size,
            digital.stride,
            digital.padding,
            digital.dilation,
            bias=bias is not None,
            padding_mode=digital.padding_mode,
        )
        with_weights(part, weight, bias)
        parts.append(trained_like(part, digital.weight, digital.bias))
    return parts
