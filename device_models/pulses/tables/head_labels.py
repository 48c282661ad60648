"""One heading a column from the rows of a head: names, units, and labels around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

from device_models.pulses.columns.headings import Heading, HeadingError, read_heading
from device_models.pulses.table import NUMBER, Source, is_missing, width_of
from device_models.pulses.units import find_unit

LABELS = ("branch", "device", "cycle", "field", "amplitude", "width")
# Words that programs write in front of the rows of a head.
UNIT_ROWS = ("units", "unit", "y_unit_label")
HEAD_WORDS = (*UNIT_ROWS, "long name", "longname", "short name", "comments", "comment", "name")

Row = Sequence[str]


def compose(
    rows: Sequence[Row], names_row: int, band: Sequence[int], source: Source
) -> tuple[tuple[str, ...], list[int]]:
    """Names with their units and labels, and the rows that are used for them."""
    composed, used = list(filled_part(rows[names_row])), [names_row]
    others = sorted((i for i in band if i != names_row), key=lambda i: (abs(i - names_row), i))
    if composed[0].lower() in HEAD_WORDS and others:
        composed[0] = ""
    for i in others:
        row = list(filled_part(rows[i]))
        if row[0].lower() in HEAD_WORDS:
            row[0] = ""
        if is_unit_row(rows[i]):
            composed = [
                with_unit(name, unit) for name, unit in zip_longest(composed, row, fillvalue="")
            ]
        elif labels := list(_labels(row, composed, source)):
            composed = list(map(_with_label, composed, labels))
        else:
            continue
        used.append(i)
    return tuple(composed), used


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
    values = label_values(row, len(names), source)
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
        yield _label_text(filled[i], source) if i in readings else ""


def _filled(cells: Sequence[str]) -> list[str]:
    """Merged cells: a blank one counts as the one to its left."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled and not is_missing(filled[-1]) else ""))
    return ["" if is_missing(cell) else cell for cell in filled]


def _label_text(cell: str, source: Source) -> str:
    """The label as headings have it; "A7" is a device where nothing else says what it is."""
    is_code = re.fullmatch(r"[A-Za-z]{0,2}\d+[a-z]?", cell) is not None
    return f"({cell})" if is_code and not _is_label_cell(cell, source) else cell


def label_values(row: Row, width: int, source: Source) -> list[str]:
    """Labels of a row such as "cycle, 1, 2, 3" or "amplitude (V), 1.2, 0.9" above names."""
    heading = read(row[0]) if row and row[0] else None
    cells = [cell for cell in row[1:] if cell]
    if heading is None or len(cells) < 2 or width_of(row) > width:
        return []
    if not all(NUMBER[source.decimal].fullmatch(cell) for cell in cells):
        return []
    if heading.role in ("cycle", "device"):
        return ["", *(f"{heading.role} {cell}" if cell else "" for cell in row[1:])]
    unit = {"field": "G", "amplitude": "V", "width": "s"}.get(heading.role)
    if unit is None:
        return []
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


def is_unit_row(row: Row) -> bool:
    """All cells are units, but for the word in front that may say so."""
    named = row[0].lower().rstrip(":") in UNIT_ROWS
    bare = [cell.strip("()[]") for cell in row[named:] if cell]
    return any(find_unit(cell) for cell in bare) and all(
        find_unit(cell) or cell in ("#", "count") for cell in bare
    )


def filled_part(row: Row) -> tuple[str, ...]:
    """The row without the blank cells at its end."""
    return tuple(row[: width_of(row)])


@lru_cache(maxsize=4096)
def read(text: str) -> Heading | None:
    """What a heading says; None where it cannot be understood."""
    try:
        return read_heading(text)
    except HeadingError:
        return None
