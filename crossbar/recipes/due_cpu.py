"""Pulses that are due, on the CPU: one pass over the digital memory of a tile. float32 only.

In torch a step of mixed precision passes twelve times over as many numbers as there are weights,
of which a few percent get a pulse.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import carray, cfunc, njit
from torch import Tensor

from crossbar.kernels.contract import address
from crossbar.kernels.threads import PART, compiled, run_job, take

CHUNK = 2**14
"""Weights in a unit of work."""

LINE = 64
"""Weights that are looked at together: mostly none of them is due a pulse."""

JOB = np.dtype(
    [(name, np.int64) for name in ("counter", "size", "adds")]
    + [(name, np.float32) for name in ("rate", "granularity")],
    align=True,
)


def take_due(
    memory: Tensor, granularity: float, gradient: Tensor | None = None, rate: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Add `rate` times `gradient` to `memory` and take whole granularities out, in place.

    memory, gradient: any one shape. Gives the places where any was taken (k, int64) and how many
    granularities, with their sign (k, float32).
    """
    size = memory.numel()
    adds = gradient is not None
    gradient = memory if gradient is None else gradient
    hit, counts = torch.empty(size, dtype=torch.int64), torch.empty(size)
    units = -(-size // CHUNK)
    found = torch.zeros(units, dtype=torch.int64)
    job = np.zeros(1, JOB)
    for name, value in zip(JOB.names or (), (0, size, adds, rate, granularity), strict=True):
        job[name] = value
    addresses = (
        address("memory", memory, *memory.shape),
        address("gradient", gradient, *memory.shape),
        *(tensor.data_ptr() for tensor in (hit, counts, found)),
    )
    run_job(_due_part(), units, job, *addresses)
    total = _join(hit.numpy(), counts.numpy(), found.numpy())
    return hit[:total], counts[:total]


@cache
def _due_part() -> Any:
    """Pointers: job, memory, gradient; places, counts and their number in each unit."""

    @compiled(cfunc, PART)
    def part(pointers):
        jobs = carray(pointers[0], 1, JOB)
        job = jobs[0]
        memory = carray(pointers[1], job.size, np.float32)
        gradient = carray(pointers[2], job.size, np.float32)
        hit = carray(pointers[3], job.size, np.int64)
        counts = carray(pointers[4], job.size, np.float32)
        found = carray(pointers[5], -(-job.size // CHUNK), np.int64)
        unit = take(jobs)
        while unit * CHUNK < job.size:
            end, place = min((unit + 1) * CHUNK, job.size), unit * CHUNK
            for start in range(unit * CHUNK, end, LINE):
                line = memory[start : min(start + LINE, end)]
                if job.adds:
                    _add(line, gradient[start:], job.rate)
                if _largest(line) >= job.granularity:
                    place = _take_out(line, start, job.granularity, hit, counts, place)
            found[unit] = place - unit * CHUNK
            unit = take(jobs)

    return part


@compiled(njit)
def _add(line, gradient, rate):
    for j in range(line.size):
        line[j] += rate * gradient[j]


@compiled(njit)
def _largest(line):
    largest = np.float32(0)
    for j in range(line.size):
        size = abs(line[j])
        largest = size if size > largest else largest
    return largest


@compiled(njit)
def _take_out(line, start, granularity, hit, counts, place):
    """Take whole granularities out of a line and list them from `place` on; the next place."""
    for j in range(line.size):
        count = np.trunc(line[j] / granularity)
        if count != 0:
            line[j] -= count * granularity
            hit[place], counts[place] = start + j, count
            place += 1
    return place


@compiled(njit)
def _join(hit, counts, found):
    """Move what the units found together; how many there are."""
    total = 0
    for unit in range(found.size):
        for j in range(unit * CHUNK, unit * CHUNK + found[unit]):
            hit[total], counts[total] = hit[j], counts[j]
            total += 1
    return total
