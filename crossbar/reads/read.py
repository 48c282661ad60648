"""Reads of a crossbar: vectors, the patches of images, and gradients back to the images.

The one place that chooses between the compiled forms (`read_cpu`) and torch's (`read_torch`).
The crossbar reads one patch after the other, so the DAC scales and rounds every patch on its own.
Patches overlap: unfolding an image first, as aihwkit does, costs more than all the rest. Here the
patches are a view of the image, and the first time they exist in memory they are DAC levels.
`blocks`: sizes of the tiles along what is read, see `crossbar.reads.blocks`; none: one tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from crossbar.kernels import has_cpu_kernels
from crossbar.kernels.contract import check_shape
from crossbar.random import RandomStream
from crossbar.reads import read_torch
from crossbar.reads.blocks import checked_blocks
from crossbar.reads.converters import Converters, check_kind
from crossbar.reads.window import Window


def crossbar_product(
    weight: Tensor,
    vectors: Tensor,
    converters: Converters,
    stream: RandomStream,
    blocks: Sequence[int] = (),
) -> Tensor:
    """weight (m x n) times each of `vectors` (... x n) as the crossbar computes it, ... x m.

    Each vector is scaled by its largest entry, rounded to the levels of the DAC, multiplied,
    given the output noise, rounded to the levels of the ADC, clipped at its bound and scaled
    back: aihwkit's AnalogMVM of the same settings. An unfolded convolution brings its patches as
    columns (n x positions in memory), and they stay columns. Raises RuntimeError, as `nn.Linear`
    does, for vectors of another length, dtype or device.
    """
    check_kind(weight, vectors)
    if vectors.dim() == 0 or vectors.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"vectors of the shape {tuple(vectors.shape)} do not fit a crossbar of "
            f"{len(weight)} x {weight.shape[1]}: the last dimension must be {weight.shape[1]}"
        )
    blocks = checked_blocks(blocks, weight.shape[1])
    if converters.perfect or not has_cpu_kernels(weight, vectors, line=len(weight)):
        return read_torch.read_vectors(weight, vectors, converters, stream, blocks)
    from crossbar.reads.read_cpu import read_vectors

    rows = vectors.reshape(-1, vectors.shape[-1])
    read = read_vectors(weight, rows, converters, stream, blocks)
    return read.view(*vectors.shape[:-1], len(weight))


def convolve(
    weight: Tensor,
    images: Tensor,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
    blocks: Sequence[int] = (),
) -> Tensor:
    """Output images of a crossbar with `weight` (out x channels*kernel), as `crossbar_product`.

    `gain` (one element): digital factor on the output. Each of `blocks` holds whole channels.
    Raises RuntimeError, as `nn.Conv2d` does, for images that do not fit (see
    `Window.output_shape`) or have another dtype or device.
    """
    check_kind(weight, images)
    window.output_shape(weight.shape, images.shape)
    blocks = checked_blocks(blocks, weight.shape[1], window.entries(1))
    if converters.perfect:
        return read_torch.convolve_perfectly(weight * gain, images, window)
    padded = window.padded(images)
    if has_cpu_kernels(weight, padded, line=padded.shape[2] * padded.shape[3]):
        from crossbar.reads.read_cpu import read_patches

        return read_patches(weight, padded, window, converters, stream, gain.item(), blocks)
    return read_torch.read_patches(weight, padded, window, converters, stream, gain, blocks)


def convolve_back(
    weight: Tensor,
    gradients: Tensor,
    images_shape: torch.Size,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: Tensor,
    blocks: Sequence[int] = (),
) -> Tensor:
    """Gradients at the input images for gradients at the output images (n x out x h x w).

    `gain`: the factor of the forward pass; `blocks` along the outputs. Raises RuntimeError for
    gradients that are not those of its output.
    """
    check_kind(weight, gradients)
    check_shape("gradients", gradients, *window.output_shape(weight.shape, images_shape))
    blocks = checked_blocks(blocks, len(weight))
    if converters.perfect:
        return read_torch.convolve_back_perfectly(weight * gain, gradients, images_shape, window)
    shape = window.padded_shape(images_shape)
    if has_cpu_kernels(weight, gradients, line=shape[2] * shape[3]):
        from crossbar.reads.read_cpu import read_patches_back

        settings = window, converters, stream, gain.item(), blocks
        padded = read_patches_back(weight, gradients, shape, *settings)
    else:
        form = read_torch.read_patches_back
        padded = form(weight, gradients, shape, window, converters, stream, gain, blocks)
    (height, width), (rows, columns) = images_shape[2:], window.padding
    return padded[:, :, rows : rows + height, columns : columns + width]
