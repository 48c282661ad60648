"""The table inside an export: below its preamble, between its marks, above its summary.

Several tables with the same head, one after the other, become one: what stands above each of
them ("LTP", "cycle 2", "device A7") labels its rows, else its pulse numbers tell them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from device_models.pulses.table import RawRows, Source, is_missing, width_of
from device_models.pulses.tables.head_labels import is_label, read
from device_models.pulses.tables.joined import join_tables
from device_models.pulses.tables.line_kinds import (
    has_numbers,
    is_summary,
    is_text,
    starts_like_number,
)
from device_models.pulses.tables.preambles import without_pairs
from device_models.pulses.tables.side_notes import without_side_notes
from device_models.pulses.types import show

Row = Sequence[str]

START = re.compile(
    r"\W*(?:begin|data|begin[ _-]?data|data[ _-]?(?:begin|start|block|section)|readings|values"
    r"|measure(?:d|ment)[ _-]?data|end[ _-]?of[ _-]?header)\W*",
    re.IGNORECASE,
)
END = re.compile(
    r"\W*(?:end|eof|end[ _-]?(?:of[ _-]?)?(?:data|file|measurement)|data[ _-]?end)\W*",
    re.IGNORECASE,
)
FEWEST_TAGS = 3


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows of the one table there is, lines around it, and what was left out."""

    rows: RawRows
    aside: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def cut_blocks(raw: RawRows, source: Source) -> Blocks:
    """The rows of the table in a file; PulseDataError for two tables that differ."""
    aside: list[Row] = []
    notes: list[str] = []
    raw = _between_marks(raw, source, aside)
    raw = _tagged(raw, source, aside)
    raw = without_pairs(raw, source, aside)
    raw = without_side_notes(raw, aside, notes)
    raw = _without_footer(raw, source, aside, notes)
    raw = join_tables(raw, source, aside, notes)
    return Blocks(raw, aside, notes)


def _between_marks(raw: RawRows, source: Source, aside: list[Row]) -> RawRows:
    """Without what stands above a mark such as "[Data]", and without such marks."""
    words = {i: " ".join(row).strip() for i, row in enumerate(raw.cells) if width_of(row) < 4}
    ends = {i for i, text in words.items() if END.fullmatch(text)}
    starts = [i for i, text in words.items() if START.fullmatch(text) and _is_mark(raw, i, text)]
    headers = [i for i in starts if "header" in words[i].lower()]
    tables = [i for i in headers if _above_table(raw, i, source)]
    begin = [*tables, *headers[-1:], *starts, -1][0] + 1
    if sum(has_numbers(row, source) for row in raw.cells[begin:]) < 2:
        begin = 0
    marks = {*ends, *(i for i in starts if i >= begin)} if begin or ends else set()
    if len(marks) == len(raw.cells):
        return raw
    aside += raw.cells[:begin]
    return raw.take(i for i in range(begin, len(raw.cells)) if i not in marks)


def _above_table(raw: RawRows, i: int, source: Source) -> bool:
    """The line is directly above the head of a table."""
    head, below = [*raw.cells[i + 1 : i + 3], [], []][:2]
    is_head = bool(head) and is_text(head, source) and bool(below) and has_numbers(below, source)
    return is_head and starts_like_number(below)


def _is_mark(raw: RawRows, i: int, text: str) -> bool:
    """A bare "data" above a single column is its heading."""
    below = raw.cells[i + 1] if i + 1 < len(raw.cells) else []
    return not text.isalnum() or width_of(below) > 1


def _tagged(raw: RawRows, source: Source, aside: list[Row]) -> RawRows:
    """Only the lines of the table where one word marks its rows and another one its head."""
    words = Counter(
        row[0] for row in raw.cells if row and _is_tagged_row(row, source) and len(row) > 1
    )
    for tag, times in words.most_common(3):
        if times < FEWEST_TAGS:
            break
        rows = [i for i, row in enumerate(raw.cells) if row[0] == tag]
        heads = _tag_heads(raw, rows, source)
        kept = {*heads, *rows}
        if heads and len(kept) < len(raw.cells):
            aside += [row for i, row in enumerate(raw.cells) if i not in kept]
            cells = [
                ["comment", *row[1:]] if i in heads else row for i, row in enumerate(raw.cells)
            ]
            return RawRows(cells, raw.lines).take(sorted(kept))
    return raw


def _is_tagged_row(row: Row, source: Source) -> bool:
    """A word, then numbers alone."""
    rest = [cell for cell in row[1:] if cell]
    is_word = bool(row[0]) and not source.is_number(row[0]) and not is_missing(row[0])
    return is_word and bool(rest) and all(source.is_number(c) or is_missing(c) for c in rest)


def _tag_heads(raw: RawRows, rows: list[int], source: Source) -> set[int]:
    """Rows that head runs of tagged rows, all with one other tag; empty where there are none."""
    heads = {i - 1 for k, i in enumerate(rows) if k == 0 or i - 1 != rows[k - 1]}
    if min(heads) < 0:
        return set()
    first = raw.cells[min(heads)]
    heading = read(first[0]) if first[0] else None
    is_named = heading is not None and heading.role in ("branch", "device", "cycle")
    like = all(
        raw.cells[i][0] == first[0]
        and width_of(raw.cells[i]) >= max(2, width_of(raw.cells[i + 1]))
        and is_text(raw.cells[i], source)
        for i in heads
    )
    is_broken = _has_strangers(raw, rows, heads, source)
    is_column = not first[0] and is_label(raw.cells[rows[0]][0])
    return heads if like and not (is_named or is_broken or is_column) else set()


def _has_strangers(raw: RawRows, rows: list[int], heads: set[int], source: Source) -> bool:
    """Rows of numbers with other tags stand among the tagged ones or below the last of them."""
    tagged, inside = set(rows), False
    kept = tagged | heads
    for i in range(len(raw.cells) - 1, min(heads), -1):
        # From below: what stands above a tagged row and below its head belongs to the run.
        inside = i in tagged if i in kept else inside
        below = i > rows[-1] and _is_tagged_row(raw.cells[i], source)
        if i not in kept and (inside or below):
            return True
    return False


def _without_footer(raw: RawRows, source: Source, aside: list[Row], notes: list[str]) -> RawRows:
    """Without the lines of text below the last reading."""
    end = len(raw.cells)
    while end and not _is_row_of(raw, end - 1, source):
        end -= 1
    left_out = range(end, len(raw.cells))
    if end < 2 or not left_out:
        return raw
    gap = raw.lines[end] > raw.lines[end - 1] + 1
    if not all(gap or is_summary(raw.cells[i], source) for i in left_out):
        return raw
    aside += [raw.cells[i] for i in left_out]
    first = show(", ".join(cell for cell in raw.cells[end] if cell))
    count = "1 line" if len(left_out) == 1 else f"{len(left_out)} lines"
    notes.append(f"{count} of text below the readings left out: line {raw.lines[end]} ({first})")
    return raw.take(range(end))


def _is_row_of(raw: RawRows, i: int, source: Source) -> bool:
    """The row may belong to the table: it has a number, no reading, or too little text."""
    row = raw.cells[i]
    if is_summary(row, source):
        return any(above and above[0] == row[0] for above in raw.cells[:i])
    has_cells = has_numbers(row, source) or any(is_missing(cell) for cell in row if cell)
    return has_cells or not re.search(r"[^\W\d_]{3}", " ".join(row))
