"""Readings at rest before and after a branch: a stretch without response is no part of it.

A flat stretch counts as rest only where no smooth branch explains the readings as well: an LTP that
relaxes into its plateau ends smoothly, one that is no longer pulsed stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from device_models.pulses.noise import direction, noise_of
from device_models.pulses.records import Records
from device_models.pulses.relaxations import smooth_misfits
from device_models.pulses.smooth import mixture_misfit, smooth_misfit
from device_models.pulses.switching import Switching, find_switching
from device_models.pulses.types import FloatArray, IntArray, Segment

# Readings by which a turn may be found too late.
LATE = 4
# Readings that a rest has at least, and a branch beside it.
FEWEST_AT_REST = 6
FEWEST_MOVING = 3
# Squared misfit, in squares of the noise, that a rest saves at least against a smooth branch.
SAVED_BEFORE, SAVED_AFTER = 15.0, 25.0
# By this and the logarithm of their number more where several branches are looked at.
CHANCE = 3.0
# Misfits below this share of the range are no evidence.
FINEST = 0.001
# Shares of its fastest pace at which a branch leaves a rest, and at which it stops.
LEAVES, STOPS = 0.4, 0.1
# A rest drifts by less than this share of the range.
DRIFT = 0.05
# Readings a smooth curve is compared with; longer stretches as means.
MOST = 200
# Readings around the rough end of a rest at which it may end.
SEARCHED = 4


Span = tuple[int, int]
"""First and last index of a stretch."""


class Rests:
    """Stretches at rest of the traces of one file, and what traces say about each other.

    Ask for every trace in turn with `of`. Where `learned` then is true, another round with
    `again` knows when other traces began to respond: cells of an array are pulsed in turn.
    """

    def __init__(self, keep: bool = False, known: frozenset[int] = frozenset()):
        self.keep = keep
        self.notes: list[str] = []
        self._found_notes: list[str] = []
        self._known = known
        self._starts: set[int] = set()
        self._answers: list[list[Span]] = []
        self._recorded: Iterator[list[Span]] | None = None

    @property
    def learned(self) -> bool:
        """Whether a trace began to respond late, which the others did not know."""
        return bool(self._starts) and not self._known

    def again(self) -> Rests:
        """The same for another round, with the lines after which traces began to respond."""
        return Rests(self.keep, frozenset(self._starts))

    def replay(self) -> Rests:
        """The same answers for another round over the same traces."""
        rests = Rests(self.keep)
        rests.notes, rests._recorded = list(self._found_notes), iter(self._answers)
        return rests

    def of(
        self, records: Records, trace: FloatArray, lines: IntArray
    ) -> tuple[Switching | None, list[Span]]:
        """Stretches at rest of a trace, shape (n,), and its switches where there are none."""
        if self.keep:
            return None, []
        if self._recorded is not None:
            return None, next(self._recorded)
        found = find_switching(trace)
        known = [i for i, line in enumerate(lines.tolist()) if line in self._known]
        # On the logarithm, which decades are cut on, the inverse is the same curve upside down.
        inverse = records.rises < 0 and found.trace is trace
        spans = rests_of(found, known, inverse)
        self._answers.append(spans)
        if not spans:
            return found, []
        if spans[0][0] == 0:
            self._starts.add(int(lines[spans[0][1]]))
        self._found_notes.append(_note(records, spans, lines))
        self.notes.append(self._found_notes[-1])
        return None, spans

    def note_labelled(self, segments: Sequence[Segment], rises: int) -> None:
        """Note readings at rest in segments that the file labels; they stay, as it says so."""
        for segment in [] if self.keep else segments:
            values, lines = segment.values, segment.lines
            values = 1 / values if rises < 0 and values.min() > 0 else values
            for where, n in _ends(values, rises < 0):
                if n and lines is not None:
                    ends = (lines[0], lines[n - 1]) if where == "first" else (lines[-n], lines[-1])
                    self.notes.append(
                        f"{segment.name}: the {where} {n} readings (lines {ends[0]} to {ends[1]}) "
                        f"are at rest; they are kept, because the file calls them {segment.branch}"
                    )


def _ends(values: FloatArray, inverse: bool) -> Iterator[tuple[str, int]]:
    yield "first", _on_scales(rest_before, values, inverse)
    yield "last", _on_scales(rest_after, values, inverse, SAVED_AFTER)


def _note(records: Records, spans: list[Span], lines: IntArray) -> str:
    counts = [
        f"{high - low + 1} readings at rest (lines {lines[low]} to {lines[high]})"
        for low, high in spans
    ]
    column = records.table.column_name(records.column)
    return (
        f"{column}: {' and '.join(counts)} are no part of a branch and left out; "
        f"keep_rest=True keeps them"
    )


def rests_of(found: Switching, known: list[int], inverse: bool = False) -> list[Span]:
    """Stretches at rest in a trace, rising.

    `known` are indices up to which another trace of the same measurement is at rest: this one may
    be at rest from the next reading on. `inverse` is true for conductances from resistances.
    """
    bounds = [0, *found.at, found.trace.size - 1]
    trace, n = found.trace, len(bounds) - 1
    # Of many branches one looks like a rest by chance.
    more = CHANCE * np.log(n)
    parts = [trace[low : high + 1] for low, high in pairwise(bounds)]
    after = _usual([_to_turn(part, inverse, SAVED_AFTER + more) for part in parts], n - 1)
    moving = [part[: part.size - k] for part, k in zip(parts, after, strict=True)]
    before = _usual([_on_scales(rest_before, x, inverse, SAVED_BEFORE + more) for x in moving], 0)
    rests = [(low, low + k - 1) for low, k in zip(bounds[:-1], before, strict=True) if k]
    for k, high in enumerate(bounds[1:]):
        if after[k] and moving[k].size >= before[k] + FEWEST_MOVING:
            start = high - after[k] + 1
            # Where the next branch begins is seen better with the whole rest before it.
            end = high + moving[k + 1].size if k + 1 < n else high
            whole = _on_scales(rest_before, trace[start:end], inverse)
            rests.append((start, start + whole - 1 if whole else high))
    if not rests or max(high for _, high in rests) < bounds[-1]:
        rests += _rest_from_known(trace, bounds[-2], known)
    return _joined(rests)


def _usual(readings: list[int], end: int) -> list[int]:
    """Readings at rest of each stretch, those within a protocol only where it repeats them.

    The rest at the `end` of the trace needs no other like it.
    """
    kept = list(readings)
    for parity in (0, 1):
        inner = [k for k in range(parity, len(readings), 2) if k != end]
        if len(inner) > 2 and sum(readings[k] > 0 for k in inner) < len(inner) / 2:
            for k in inner:
                kept[k] = 0
    return kept


def _on_scales(
    rest: Callable[[FloatArray, float], int],
    part: FloatArray,
    inverse: bool,
    saved: float = SAVED_BEFORE,
) -> int:
    """Readings at rest on the scale of the readings, else on their `inverse`.

    A conductance that was measured as a resistance comes to rest slowly where it is small.
    """
    readings = rest(part, saved)
    return rest(1 / part, saved) if not readings and inverse and part.min() > 0 else readings


def _to_turn(part: FloatArray, inverse: bool, saved: float) -> int:
    """Readings at rest at the end of a stretch; its turn may lie a little too late."""
    readings = _on_scales(rest_after, part, inverse, saved)
    if readings or part.size <= LATE + FEWEST_AT_REST:
        return readings
    readings = _on_scales(rest_after, part[:-LATE], inverse, saved)
    return readings + LATE if readings else 0


def _rest_from_known(trace: FloatArray, last: int, known: list[int]) -> list[Span]:
    """The rest of a trace from where another one starts to respond, if this one is flat then."""
    for start in sorted(known):
        part = trace[start + 1 :]
        if start >= last + FEWEST_MOVING - 1 and part.size >= FEWEST_AT_REST and _flat(part, trace):
            return [(start + 1, trace.size - 1)]
    return []


def _flat(part: FloatArray, trace: FloatArray) -> bool:
    third = max(1, part.size // 3)
    drift = abs(float(part[-third:].mean() - part[:third].mean()))
    unsure = 2 * float(np.std(part)) * np.sqrt(2 / third)
    return abs(direction(part)) < 4 and drift < DRIFT * float(np.ptp(trace)) + unsure


def _joined(rests: list[Span]) -> list[Span]:
    """Rests that touch become one."""
    joined: list[Span] = []
    for low, high in sorted(rests):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def rest_after(branch: FloatArray, saved: float = SAVED_AFTER) -> int:
    """Readings at rest at the end of a branch of shape (n,) that rises or falls; 0 for none."""
    # The first reading on the level is that of the last pulse.
    readings = rest_before(branch[::-1], saved, STOPS) - 1
    return readings if readings >= FEWEST_AT_REST else 0


def rest_before(branch: FloatArray, saved: float = SAVED_BEFORE, pace: float = LEAVES) -> int:
    """Readings at rest at the start of a branch of shape (n,) that rises or falls; 0 for none.

    Next to the rest the branch moves at least at this share of its fastest pace; `saved` is the
    misfit that the rest has to save.
    """
    n, span = branch.size, float(np.ptp(branch))
    if n < FEWEST_AT_REST + FEWEST_MOVING or span == 0:
        return 0
    branch = branch / span
    if np.ptp(branch[:FEWEST_AT_REST]) > min(6 * max(noise_of(branch), FINEST), 0.3):
        return 0
    readings = _end_of_rest(branch)
    if readings < FEWEST_AT_REST or n - readings < FEWEST_MOVING:
        return 0
    if not (_flat(branch[:readings], branch) and _pace(branch, readings) >= pace):
        return 0
    return readings if _saved(branch, readings) > saved else 0


def _noise(branch: FloatArray, readings: int) -> float:
    """Noise of single readings; of a short branch its corner would count as noise."""
    at_rest = 1.15 * float(np.std(branch[:readings], ddof=1))
    return max(min(noise_of(branch), at_rest), FINEST)


def _end_of_rest(branch: FloatArray) -> int:
    """Readings at rest where a level, then a smooth curve from its last reading on fit best."""
    count = np.arange(1.0, branch.size + 1)
    level = np.cumsum(branch**2) - np.cumsum(branch) ** 2 / count
    after = smooth_misfits(branch)[1].min(axis=0)
    total = (level + after)[: branch.size - FEWEST_MOVING]
    readings = 1 + int(np.argmin(total))
    if readings < FEWEST_AT_REST:
        return 0
    if after[0] - total.min() < SAVED_BEFORE / 2 * _noise(branch, readings) ** 2:
        return 0
    last = min(readings + SEARCHED, branch.size - FEWEST_MOVING)
    near = range(readings - SEARCHED, last + 1)
    return min(near, key=lambda n: float(level[n - 1]) + mixture_misfit(_moving(branch, n)))


def _moving(branch: FloatArray, readings: int) -> FloatArray:
    """The branch from the level of its rest on, a few hundred readings at most."""
    start = branch[:readings].mean()
    return np.concatenate([[start], branch[readings : readings + MOST]])


def _pace(branch: FloatArray, readings: int) -> float:
    """How fast the branch moves next to its rest, as a share of its fastest pace."""
    moving = _moving(branch, readings)
    width = max(1, moving.size // 8)
    paces = np.abs(moving[width:] - moving[:-width])
    return float(paces[:2].max() / max(paces.max(), 1e-300))


def _saved(branch: FloatArray, readings: int) -> float:
    """Squared misfit that a rest saves against a smooth curve, in squares of the noise."""
    block = -(-branch.size // MOST)
    at_rest = _means(branch[:readings], block)
    moving = _means(branch[readings:], block)
    whole = np.concatenate([at_rest, moving])
    apart = float(np.sum((at_rest - at_rest.mean()) ** 2)) + mixture_misfit(moving)
    noise = _noise(branch, readings)
    variance = max(noise**2 / block, FINEST**2, apart / whole.size)
    return (smooth_misfit(whole) - apart) / variance


def _means(values: FloatArray, block: int) -> FloatArray:
    if block == 1 or values.size < 2 * block:
        return values
    return values[: values.size // block * block].reshape(-1, block).mean(axis=1)
