"""A first row of zeros, which is no reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.counting import counts, is_clock, numbers_of
from device_models.pulses.tables import Table, is_number
from device_models.pulses.types import FloatArray


def rows_of(table: Table, rows: NDArray[np.intp]) -> Table:
    """Table with some of its rows, by their indices."""

    def pick(items: Sequence) -> tuple:
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
    if len(readings) < 2 or any(not _starts_at_zero(v) for v in readings):
        return table, []
    if any(v is None and any(table.columns[c]) for c, v in arrays.items()):
        return table, []
    note = f"line {table.lines[0]} is left out: 0 in all columns, and no reading comes near it"
    return rows_of(table, np.arange(1, len(table.lines))), [note]


def _starts_at_zero(values: FloatArray) -> bool:
    """0 first, then readings a leap away, which are not relative to the largest."""
    rest = values[1:]
    if values[0] != 0 or np.any(np.isnan(rest)) or np.any(rest == 0):
        return False
    size = np.abs(rest)
    is_relative = size.max() in (1.0, 100.0)
    leap = size[0] > 2 * np.abs(np.diff(rest)).max()
    return bool(not is_relative and leap and size.min() > 0.25 * size.max())
