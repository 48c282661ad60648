"""Spreadsheets (.xlsx) as tables, with limits that hold whatever the file claims about itself."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from device_models.pulses.tables import MAX_BYTES, MAX_CELLS, Table, is_number, make_table
from device_models.pulses.types import PulseDataError, show

MAX_PARTS = 2000
MAX_TAGS = 4_000_000
MAX_ROWS = 1_048_576
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_sheet_table(path: str, data: bytes, sheet: str | int | None = None) -> Table:
    """Table of the sheet called `sheet` (name, or number from 1), else of the first with numbers.

    Raises PulseDataError for what is no workbook, is too large, or has no such sheet.
    """
    import openpyxl  # takes 0.2 s to import, which text files need not pay

    try:
        _check_archive(path, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
            return _read_book(path, book, sheet)
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


def _read_book(path: str, book: Any, sheet: str | int | None) -> Table:
    sheets = {str(s.title): s for s in book.worksheets}
    names = list(sheets)
    if sheet is not None:
        named = _named(path, sheet, names)
        table, _ = _read_sheet(path, sheets[named])
        if table is None:
            raise PulseDataError(f"{path}: sheet {show(named)}, line 1: the sheet is empty")
        return table
    for name in names:
        table, has_numbers = _read_sheet(path, sheets[name], optional=name != names[-1])
        if has_numbers and table is not None:
            others = ", ".join(show(n) for n in names if n != name)
            note = f"sheet {show(name)} read, not {others}; sheet=... reads another"
            return replace(table, notes=(note,)) if others else table
    raise PulseDataError(f"{path}: no sheet with readings")


def _named(path: str, sheet: str | int, names: list[str]) -> str:
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return names[sheet - 1]
    if str(sheet) in names:
        return str(sheet)
    listed = ", ".join(show(name) for name in names[:20])
    raise PulseDataError(f"{path}: no sheet {show(str(sheet))}; sheets are {listed}")


def _read_sheet(path: str, sheet: Any, optional: bool = False) -> tuple[Table | None, bool]:
    # The size a sheet declares can be a lie; without it openpyxl yields the rows that are there.
    sheet.reset_dimensions()
    title = str(sheet.title)
    rows, lines = _rows(path, title, sheet.iter_rows(values_only=True))
    has_numbers = any(is_number(cell) for row in rows for cell in row if cell)
    if not has_numbers and (optional or not rows):
        return None, False
    return make_table(path, rows, lines, sheet=title), has_numbers


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
