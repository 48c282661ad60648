"""Notes to the right of a table, such as "Read voltage" beside "0.1 V": settings, no columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from device_models.pulses.table import RawRows, is_missing, width_of
from device_models.pulses.types import show

Row = Sequence[str]

MOST_ROWS = 20
"""Rows that hold notes; at most two thirds of the rows do."""

MOST_CELLS = 8


def without_side_notes(raw: RawRows, aside: list[Row], notes: list[str]) -> RawRows:
    """The rows up to a blank column beyond which a few hold names with values, and nothing else."""
    tail = raw.cells[len(raw.cells) // 2 :]
    usual = Counter(map(width_of, tail)).most_common(1)[0][0] if tail else 0
    long = [i for i, row in enumerate(raw.cells) if width_of(row) > usual]
    if not long or len(long) > min(MOST_ROWS, 2 * len(raw.cells) // 3):
        return raw
    gap = _gap([raw.cells[i] for i in long], usual)
    beside = {i: cells for i in long if any(cells := list(raw.cells[i][gap:]))} if gap else {}
    if not beside or not _are_notes(beside.values()):
        return raw
    stated = [chunk for cells in beside.values() for chunk in _chunks(cells)]
    aside += stated
    first = show(", ".join(stated[0]))
    count = "1 row" if len(beside) == 1 else f"{len(beside)} rows"
    notes.append(f"notes beside the table are no readings: {count}, the first {first}")
    return RawRows(
        [row[:gap] if i in beside else row for i, row in enumerate(raw.cells)], raw.lines
    )


def _gap(rows: Sequence[Row], usual: int) -> int:
    """The first column right of the table that is blank in all rows; 0 where there is none."""
    widest = max(map(len, rows))
    filled = {c for row in rows for c, cell in enumerate(row) if cell}
    return next((c for c in range(max(usual, 1), widest) if c not in filled), 0)


def _are_notes(rows: Iterable[Row]) -> bool:
    """Every row begins with a name, and one of them at least has a value beside it."""
    bare = [[cell for cell in row if cell] for row in rows]
    named = all(re.match(r"[^\W\d]", row[0]) and not is_missing(row[0]) for row in bare)
    short = all(len(row) <= MOST_CELLS for row in bare)
    values = r".*?[:=;]\s*[+-]?[.,]?\d"
    stated = any(re.match(values, ";".join(row[:2])) for row in bare)
    return named and short and stated


def _chunks(cells: Row) -> Iterator[list[str]]:
    """Cells that stand next to each other."""
    chunk: list[str] = []
    for cell in [*cells, ""]:
        if cell:
            chunk.append(cell)
        elif chunk:
            yield chunk
            chunk = []
