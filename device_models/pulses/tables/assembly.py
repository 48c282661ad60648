"""From the rows of a file to one table: preamble, head and readings taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from device_models.pulses.columns.headings import is_known
from device_models.pulses.table import RawRows, Source, Table, width_of
from device_models.pulses.tables.blocks import cut_blocks
from device_models.pulses.tables.head_labels import UNIT_ROWS, with_unit
from device_models.pulses.tables.heads import Head, find_head
from device_models.pulses.tables.joined import check_one_head
from device_models.pulses.tables.remarks import Comment, with_remarks
from device_models.pulses.tables.stray import without_stray
from device_models.pulses.tables.tagged import find_tagged, may_be_rows
from device_models.pulses.types import PulseDataError
from device_models.pulses.units import find_unit

MAX_COLUMNS = 4096


def make_table(
    source: Source,
    raw: RawRows,
    comments: Sequence[Comment] = (),
    layout: str | None = None,
    delimiter: str = "",
) -> Table:
    """Table from rows of stripped cells.

    Raises PulseDataError where there is no table, there are two, or a row is longer than the head.
    """
    tagged = find_tagged(source, raw, comments, layout)
    if tagged is not None:
        return tagged
    try:
        return _make(source, raw, comments, delimiter)
    except PulseDataError as error:
        if layout is None and may_be_rows(source, raw):
            raise PulseDataError(f"{error}; layout='rows' reads each row as a trace") from None
        raise


def _make(source: Source, raw: RawRows, comments: Sequence[Comment], delimiter: str) -> Table:
    """Table whose rows are rows: head and readings apart, all else aside."""
    blocks = cut_blocks(raw, source)
    rows = blocks.rows
    head = find_head(rows, source)
    check_one_head(rows, head.start, source)
    around = [*rows.cells[: head.top], *blocks.aside]
    names, header_line = _names(rows, head, comments)
    names = _with_units(names, around)
    n_columns = len(names) or width_of(rows.cells[head.start])
    if n_columns > MAX_COLUMNS:
        line = rows.lines[head.start]
        raise source.error(line, f"{n_columns} columns, at most {MAX_COLUMNS}")
    body = rows.take(range(head.start, len(rows.cells)))
    bare = Table(
        path=source.path,
        headings=tuple(names) or ("",) * n_columns,
        columns=(),
        lines=tuple(body.lines),
        n_fields=tuple(len(row) for row in body.cells),
        decimal=source.decimal,
        sheet=source.sheet,
        header_line=header_line,
        notes=tuple(blocks.notes),
    )
    return _with_columns(with_remarks(bare, around, comments), body.cells, n_columns, delimiter)


def _names(rows: RawRows, head: Head, comments: Sequence[Comment]) -> tuple[list[str], int]:
    """Names of the columns and their line, from the head or a comment; none and 0 without."""
    if head.names_row is not None:
        return list(head.names), rows.lines[head.names_row]
    width = width_of(rows.cells[head.start])
    return _header_in_comment(comments, rows.lines[head.start], width)


def _with_units(names: list[str], around: Sequence[Sequence[str]]) -> list[str]:
    """Names with the units that a line above gives column by column, as "Y_Unit_Label" does."""
    for row in around:
        units = row[1:] if row[0].lower().rstrip(":") in UNIT_ROWS else []
        if any(units) and all(find_unit(unit) for unit in units if unit):
            units = [*units, *[""] * len(names)]
            return [names[0], *map(with_unit, names[1:], units)] if names else names
    return names


def _with_columns(
    table: Table, body: Sequence[Sequence[str]], n_columns: int, delimiter: str
) -> Table:
    """The table with its cells; without a lone number beyond its columns."""
    rows, notes = without_stray(table, body, n_columns, delimiter)
    columns = tuple(zip_longest(*rows, fillvalue=""))[:n_columns]
    columns += (("",) * len(rows),) * (n_columns - len(columns))
    return replace(
        table,
        headings=_without_blank(table.headings, columns) if any(table.headings) else table.headings,
        columns=columns,
        notes=(*table.notes, *notes),
    )


def _without_blank(headings: tuple[str, ...], columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Headings of unknown name over nothing at all are no columns of readings."""
    return tuple(
        "comment" if not any(cells) and not (name and is_known(name)) else name
        for name, cells in zip(headings, columns, strict=True)
    )


def _header_in_comment(
    comments: Sequence[Comment], first_line: int, width: int
) -> tuple[list[str], int]:
    """Names from the comment line nearest above the readings, as numpy.savetxt writes them."""
    for line, fields, text in reversed(comments):
        if line > first_line:
            continue
        names = [text] if width == 1 else list(fields[: width_of(fields)])
        if len(names) == width and any(is_known(name) for name in names if name):
            return names, line
    return [], 0
