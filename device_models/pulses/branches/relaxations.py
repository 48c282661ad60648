"""How well two relaxations, one into a switch and one out of it, explain the readings around it.

Every reading between the neighbours of a switch may be the switch. Its evidence is summed over the
shapes that a branch may have, because the best shape alone follows the noise next to the switch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from device_models.pulses.branches.noise import noise_of
from device_models.pulses.types import FloatArray

# Readings that are fitted at once: longer stretches first as means, then this far to each side.
LONGEST = 250
FEWEST = 5
# Misfits below this share of the range are no evidence against a shape.
FINEST = 1e-4
COARSE_SHAPES, FINE_SHAPES = 12, 24
BEST_SHAPES = 4
N_LOGS = 6
# Centres and widths of S-shaped branches, in shares of the stretch; where the usual shapes miss
# the readings by more than this many times the noise and this share of the range.
S_SHAPES = [
    (centre, width)
    for width in (0.015, 0.022, 0.033, 0.05, 0.075)
    for centre in np.arange(0.05, 0.95, 0.5 * width)
]
S_MISFIT = 1.5
S_LEAST = 0.005
# Log weights of shapes that are fast first, slow first, straight and S-shaped.
WEIGHTS = (0.0, -4.0, 2.0, -9.0)


def rough_switch(trace: FloatArray) -> tuple[int, float]:
    """Likeliest switch of a trace of shape (n,) seen on few readings, and the misfit it leaves."""
    if trace.size < FEWEST or np.ptp(trace) == 0:
        return trace.size // 2, 0.0
    block, means = _means(trace)
    misfits = _all_misfits(means, COARSE_SHAPES)
    evidence = _evidence(means, misfits, _weights(COARSE_SHAPES, len(misfits[0])))
    misfit = _least(misfits) * trace.size * float(np.ptp(means)) ** 2
    return likeliest(evidence) * block, misfit


def switch_evidence(trace: FloatArray) -> FloatArray:
    """Log evidence, up to a constant, that each reading is the switch between two branches.

    `trace` has shape (n,), as the answer, which is -inf where no switch is. Long traces are first
    searched on means of several readings.
    """
    nothing = np.full(trace.size, -np.inf)
    if trace.size < FEWEST or np.ptp(trace) == 0:
        nothing[trace.size // 2] = 0.0
        return nothing
    block, means = _means(trace)
    misfits = _all_misfits(means, FINE_SHAPES)
    weights = _weights(FINE_SHAPES, len(misfits[0]))
    evidence = _evidence(means, misfits, weights)
    if block == 1:
        return evidence
    switch = likeliest(evidence)
    best = [np.argsort(misfit[:, switch])[:BEST_SHAPES].tolist() for misfit in misfits]
    rows = sorted({*best[0], *best[1]})
    bases = Bases(_shapes(trace.size, FINE_SHAPES, block, tuple(rows)))
    evidence = _evidence(trace, _misfits(trace, (bases, bases.reversed())), weights[rows])
    if trace.size <= 3 * LONGEST or 0 not in best[1]:
        return evidence
    # A branch that starts faster than a block of readings: look at these readings alone.
    low = max(0, likeliest(evidence) - LONGEST)
    near = trace[low : low + 2 * LONGEST]
    nothing[low : low + near.size] = switch_evidence(near)
    return nothing


def _means(trace: FloatArray) -> tuple[int, FloatArray]:
    """A long trace as means of blocks of readings, and their length."""
    block = -(-trace.size // LONGEST)
    return block, trace[: trace.size // block * block].reshape(-1, block).mean(axis=1)


def _all_misfits(trace: FloatArray, n_shapes: int) -> tuple[FloatArray, FloatArray]:
    """Misfits of the usual shapes, and of the S-shaped ones where no usual one fits."""
    misfits = _misfits(trace, _bases(trace.size, n_shapes))
    noise = noise_of(trace) / float(np.ptp(trace))
    if _least(misfits) <= (S_MISFIT * noise) ** 2 + S_LEAST**2:
        return misfits
    return _misfits(trace, _bases(trace.size, n_shapes, s_shaped=True))


def smooth_misfits(trace: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Squared misfits of all shapes to the readings up to and from each index, (shapes, n)."""
    scale = float(np.ptp(trace)) ** 2
    if scale == 0:
        return np.zeros((1, trace.size)), np.zeros((1, trace.size))
    if trace.size <= LONGEST:
        bases = _bases(trace.size, COARSE_SHAPES, s_shaped=True)
    else:
        forwards = Bases(_shapes(trace.size, COARSE_SHAPES, 1, _rows(COARSE_SHAPES)))
        bases = forwards, forwards.reversed()
    into, after = _misfits(trace, bases)
    return into * scale, after * scale


