"""Where the readings of a table start, and one heading a column from the rows above them.

A head may have a row of names alone, a row of units below it, and rows of labels around it: of
conditions, devices or branches, with merged cells blank after the first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from device_models.pulses.columns.headings import is_known
from device_models.pulses.table import (
    RawRows,
    Source,
    counts,
    is_missing,
    rises,
    width_of,
)
from device_models.pulses.tables.head_labels import (
    LABELS,
    compose,
    filled_part,
    is_label,
    is_unit_row,
    label_values,
    read,
)

HEADER_REACH = 60
BAND = 6
"""Rows a head has at most."""

Row = Sequence[str]


@dataclass(frozen=True)
class Head:
    """Names of the columns (none where the table has no head) and the rows they come from.

    `names_row` is that of the names, `top` the first row that belongs to the table, `start` the
    first row of readings; all count from 0.
    """

    names: tuple[str, ...]
    names_row: int | None
    top: int
    start: int


def find_head(raw: RawRows, source: Source) -> Head:
    """Head of a table; PulseDataError where there are no rows of numbers."""
    first = _first_reading(raw, source)
    rows = raw.cells
    if _numbered(rows, first):
        return Head(filled_part(rows[first]), first, first, first + 1)
    band = _band(rows, first, source)
    names_row = _names_row(rows, band, first, source)
    if names_row is None:
        above = first - 1 if first and _is_damaged(rows[first - 1], rows[first]) else first
        return Head((), None, above, above)
    if names_row not in band:
        # What stands between is no head: where it is no reading either, reading it says so.
        return Head(filled_part(rows[names_row]), names_row, names_row, names_row + 1)
    names, used = compose(rows, names_row, band, source)
    damaged = [i for i in range(names_row, first) if i not in used and not _is_remark(rows[i])]
    return Head(names, names_row, min(used), min([first, *damaged]))


def _first_reading(raw: RawRows, source: Source) -> int:
    """Index of the first row of readings."""
    rows = raw.cells
    tail = rows[len(rows) // 2 :]
    sample = tail[:: max(1, len(tail) // 100)]
    votes: Counter[int] = Counter()
    bare: Counter[int] = Counter()
    for row in sample:
        for column, cell in enumerate(row):
            if cell and not is_missing(cell):
                votes[column] += 1 if source.is_number(cell) else -1
                bare[column] += -1 if source.is_condition(cell) else 1
    numeric = {column for column, vote in votes.items() if vote > 0}
    plain = {column for column in numeric if bare[column] > 0}
    fewest = min((width_of(row) for row in sample), default=0)
    for i, row in enumerate(rows):
        labels = any(c < len(row) and source.is_condition(row[c]) for c in plain)
        if not labels and is_reading(row, numeric, fewest, source):
            return _below_heading(rows, i, numeric, fewest, source)
    expected = "expected a header and rows of numbers, or rows of numbers"
    if not rows:
        raise source.error(1, f"no table: {expected}")
    if len(rows) <= 2 and any(is_known(cell) for cell in rows[-1] if cell):
        raise source.error(raw.lines[-1], "header only: no readings below it")
    raise source.error(raw.lines[0], f"no table of numbers found; {expected}")


def is_reading(row: Row, numeric: set[int], fewest: int, source: Source) -> bool:
    """The row has numbers, or nothing, in all columns that hold numbers."""
    if width_of(row) < fewest:
        return False
    cells = [row[c] for c in numeric if c < len(row)]
    numbers = sum(source.is_number(cell) for cell in cells)
    return numbers > 0 and all(source.is_number(c) or is_missing(c) for c in cells)


def _below_heading(
    rows: Sequence[Row], first: int, numeric: set[int], fewest: int, source: Source
) -> int:
    """First reading below a row of known names that has only settings ("Limit, 1") above it."""
    keys: set[str] = set()
    for i in range(first, min(len(rows) - 1, first + HEADER_REACH)):
        row = rows[i]
        cells = [cell for cell in row if cell]
        if len(cells) > 1 and all(is_known(cell) for cell in cells):
            is_head = is_heading_row(row, width_of(rows[i + 1]), source)
            if is_head and is_reading(rows[i + 1], numeric, fewest, source):
                return i + 1
        # Settings have names, each another one; rows of a table start with numbers or labels.
        if source.is_number(row[0]) or is_label(row[0]) or row[0] in keys:
            return first
        keys.add(row[0])
    return first


def is_heading_row(row: Row, width: int, source: Source) -> bool:
    """All text, or a known name followed by numbers of columns ("pulse, 1, 2, 3")."""
    named = width_of(row)
    if named == 0 or (named == 1 and width > 1):
        return False
    if not any(source.is_number(c) and not source.is_condition(c) for c in row if c):
        return True
    return is_known(row[0]) and not source.is_number(row[0]) and named == width and counts(row[1:])


def _numbered(rows: Sequence[Row], first: int) -> bool:
    """The row numbers the columns, after an index without name or after names of labels."""
    row, below = rows[first], rows[first + 1] if first + 1 < len(rows) else []
    if width_of(row) < 2 or not below or not below[0]:
        return False
    if width_of(row) == 2 and first and any(is_known(cell) for cell in rows[first - 1] if cell):
        return False
    if not row[0]:
        return counts(row[1:])
    k = next((i for i, cell in enumerate(row) if re.match(r"\d", cell)), 0)
    roles = [heading.role if (heading := read(cell)) else "" for cell in row[:k]]
    is_head = any(role in LABELS for role in roles) and not any(role == "value" for role in roles)
    is_rising = counts(row[k:]) or rises(row[k:])
    return is_head and width_of(row) - k > 1 and is_rising and below[0] != row[0]


def _band(rows: Sequence[Row], first: int, source: Source) -> list[int]:
    """Rows directly above the readings that may belong to the head, from the lowest."""
    width = width_of(rows[first])
    band: list[int] = []
    for i in range(first - 1, max(-1, first - 1 - BAND), -1):
        if not (is_heading_row(rows[i], width, source) or label_values(rows[i], width, source)):
            break
        band.append(i)
    return band


def _names_row(rows: Sequence[Row], band: list[int], first: int, source: Source) -> int | None:
    """The row that names the columns: the one with most known names near the readings."""
    scores = {i: _score(rows[i], source) for i in band if not is_unit_row(rows[i])}
    best = max(scores, key=lambda i: (scores[i], i), default=None)
    if best is not None and scores[best] > 0:
        return best
    for i in range(first - 1, max(-1, first - 1 - HEADER_REACH), -1):
        if not is_heading_row(rows[i], width_of(rows[first]), source):
            continue
        if i == first - 1 or any(is_known(cell) for cell in rows[i] if cell):
            return i
    return None


def _score(row: Row, source: Source) -> float:
    """Cells that name a column; more where they also say what it measures."""
    score = 0.0
    for cell in row:
        heading = read(cell) if cell else None
        if heading is not None and heading.role != "unknown" and not source.is_condition(cell):
            score += 1.5 if heading.measures or heading.unit else 1.0
    return score


def _is_damaged(row: Row, below: Row) -> bool:
    """A row as long as the readings below it that begins like one of them."""
    is_long = 2 * width_of(row) > width_of(below)
    return is_long and any(re.match(r"[+-]?[.,]?\d", cell) for cell in row)


def _is_remark(row: Row) -> bool:
    """A row of text below the names; where a cell begins like a number it is a damaged reading."""
    return width_of(row) > 1 and not any(re.match(r"[+-]?[.,]?\d", cell) for cell in row)
