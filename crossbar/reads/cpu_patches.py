"""Compiled convolutions of many channels: patches of several images are one product of a BLAS.

A patch is a list of places behind its origin, so that any stride and dilation is read alike, and
rows of positions of several images make one matrix. First the factors of all positions are made,
an image a unit (`factors_part`, `gradient_factors_part`), then levels, products and outputs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, cfunc, njit

from crossbar.kernels.blas import multiply, room
from crossbar.kernels.threads import PART, compiled, take
from crossbar.reads.cpu_loops import (
    factors,
    from_levels,
    largest_in_column,
    largest_in_window,
    level,
    lift_peaks,
    put_or_add,
    stretch,
)
from crossbar.reads.job import READ

POSITIONS = 256
"""Positions of a window that make one product, as near as whole rows come to it."""

ENTRIES = 2**17
"""Products at entries of the kernel and positions that exist at a time: 0.5 MB."""


@cache
def factors_part() -> Any:
    """Pointers: job, sizes of the blocks, padded images; factors and lifts (blocks x n x ...)."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        n, positions, pixels = job.number, (job.rows, job.columns), job.height * job.width
        blocks = carray(pointers[1], job.blocks, np.int64)
        images = carray(pointers[2], (n, job.channels, pixels), np.float32)
        into = carray(pointers[3], (job.blocks, n, job.rows * job.columns), np.float32)
        out_of = carray(pointers[4], (job.blocks, n, job.rows * job.columns), np.float32)
        lifts = carray(pointers[5], (job.blocks, n), np.float32)
        by_pixel = np.empty((job.height, job.width), np.float32)
        by_row = np.empty((job.height, job.columns), np.float32)
        peaks = np.empty(positions, np.float32)
        image = take(jobs)
        while image < n:
            channel = 0
            for b in range(job.blocks):
                end = channel + blocks[b] // (job.kernel_rows * job.kernel_columns)
                largest_in_column(images[image, channel:end], by_pixel.ravel())
                largest_in_window(by_pixel, job, by_row, peaks)
                lifts[b, image] = lift_peaks(peaks.ravel(), job)
                factors(peaks.ravel(), job, into[b, image], out_of[b, image])
                channel = end
            image = take(jobs)

    return part


