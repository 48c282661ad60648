"""Settings above a table as pairs of lines: their names, and below them one line of values."""

from __future__ import annotations

from collections.abc import Sequence

from device_models.pulses.table import RawRows, Source, width_of
from device_models.pulses.tables.head_labels import LABELS, read
from device_models.pulses.tables.line_kinds import has_numbers, is_text, starts_like_number

Row = Sequence[str]

FEWEST_ROWS = 5
"""Rows of numbers below the last pair that make it the table."""

LINES_OF_PAIR = 2
SHORT = 2
"""Cells of a line between the pairs at most, such as a name and its value."""

REACH = 60
"""Rows in which the pairs stand, short lines of text between them."""


def without_pairs(raw: RawRows, source: Source, aside: list[Row]) -> RawRows:
    """Only the table below pairs of names and values; all rows where there are no such pairs."""
    pairs, at = _pairs(raw, source)
    if not pairs or not _is_table(raw, at, source):
        return raw
    if any(_may_label(raw.cells[i], raw.cells[at]) for i in pairs):
        return raw
    end = pairs[-1] + LINES_OF_PAIR
    aside += raw.cells[:end]
    return raw.take(range(end, len(raw.cells)))


def _pairs(raw: RawRows, source: Source) -> tuple[list[int], int]:
    """Rows of the names of each pair, and the row where they and short lines of text end."""
    pairs: list[int] = []
    at = 0
    while at + LINES_OF_PAIR < min(len(raw.cells), REACH):
        row = raw.cells[at]
        if pairs and _is_table(raw, at, source):
            break
        if _is_pair(raw, at, source):
            pairs.append(at)
            at += LINES_OF_PAIR
        elif width_of(row) <= SHORT and not starts_like_number(row):
            at += 1
        else:
            break
    return pairs, at


def _is_pair(raw: RawRows, at: int, source: Source) -> bool:
    """Names, as many values, and then names of something else."""
    names, values, below = (raw.cells[at + k] for k in range(LINES_OF_PAIR + 1))
    same = width_of(names) == width_of(values) > 1
    heads = is_text(names, source) and all(names) and is_text(below, source)
    stated = has_numbers(values, source) or any(map(_is_date, values))
    is_other = list(below) != list(names) and not _names_readings(names) and not _is_name(values[0])
    return same and heads and stated and is_other


def _is_name(cell: str) -> bool:
    """A label, or the name of one, as rows of labels begin with."""
    heading = read(cell) if cell else None
    return heading is not None and (heading.labelled or heading.role in LABELS)


def _may_label(names: Row, head: Row) -> bool:
    """As many names as columns, which may be labels of these one by one."""
    if width_of(names) != width_of(head):
        return False
    headings = [read(cell) for cell in names]
    is_label = any(h is not None and (h.labelled or h.role == "value") for h in headings)
    return is_label or len(set(head)) < len(head)


def _is_date(cell: str) -> bool:
    return cell[:1].isdigit() and sum(not c.isdigit() for c in cell) > 1


def _names_readings(names: Row) -> bool:
    """Pulse numbers beside readings: a table of one row, and no settings."""
    roles = {heading.role for cell in names if (heading := read(cell)) is not None}
    return {"pulse", "value"} <= roles


def _is_table(raw: RawRows, at: int, source: Source) -> bool:
    """A head and at least so many rows of numbers follow."""
    rows = raw.cells[at + 1 : at + 1 + FEWEST_ROWS]
    width = width_of(raw.cells[at])
    numbers = [has_numbers(row, source) and starts_like_number(row) for row in rows]
    return len(rows) == FEWEST_ROWS and width > 1 and all(numbers)
