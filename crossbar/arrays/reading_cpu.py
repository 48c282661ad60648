"""Readings on the CPU, for all devices or for those that got a pulse.

Compiled without fast mathematics: a device reads the same bits whether it is one of a few that
got a pulse or one of all, so that a field that is left and set again changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from crossbar.kernels.contract import address
from crossbar.kernels.threads import compiled


def places(state: Tensor, table: Tensor, part: Tensor | None, share: Tensor | None) -> Tensor:
    """Places [1] read of `state` [1], any shape; `part` and `share` of its shape, or one table."""
    state = state.contiguous()
    out = torch.empty_like(state)
    address("states", state, *state.shape)
    arrays = _map_arrays(state, part, share)
    _places(state.view(-1).numpy(), table.numpy(), *arrays, out.view(-1).numpy())
    return out


def read_at(
    hit: Tensor,
    state: Tensor,
    low: Tensor,
    high: Tensor,
    table: Tensor,
    part: Tensor | None,
    share: Tensor | None,
    reading: Tensor,
) -> None:
    """Write the readings [weight] of the devices `hit` (k) of `state` into `reading`, in place.

    Raises RuntimeError for places outside of it.
    """
    for name, values in (("states", state), ("lower ends", low), ("upper ends", high)):
        address(name, values, *reading.shape)
    address("readings", reading, *reading.shape)
    address("devices with a pulse", hit, len(hit), dtype=torch.int64)
    flat = (values.view(-1).numpy() for values in (state, low, high))
    arrays = _map_arrays(state, part, share)
    if not _read_at(hit.numpy(), *flat, table.numpy(), *arrays, reading.view(-1).numpy()):
        raise RuntimeError(f"devices with a pulse must lie from 0 to {reading.numel() - 1}")


def _map_arrays(state: Tensor, part: Tensor | None, share: Tensor | None) -> tuple[Any, Any]:
    if part is None or share is None:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    address("parts", part, *state.shape, dtype=torch.int32)
    address("shares", share, *state.shape)
    return part.view(-1).numpy(), share.view(-1).numpy()


def exact(function: Any) -> Any:
    """Compile `function` as it is written: no fused or reordered operations."""
    return compiled(lambda **options: njit(**{**options, "fastmath": False}))(function)


@exact
def stretched(low, high, place):
    """Reading [weight] of a place [1] in the range from `low` to `high`, exact at both ends."""
    return low * (np.float32(1) - place) + high * place


@exact
def _place(table, state, part):
    last = np.float32(table.shape[1] - 1)
    position = state * last
    position = position if position > np.float32(0) else np.float32(0)  # also where it is a NaN
    position = position if position < last else last
    node = int(position)
    way = position - np.float32(node)
    return table[part, node, 0] + table[part, node, 1] * way


@exact
def _place_of(table, state, parts, shares, i):
    if state != state:
        return state
    if parts.size == 0:
        return _place(table, state, 0)
    part = parts[i]
    following = min(part + 1, table.shape[0] - 1)
    first, second = _place(table, state, part), _place(table, state, following)
    return first + (second - first) * shares[i]


@exact
def _places(states, table, parts, shares, out):
    for i in range(states.size):
        out[i] = _place_of(table, states[i], parts, shares, i)


@exact
def _read_at(hit, states, low, high, table, parts, shares, reading):
    for i in range(hit.size):
        if hit[i] < 0 or hit[i] >= states.size:
            return False
    for i in range(hit.size):
        h = hit[i]
        place = _place_of(table, states[h], parts, shares, h)
        reading[h] = stretched(low[h], high[h], place)
    return True
