"""A lone number beside a table: left out with a word where nothing else can be meant.

A field too many is most often a broken line, so the line has to be whole without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from device_models.pulses.table import Table, is_missing, to_number, width_of
from device_models.pulses.types import show

Row = Sequence[str]

FEWEST_ROWS = 5
"""Rows that show how a table goes on."""

LARGEST_STEP = 1.5
"""Largest change to the row before, in the largest of the other rows."""


def without_stray(
    table: Table, body: Sequence[Row], n_columns: int, delimiter: str
) -> tuple[Sequence[Row], list[str]]:
    """Rows no wider than the table, and a note where a lone number beside it was left out.

    Raises PulseDataError for every other field that is too many.
    """
    if max(table.n_fields) <= n_columns:
        return body, []
    long = [i for i, row in enumerate(body) if width_of(row) > n_columns]
    if not long:
        return body, []
    row, at = body[long[0]], long[0]
    if len(long) == 1 and table.header_line and _is_stray(table, body, at, n_columns, delimiter):
        rows = [row[:n_columns] if i == at else row for i, row in enumerate(body)]
        stray = show(row[width_of(row) - 1])
        text = f"line {table.lines[at]}: {stray} left out: a lone number below no heading"
        return rows, [text]
    said = "the first row has"
    if table.header_line:
        said = f"the header in line {table.header_line} names"
    raise table.error(
        at, n_columns, f"{show(row[n_columns])} is one field too many; {said} {n_columns}"
    )


def _is_stray(table: Table, body: Sequence[Row], at: int, n_columns: int, delimiter: str) -> bool:
    """One number beside the last row, or away from the table, that leaves its row whole."""
    row = body[at]
    beyond = [cell for cell in row[n_columns:] if cell]
    is_one = len(beyond) == 1 and re.fullmatch(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?", beyond[0])
    if not is_one or n_columns < 2 or len(body) <= FEWEST_ROWS:
        return False
    # "3,1,5" and "3 1 500" may be one number with a decimal comma or a thousands separator.
    is_split = delimiter in (",", " ") and table.sheet is None and beyond[0].isdigit()
    is_beside = at == len(body) - 1 or not row[n_columns]
    others = [other for i, other in enumerate(body) if i != at]
    whole = all(_goes_on(table, others, row, at, c) for c in range(n_columns))
    return is_beside and not is_split and whole


def _goes_on(table: Table, others: Sequence[Row], row: Row, at: int, column: int) -> bool:
    """The cell is written like those above it and follows them."""
    cells = [other[column] for other in others if column < len(other) and other[column]]
    cell = row[column] if column < len(row) else ""
    if not cells or is_missing(cell):
        return not cells
    if _form(cell) not in {_form(other) for other in cells}:
        return False
    values = np.array([to_number(other, table.decimal) for other in cells])
    value = to_number(cell, table.decimal)
    if np.isnan(value) or np.isnan(values).any() or not 0 < at <= len(values):
        return cell in cells
    return bool(abs(value - values[at - 1]) <= LARGEST_STEP * float(np.abs(np.diff(values)).max()))


def _form(cell: str) -> tuple[int, bool]:
    """Digits after the decimal sign and whether there is an exponent."""
    match = re.match(r"[+-]?\d*(?:[.,](\d*))?([eE])?", cell)
    assert match is not None
    return len(match[1] or ""), match[2] is not None
