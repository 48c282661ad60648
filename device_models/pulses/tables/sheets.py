"""Spreadsheets (.xlsx) as tables, with limits that hold whatever the file claims about itself."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from device_models.pulses.table import (
    MAX_BYTES,
    MAX_CELLS,
    RawRows,
    Source,
    Table,
    is_missing,
    is_number,
)
from device_models.pulses.tables.assembly import make_table
from device_models.pulses.tables.settings import read_settings
from device_models.pulses.types import PulseDataError, show

MAX_PARTS = 2000
MOST_VALUES = 3
"""Cells beside the name of a setting: its value, or one for each branch, and a unit."""

MAX_TAGS = 4_000_000
MAX_ROWS = 1_048_576
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_sheet_tables(
    path: str, data: bytes, sheet: str | int | None = None, layout: str | None = None
) -> list[Table]:
    """Tables of the sheet called `sheet` (name, or number from 1) or of "all" with readings.

    Without `sheet` the first with numbers and all with the same headings; the first table notes
    what was read and what not. Raises PulseDataError for what is no workbook, is too large, or
    has no such sheet.
    """
    import openpyxl  # takes 0.2 s to import, which text files need not pay

    try:
        _check_archive(path, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
            return _read_book(Book(path, book, layout), sheet)
    except PulseDataError:
        raise
    # Every kind of damage raises something else from zipfile, the XML parser or openpyxl.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise PulseDataError(f"{path}: not a readable .xlsx workbook: {reason}") from None


def _check_archive(path: str, data: bytes) -> None:
    """Refuses archives that unpack to more than a measurement can be."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        total = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or total > MAX_BYTES:
            raise PulseDataError(
                f"{path}: the workbook unpacks to {total} bytes in {len(parts)} parts; at most "
                f"{MAX_BYTES} bytes in {MAX_PARTS} parts; save the sheet as CSV"
            )
        if not any(part.filename == "[Content_Types].xml" for part in parts):
            raise PulseDataError(f"{path}: a zip archive, but not an .xlsx workbook")
        for part in parts:
            if part.compress_type not in COMPRESSIONS:
                raise PulseDataError(
                    f"{path}: {show(part.filename)} is compressed in a way not read"
                )
            if part.filename.endswith((".xml", ".rels")):
                _check_part(path, part.filename, archive.read(part))


def _check_part(path: str, name: str, content: bytes) -> None:
    # A tag costs openpyxl some hundred bytes, so tags bound the memory.
    if content.count(b"<") > MAX_TAGS:
        raise PulseDataError(f"{path}: {show(name)} is too large for a sheet; save it as CSV")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise PulseDataError(f"{path}: {show(name)} declares XML entities, which are not read")


class Book:
    """An open workbook: its sheets with cells by name, and those read that only state settings."""

    def __init__(self, path: str, book: Any, layout: str | None):
        self.path = path
        self.layout = layout
        self.sheets = {str(sheet.title): sheet for sheet in book.worksheets}
        self.stated: dict[str, list[list[str]]] = {}
        self.seen: set[str] = set()

    @property
    def names(self) -> list[str]:
        """Names of the sheets, in their order."""
        return list(self.sheets)

    def read(self, name: str, optional: bool = False) -> Table | None:
        """Table of a sheet; None where it is empty or, if `optional`, no table of numbers."""
        # The size a sheet declares can be a lie; openpyxl then yields the rows that are there.
        self.sheets[name].reset_dimensions()
        rows, lines = _rows(self.path, name, self.sheets[name].iter_rows(values_only=True))
        has_numbers = any(is_number(cell) for row in rows for cell in row if cell)
        self.seen.add(name)
        if _are_settings(rows):
            self.stated[name] = rows
        if not rows or (optional and (name in self.stated or not has_numbers)):
            return None
        raw = RawRows(rows, lines)
        return make_table(Source(self.path, sheet=name), raw, layout=self.layout)


def _are_settings(rows: Sequence[Sequence[str]]) -> bool:
    """Every row is a name of its own with a value or two, as a sheet of parameters has them."""
    names = [row[0] for row in rows]
    short = all(len(row) <= MOST_VALUES + 1 for row in rows)
    return short and all(names) and len(set(names)) == len(names) and not any(map(is_number, names))


def _read_book(book: Book, sheet: str | int | None) -> list[Table]:
    if sheet is None:
        return _with_settings(book, _read_alike(book))
    if sheet == "all" and "all" not in book.names:
        return _with_settings(book, _read_all(book))
    name = _named(book, sheet)
    table = book.read(name)
    if table is None:
        raise PulseDataError(f"{book.path}: sheet {show(name)}, line 1: the sheet is empty")
    return _with_settings(book, [table])


