"""Compiled reads of vectors: a thread takes a few at a time through converters and product."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, cfunc, njit

from crossbar.kernels.blas import multiply, room
from crossbar.kernels.threads import PART, compiled, largest_bits, take
from crossbar.reads.cpu_loops import (
    factors,
    from_levels,
    lift_peaks,
    put_or_add,
    stretch,
    times,
    to_levels,
)
from crossbar.reads.job import READ


@cache
def vectors_part() -> Any:
    """Pointers: job, noise, sizes of the blocks, weights, vectors, outputs."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, READ)
        job = jobs[0]
        numbers = carray(pointers[1], job.listed, np.float32)
        blocks = carray(pointers[2], job.blocks, np.int64)
        lines = (job.in_size, job.out_size) if job.transposed else (job.out_size, job.in_size)
        weight = carray(pointers[3], lines, np.float32)
        vectors = carray(pointers[4], (job.number, job.in_size), np.float32)
        bits = carray(pointers[4], (job.number, job.in_size), np.int32)
        out = carray(pointers[5], (job.number, job.out_size), np.float32)
        levels = room(job.at_a_time, job.largest)
        sums, out_of = room(job.at_a_time, job.part_size), np.empty(job.part_size, np.float32)
        lifted, peak = np.empty(job.largest, np.float32), np.empty(1, np.int32)
        one = np.empty((2, 1), np.float32)
        lifts, factor = np.empty(job.at_a_time, np.float32), np.empty(job.at_a_time, np.float32)
        unit = take(jobs)
        while unit // job.parts * job.at_a_time < job.number:
            first, start = unit // job.parts * job.at_a_time, unit % job.parts * job.part_size
            count = min(job.at_a_time, job.number - first)
            width = min(job.part_size, job.out_size - start)
            line = 0
            for b in range(job.blocks):
                size = blocks[b]
                for i in range(count):
                    peak[0] = largest_bits(bits[first + i, line : line + size])
                    lifts[i] = lift_peaks(peak.view(np.float32), job)
                    factors(peak.view(np.float32), job, one[0], one[1])
                    factor[i] = one[1, 0]
                    vector = times(vectors[first + i, line : line + size], lifts[i], lifted[:size])
                    to_levels(vector, one[0, 0], job, levels[i])
                _product(job, weight, line, size, start, width, levels[:count, :size], sums)
                for i in range(count):
                    place = job.place + (b * job.number + first + i) * job.out_size + start
                    out_of[:] = factor[i]
                    values = sums[i, :width]
                    from_levels(values, stretch(numbers, place, width), out_of, job, values)
                    if lifts[i] != 1:
                        times(values, 1 / lifts[i], values)
                    put_or_add(values, b == 0, out[first + i, start : start + width])
                line += size
            unit = take(jobs)

    return part


@compiled(njit)
def _product(job, weight, line, size, start, width, levels, sums):
    """sums = levels times the weights of `width` outputs and `size` inputs."""
    if job.transposed:
        own = weight[line : line + size, start : start + width]
    else:
        own = weight[start : start + width, line : line + size]
    target = sums[: levels.shape[0], :width]
    multiply(job.product, levels, False, own, not job.transposed, target, job.gain)
