"""Pulses of one aihwkit PiecewiseStep device one after the other, in its own arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_NUMBERS = 257
LONG = 3000
"""Pulses from which on a walk is compiled; a shorter one takes less time than compiling it."""


def pulse_numbers(n_pulses: float) -> IntArray:
    """Whole pulse numbers from 0 to `n_pulses`, all of few, and of many the first ones denser."""
    n_pulses = int(n_pulses)
    if n_pulses < 2 * N_NUMBERS:
        return np.arange(n_pulses + 1)
    first = np.expm1(np.linspace(0, np.log1p(n_pulses), N_NUMBERS))
    numbers = np.concatenate([np.linspace(0, n_pulses, N_NUMBERS), first])
    return np.unique(np.rint(numbers).astype(np.int64).clip(0, n_pulses))


def walk(nodes: FloatArray, start: float, at: IntArray) -> FloatArray:
    """Distances travelled [1] after `at` (rising) pulses from `start`, for steps at even `nodes`.

    `nodes` are in half ranges and stand along the way, as in `crossbar.arrays.travel`.
    """
    return _form(_walk, at[-1] > LONG)(nodes.astype(np.float32), start, at)


def walk_with_slopes(
    nodes: FloatArray, start: float, at: IntArray, block: int
) -> tuple[FloatArray, FloatArray]:
    """Distances (n,) after `at` / `block` blocks of pulses, and their slopes by each node (n, m).

    `nodes` are shares of the range. A block of pulses is one jump, exact between two nodes.
    """
    return _form(_walk_with_slopes, at[-1] // block > LONG // 10)(nodes, start, at // block, block)


@cache
def _form(function: Callable[..., Any], compiled: bool) -> Callable[..., Any]:
    if not compiled:
        return function
    from numba import njit

    from crossbar.kernels import threads

    return threads.compiled(njit)(function)


def _walk(nodes, start, at):
    # As aihwkit's C++ code has it: 32 bits, here with weights from -1 to 1.
    one, parts = np.float32(1), len(nodes) - 1
    weight, done = np.float32(2 * start - 1), 0
    places = np.empty(len(at))
    for i in range(len(at)):
        while done < at[i]:
            place = (weight + one) / np.float32(2) * np.float32(parts)
            node = min(int(place), parts - 1)
            share = place - np.float32(node)
            weight += (one - share) * nodes[node] + share * nodes[node + 1]
            weight = min(weight, one)
            done += 1
        places[i] = (weight + one) / np.float32(2)
    return places


def _walk_with_slopes(nodes, start, at, block):
    parts = len(nodes) - 1
    place, done = start, 0
    slope = np.zeros(len(nodes))
    places, slopes = np.empty(len(at)), np.empty((len(at), len(nodes)))
    for i in range(len(at)):
        while done < at[i]:
            node = min(int(place * parts), parts - 1)
            share = place * parts - node
            gain = (nodes[node + 1] - nodes[node]) * parts
            growth, pulses = 1 + gain, 1.0 * block
            if block > 1:
                growth = max(growth, 1e-3) ** block
                pulses = (growth - 1) / gain if abs(gain) * block > 1e-6 else pulses
            place += pulses * ((1 - share) * nodes[node] + share * nodes[node + 1])
            slope *= growth
            slope[node] += pulses * (1 - share)
            slope[node + 1] += pulses * share
            if place >= 1:
                place = 1.0
                slope[:] = 0
            done += 1
        places[i] = place
        slopes[i] = slope
    return places, slopes
