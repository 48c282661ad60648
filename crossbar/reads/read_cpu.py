"""Reads of a crossbar on the CPU: converters, noise and matrix product in one pass. float32 only.

A read scales a vector by its largest entry, rounds it to the levels of the DAC, multiplies, adds
the output noise, rounds to the levels of the ADC, clips and scales back. Operation by operation
each of these is a pass through memory that costs as much as the product. Here a thread takes an
image, or a few vectors, through all of them while they lie in its nearest cache. Here is what the
compiled parts are handed; the parts are in `cpu_vectors`, `cpu_images` and `cpu_patches`.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from crossbar.kernels import LONGEST_LINE
from crossbar.kernels.blas import sgemm_address
from crossbar.kernels.contract import address, check_shape, plain
from crossbar.kernels.threads import run_job
from crossbar.random import RandomStream
from crossbar.reads import cpu_images, cpu_patches, cpu_vectors
from crossbar.reads.blocks import Sizes, parts_of
from crossbar.reads.converters import Converters
from crossbar.reads.job import read_job
from crossbar.reads.window import Shape, Window

VECTORS, FEW_VECTORS, LARGE_MATRIX = 64, 16, 2**17
"""Vectors in a unit of work, and in one of a matrix of fewer entries than a large one."""

UNITS, LINES = 4, 256
"""A read that makes fewer units than this is cut into parts of at least so many lines."""

MANY_CHANNELS = 2**15
"""From this many weights on a convolution of one tile is left to the BLAS."""


def read_vectors(
    weight: Tensor,
    vectors: Tensor,
    converters: Converters,
    stream: RandomStream,
    blocks: Sizes = (),
) -> Tensor:
    """weight (m x n) times each of `vectors` (b x n), b x m."""
    number, (out_size, in_size) = len(vectors), weight.shape
    blocks = blocks or (in_size,)
    vectors, out = plain(vectors), vectors.new_empty(number, out_size)
    _check_line(out_size)
    transposed = not weight.is_contiguous() and weight.t().is_contiguous()
    stored = plain(weight.t() if transposed else weight)
    at_a_time = VECTORS if weight.numel() > LARGE_MATRIX else FEW_VECTORS
    groups = -(-number // at_a_time)
    parts, part_size = _parts(groups, out_size, 1)
    job = read_job(
        converters,
        **_of_blocks(blocks),
        transposed=transposed,
        number=number,
        in_size=in_size,
        out_size=out_size,
        at_a_time=at_a_time,
        parts=parts,
        part_size=part_size,
    )
    sizes = torch.tensor(blocks)
    addresses = (
        address("blocks", sizes, len(blocks), dtype=torch.int64),
        address("weights", stored, *((in_size, out_size) if transposed else (out_size, in_size))),
        address("vectors", vectors, number, in_size),
        address("outputs", out, number, out_size),
    )
    _run(cpu_vectors.vectors_part(), groups * parts, job, stream, *addresses)
    return out


def read_patches(
    weight: Tensor,
    padded: Tensor,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: float,
    blocks: Sizes = (),
) -> Tensor:
    """Output images of a convolution with `weight` (out x channels*kernel), times `gain`.

    padded: images with the zeros around them that the window reads.
    """
    padded, out_size, entries = plain(padded), len(weight), window.entries(padded.shape[1])
    out = padded.new_empty(len(padded), out_size, *window.positions(padded.shape))
    check_shape("weights", weight, out_size, entries)
    _check_line(padded.shape[2] * padded.shape[3])
    blocks = blocks or (entries,)
    sizes = _of_images(padded.shape, out.shape, window)
    if len(blocks) > 1 or weight.numel() >= MANY_CHANNELS:
        job = read_job(converters, gain, **sizes, **_of_blocks(blocks))
        _read_many(weight, padded, out, window, job, stream, blocks)
        return out
    lines = _padded(weight * converters.gain)
    addresses = (
        address("weights", lines, _even(out_size), _even(entries)),
        address("images", padded, *padded.shape),
        address("outputs", out, *out.shape),
    )
    job = read_job(converters, gain, **sizes)
    _run(cpu_images.images_part(), len(padded), job, stream, *addresses)
    return out


def read_patches_back(
    weight: Tensor,
    gradients: Tensor,
    padded_shape: Shape,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: float,
    blocks: Sizes = (),
) -> Tensor:
    """Gradients at padded images of `padded_shape` for gradients at the output, times `gain`."""
    gradients, padded = plain(gradients), gradients.new_zeros(padded_shape)
    out_size, entries = len(weight), window.entries(padded_shape[1])
    out_shape = (padded_shape[0], out_size, *window.positions(padded_shape))
    check_shape("weights", weight, out_size, entries)
    check_shape("gradients", gradients, *out_shape)
    _check_line(padded_shape[2] * padded_shape[3])
    blocks = blocks or (out_size,)
    sizes = _of_images(padded_shape, out_shape, window)
    if len(blocks) > 1 or weight.numel() >= MANY_CHANNELS:
        job = read_job(converters, gain, **sizes, **_of_blocks(blocks))
        _read_many_back(weight, gradients, padded, window, job, stream, blocks)
        return padded
    lines = _padded((weight * converters.gain).t())
    addresses = (
        address("weights", lines, _even(entries), _even(out_size)),
        address("gradients", gradients, *out_shape),
        address("images", padded, *padded_shape),
    )
    job = read_job(converters, gain, **sizes)
    _run(cpu_images.images_back_part(), len(padded), job, stream, *addresses)
    return padded


def _read_many(
    weight: Tensor,
    padded: Tensor,
    out: Tensor,
    window: Window,
    job: NDArray[Any],
    stream: RandomStream,
    blocks: Sizes,
) -> None:
    """Convolution of many channels: factors of all positions first, then rows of positions."""
    channels = [size // window.entries(1) for size in blocks]
    made = _factors(cpu_patches.factors_part(), padded, out.shape, job, blocks, channels)
    rows = len(out) * out.shape[2]
    at_a_time = max(1, cpu_patches.POSITIONS // out.shape[3])
    groups = -(-rows // at_a_time)
    job["parts"], job["part_size"] = _parts(groups, len(weight), 1)
    job["at_a_time"] = min(at_a_time, max(rows, 1))
    part = cpu_patches.patches_part()
    _run_many(part, groups, weight, padded.shape, out, window, job, stream, blocks, *made)


def _read_many_back(
    weight: Tensor,
    gradients: Tensor,
    padded: Tensor,
    window: Window,
    job: NDArray[Any],
    stream: RandomStream,
    blocks: Sizes,
) -> None:
    """The way back of many channels: factors of all positions first, then groups of images."""
    part = cpu_patches.gradient_factors_part()
    made = _factors(part, gradients, gradients.shape, job, blocks, list(blocks))
    positions = gradients.shape[2] * gradients.shape[3]
    at_a_time = max(1, cpu_patches.POSITIONS // positions)
    groups = -(-len(gradients) // at_a_time)
    job["parts"], job["part_size"] = _parts(groups, weight.shape[1], window.entries(1))
    job["at_a_time"] = at_a_time
    part = cpu_patches.patches_back_part()
    _run_many(part, groups, weight, padded.shape, padded, window, job, stream, blocks, *made)


def _factors(
    part: Any,
    values: Tensor,
    out_shape: Shape,
    job: NDArray[Any],
    blocks: Sizes,
    channels: list[int],
) -> tuple[Tensor, ...]:
    """Values to read, factors into and out of levels of each position, and lifts of each image.

    Where an image of a block had to be lifted, a copy of the values in which it is.
    """
    sizes, positions = torch.tensor(blocks), out_shape[2] * out_shape[3]
    into, out_of = values.new_empty(2, len(blocks), len(values), positions)
    lifts = values.new_empty(len(blocks), len(values))
    addresses = (sizes.data_ptr(), address("images", values, *values.shape))
    made = (into.data_ptr(), out_of.data_ptr(), lifts.data_ptr())
    run_job(part, len(values), job, *addresses, *made)
    job["lifted"] = lifted = bool((lifts != 1).any())
    if lifted:
        values = values.clone()
        for own, lift in zip(parts_of(channels), lifts, strict=True):
            values[:, own] *= lift[:, None, None, None]
    return values, into, out_of, lifts


def _run_many(
    part: Any,
    groups: int,
    weight: Tensor,
    padded_shape: Shape,
    target: Tensor,
    window: Window,
    job: NDArray[Any],
    stream: RandomStream,
    blocks: Sizes,
    values: Tensor,
    *factors: Tensor,
) -> None:
    """Run a part on patches with the factors made for it."""
    weight, places, sizes = plain(weight), window.places(padded_shape), torch.tensor(blocks)
    addresses = (
        address("blocks", sizes, len(blocks), dtype=torch.int64),
        address("weights", weight, *weight.shape),
        address("values", values, *values.shape),
        *(address("factors", factor, *factor.shape) for factor in factors),
        address("places", places, weight.shape[1], dtype=torch.int64),
        address("images", target, *target.shape),
    )
    _run(part, groups * int(job["parts"][0]), job, stream, *addresses)


def _run(part: Any, units: int, job: NDArray[Any], stream: RandomStream, *addresses: int) -> None:
    """Run a part with the noise of `stream` in front of its own addresses."""
    numbers, job["place"] = stream.list_and_place()
    job["listed"], job["product"] = len(numbers), sgemm_address()
    run_job(part, units, job, address("random numbers", numbers, len(numbers)), *addresses)


def _parts(groups: int, lines: int, whole: int) -> tuple[int, int]:
    """Parts that `lines` are read in, each of a multiple of `whole`, and the lines of a part.

    One where there are units enough without: every part makes the levels anew.
    """
    parts = 1 if groups >= UNITS else max(1, min(UNITS, lines // LINES))
    size = -(-lines // (parts * whole)) * whole
    return max(1, -(-lines // size)), size


def _of_blocks(blocks: Sizes) -> dict[str, int]:
    return {"blocks": len(blocks), "largest": max(blocks)}


def _of_images(padded_shape: Shape, out_shape: Shape, window: Window) -> dict[str, int]:
    number, channels, height, width = padded_shape
    (rows, columns), (row_stride, column_stride) = window.kernel, window.stride
    return {
        "number": number,
        "channels": channels,
        "height": height,
        "width": width,
        "in_size": window.entries(channels),
        "out_size": out_shape[1],
        "kernel_rows": rows,
        "kernel_columns": columns,
        "row_stride": row_stride,
        "column_stride": column_stride,
        "row_dilation": window.dilation[0],
        "column_dilation": window.dilation[1],
        "rows": out_shape[2],
        "columns": out_shape[3],
    }


def _check_line(length: int) -> None:
    """RuntimeError for more outputs or pixels in a line than the list of numbers has noise for."""
    if length > LONGEST_LINE:
        raise RuntimeError(f"lines must have up to {LONGEST_LINE} entries, got {length}")


def _even(size: int) -> int:
    return size + size % 2


def _padded(matrix: Tensor) -> Tensor:
    """`matrix` with zeros up to even numbers of rows and columns, contiguous."""
    return pad(matrix, (0, -matrix.shape[1] % 2, 0, -len(matrix) % 2)).contiguous()
