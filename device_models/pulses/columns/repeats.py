"""Several readings of one state, side by side: they are averaged, their scatter is read noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device_models.pulses.columns.counting import numbers_of
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import words_of
from device_models.pulses.columns.sidelines import Reading
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError

# Reads of one state scatter by less than this share of what the trace spans.
SCATTER = 0.05
REPEAT_WORDS = frozenset(
    ["read", "reads", "reading", "readings", "repeat", "repeats", "rep", "reps", "meas", "sample"]
)

# First column of each set of repeats, with all its columns.
Repeats = dict[int, tuple[int, ...]]


def find_repeats(
    table: Table,
    readings: Sequence[Reading],
    wide_of: str | None,
    named: frozenset[int],
    is_one_read: bool,
    warnings: list[str],
) -> tuple[list[Reading], Repeats]:
    """Readings with one column for each set of repeats, and the columns of each set.

    `named` are columns that the caller calls repeats of the one to their left; `is_one_read` says
    that each row carries the voltage of its own read and pulse, so that numbered columns beside
    it are hardly other cycles. Without `wide_of="repeat"` the numbers have to be
    numbered alike and follow one trace closely.
    """
    sets = _named_sets(readings, named)
    if wide_of in (None, "repeat") and not sets:
        sets = _numbered_sets(table, readings, wide_of, is_one_read)
    if wide_of == "repeat" and not sets:
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0])}: wide_of='repeat' contradicts the "
            f"file: no two columns read the same state"
        )
    repeats = {members[0][0]: tuple(c for c, _, _ in members) for members in sets}
    warnings += [_averaged(table, columns) for columns in repeats.values()]
    gone = {c for columns in repeats.values() for c in columns[1:]}
    kept = [
        (c, replace(h, number=None) if c in repeats else h, p)
        for c, h, p in readings
        if c not in gone
    ]
    return kept, repeats


def _named_sets(readings: Sequence[Reading], named: frozenset[int]) -> list[list[Reading]]:
    """Each column that is called a repeat, with the one to its left that is not."""
    sets: list[list[Reading]] = []
    for reading in readings:
        if reading[0] not in named:
            sets.append([reading])
        elif sets:
            sets[-1].append(reading)
    return [members for members in sets if len(members) > 1]


def _numbered_sets(
    table: Table, readings: Sequence[Reading], wide_of: str | None, is_one_read: bool
) -> list[list[Reading]]:
    """Columns that differ in nothing but a number and, unless said, follow one trace closely."""
    groups: dict[tuple[object, ...], list[Reading]] = {}
    for reading in readings:
        groups.setdefault(_key(reading[1], wide_of == "repeat"), []).append(reading)
    sets = [members for members in groups.values() if len(members) > 1]
    if wide_of == "repeat":
        return sets
    plain = [m for m in sets if _is_numbered(m) and (is_one_read or _is_called_so(m))]
    return [members for members in plain if _follow_one_trace(table, members)]


def _key(heading: Heading, with_cycles: bool) -> tuple[object, ...]:
    """What repeats of one read share."""
    cycle = None if with_cycles and _counts_reads(heading) else heading.cycle
    labels = (heading.branch, heading.device, cycle, heading.field_G, heading.amplitude_V)
    return (*labels, heading.width_s, heading.condition, heading.measures, heading.unit)


def _counts_reads(heading: Heading) -> bool:
    """The number in the heading was taken for a cycle, but says "rep 2" or "repeat 2"."""
    return bool(REPEAT_WORDS & set(words_of(heading.text)))


def _is_called_so(members: Sequence[Reading]) -> bool:
    """ "G read 1", "G read 2", or the like."""
    return all(REPEAT_WORDS & set(words_of(h.text)) for _, h, _ in members)


def _is_numbered(members: Sequence[Reading]) -> bool:
    """One name with 0, 1, 2, ... or 1, 2, 3, ... behind it."""
    numbers = [h.number for _, h, _ in members]
    stems = {"".join(w for w in words_of(h.text) if not w.isdigit()) for _, h, _ in members}
    counted = [[str(i + k) for i in range(len(members))] for k in (0, 1)]
    return len(stems) == 1 and numbers in counted


def _follow_one_trace(table: Table, members: Sequence[Reading]) -> bool:
    """Columns scatter far less than the trace moves, but not by nothing at all."""
    arrays = [numbers_of(table, c) for c, _, _ in members]
    if any(a is None for a in arrays):
        return False
    values = np.array([a for a in arrays if a is not None])
    values = values[:, ~np.any(np.isnan(values), axis=0)]
    if values.shape[1] < 3:
        return False
    scatter, span = _scatter(values), float(np.ptp(values.mean(axis=0)))
    return 0 < scatter < SCATTER * span


def _scatter(values: FloatArray) -> float:
    """Std of one read, from arrays of shape (repeats, rows)."""
    return float(np.sqrt(np.mean(np.var(values, axis=0, ddof=1))))


def _averaged(table: Table, columns: Sequence[int]) -> str:
    first, last = table.column_name(columns[0]), table.column_name(columns[-1])
    return (
        f"{first} to {last} are {len(columns)} reads of the same state: averaged, their scatter is "
        f"the read noise; wide_of='device' or wide_of='cycle' reads them apart"
    )


def average(repeats: Sequence[FloatArray]) -> tuple[FloatArray, float | None]:
    """Mean of arrays of shape (rows,), NaN where no read is there, and the std of one read."""
    values = np.array(repeats)
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0)
    mean = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    off = np.where(there, values - mean, 0.0)
    freedom = int(np.maximum(count - 1, 0).sum())
    return mean, float(np.sqrt((off**2).sum() / freedom)) if freedom else None