def _with_settings(book: Book, tables: list[Table]) -> list[Table]:
    """The tables with what sheets of parameters state, where they do not state it themselves."""
    names = {str(table.sheet) for table in tables}
    for name in book.names:
        if name not in book.seen:
            with contextlib.suppress(PulseDataError):
                book.read(name, optional=True)
    rows = [row for name, sheet in book.stated.items() if name not in names for row in sheet]
    stated = read_settings(rows)
    return [replace(table, settings=table.settings.completed(stated)) for table in tables]


def _read_alike(book: Book) -> list[Table]:
    """The first sheet with numbers and those with the same headings, which are conditions."""
    tables: list[Table] = []
    others: dict[str, bool] = {}
    for name in book.names:
        try:
            table = book.read(name, optional=bool(tables) or name != book.names[-1])
        except PulseDataError:
            if not tables:
                raise
            table = None
        if table is not None and (not tables or _are_alike(table, tables[0])):
            tables.append(table)
        else:
            others[name] = table is not None
    if not tables:
        raise PulseDataError(f"{book.path}: no sheet with readings")
    return _noted(tables, _read_note(tables, others))


def _are_alike(table: Table, other: Table) -> bool:
    """The sheets have the same headings, or as many columns of numbers without any."""
    # A table may begin in another column of each sheet.
    first, second = (table.headings[_n_blank(table) :], other.headings[_n_blank(other) :])
    if any(table.headings):
        return first == second
    cells = [cell for both in (table, other) for column in both.columns for cell in column]
    is_plain = all(is_number(cell) or is_missing(cell) for cell in cells)
    return is_plain and first == second


def _n_blank(table: Table) -> int:
    """Columns left of the table, without name and cells."""
    blank = ("", "comment")
    pairs = enumerate(zip(table.columns, table.headings, strict=True))
    return next((c for c, (cells, name) in pairs if any(cells) or name not in blank), 0)


def _read_note(tables: Sequence[Table], others: Mapping[str, bool]) -> list[str]:
    """Which sheets were read and which not, with the option that reads another that is a table."""
    names = [str(table.sheet) for table in tables]
    first, *more = [show(name) for name in names]
    notes = []
    if more:
        notes.append(
            f"sheets {first}, {', '.join(more)} have the same headings and are all read, each as a "
            f"condition; sheet={names[0]!r} reads one"
        )
    if others:
        left = ", ".join(show(name) for name in others)
        read = "" if more else f"sheet {first} read, "
        other = next((f"; sheet={name!r} reads another" for name, ok in others.items() if ok), "")
        notes.append(f"{read}not {left}{other}")
    return notes


def _read_all(book: Book) -> list[Table]:
    """Every sheet that holds a table; the others are noted with the reason."""
    tables: list[Table] = []
    notes: list[str] = []
    errors: list[PulseDataError] = []
    for name in book.names:
        try:
            table = book.read(name, optional=True)
        except PulseDataError as error:
            errors.append(error)
            reason = str(error).removeprefix(f"{book.path}: sheet {show(name)}, ")
            notes.append(f"sheet {show(name)} left out: {reason}")
            continue
        if table is None:
            notes.append(f"sheet {show(name)} left out: it holds no readings")
        else:
            tables.append(table)
    if not tables:
        raise errors[0] if errors else PulseDataError(f"{book.path}: no sheet with readings")
    return _noted(tables, notes)


def _noted(tables: list[Table], notes: Sequence[str]) -> list[Table]:
    """The tables, the first with further notes in front."""
    return [replace(tables[0], notes=(*notes, *tables[0].notes)), *tables[1:]]


def _named(book: Book, sheet: str | int) -> str:
    """Name of the sheet called so or, where none is, of the sheet with that number from 1."""
    if str(sheet) in book.names and not isinstance(sheet, int):
        return str(sheet)
    number = int(sheet) if str(sheet).isdecimal() and len(str(sheet)) < 6 else 0
    if 1 <= number <= len(book.names) and not isinstance(sheet, bool):
        return book.names[number - 1]
    if str(sheet) in book.names:
        return str(sheet)
    listed = ", ".join(show(name) for name in book.names[:20])
    raise PulseDataError(
        f"{book.path}: no sheet {show(str(sheet))}; sheets are {listed}; sheet='all' reads all"
    )


def _rows(
    path: str, title: str, cells: Iterable[tuple[Any, ...]]
) -> tuple[list[list[str]], list[int]]:
    """Rows of cells as text, without blank ones, and the number of each."""
    rows, lines, n_cells = [], [], 0
    for line, row in enumerate(cells, 1):
        n_cells += len(row)
        if n_cells > MAX_CELLS or line > MAX_ROWS:
            raise PulseDataError(f"{path}: sheet {show(title)}, line {line}: too many cells")
        texts = ["" if cell is None else str(cell).strip() for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        if any(texts):
            rows.append(texts)
            lines.append(line)
    return rows, lines
