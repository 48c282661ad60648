"""Pulses on the CPU: the jumps of `crossbar.arrays.response`, device by device.

Of all devices of a tile a few percent get a pulse at a time. In torch their jumps are some thirty
operations on short tensors, whose calls take longer than the jumps themselves. float32 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit
from torch import Tensor

from crossbar.arrays.reading_cpu import stretched
from crossbar.kernels.contract import address, check_shape
from crossbar.kernels.threads import compiled

if TYPE_CHECKING:
    from crossbar.arrays.response import PulseResponse


def fire(
    response: PulseResponse,
    state: Tensor,
    reading: Tensor,
    w_min: Tensor,
    w_max: Tensor,
    hit: Tensor,
    counts: Tensor,
    scale: Tensor | None,
) -> None:
    """Move the entries `hit` (k) of `state` by `counts` pulses (k), and their `reading`, in place.

    The reading is that of the reference field: the state, stretched from `w_min` to `w_max`.
    `state`, `reading`, `w_min`, `w_max`: contiguous, of one shape; `scale` (k): see
    `PulseResponse`. Raises RuntimeError for others, and for places outside of `state`.
    """
    size, tables = state.shape, (response.number, response.place, response.step)
    for table in tables:
        check_shape("tables", table, len(response.number), 2)
    check_shape("lower ends", w_min, *size)
    check_shape("upper ends", w_max, *size)
    address("states", state, *size)
    address("readings", reading, *size)
    address("devices with a pulse", hit, len(hit), dtype=torch.int64)
    address("pulses", counts, len(hit))
    if scale is not None:
        address("steps", scale, len(hit))
    fired = _fire(
        *(table.numpy() for table in tables),
        np.float32(response.per_log_number),
        *(tensor.view(-1).numpy() for tensor in (state, reading, w_min, w_max, hit, counts)),
        (hit.new_empty(0, dtype=state.dtype) if scale is None else scale).numpy(),
    )
    if not fired:
        raise RuntimeError(
            f"devices with a pulse must lie from 0 to {state.numel() - 1}, "
            f"got {hit.min()} to {hit.max()}"
        )


@compiled(njit)
def _fire(number, place, step, per_log_number, states, reading, w_min, w_max, hit, counts, scale):
    for i in range(hit.size):
        if hit[i] < 0 or hit[i] >= states.size:
            return False
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    nodes = number.shape[0] // 2
    for i in range(hit.size):
        h = hit[i]
        state, count = states[h], counts[i]
        sign, branch = (one, 0) if count > zero else (-one, nodes)
        travelled = half + sign * (state - half)
        start, count = _at(number, travelled, branch, nodes), abs(count)
        if scale.size > 0:
            first = travelled + scale[i] * _at(step, travelled, branch, nodes)
            count *= _at(number, first, branch, nodes) - start
        end = start + count
        start = np.log1p(start if start > zero else zero) * per_log_number
        end = np.log1p(end if end > zero else zero) * per_log_number
        way = _at(place, end, branch, nodes) - _at(place, start, branch, nodes)
        state += sign * way
        state = zero if state < zero else state
        states[h] = one if state > one else state
        reading[h] = stretched(w_min[h], w_max[h], states[h])
    return True


@compiled(njit)
def _at(table, place, branch, nodes):
    """Linear interpolation at `place` (0 to 1) in the half of `table` that starts at `branch`."""
    last = np.float32(nodes - 1)
    position = place * last
    position = position if position > np.float32(0) else np.float32(0)  # also where it is a NaN
    position = position if position < last else last
    node = int(position)
    return table[node + branch, 0] + table[node + branch, 1] * (position - np.float32(node))
