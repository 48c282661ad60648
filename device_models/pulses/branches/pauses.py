"""Where the traces of a file are at rest: before, between and after their branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from device_models.pulses.branches.noise import noise_of
from device_models.pulses.branches.records import Records
from device_models.pulses.branches.rest import (
    FEWEST_AT_REST,
    FEWEST_MOVING,
    SAVED_AFTER,
    SAVED_BEFORE,
    is_flat,
    rest_after,
    rest_before,
)
from device_models.pulses.branches.switching import Switching, find_switching
from device_models.pulses.types import FloatArray, IntArray, Segment

# By this and the logarithm of their number more where several branches are looked at.
CHANCE = 3.0
# Readings by which a turn may be found too late.
LATE = 4
# Noise of a resistance as a share of its range with which it is looked at itself.
LITTLE_NOISE = 0.02
# Below this range numbers have no digits left.
LEAST_SPAN = 1e-290

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
    span, n = float(np.ptp(found.trace)), len(bounds) - 1
    if not LEAST_SPAN < span < np.inf:
        return []
    # A conductance of which the inverse is looked at, too, keeps its zero.
    trace = found.trace / span
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
    if readings or not inverse or part.min() <= 0:
        return readings
    # Where the noise of a resistance spans much of its range, nothing is seen on its scale.
    part = 1 / part
    return rest(part, saved) if noise_of(part) < LITTLE_NOISE * float(np.ptp(part)) else 0


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
        if (
            start >= last + FEWEST_MOVING - 1
            and part.size >= FEWEST_AT_REST
            and is_flat(part, trace)
        ):
            return [(start + 1, trace.size - 1)]
    return []


def _joined(rests: list[Span]) -> list[Span]:
    """Rests that touch become one."""
    joined: list[Span] = []
    for low, high in sorted(rests):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined
