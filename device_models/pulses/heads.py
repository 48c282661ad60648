"""Where the readings of a table start, and one heading a column from the rows above them.

A head may have a row of names alone, a row of units below it, and rows of labels around it: of
conditions, devices or branches, with merged cells blank after the first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from device_models.pulses.headings import Heading, HeadingError, is_known, read_heading
from device_models.pulses.tables import (
    NUMBER,
    RawRows,
    Source,
    counts,
    is_missing,
    width_of,
)
from device_models.pulses.units import find_unit

HEADER_REACH = 60
BAND = 6
"""Rows a head has at most."""

LABELS = ("branch", "device", "cycle", "field", "amplitude", "width")
# Words that programs write in front of the rows of a head.
UNIT_ROWS = ("units", "unit", "y_unit_label")
HEAD_WORDS = (*UNIT_ROWS, "long name", "longname", "short name", "comments", "comment", "name")

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
        return Head(_trimmed(rows[first]), first, first, first + 1)
    band = _band(rows, first, source)
    names_row = _names_row(rows, band, first, source)
    if names_row is None:
        above = first - 1 if first and _is_damaged(rows[first - 1], rows[first]) else first
        return Head((), None, above, above)
    if names_row not in band:
        # What stands between is no head: where it is no reading either, reading it says so.
        return Head(_trimmed(rows[names_row]), names_row, names_row, names_row + 1)
    names, used = _composed(rows, names_row, band, source)
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
    if not row[0]:
        return counts(row[1:])
    k = next((i for i, cell in enumerate(row) if re.match(r"\d", cell)), 0)
    roles = [heading.role if (heading := read(cell)) else "" for cell in row[:k]]
    is_head = any(role in LABELS for role in roles) and not any(role == "value" for role in roles)
    return is_head and width_of(row) - k > 1 and counts(row[k:]) and below[0] != row[0]


def _band(rows: Sequence[Row], first: int, source: Source) -> list[int]:
    """Rows directly above the readings that may belong to the head, from the lowest."""
    width = width_of(rows[first])
    band: list[int] = []
    for i in range(first - 1, max(-1, first - 1 - BAND), -1):
        if not (is_heading_row(rows[i], width, source) or _label_values(rows[i], width, source)):
            break
        band.append(i)
    return band


def _names_row(rows: Sequence[Row], band: list[int], first: int, source: Source) -> int | None:
    """The row that names the columns: the one with most known names near the readings."""
    scores = {i: _score(rows[i], source) for i in band if not _is_unit_row(rows[i])}
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
        heading = read(cell) if cell and not find_unit(cell) else None
        if heading is not None and heading.role != "unknown" and not source.is_condition(cell):
            score += 1.5 if heading.measures or heading.unit else 1.0
    return score


def _composed(
    rows: Sequence[Row], names_row: int, band: Sequence[int], source: Source
) -> tuple[tuple[str, ...], list[int]]:
    """Names with their units and labels, and the rows that are used for them."""
    composed, used = list(_trimmed(rows[names_row])), [names_row]
    others = sorted((i for i in band if i != names_row), key=lambda i: (abs(i - names_row), i))
    if composed[0].lower() in HEAD_WORDS and others:
        composed[0] = ""
    for i in others:
        row = list(_trimmed(rows[i]))
        if row[0].lower() in HEAD_WORDS:
            row[0] = ""
        if _is_unit_row(row) or rows[i][0].lower() in UNIT_ROWS:
            composed = [
                with_unit(name, unit) for name, unit in zip_longest(composed, row, fillvalue="")
            ]
        elif labels := list(_labels(row, composed, source)):
            composed = list(map(_with_label, composed, labels))
        else:
            continue
        used.append(i)
    return tuple(composed), used


def _is_damaged(row: Row, below: Row) -> bool:
    """A row as long as the readings below it that begins like one of them."""
    is_long = 2 * width_of(row) > width_of(below)
    return is_long and any(re.match(r"[+-]?[.,]?\d", cell) for cell in row)


def _is_remark(row: Row) -> bool:
    """A row of text below the names; where a cell begins like a number it is a damaged reading."""
    return width_of(row) > 1 and not any(re.match(r"[+-]?[.,]?\d", cell) for cell in row)


def _with_label(name: str, label: str) -> str:
    """Name and label; a code in brackets follows the unit without brackets, as "G_uS (A7)"."""
    if label.startswith("("):
        name = re.sub(r"\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]$", r"_\1", name)
    return f"{name} {label}".strip()


def with_unit(name: str, unit: str) -> str:
    """Name and unit; a name that has one keeps it, and a pulse column needs none."""
    unit = unit.strip("()[]")
    heading = read(name) if name else None
    return name if not unit or (heading is not None and heading.unit) else f"{name} ({unit})"


def _labels(row: Row, names: Sequence[str], source: Source) -> Iterator[str]:
    """Label of each column from one row; nothing where the row labels nothing."""
    if width_of(row) > len(names):
        return
    values = _label_values(row, len(names), source)
    cells = list(values or row) + [""] * (len(names) - len(row))
    meant = [_is_label_cell(cell, source) for cell in cells]
    blank_first = not cells[0] or is_missing(cells[0])
    if (
        not values
        and not blank_first
        and not all(m for m, c in zip(meant, cells, strict=True) if c)
    ):
        return
    readings = [i for i, name in enumerate(names) if not _is_number_column(name)]
    same = len({names[i] for i in readings}) < len(readings)
    texts = [cells[i] for i in readings if cells[i]]
    if not any(meant) and not (same and len(set(texts)) > 1):
        return
    filled = _filled(cells)
    for i in range(len(names)):
        yield _label_text(filled[i], meant[i], source) if i in readings else ""


def _filled(cells: Sequence[str]) -> list[str]:
    """Merged cells: a blank one counts as the one to its left."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled and not is_missing(filled[-1]) else ""))
    return ["" if is_missing(cell) else cell for cell in filled]


def _label_text(cell: str, is_meant: bool, source: Source) -> str:
    """The label as headings have it; "A7" is a device where nothing else says what it is."""
    is_code = re.fullmatch(r"[A-Za-z]{0,2}\d+[a-z]?", cell) is not None
    return f"({cell})" if is_code and not _is_label_cell(cell, source) else cell


def _label_values(row: Row, width: int, source: Source) -> list[str]:
    """Labels of a row such as "cycle, 1, 2, 3" or "amplitude (V), 1.2, 0.9" above names."""
    heading = read(row[0]) if row and row[0] else None
    cells = [cell for cell in row[1:] if cell]
    if heading is None or heading.role not in LABELS or len(cells) < 2 or width_of(row) > width:
        return []
    if not all(NUMBER[source.decimal].fullmatch(cell) for cell in cells):
        return []
    if heading.role in ("cycle", "device"):
        return ["", *(f"{heading.role} {cell}" if cell else "" for cell in row[1:])]
    unit = {"field": "G", "amplitude": "V", "width": "s"}[heading.role]
    symbol = heading.unit.symbol if heading.unit else unit
    return ["", *(f"{cell} {symbol}" if cell else "" for cell in row[1:])]


def _is_label_cell(cell: str, source: Source) -> bool:
    """The cell is a label of readings: a branch, cycle, device or a number with any unit."""
    heading = read(cell) if cell else None
    if heading is not None and heading.labelled and not heading.unit:
        return True
    match = NUMBER[source.decimal].match(cell)
    return match is not None and re.fullmatch(r"\s*[^\W\d]+", cell[match.end() :]) is not None


def is_label(cell: str) -> bool:
    """The cell is a word for a branch or another label, as rows of a long table start with."""
    heading = read(cell) if cell else None
    return heading is not None and heading.labelled


def _is_number_column(name: str) -> bool:
    heading = read(name) if name else None
    return heading is not None and heading.role in ("pulse", "ignored", *LABELS)


def _is_unit_row(row: Row) -> bool:
    bare = [cell.strip("()[]") for cell in row if cell]
    return any(find_unit(cell) for cell in bare) and all(
        find_unit(cell) or cell in ("#", "count") for cell in bare
    )


def _trimmed(row: Row) -> tuple[str, ...]:
    return tuple(row[: width_of(row)])


@lru_cache(maxsize=4096)
def read(text: str) -> Heading | None:
    """What a heading says; None where it cannot be understood."""
    try:
        return read_heading(text)
    except HeadingError:
        return None
