"""Steps on even nodes, fitted so that pulse after pulse from a branch's start follows its curve."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from crossbar.arrays.travel import branch_curve
from crossbar.nodes.walk import IntArray, walk_with_slopes
from device_models import DeviceCard

FloatArray = NDArray[np.float64]

AIMED_AT = 2e-4
"""Distance from the curve, over the range, that weighs as much as `STRAY`."""

STRAY = 0.5
"""Change of the logarithm of a node from its first value that weighs as much as `AIMED_AT`."""

ROUNDS = 40
NEARER = 0.999
"""A round that leaves more of the sum of squares than this is the last one."""

LONGEST = 20_000
"""Jumps in a walk of the fit; of longer branches several pulses are one."""

MANY = 4
"""Pulses past a node from which on its step is set by how long they take."""

TURNS, BISECTIONS, N_TRIED = 8, 30, 16
SLOWEST = 1e-7
"""Least step over the range: below, a weight of 32 bits does not move at all."""


def fitted_nodes(
    card: DeviceCard,
    branch: str,
    field_G: float,
    sampled: FloatArray,
    at: IntArray,
    curve: FloatArray,
) -> Iterator[FloatArray]:
    """Steps over the range [1] at even nodes along the way (m,), one try after the other.

    First guess: as many pulses from node to node as the branch takes; a second one has even steps
    to the first node behind its start. After each, its least squares on the distances travelled,
    `curve` (n,) after `at` (n,) pulses, in logarithms of the steps. Nodes that a branch never
    comes by keep what was `sampled` (m,).
    """
    beyond = np.arange(len(sampled)) >= curve[-1] * (len(sampled) - 1) + 1
    timed = _timed_nodes(card, branch, field_G, sampled)
    for guess in (lambda: timed, lambda: _evenly_left(timed, at, curve)):
        nodes = guess()
        yield np.where(beyond, sampled, nodes)
        yield np.where(beyond, sampled, _fitted(nodes, at, curve))


def _fitted(nodes: FloatArray, at: IntArray, curve: FloatArray) -> FloatArray:
    """Nodes near `nodes` whose walk comes nearest to the curve."""
    first = np.log(nodes)
    block = max(1, int(at[-1]) // LONGEST)
    stray = np.eye(len(first)) / STRAY

    def misses(logarithms: FloatArray) -> tuple[FloatArray, FloatArray]:
        nodes = np.exp(logarithms)
        places, slopes = walk_with_slopes(nodes, float(curve[0]), at, block)
        return (
            np.concatenate([(places - curve) / AIMED_AT, (logarithms - first) / STRAY]),
            np.concatenate([slopes * nodes / AIMED_AT, stray]),
        )

    return np.exp(_least_squares(misses, first))


def _least_squares(
    misses: Callable[[FloatArray], tuple[FloatArray, FloatArray]], best: FloatArray
) -> FloatArray:
    """Levenberg's way to the least sum of squares of `misses`, a fixed number of rounds."""
    miss, slopes = misses(best)
    damping = 1.0
    for _ in range(ROUNDS):
        normal = slopes.T @ slopes
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slopes.T @ miss)
        tried = np.clip(best - np.clip(step, -1, 1), np.log(SLOWEST), 0)
        miss_there, slopes_there = misses(tried)
        nearer = (miss_there @ miss_there) / (miss @ miss)
        damping *= 0.2 if nearer < 1 else 5
        if nearer < 1:
            best, miss, slopes = tried, miss_there, slopes_there
        if NEARER < nearer < 1:
            break
    return best


def _evenly_left(nodes: FloatArray, at: IntArray, curve: FloatArray) -> FloatArray:
    """Nodes with steps alike on both sides of the start, those that come nearest to the curve."""
    start = float(curve[0])
    second = min(int(start * (len(nodes) - 1)) + 1, len(nodes) - 1)
    way = second / (len(nodes) - 1) - start
    pulses = np.interp(start + way, curve, at).clip(1)
    best, best_miss, nearest = nodes, np.inf, 1.0
    block = max(1, int(at[-1]) // LONGEST)
    for low, high in ((0.3, 30), (0.75, 1.35)):
        for factor in nearest * np.geomspace(low, high, N_TRIED):
            tried = nodes.copy()
            tried[second - 1 : second + 1] = np.clip(factor * way / pulses, SLOWEST, 1)
            miss = np.abs(walk_with_slopes(tried, start, at, block)[0] - curve).max()
            if miss < best_miss:
                best, best_miss, nearest = tried, miss, factor
    return best


def _timed_nodes(card: DeviceCard, branch: str, field_G: float, sampled: FloatArray) -> FloatArray:
    """Nodes between which a device takes as many pulses as the branch, in turn every second one.

    What was sampled is kept where less than `MANY` pulses pass a node: no step is cut there.
    """
    places = np.linspace(0, 1, len(sampled))
    curve = branch_curve(card, branch, field_G)
    numbers = np.interp(places, curve.travelled, curve.pulses)
    numbers[0] = 0
    pulses = np.concatenate([[0], np.diff(numbers), [0]])
    passed = (pulses[:-1] + pulses[1:] >= MANY) & (pulses[1:] > 0)
    nodes = np.clip(sampled, SLOWEST, 1)
    for turn in range(TURNS):
        own = np.flatnonzero(passed & (np.arange(len(nodes)) % 2 == turn % 2))
        nodes[own] = _steps_that_take(pulses, nodes, own, places[1])
    return nodes


def _steps_that_take(
    pulses: FloatArray, nodes: FloatArray, own: IntArray, way: float
) -> FloatArray:
    """Steps at the nodes `own` that take the `pulses` before and behind them, by bisection."""
    before = np.where(own > 0, nodes[np.maximum(own - 1, 0)], np.inf)
    behind = nodes[np.minimum(own + 1, len(nodes) - 1)]
    low, high = np.full(len(own), np.log(SLOWEST)), np.zeros(len(own))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        step = np.exp(middle)
        taken = _pulses_between(before, step, way) * (own > 0) + _pulses_between(step, behind, way)
        more = taken > pulses[own] + pulses[own + 1]
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.exp((low + high) / 2)


def _pulses_between(first: FloatArray, second: FloatArray, way: float) -> FloatArray:
    """Pulses from a node with the step `first` to the next one, `way` behind it."""
    with np.errstate(all="ignore"):
        gain = (second - first) / way
        pulses = np.log(second / first) / np.log1p(np.maximum(gain, -0.999))
    return np.where(np.abs(gain) < 1e-9, way / first, np.nan_to_num(pulses))