@cache
def gradient_factors_part() -> Any:
    """The same from gradients at the output images, whose channels the blocks are made of."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        n, positions = job.number, job.rows * job.columns
        blocks = carray(pointers[1], job.blocks, np.int64)
        gradients = carray(pointers[2], (n, job.out_size, positions), np.float32)
        into = carray(pointers[3], (job.blocks, n, positions), np.float32)
        out_of = carray(pointers[4], (job.blocks, n, positions), np.float32)
        lifts = carray(pointers[5], (job.blocks, n), np.float32)
        peaks = np.empty(positions, np.float32)
        image = take(jobs)
        while image < n:
            line = 0
            for b in range(job.blocks):
                largest_in_column(gradients[image, line : line + blocks[b]], peaks)
                lifts[b, image] = lift_peaks(peaks, job)
                factors(peaks, job, into[b, image], out_of[b, image])
                line += blocks[b]
            image = take(jobs)

    return part


@cache
def patches_part() -> Any:
    """Pointers: job, noise, blocks, weights, images, into, out_of, lifts, places, outputs.

    A unit is `at_a_time` rows of positions, of one image or of several, and a part of the outputs.
    """

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        columns, positions = job.columns, job.rows * job.columns
        total, rows = job.number * positions, job.number * job.rows
        numbers = carray(pointers[1], job.listed, np.float32)
        blocks = carray(pointers[2], job.blocks, np.int64)
        weight = carray(pointers[3], (job.out_size, job.in_size), np.float32)
        images = carray(pointers[4], job.number * job.channels * job.height * job.width, np.float32)
        into = carray(pointers[5], (job.blocks, total), np.float32)
        out_of = carray(pointers[6], (job.blocks, total), np.float32)
        lifts = carray(pointers[7], (job.blocks, job.number), np.float32)
        places = carray(pointers[8], job.in_size, np.uint64)
        out = carray(pointers[9], (job.number, job.out_size, positions), np.float32)
        most = job.at_a_time * columns
        levels, sums = room(most, job.largest), room(job.part_size, most)
        origins = np.empty(most, np.uint64)
        unit = take(jobs)
        while unit // job.parts * job.at_a_time < rows:
            row, start = unit // job.parts * job.at_a_time, unit % job.parts * job.part_size
            n = min(job.at_a_time, rows - row) * columns
            first, width = row * columns, min(job.part_size, job.out_size - start)
            _origins(job, first, origins[:n])
            line = 0
            for b in range(job.blocks):
                size = blocks[b]
                own = places[line : line + size]
                _patch_levels(job, images, origins[:n], own, into[b, first:], levels)
                lines = weight[start : start + width, line : line + size]
                target = sums[:width, :n]
                multiply(job.product, lines, False, levels[:n, :size], True, target, job.gain)
                for o in range(width):
                    place = job.place + (b * total + first) * job.out_size + (start + o) * n
                    values = sums[o, :n]
                    scale = out_of[b, first : first + n]
                    from_levels(values, stretch(numbers, place, n), scale, job, values)
                    if job.lifted:
                        _unlift(values, first, positions, lifts[b])
                    _put_pixels(values, first, positions, b == 0, start + o, out)
                line += size
            unit = take(jobs)

    return part


@cache
def patches_back_part() -> Any:
    """Pointers: job, noise, blocks, weights, gradients, into, out_of, lifts, places, padded images.

    A unit is `at_a_time` images and a part of their channels: no other one adds to their pixels.
    """

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        columns, positions = job.columns, job.rows * job.columns
        total = job.number * positions
        pixels = job.channels * job.height * job.width
        numbers = carray(pointers[1], job.listed, np.float32)
        blocks = carray(pointers[2], job.blocks, np.int64)
        weight = carray(pointers[3], (job.out_size, job.in_size), np.float32)
        gradients = carray(pointers[4], job.number * job.out_size * positions, np.float32)
        into = carray(pointers[5], (job.blocks, total), np.float32)
        out_of = carray(pointers[6], (job.blocks, total), np.float32)
        lifts = carray(pointers[7], (job.blocks, job.number), np.float32)
        places = carray(pointers[8], job.in_size, np.uint64)
        padded = carray(pointers[9], job.number * pixels, np.float32)
        most = _rows_at_a_time(job) * columns
        entries = max(1, ENTRIES // most)
        levels, sums = room(job.largest, most), room(entries, most)
        origins = np.empty(most, np.uint64)
        unit = take(jobs)
        while unit // job.parts * job.at_a_time < job.number:
            image, start = unit // job.parts * job.at_a_time, unit % job.parts * job.part_size
            end = min(start + job.part_size, job.in_size)
            last = min(image + job.at_a_time, job.number) * job.rows
            for row in range(image * job.rows, last, _rows_at_a_time(job)):
                n = min(_rows_at_a_time(job), last - row) * columns
                first, line = row * columns, 0
                _origins(job, first, origins[:n])
                for b in range(job.blocks):
                    size = blocks[b]
                    _gradient_levels(job, gradients, line, size, first, n, into[b, first:], levels)
                    for entry in range(start, end, entries):
                        count = min(entries, end - entry)
                        lines = weight[line : line + size, entry : entry + count]
                        target = sums[:count, :n]
                        given = levels[:size, :n]
                        multiply(job.product, lines, True, given, False, target, job.gain)
                        for k in range(count):
                            place = job.place + (b * total + first) * job.in_size + (entry + k) * n
                            values, scale = sums[k, :n], out_of[b, first : first + n]
                            from_levels(values, stretch(numbers, place, n), scale, job, values)
                            if job.lifted:
                                _unlift(values, first, positions, lifts[b])
                            _add_at(values, origins, padded[places[entry + k] :])
                    line += size
            unit = take(jobs)

    return part


@compiled(njit)
def _rows_at_a_time(job):
    """Rows of positions whose products exist at a time."""
    return min(job.at_a_time * job.rows, max(1, POSITIONS // job.columns))


@compiled(njit)
def _origins(job, first, origins):
    """Place in all images of the first pixel that each position sees, from position `first` on."""
    positions, pixels = job.rows * job.columns, job.channels * job.height * job.width
    for j in range(origins.size):
        image, position = (first + j) // positions, (first + j) % positions
        y = position // job.columns * job.row_stride
        x = position % job.columns * job.column_stride
        origins[j] = np.uint64(image * pixels + y * job.width + x)


@compiled(njit)
def _patch_levels(job, images, origins, places, into, levels):
    """DAC levels of patches, one a row.

    Gathering and rounding are two loops: the compiler makes vector operations of each.
    """
    rounds, bound = job.rounds_input, job.input_bound
    for j in range(origins.size):
        patch, line, factor = images[origins[j] :], levels[j], into[j]
        for k in range(places.size):
            line[k] = patch[places[k]]
        for k in range(places.size):
            line[k] = level(line[k] * factor, rounds, bound)


@compiled(njit)
def _gradient_levels(job, gradients, line, size, first, n, into, levels):
    """DAC levels of gradients, one output a row; those of an image follow each other."""
    rounds, bound = job.rounds_input, job.input_bound
    positions = job.rows * job.columns
    for o in range(size):
        target, j = levels[o], 0
        while j < n:
            image, position = (first + j) // positions, (first + j) % positions
            count = min(positions - position, n - j)
            start = (image * job.out_size + line + o) * positions + position
            for i in range(count):
                target[j + i] = gradients[start + i]
            j += count
        for i in range(n):
            target[i] = level(target[i] * into[i], rounds, bound)


@compiled(njit)
def _unlift(values, first, positions, lifts):
    """Outputs of images that were lifted, back to where they belong."""
    for j in range(values.size):
        values[j] *= np.float32(1) / lifts[(first + j) // positions]


@compiled(njit)
def _put_pixels(values, first, positions, is_first, line, out):
    """Outputs of one line of the crossbar to the pixels of the images they belong to."""
    j = 0
    while j < values.size:
        image, position = (first + j) // positions, (first + j) % positions
        count = min(positions - position, values.size - j)
        put_or_add(values[j:], is_first, out[image, line, position : position + count])
        j += count


@compiled(njit)
def _add_at(values, origins, pixels):
    """Add `values` to the pixels at `origins`, each another one."""
    for j in range(values.size):
        pixels[origins[j]] += values[j]
