"""Where one trace of readings switches between LTP and LTD.

A zigzag over the smoothed trace finds the reversals that stand out of the noise; each is then
moved to where two relaxations, one into it and one out of it, fit the readings best. On the flat
top of a saturated branch the largest reading is noise, the start of the fall is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter

from device_models.pulses.types import FloatArray, IntArray

# A reversal returns at least this share of the range; drift and slow noise return less.
REVERSAL_SHARES = np.geomspace(0.2, 0.6, 12)
REVERSAL_NOISE = 7.0
ENOUGH = 4
"""Turns, or traces, that are needed to see what they have in common."""

USUAL = 0.4
"""Share of them that must agree to the reading."""

LOG_RATIO = 20.0
# Readings that are fitted at once: longer stretches first as means, then this far to each side.
LONGEST = 250


def noise_of(values: FloatArray) -> float:
    """Noise of single readings of a slowly changing trace, shape (n,), from fourth differences."""
    order = 4 if values.size >= 10 else 2
    if values.size <= order + 1:
        return 0.0
    # White noise of 1 gives differences of this variance; curvature leaves little in them.
    variance = 70.0 if order == 4 else 6.0
    return float(1.4826 * np.median(np.abs(np.diff(values, order))) / np.sqrt(variance))


def direction(values: FloatArray) -> float:
    """Change from the first to the last third over its standard error; + for rising readings."""
    third = max(1, values.size // 3)
    first, last = values[:third], values[-third:]
    change = float(last.mean() - first.mean())
    error = max(noise_of(values) * np.sqrt(2 / third), 1e-9 * float(np.ptp(values)), 1e-300)
    return change / error


def scale_of(values: FloatArray) -> FloatArray:
    """The trace, or its logarithm where that spreads the readings and not only their noise."""
    if values.size < 3 or values.min() <= 0:
        return values
    if np.percentile(values, 99) < LOG_RATIO * np.percentile(values, 1):
        return values
    logs = np.log(values)
    roughness = [np.std(np.diff(v, 2)) / np.ptp(v) for v in (values, logs)]
    return logs if roughness[1] < roughness[0] else values


def find_switches(values: FloatArray) -> list[int]:
    """Indices of the last reading before each reversal of a trace of shape (n,), rising."""
    if values.size < 4 or np.ptp(values) == 0:
        return []
    trace = scale_of(values)
    smooth, noise = _smoothed(trace)
    choices = _zigzags(smooth, _thresholds(smooth, noise))
    return _on_period(trace, _refine(trace, _most_stable(choices)))


def _smoothed(trace: FloatArray) -> tuple[FloatArray, float]:
    """Running median as wide as the noise asks for, and the noise that is left in it."""
    noise = noise_of(trace)
    for width in range(3, 103, 2):
        left = 1.25 * noise / np.sqrt(width)
        if REVERSAL_NOISE * left <= REVERSAL_SHARES[0] * np.ptp(trace) or width > trace.size / 12:
            break
    return median_filter(trace, width, mode="nearest"), float(left)


def _thresholds(smooth: FloatArray, noise: float) -> list[float]:
    """Retreats that may count as a reversal, rising."""
    span = float(np.ptp(smooth))
    floor = min(REVERSAL_NOISE * noise, REVERSAL_SHARES[-1] * span)
    return [max(float(share) * span, floor) for share in REVERSAL_SHARES]


def _most_stable(choices: list[list[int]]) -> list[int]:
    """The reversals whose number holds over the widest stretch of thresholds."""
    counts = [len(turns) for turns in choices]
    return choices[max(range(len(counts)), key=lambda i: (counts.count(counts[i]), i))]


def _zigzags(trace: FloatArray, thresholds: list[float]) -> list[list[int]]:
    """Zigzag for each of the rising thresholds; turns at one are among those at the one below."""
    first = _zigzag(trace, thresholds[0])
    # The stretches before the first and after the last turn count with their extremes.
    marks = {0, trace.size - 1, *first}
    for low, high in ((0, first[0] if first else trace.size), (first[-1] if first else 0, None)):
        end = trace[low:high]
        marks |= {low + int(np.argmin(end)), low + int(np.argmax(end))} if end.size else set()
    at = sorted(marks)
    return [first, *([at[i] for i in _zigzag(trace[at], t)] for t in thresholds[1:])]


def _zigzag(trace: FloatArray, threshold: float) -> list[int]:
    """Extremes between which the trace moves by more than `threshold`, the first and last not."""
    turns: list[int] = []
    low = high = trace[0]
    low_at = high_at = 0
    rising = 0
    for i, value in enumerate(trace.tolist()):
        if value > high:
            high, high_at = value, i
        if value < low:
            low, low_at = value, i
        if rising >= 0 and high - value > threshold:
            if rising:
                turns.append(high_at)
            rising, low, low_at = -1, value, i
            high, high_at = value, i
        elif rising <= 0 and value - low > threshold:
            if rising:
                turns.append(low_at)
            rising, high, high_at = 1, value, i
            low, low_at = value, i
    return turns


def _refine(trace: FloatArray, turns: list[int]) -> list[int]:
    """Turns moved to the best switch between their neighbours, until none moves."""
    bounds = [0, *turns, trace.size - 1]
    known: dict[tuple[int, int], int] = {}
    for _ in range(4):
        before = list(bounds)
        for k in range(1, len(bounds) - 1):
            low, high = bounds[k - 1], bounds[k + 1]
            if (low, high) not in known:
                part = trace[low : high + 1]
                known[low, high] = low + _best_switch(part, n_shapes=12, fine=False)
            bounds[k] = known[low, high]
        if bounds == before:
            break
    turns = []
    for low, turn, high in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True):
        turn = low + _best_switch(trace[low : high + 1], n_shapes=24)
        turns.append(_to_extreme(trace, low, turn, high))
    return sorted(set(turns) - {0, trace.size - 1})


class Switches:
    """Where the traces of one file switch: found one by one, then agreed among equal traces.

    Ask for every trace in turn with `of`; `agree` compares what was found, and where it moved
    anything, the same questions in the same order get the agreed answers.
    """

    def __init__(self) -> None:
        self._traces: list[FloatArray] = []
        self._turns: list[list[int]] = []
        self._answers: Iterator[list[int]] | None = None

    def of(self, values: FloatArray) -> list[int]:
        """Indices of the last reading before each reversal of a trace of shape (n,), rising."""
        if self._answers is not None:
            return next(self._answers)
        turns = find_switches(values)
        self._traces.append(scale_of(values))
        self._turns.append(turns)
        return turns

    def agree(self) -> bool:
        """Give traces of equal length the switches most of them have; whether any moved."""
        kinds: dict[tuple[int, int], list[int]] = {}
        for i, (trace, turns) in enumerate(zip(self._traces, self._turns, strict=True)):
            kinds.setdefault((trace.size, len(turns)), []).append(i)
        before = list(self._turns)
        for (_, count), members in kinds.items():
            if count and len(members) >= ENOUGH:
                found = np.array([self._turns[i] for i in members])
                usual = np.array([_commonest(column) for column in found.T])
                for i, own in zip(members, found, strict=True):
                    at_home = np.mean(np.all(found == usual, axis=1)) >= USUAL
                    if at_home and _may_move(self._traces[i], own, usual):
                        self._turns[i] = [int(turn) for turn in usual]
        self._answers = iter(self._turns)
        return self._turns != before


def _on_period(trace: FloatArray, turns: list[int]) -> list[int]:
    """Turns on the grid of a protocol that repeats itself, where most of them lie on one.

    On a flat, noisy top a switch is only known to a few readings; that the next cycles have the
    same length is better evidence. Turns stay where the readings contradict the grid.
    """
    if len(turns) < ENOUGH:
        return turns
    lengths = np.diff(turns)
    typical = [_commonest(lengths[parity::2]) for parity in (0, 1)]
    steps = np.array([typical[i % 2] for i in range(len(lengths))])
    grid = np.concatenate([[0], np.cumsum(steps)])
    grid += _commonest(np.array(turns) - grid)
    if grid[0] <= 0 or grid[-1] >= trace.size - 1 or np.mean(grid == turns) < USUAL:
        return turns
    return [int(turn) for turn in grid] if _may_move(trace, np.array(turns), grid) else turns


def _may_move(trace: FloatArray, turns: IntArray, grid: IntArray) -> bool:
    """Whether turns may go to `grid`: not far, and to readings that differ by noise at most."""
    stretches = np.diff(np.concatenate([[0], grid, [trace.size - 1]]))
    limit = max(4 * noise_of(trace), 0.03 * float(np.ptp(trace)))
    near = np.abs(grid - turns).max() <= max(2, stretches.min() // 10)
    return bool(near and np.all(np.abs(trace[grid] - trace[turns]) <= limit))


def _commonest(values: IntArray) -> int:
    """The most frequent value; of several the middle one."""
    unique, counts = np.unique(values, return_counts=True)
    best = unique[counts == counts.max()]
    return int(best[len(best) // 2])


def _to_extreme(trace: FloatArray, before: int, turn: int, after: int) -> int:
    """The most extreme reading close to the turn if it stands out of the noise, else the turn."""
    noise = max(noise_of(trace[before:turn]), noise_of(trace[turn + 1 : after + 1]))
    # Over a wide stretch the extreme of noisy readings is an outlier of theirs, not the switch.
    quiet = noise < 0.002 * np.ptp(trace[before : after + 1])
    reach = 2 + (min(turn - before, after - turn) // 3 if quiet else 1)
    low = max(before + 1, turn - reach)
    near = trace[low : min(after, turn + reach + 1)]
    ends = (trace[before] + trace[after]) / 2
    best = low + int(np.argmax(near) if trace[turn] > ends else np.argmin(near))
    return best if abs(trace[best] - trace[turn]) > 4 * noise else turn


def _best_switch(trace: FloatArray, n_shapes: int, fine: bool = True) -> int:
    """Index at which one relaxation ends and the next starts, least squares over all indices.

    Long traces are searched on means of `block` readings; `fine` then places the switch within.
    """
    if trace.size < 5 or np.ptp(trace) == 0:
        return trace.size // 2
    block = -(-trace.size // LONGEST)
    means = trace[: trace.size // block * block].reshape(-1, block).mean(axis=1)
    into, after = _misfits(means, _bases(means.size, n_shapes))
    switch = _lowest(into.min(axis=0) + after.min(axis=0))
    if block == 1 or not fine:
        return switch * block
    best_into, best_after = np.argsort(into[:, switch])[:4], np.argsort(after[:, switch])[:4]
    bases = Bases(_shapes(trace.size, n_shapes, block, tuple({*best_into, *best_after})))
    into, after = _misfits(trace, (bases, bases.reversed()))
    switch = _lowest(into.min(axis=0) + after.min(axis=0))
    if trace.size <= 3 * LONGEST or 0 not in best_after:
        return switch
    low = max(0, switch - LONGEST)
    return low + _best_switch(trace[low : switch + LONGEST], n_shapes)


def _lowest(misfit: FloatArray) -> int:
    return int(1 + np.argmin(misfit[1:-1]))


class Bases:
    """Shapes (shapes, n) that readings are compared with, and what of that the readings share.

    `sums`, `spread`: sums and sums of squared deviations up to each index, the latter infinite
    where a shape does not change yet and explains nothing.
    """

    def __init__(self, shapes: FloatArray):
        self.shapes = shapes
        self.count = np.arange(1.0, shapes.shape[1] + 1)
        self.sums = shapes.cumsum(axis=1)
        squares = (shapes**2).cumsum(axis=1)
        spread = squares - self.sums**2 / self.count
        self.spread = np.where(spread > 1e-9 * squares, spread, np.inf)

    def reversed(self) -> Bases:
        """The same from the last reading to the first."""
        return Bases(self.shapes[:, ::-1])

    def misfit(self, trace: FloatArray) -> FloatArray:
        """Squared misfit of c + d·shape to the readings up to each index, shape (shapes, n)."""
        y, squares = trace.cumsum(), (trace**2).cumsum()
        products = (self.shapes * trace).cumsum(axis=1) - self.sums * (y / self.count)
        return np.maximum(squares - y**2 / self.count - products**2 / self.spread, 0.0)


@lru_cache(maxsize=64)
def _bases(n: int, n_shapes: int) -> tuple[Bases, Bases]:
    """Bases of the shapes of short traces, forwards and backwards."""
    bases = Bases(_shapes(n, n_shapes))
    return bases, bases.reversed()


def _misfits(trace: FloatArray, bases: tuple[Bases, Bases]) -> tuple[FloatArray, FloatArray]:
    """Squared misfits of the readings up to and from each index, both of shape (shapes, n)."""
    trace = (trace - trace.mean()) / np.ptp(trace)
    return bases[0].misfit(trace), bases[1].misfit(trace[::-1])[:, ::-1]


def _shapes(
    n: int, n_shapes: int, block: int = 1, rows: tuple[int, ...] | None = None
) -> FloatArray:
    """Shapes a branch may have, shape (shapes, n): fast first, slow first, and straight.

    With `block`, those `rows` of the shapes that means of `block` readings were compared with.
    """
    m, steps = n // block, np.arange(n, dtype=float)
    # Below n / 300 the squared shape underflows; its scale does not matter, its zeros would.
    taus = block * np.geomspace(max(0.5, m / 300), max(4.0, 2.0 * m), n_shapes)
    # A straight line over decades is a logarithm on the logarithmic scale.
    starts = block * np.geomspace(0.02, m / 4 + 1, 6)
    half = n_shapes + starts.size

    def shape(row: int) -> FloatArray:
        turned, k = divmod(row, half)
        if turned == 2:
            return steps
        fast_first = np.exp(-steps / taus[k]) if k < n_shapes else _log(steps, starts[k - n_shapes])
        return fast_first[::-1] if turned else fast_first

    return np.array([shape(row) for row in (range(2 * half + 1) if rows is None else rows)])


def _log(steps: FloatArray, start: float) -> FloatArray:
    return np.log1p(steps / start)
