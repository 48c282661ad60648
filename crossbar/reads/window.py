"""Window of a convolution: the patches it cuts out of images, and sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight

Shape = tuple[int, ...]

FEW_POSITIONS = 16
"""Positions are few where the entries of a kernel are this many times as many."""


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

    def places(self, padded_shape: Sequence[int]) -> Tensor:
        """Places of a patch's entries behind its first pixel, in padded images, int64."""
        _, channels, height, width = padded_shape
        (rows, columns), (down, right) = self.kernel, self.dilation
        channel = torch.arange(channels)[:, None, None] * (height * width)
        row = torch.arange(rows)[:, None] * (down * width)
        return (channel + row + torch.arange(columns) * right).flatten()

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


def weight_gradient(images: Tensor, gradients: Tensor, window: Window) -> Tensor:
    """Gradient of the kernels summed over images and positions, out x channels*kernel."""
    shape = (gradients.shape[1], images.shape[1], *window.kernel)
    return conv2d_weight(
        images, shape, gradients, window.stride, window.padding, window.dilation
    ).flatten(1)


def add_weight_gradient_(
    total: Tensor, images: Tensor, gradients: Tensor, window: Window, factor: float
) -> None:
    """Add `factor` times the gradient of the kernels to `total` (out x channels*kernel), in place.

    Patches of few positions and many entries are one product; torch's own way takes 20 times as
    long for a 3 x 3 kernel at a single position.
    """
    positions = gradients.numel() // max(1, gradients.shape[1])
    if positions * FEW_POSITIONS > total.shape[1]:
        total.add_(weight_gradient(images, gradients, window), alpha=factor)
        return
    patches = unfold(images, window).transpose(1, 2).reshape(positions, total.shape[1])
    columns = gradients.transpose(0, 1).reshape(len(total), positions)
    total.addmm_(columns, patches, alpha=factor)


def unfold(images: Tensor, window: Window) -> Tensor:
    """All patches of `images` as columns, n x (channels kernel) x positions."""
    return window.patches(window.padded(images)).flatten(4).flatten(1, 3)
