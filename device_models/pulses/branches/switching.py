"""Where one trace of readings switches between LTP and LTD.

A zigzag over the smoothed trace finds the reversals that stand out of the noise; each is then
moved to where two relaxations, one into it and one out of it, explain the readings best. On the
flat top of a saturated branch the largest reading is noise, the start of the fall is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_models.pulses.branches.noise import noise_of, scale_of
from device_models.pulses.branches.relaxations import likeliest, rough_switch, switch_evidence
from device_models.pulses.branches.zigzag import find_reversals
from device_models.pulses.types import FloatArray, IntArray

# Rounds in which the switches may move, as long as the misfit falls by this share.
ROUNDS = 5
BETTER = 1e-3
# Noise below this share of the range of two branches hides no switch.
QUIET = 0.002
# An extreme stands out by this many times the noise, where that is small and where it is not.
STANDS_OUT = (4.0, 6.0)


@dataclass(frozen=True, eq=False)
class Switching:
    """Switches of a trace of shape (n,): indices of the last reading before each, rising.

    `evidence` holds for each switch the log evidence of the readings from `starts` on.
    """

    trace: FloatArray
    at: list[int]
    starts: list[int]
    evidence: list[FloatArray]

    def loss(self, k: int, places: IntArray) -> FloatArray:
        """Log evidence that switch `k` loses at other places, of their shape; inf far away."""
        own = self.evidence[k]
        inside = places - self.starts[k]
        there = (inside >= 0) & (inside < own.size)
        loss = own.max() - own[np.clip(inside, 0, own.size - 1)]
        return np.where(there, loss, np.inf)


def find_switching(values: FloatArray) -> Switching:
    """Switches of a trace of shape (n,), each found from the readings around it alone."""
    trace = scale_of(values)
    if values.size < 4 or np.ptp(values) == 0:
        return Switching(trace, [], [], [])
    return switching_at(trace, _settled(trace, find_reversals(trace)))


def switching_at(trace: FloatArray, turns: list[int]) -> Switching:
    """Switches next to rough ones, with the evidence of the readings between their neighbours."""
    bounds = [0, *turns, trace.size - 1]
    found: dict[int, tuple[int, FloatArray]] = {}
    for k, (low, high) in enumerate(zip(bounds[:-2], bounds[2:], strict=True), start=1):
        evidence = switch_evidence(trace[low : high + 1])
        likely = low + likeliest(evidence)
        noise = max(noise_of(trace[low:likely]), noise_of(trace[likely + 1 : high + 1]))
        quiet = bool(noise < QUIET * np.ptp(trace[low : high + 1]))
        turn = _to_extreme(trace, (low, likely, high), noise, quiet)
        if turn != likely:
            # A reading that stands out so far is the switch for certain.
            evidence = np.where(np.arange(low, high + 1) == turn, 0.0, -np.inf)
        if 0 < turn < trace.size - 1 and turn not in found:
            found[turn] = low, evidence
        else:
            found[bounds[k]] = low, evidence
    at = sorted(found)
    return Switching(trace, at, [found[t][0] for t in at], [found[t][1] for t in at])


def _settled(trace: FloatArray, turns: list[int]) -> list[int]:
    """Turns moved to the likeliest switch between their neighbours while that explains more."""
    trace = trace / np.ptp(trace)
    known: dict[tuple[int, int], tuple[int, float]] = {}
    bounds, best, least = [0, *turns, trace.size - 1], turns, np.inf
    for _ in range(ROUNDS):
        pairs = list(zip(bounds[:-2], bounds[2:], strict=True))
        for low, high in pairs:
            if (low, high) not in known:
                known[low, high] = rough_switch(trace[low : high + 1])
        misfit = sum(known[pair][1] for pair in pairs)
        if misfit >= least * (1 - BETTER):
            break
        best, least = bounds[1:-1], misfit
        moved = [low + known[low, high][0] for low, high in pairs]
        bounds = [0, *moved, trace.size - 1]
        if min(np.diff(bounds)) <= 0 or moved == best:
            break
    return best


def _to_extreme(trace: FloatArray, around: tuple[int, int, int], noise: float, quiet: bool) -> int:
    """The most extreme reading close to the turn if it stands out of the noise, else the turn.

    `around` are the switch before, the turn, and the switch after it.
    """
    before, turn, after = around
    # Over a wide stretch the extreme of noisy readings is an outlier of theirs, not the switch.
    reach = 2 + (min(turn - before, after - turn) // 3 if quiet else 1)
    low = max(before + 1, turn - reach)
    near = trace[low : min(after, turn + reach + 1)]
    ends = (trace[before] + trace[after]) / 2
    best = low + int(np.argmax(near) if trace[turn] > ends else np.argmin(near))
    clear = STANDS_OUT[0] if quiet else STANDS_OUT[1]
    return best if abs(trace[best] - trace[turn]) > clear * noise else turn