def _least(misfits: tuple[FloatArray, FloatArray]) -> float:
    """The least squared misfit a reading."""
    into, after = misfits
    return float(float((into.min(axis=0) + after.min(axis=0))[1:-1].min()) / into.shape[1])


def likeliest(evidence: FloatArray) -> int:
    """The median of the switch under its evidence, the guess that is off by least."""
    weights = np.exp(evidence - evidence.max())
    return int(np.searchsorted(weights.cumsum(), weights.sum() / 2))


def _evidence(
    trace: FloatArray, misfits: tuple[FloatArray, FloatArray], weights: FloatArray
) -> FloatArray:
    noise = noise_of(trace) / float(np.ptp(trace))
    variance = max(noise**2, _least(misfits), FINEST**2)
    logs = [_log_sum(weights[:, None] - misfit / (2 * variance)) for misfit in misfits]
    evidence = np.sum(logs, axis=0)
    evidence[[0, -1]] = -np.inf
    return np.asarray(evidence)


def _log_sum(logs: FloatArray) -> FloatArray:
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=0)))


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
def _bases(n: int, n_shapes: int, s_shaped: bool = False) -> tuple[Bases, Bases]:
    """Bases of the shapes of short traces, forwards and backwards."""
    bases = Bases(_shapes(n, n_shapes, 1, _rows(n_shapes, s_shaped)))
    return bases, bases.reversed()


def _rows(n_shapes: int, s_shaped: bool = False) -> tuple[int, ...]:
    return tuple(range(2 * (n_shapes + N_LOGS) + 1 + (len(S_SHAPES) if s_shaped else 0)))


def _misfits(trace: FloatArray, bases: tuple[Bases, Bases]) -> tuple[FloatArray, FloatArray]:
    """Squared misfits of the readings up to and from each index, both of shape (shapes, n)."""
    trace = (trace - trace.mean()) / np.ptp(trace)
    return bases[0].misfit(trace), bases[1].misfit(trace[::-1])[:, ::-1]


def _shapes(n: int, n_shapes: int, block: int, rows: tuple[int, ...]) -> FloatArray:
    """Those `rows` of the shapes a branch may have, shape (rows, n), for means of `block` readings.

    Fast first, slow first, straight, S-shaped.
    """
    m, steps = n // block, np.arange(n, dtype=float)
    # Below n / 300 the squared shape underflows; its scale does not matter, its zeros would.
    taus = block * np.geomspace(max(0.5, m / 300), max(4.0, 2.0 * m), n_shapes)
    # A straight line over decades is a logarithm on the logarithmic scale.
    starts = block * np.geomspace(0.02, m / 4 + 1, N_LOGS)
    half = n_shapes + N_LOGS

    def shape(row: int) -> FloatArray:
        turned, k = divmod(row, half)
        if row == 2 * half:
            return steps
        if row > 2 * half:
            centre, width = S_SHAPES[row - 2 * half - 1]
            return np.tanh((steps / n - centre) / (2 * width))
        fast_first = np.exp(-steps / taus[k]) if k < n_shapes else _log(steps, starts[k - n_shapes])
        return fast_first[::-1] if turned else fast_first

    return np.array([shape(row) for row in rows])


def _weights(n_shapes: int, n_rows: int) -> FloatArray:
    """Log weights of the first of the shapes above, shape (rows,)."""
    counts = (n_shapes + N_LOGS, n_shapes + N_LOGS, 1, len(S_SHAPES))
    weights = [np.full(n, w) for n, w in zip(counts, WEIGHTS, strict=True)]
    return np.concatenate(weights)[:n_rows]


def _log(steps: FloatArray, start: float) -> FloatArray:
    return np.log1p(steps / start)
