"""Reads in torch, for any device and dtype; `crossbar.reads.read` says what they mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input

from crossbar.random import RandomStream
from crossbar.reads.blocks import Sizes, parts_of
from crossbar.reads.converters import Converters
from crossbar.reads.window import Shape, Window


def read_vectors(
    weight: Tensor, vectors: Tensor, converters: Converters, stream: RandomStream, blocks: Sizes
) -> Tensor:
    """weight (m x n) times each of `vectors` (... x n), ... x m; columns stay columns."""
    if vectors.dim() == 3 and vectors.stride(-1) != 1:
        columns = vectors.transpose(-1, -2)
        return _read(weight, columns, -2, converters, stream, blocks).transpose(-1, -2)
    return _read(weight, vectors, -1, converters, stream, blocks)


def _read(
    weight: Tensor,
    vectors: Tensor,
    along: int,
    converters: Converters,
    stream: RandomStream,
    blocks: Sizes,
) -> Tensor:
    def multiply(weight: Tensor, vectors: Tensor) -> Tensor:
        return weight @ vectors if along == -2 else vectors @ weight.t()

    if converters.perfect:
        return multiply(weight, vectors)
    outputs = []
    for part, vector in zip(parts_of(blocks), vectors.split(blocks, along), strict=True):
        into, out_of = converters.scale(vector.abs().amax(along, keepdim=True))
        output = multiply(weight[:, part] * converters.gain, converters.dac(vector, into))
        outputs.append(converters.adc_(output, stream).mul_(out_of))
    return _sum(outputs)


def read_patches(
    weight: Tensor,
    padded: Tensor,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
    blocks: Sizes,
) -> Tensor:
    """Output images of a convolution; padded: images with the zeros around them."""
    out_shape = (len(padded), len(weight), *window.positions(padded.shape))
    outputs = []
    for part, channels in zip(parts_of(blocks), _by_channels(padded, window, blocks), strict=True):
        into, out_of = converters.scale(window.largest(channels.abs().amax(1, keepdim=True)))
        levels = converters.dac(window.patches(channels), into[:, :, None, None])
        output = torch.matmul(weight[:, part] * converters.gain, levels.flatten(4).flatten(1, 3))
        outputs.append(converters.adc_(output.view(out_shape), stream).mul_(out_of * gain))
    return _sum(outputs)


def read_patches_back(
    weight: Tensor,
    gradients: Tensor,
    padded_shape: Shape,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
    blocks: Sizes,
) -> Tensor:
    """Gradients at padded images of `padded_shape` for gradients at the output images."""
    padded = gradients.new_zeros(padded_shape)
    for part in parts_of(blocks):
        own = gradients[:, part]
        into, out_of = converters.scale(own.abs().amax(1, keepdim=True))
        levels = converters.dac(own, into).flatten(2)
        output = torch.matmul((weight[part] * converters.gain).t(), levels)
        _add_patches_(window.patches(padded), converters.adc_(output, stream), out_of * gain)
    return padded


def convolve_perfectly(weight: Tensor, images: Tensor, window: Window) -> Tensor:
    """torch's convolution with `weight` (out x channels*kernel)."""
    kernels = weight.view(len(weight), -1, *window.kernel)
    return functional.conv2d(images, kernels, None, *_steps(window))


def convolve_back_perfectly(
    weight: Tensor, gradients: Tensor, images_shape: torch.Size, window: Window
) -> Tensor:
    """torch's gradients at images of `images_shape`."""
    kernels = weight.view(len(weight), -1, *window.kernel)
    return conv2d_input(images_shape, kernels, gradients, *_steps(window))


def _steps(window: Window) -> tuple[Any, ...]:
    return window.stride, window.padding, window.dilation


def _by_channels(padded: Tensor, window: Window, blocks: Sizes) -> tuple[Tensor, ...]:
    return padded.split([size // window.entries(1) for size in blocks], 1)


def _sum(outputs: list[Tensor]) -> Tensor:
    total = outputs[0]
    for output in outputs[1:]:
        total += output
    return total


def _add_patches_(patches: Tensor, output: Tensor, factor: Tensor) -> None:
    """Add `factor` (n x 1 x positions) times `output` to a view of the patches of images.

    The positions of one entry of the kernel do not overlap, so each entry is one sum.
    """
    rows = zip(patches.unbind(2), output.view(patches.shape).unbind(2), strict=True)
    for patches_row, output_row in rows:
        for entry, values in zip(patches_row.unbind(2), output_row.unbind(2), strict=True):
            entry.addcmul_(values, factor)
