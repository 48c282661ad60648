"""A first row of zeros, which is no reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.counting import counts, is_clock, numbers_of
from device_models.pulses.table import Table, is_number
from device_models.pulses.types import FloatArray

EARLY = 3
"""Rows over which a mean step is taken, at the start and after it."""
# Of the first readings of columns; of these over a mean step in most columns, and in every one.
ONE_LEVEL, LEAP, LEAST_LEAP = 1.5, 3.0, 1.3
LEAST_EVEN = 0.65
"""Steps after the first ones are at least this share of them."""


def rows_of(table: Table, rows: NDArray[np.intp]) -> Table:
    """Table with some of its rows, by their indices."""

    def pick(items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(items[row] for row in rows)

    return replace(
        table,
        columns=tuple(pick(cells) for cells in table.columns),
        lines=pick(table.lines),
        n_fields=pick(table.n_fields),
    )


def without_zeros(table: Table) -> tuple[Table, list[str]]:
    """Table without a first row of zeros, which is no reading where all others are far from 0."""
    first = [cells[0] for cells in table.columns if cells]
    if sum(is_number(cell, table.decimal) and not cell.strip("+-0.,eE") for cell in first) < 2:
        return table, []
    arrays = {c: numbers_of(table, c) for c in range(len(table.headings))}
    readings = [
        v
        for v in arrays.values()
        if v is not None and not (counts(v) or is_clock(v)) and v.size > 3
    ]
    if len(readings) < 2 or not _start_with_a_leap(readings):
        return table, []
    if any(v is None and any(table.columns[c]) for c, v in arrays.items()):
        return table, []
    note = f"line {table.lines[0]} is left out: 0 in all columns, and no reading comes near it"
    return rows_of(table, np.arange(1, len(table.lines))), [note]


def _start_with_a_leap(readings: Sequence[FloatArray]) -> bool:
    """0 first in all columns, then readings a leap away, which are not relative to the largest."""
    if any(v[0] != 0 or np.any(np.isnan(v)) or np.any(v[1:] == 0) for v in readings):
        return False
    rest = [np.abs(v[1:]) for v in readings]
    if any(r.max() in (1.0, 100.0) for r in rest):
        return False
    return all(_stay_far(r) for r in rest) or _go_on_evenly(rest)


def _stay_far(sizes: FloatArray) -> bool:
    """The first reading is further from 0 than any step, and no other comes near 0."""
    leap = sizes[0] > 2 * np.abs(np.diff(sizes)).max()
    return bool(leap and sizes.min() > 0.25 * sizes.max())


def _go_on_evenly(rest: Sequence[FloatArray]) -> bool:
    """Columns start from about one level, far from 0 beside steps that do not shrink after it.

    Readings that do grow from 0 with a first step so large go on with steps that shrink.
    """
    if any(r.size < 2 * EARLY + 1 for r in rest):
        return False
    firsts = np.array([r[0] for r in rest])
    if firsts.max() > ONE_LEVEL * firsts.min():
        return False
    early = np.array([abs(r[EARLY] - r[0]) / EARLY for r in rest])
    later = np.array([abs(r[2 * EARLY] - r[EARLY]) / EARLY for r in rest])
    leaps = firsts > LEAP * early
    is_leap = np.mean(leaps) > 0.5 and np.all(firsts > LEAST_LEAP * early)
    return bool(is_leap and np.median(later) > LEAST_EVEN * np.median(early))
