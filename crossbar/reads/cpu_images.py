"""Compiled convolutions of few channels: image by image, rows of positions as one long loop.

The patches of an image never exist outside of the nearest cache. A product of our own multiplies:
for few outputs it is faster than a BLAS, whose matrices would have to be cut out first.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, cfunc, njit

from crossbar.kernels.threads import PART, compiled, take
from crossbar.reads.cpu_loops import (
    factors,
    largest_in_column,
    largest_in_window,
    level,
    lift_peaks,
    stretch,
    times,
    up,
)
from crossbar.reads.cpu_product import multiply_here
from crossbar.reads.job import READ

POSITIONS = 128
"""Positions of a window that are read at a time, as near as whole rows come to it."""

PRODUCTS = 3072
"""Products at entries of the kernel and positions that exist at a time: 12 kB."""


@cache
def images_part() -> Any:
    """Pointers: job, noise, weights (padded), padded images, output images."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        channels, height, width = job.channels, job.height, job.width
        rows, columns, pitch = job.rows, job.columns, _pitch(job)
        numbers = carray(pointers[1], job.listed, np.float32)
        lines = carray(pointers[2], (up(job.out_size, 2), up(job.in_size, 2)), np.float32)
        images = carray(pointers[3], (job.number, channels, height * width), np.float32)
        out = carray(pointers[4], (job.number, job.out_size, rows * columns), np.float32)
        at_a_time = min(max(1, POSITIONS // pitch), rows)
        levels = np.zeros((up(job.in_size, 2), at_a_time * pitch), np.float32)
        sums = np.empty((up(job.out_size, 2), at_a_time * pitch), np.float32)
        by_pixel = np.empty((height, width), np.float32)
        by_row, peaks = np.empty((height, columns), np.float32), np.zeros((rows, pitch), np.float32)
        into, out_of = np.empty(rows * pitch, np.float32), np.empty(rows * pitch, np.float32)
        lifted = np.empty((channels, height * width), np.float32)
        image = take(jobs)
        while image < job.number:
            largest_in_column(images[image], by_pixel.ravel())
            largest_in_window(by_pixel, job, by_row, peaks[:, :columns])
            lift = lift_peaks(peaks.ravel(), job)
            pixels = times(images[image], lift, lifted)
            factors(peaks.ravel(), job, into, out_of)
            for row in range(0, rows, at_a_time):
                n = (min(at_a_time, rows - row) - 1) * pitch + columns
                _patch_levels(pixels, row, into[row * pitch :], n, job, levels)
                multiply_here(lines, levels, sums, n)
                place = job.place + image * out.shape[1] * out.shape[2] + row * columns
                own, first = out_of[row * pitch :], row * columns
                _outputs(sums, n, pitch, own, numbers, place, first, job, out[image])
            times(out[image], 1 / lift, out[image])
            image = take(jobs)

    return part


@cache
def images_back_part() -> Any:
    """Pointers: job, noise, weights (transposed and padded), output gradients, padded images."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        rows, columns, pitch, entries = job.rows, job.columns, _pitch(job), job.in_size
        numbers = carray(pointers[1], job.listed, np.float32)
        lines = carray(pointers[2], (up(entries, 2), up(job.out_size, 2)), np.float32)
        gradients = carray(pointers[3], (job.number, job.out_size, rows * columns), np.float32)
        size = job.channels * job.height * job.width
        padded = carray(pointers[4], (job.number, size), np.float32)
        lifted = np.empty(gradients.shape[1:], np.float32)
        levels = np.zeros((up(job.out_size, 2), rows * pitch), np.float32)
        n = (rows - 1) * pitch + columns
        at_a_time = 4 * max(1, PRODUCTS // (4 * n))
        sums = np.empty((at_a_time, n), np.float32)
        largest = np.empty(rows * columns, np.float32)
        peaks = np.zeros((rows, pitch), np.float32)
        into, out_of = np.empty((rows, pitch), np.float32), np.empty((rows, pitch), np.float32)
        image = take(jobs)
        while image < job.number:
            largest_in_column(gradients[image], largest)
            peaks[:, :columns] = largest.reshape(rows, columns)
            lift = lift_peaks(peaks.ravel(), job)
            given = times(gradients[image], lift, lifted)
            factors(peaks.ravel(), job, into.ravel(), out_of.ravel())
            out_of[:, columns:] = 0  # between the rows nothing is read, not even noise
            _gradient_levels(given, into, columns, job, levels)
            for entry in range(0, entries, at_a_time):
                multiply_here(lines[entry : entry + at_a_time], levels, sums, n)
                some = sums[: min(at_a_time, entries - entry)]
                place = job.place + (image * entries + entry) * n
                _add_entries(
                    some, n, pitch, out_of.ravel(), numbers, place, entry, job, padded[image]
                )
            times(padded[image], 1 / lift, padded[image])
            image = take(jobs)

    return part


@compiled(njit)
def _pitch(job):
    """Distance of rows of positions: that of the pixels, so that all rows are one loop.

    With a stride pixels and positions do not lie alike, and the rows follow each other.
    """
    return job.width if job.row_stride == 1 and job.column_stride == 1 else job.columns


@compiled(njit)
def _patch_levels(image, first_row, into, n, job, levels):
    """DAC levels of the patches of a few rows of positions, one entry of the kernel a line."""
    rounds, bound, columns, width = job.rounds_input, job.input_bound, job.columns, job.width
    stride, step, entry = job.row_stride, job.column_stride, 0
    for c in range(image.shape[0]):
        channel = image[c]
        for k in range(job.kernel_rows):
            start = (first_row * stride + k * job.row_dilation) * width
            for m in range(job.kernel_columns):
                source, line = channel[start + m * job.column_dilation :], levels[entry]
                if stride == 1 and step == 1:
                    for j in range(n):
                        line[j] = level(source[j] * into[j], rounds, bound)
                else:
                    for i in range(n // columns):
                        for j in range(columns):
                            value = source[i * stride * width + j * step] * into[i * columns + j]
                            line[i * columns + j] = level(value, rounds, bound)
                entry += 1


@compiled(njit)
def _outputs(sums, n, pitch, out_of, numbers, place, first, job, out):
    """Noise and ADC on `sums` (out x positions), written to `out` from position `first` on."""
    rounds, bound, noise = job.rounds_output, job.output_bound, job.noise
    columns = job.columns
    for o in range(out.shape[0]):
        count = (n - columns) // pitch + 1
        own = stretch(numbers, place + o * out.shape[1], count * columns)
        for i in range(count):
            values, scale = sums[o, i * pitch :], out_of[i * pitch :]
            random, target = own[i * columns :], out[o, first + i * columns :]
            for j in range(columns):
                target[j] = level(values[j] + noise * random[j], rounds, bound) * scale[j]


@compiled(njit)
def _gradient_levels(gradients, into, columns, job, levels):
    """DAC levels of gradients (out x positions), in rows as far apart as those of `into`."""
    rounds, bound = job.rounds_input, job.input_bound
    rows, pitch = into.shape
    for o in range(gradients.shape[0]):
        source, line = gradients[o], levels[o]
        for i in range(rows):
            values, own, target = source[i * columns :], into[i], line[i * pitch :]
            for j in range(columns):
                target[j] = level(values[j] * own[j], rounds, bound)


@compiled(njit)
def _add_entries(sums, n, pitch, out_of, numbers, place, entry, job, image):
    """Noise and ADC on the products of as many entries of the kernel, from `entry` on.

    Each is added to the pixels that it sees, `image` (channels * rows * columns).
    """
    rounds, bound, noise = job.rounds_output, job.output_bound, job.noise
    size, columns, width = job.kernel_rows * job.kernel_columns, job.columns, job.width
    stride, step = job.row_stride, job.column_stride
    for k in range(sums.shape[0]):
        y = (entry + k) % size // job.kernel_columns * job.row_dilation
        x = (entry + k) % job.kernel_columns * job.column_dilation
        target = image[((entry + k) // size * job.height + y) * width + x :]
        values, random = sums[k], stretch(numbers, place + k * n, n)
        if stride == 1 and step == 1:
            if pitch > columns and n > columns and values[columns] != 0:
                # Zeros are read between the rows: only a weight that is no number gives another.
                for i in range(columns, n, pitch):
                    values[i : i + pitch - columns] = 0
            for j in range(n):
                target[j] += level(values[j] + noise * random[j], rounds, bound) * out_of[j]
            continue
        for i in range(n // columns):
            for j in range(columns):
                p, q = i * columns + j, i * stride * width + j * step
                target[q] += level(values[p] + noise * random[p], rounds, bound) * out_of[p]
