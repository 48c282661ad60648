"""Convolution on a memristor tile, computed on images instead of on unfolded patches.

The crossbar reads one patch after the other, so the DAC scales and rounds every patch on its own.
Patches overlap: unfolding an image first, as aihwkit does, costs more than all the rest. Here the
patches are a view of the image, and the first time they exist in memory they are DAC levels; on a
CPU not even then (`crossbar.kernels.reads_cpu`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from crossbar.kernels import has_cpu_kernels
from crossbar.periphery import Converters
from crossbar.random import RandomStream


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
        if rows == columns == 0:
            return images.contiguous()
        return functional.pad(images, (columns, columns, rows, rows)).contiguous()

    def patches(self, padded: Tensor) -> Tensor:
        """View of padded images: n x channels x kernel x positions, rows and columns apart."""
        image, channel, row, column = padded.stride()
        steps = (row * self.dilation[0], column * self.dilation[1])
        jumps = (row * self.stride[0], column * self.stride[1])
        positions = self.positions(padded.shape)
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
        dimension, seen, positions = 2 + axis, 1, self._positions(values.shape, axis)
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

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows and columns of kernel, stride and dilation."""
        return (*self.kernel, *self.stride, *self.dilation)

    def positions(self, padded_shape: tuple[int, ...]) -> tuple[int, int]:
        """Places of the window along the rows and columns of padded images."""
        return self._positions(padded_shape, 0), self._positions(padded_shape, 1)

    def _positions(self, padded_shape: tuple[int, ...], axis: int) -> int:
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (padded_shape[2 + axis] - reach) // self.stride[axis] + 1


def convolve(
    weight: Tensor,
    images: Tensor,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
) -> Tensor:
    """Output images of a crossbar with `weight` (out x channels*kernel), as `crossbar_product`.

    `gain` (one element): digital factor on the output.
    """
    if converters.perfect:
        kernels = (weight * gain).view(len(weight), -1, *window.kernel)
        return functional.conv2d(
            images, kernels, None, window.stride, window.padding, window.dilation
        )
    padded = window.padded(images)
    if has_cpu_kernels(weight, padded, line=padded.shape[2] * padded.shape[3]):
        from crossbar.kernels.reads_cpu import read_patches

        return read_patches(weight, padded, window, converters, stream, gain.item())
    into, out_of = converters.scale(window.largest(padded.abs().amax(1, keepdim=True)))
    levels = converters.dac_(window.patches(padded) * into[:, :, None, None])
    output = torch.matmul(weight * converters.gain, levels.flatten(4).flatten(1, 3))
    output = output.view(len(images), len(weight), *into.shape[2:])
    return converters.adc_(output, stream) * (out_of * gain)


def convolve_back(
    weight: Tensor,
    gradients: Tensor,
    images_shape: torch.Size,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
) -> Tensor:
    """Gradients at the input images for gradients at the output images (n x out x h x w).

    `gain`: the factor of the forward pass.
    """
    if converters.perfect:
        kernels = (weight * gain).view(len(weight), -1, *window.kernel)
        return conv2d_input(
            images_shape, kernels, gradients, window.stride, window.padding, window.dilation
        )
    (height, width), (rows, columns) = images_shape[2:], window.padding
    padded_shape = (*images_shape[:2], height + 2 * rows, width + 2 * columns)
    if has_cpu_kernels(weight, gradients, line=padded_shape[2] * padded_shape[3]):
        from crossbar.kernels.reads_cpu import read_patches_back

        settings = window, converters, stream, gain.item()
        padded = read_patches_back(weight, gradients, padded_shape, *settings)
    else:
        into, out_of = converters.scale(gradients.abs().amax(1, keepdim=True))
        levels = converters.dac_(gradients * into).flatten(2)
        output = torch.matmul((weight * converters.gain).t(), levels)
        padded = gradients.new_zeros(padded_shape)
        _add_patches_(window.patches(padded), converters.adc_(output, stream), out_of * gain)
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
