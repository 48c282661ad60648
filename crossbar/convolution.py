"""Convolution on a memristor tile, computed on images instead of on unfolded patches.

The crossbar reads one patch after the other, so the DAC scales and rounds every patch on its own.
Patches overlap: unfolding an image first, as aihwkit does, costs more than all the rest. Here the
patches are a view of the image, and the first time they exist in memory they are DAC levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from crossbar.periphery import Converters
from crossbar.random import RandomStream

PART = 2**20
"""Patch entries a CPU works on at a time: few enough to stay in its cache."""


@dataclass(frozen=True)
class Window:
    """Kernel of a convolution as torch counts it: rows and columns [pixel]."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def padded(self, images: Tensor) -> Tensor:
        """Images with the zeros around them that the window reads, contiguous."""
        rows, columns = self.padding
        return functional.pad(images, (columns, columns, rows, rows)).contiguous()

    def patches(self, padded: Tensor) -> Tensor:
        """View of padded images: n x channels x kernel x positions, rows and columns apart."""
        image, channel, row, column = padded.stride()
        steps = (row * self.dilation[0], column * self.dilation[1])
        jumps = (row * self.stride[0], column * self.stride[1])
        positions = (self._positions(padded, 0), self._positions(padded, 1))
        return padded.as_strided(
            (*padded.shape[:2], *self.kernel, *positions), (image, channel, *steps, *jumps)
        )

    def largest(self, padded: Tensor) -> Tensor:
        """Largest entry in each position of the window, n x channels x positions."""
        for axis in (0, 1):
            padded = self._largest_along(axis, padded)
        return padded

    def _largest_along(self, axis: int, values: Tensor) -> Tensor:
        """Maximum over the kernel's entries along one axis, by doubling the part seen."""
        dimension, seen, positions = 2 + axis, 1, self._positions(values, axis)
        while seen < self.kernel[axis]:
            more = min(seen, self.kernel[axis] - seen) * self.dilation[axis]
            seen += more // self.dilation[axis]
            length = values.shape[dimension] - more
            values = torch.maximum(
                values.narrow(dimension, 0, length), values.narrow(dimension, more, length)
            )
        last = (positions - 1) * self.stride[axis] + 1
        return values.narrow(dimension, 0, last).index_select(
            dimension, torch.arange(0, last, self.stride[axis], device=values.device)
        )

    def _positions(self, padded: Tensor, axis: int) -> int:
        """Number of places of the window along the rows (axis 0) or columns (1)."""
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (padded.shape[2 + axis] - reach) // self.stride[axis] + 1


def convolve(
    weight: Tensor, images: Tensor, window: Window, converters: Converters, stream: RandomStream
) -> Tensor:
    """Output images of a crossbar with `weight` (out x channels*kernel), as `crossbar_product`."""
    if converters.perfect:
        kernels = weight.view(len(weight), -1, *window.kernel)
        return functional.conv2d(
            images, kernels, None, window.stride, window.padding, window.dilation
        )
    padded = window.padded(images)
    into, out_of = converters.scale(window.largest(padded.abs().amax(1, keepdim=True)))
    weight = weight * converters.gain
    patches = window.patches(padded)
    output = padded.new_empty(len(images), len(weight), *patches.shape[-2:])
    levels = padded.new_empty(_at_a_time(patches), *patches.shape[1:])
    for part, part_into, part_output in _parts(levels, patches, into[:, :, None, None], output):
        part_levels = converters.dac_(torch.mul(part, part_into, out=levels[: len(part)]))
        columns = part_levels.view(len(part), weight.shape[1], -1)
        torch.matmul(weight, columns, out=part_output.flatten(2))
    return converters.adc_(output, stream).mul_(out_of)


def convolve_back(
    weight: Tensor,
    gradients: Tensor,
    images_shape: torch.Size,
    window: Window,
    converters: Converters,
    stream: RandomStream,
) -> Tensor:
    """Gradients at the input images for gradients at the output images (n x out x h x w)."""
    if converters.perfect:
        kernels = weight.view(len(weight), -1, *window.kernel)
        return conv2d_input(
            images_shape, kernels, gradients, window.stride, window.padding, window.dilation
        )
    into, out_of = converters.scale(gradients.abs().amax(1, keepdim=True))
    levels = converters.dac_(gradients * into).flatten(2)
    weight = (weight * converters.gain).t()
    (height, width), (rows, columns) = images_shape[2:], window.padding
    padded = gradients.new_zeros(*images_shape[:2], height + 2 * rows, width + 2 * columns)
    patches = window.patches(padded)
    output = padded.new_empty(_at_a_time(patches), len(weight), levels.shape[-1])
    for part, part_levels, part_out_of in _parts(output, patches, levels, out_of):
        part_output = torch.matmul(weight, part_levels, out=output[: len(part)])
        converters.adc_(part_output, stream)
        _add_patches_(part, part_output, part_out_of)
    return padded[:, :, rows : rows + height, columns : columns + width]


def weight_gradient(images: Tensor, gradients: Tensor, window: Window) -> Tensor:
    """Gradient of the kernels summed over images and positions, out x channels*kernel."""
    shape = (gradients.shape[1], images.shape[1], *window.kernel)
    return conv2d_weight(
        images, shape, gradients, window.stride, window.padding, window.dilation
    ).flatten(1)


def unfold(images: Tensor, window: Window) -> Tensor:
    """All patches of `images` as columns, n x (channels kernel) x positions."""
    return window.patches(window.padded(images)).flatten(4).flatten(1, 3)


def _add_patches_(patches: Tensor, output: Tensor, factor: Tensor) -> None:
    """Add `factor` (n x 1 x positions) times `output` to a view of the patches of images.

    The positions of one entry of the kernel do not overlap, so each entry is one sum.
    """
    rows = zip(patches.unbind(2), output.view(patches.shape).unbind(2), strict=True)
    for patches_row, output_row in rows:
        for entry, values in zip(patches_row.unbind(2), output_row.unbind(2), strict=True):
            entry.addcmul_(values, factor)


def _at_a_time(patches: Tensor) -> int:
    """Images to work on at a time: on a CPU as many as stay in its cache, else all."""
    if patches.device.type != "cpu":
        return len(patches)
    return min(len(patches), max(1, PART // patches[:1].numel()))


def _parts(buffer: Tensor, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The images of several tensors, as many at a time as `buffer` holds."""
    return zip(*(tensor.split(len(buffer)) for tensor in tensors), strict=True)
