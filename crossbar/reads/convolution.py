"""Convolution on a memristor tile, computed on images instead of on unfolded patches.

The crossbar reads one patch after the other, so the DAC scales and rounds every patch on its own.
Patches overlap: unfolding an image first, as aihwkit does, costs more than all the rest. Here the
patches are a view of the image, and the first time they exist in memory they are DAC levels; on a
CPU not even then (`crossbar.reads.read_cpu`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from crossbar.kernels import has_cpu_kernels
from crossbar.kernels.contract import check_shape
from crossbar.random import RandomStream
from crossbar.reads.converters import Converters, check_kind

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """Kernel of a convolution as torch counts it: rows and columns [pixel]."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name, pair in vars(self).items():
            least = 0 if name == "padding" else 1
            whole = len(pair) == 2 and all(isinstance(size, Integral) for size in pair)
            if not whole or min(pair) < least:
                raise ValueError(f"{name} must be two whole numbers from {least}, got {pair!r}")

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

    def entries(self, channels: int) -> int:
        """Entries of a kernel, inputs of a patch."""
        return channels * self.kernel[0] * self.kernel[1]

    def output_shape(self, weight_shape: Sequence[int], images_shape: Sequence[int]) -> Shape:
        """Shape of the output images of a crossbar (out x in) for images of `images_shape`.

        Raises RuntimeError, as `nn.Conv2d` does, for images that are not n x channels x rows x
        columns with the channels of the crossbar, and for those smaller than the window.
        """
        shape, (out_size, in_size) = tuple(images_shape), weight_shape
        if len(shape) != 4 or in_size != self.entries(shape[1]):
            raise RuntimeError(
                f"images of the shape {shape} do not fit a crossbar of {out_size} x {in_size} "
                f"with the kernel {self.kernel}: it reads n x {in_size // self.entries(1)} x "
                "rows x columns"
            )
        padded = self.padded_shape(shape)
        positions = self.positions(padded)
        if (shape[0] > 0 and 0 in shape[2:]) or min(positions) < 1:
            raise RuntimeError(
                f"images of {shape[2]} x {shape[3]} pixels, padded to {padded[2]} x {padded[3]}, "
                f"are smaller than the kernel {self.kernel} with dilation {self.dilation}"
            )
        return shape[0], out_size, *positions

    def padded_shape(self, images_shape: Sequence[int]) -> Shape:
        """Shape of images with the zeros around them that the window reads."""
        (height, width), (rows, columns) = images_shape[2:], self.padding
        return *images_shape[:2], height + 2 * rows, width + 2 * columns

    def positions(self, padded_shape: Shape) -> tuple[int, int]:
        """Places of the window along the rows and columns of padded images."""
        return self._positions(padded_shape, 0), self._positions(padded_shape, 1)

    def _positions(self, padded_shape: Shape, axis: int) -> int:
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

    `gain` (one element): digital factor on the output. Raises RuntimeError, as `nn.Conv2d` does,
    for images that do not fit (see `Window.output_shape`) or have another dtype or device.
    """
    check_kind(weight, images)
    out_shape = window.output_shape(weight.shape, images.shape)
    if converters.perfect:
        kernels = (weight * gain).view(len(weight), -1, *window.kernel)
        return functional.conv2d(
            images, kernels, None, window.stride, window.padding, window.dilation
        )
    padded = window.padded(images)
    if has_cpu_kernels(weight, padded, line=padded.shape[2] * padded.shape[3]):
        from crossbar.reads.read_cpu import read_patches

        return read_patches(weight, padded, window, converters, stream, gain.item())
    into, out_of = converters.scale(window.largest(padded.abs().amax(1, keepdim=True)))
    levels = converters.dac(window.patches(padded), into[:, :, None, None])
    output = torch.matmul(weight * converters.gain, levels.flatten(4).flatten(1, 3))
    return converters.adc_(output.view(out_shape), stream).mul_(out_of * gain)


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

    `gain`: the factor of the forward pass. Raises RuntimeError for gradients that are not those
    of its output.
    """
    check_kind(weight, gradients)
    check_shape("gradients", gradients, *window.output_shape(weight.shape, images_shape))
    if converters.perfect:
        kernels = (weight * gain).view(len(weight), -1, *window.kernel)
        return conv2d_input(
            images_shape, kernels, gradients, window.stride, window.padding, window.dilation
        )
    (height, width), (rows, columns) = images_shape[2:], window.padding
    padded_shape = window.padded_shape(images_shape)
    if has_cpu_kernels(weight, gradients, line=padded_shape[2] * padded_shape[3]):
        from crossbar.reads.read_cpu import read_patches_back

        settings = window, converters, stream, gain.item()
        padded = read_patches_back(weight, gradients, padded_shape, *settings)
    else:
        into, out_of = converters.scale(gradients.abs().amax(1, keepdim=True))
        levels = converters.dac(gradients, into).flatten(2)
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
