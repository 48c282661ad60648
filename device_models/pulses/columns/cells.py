"""Columns of a table as arrays: numbers, branches and labels, every complaint with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.names import BRANCH_WORDS
from device_models.pulses.table import (
    INFINITE,
    MISSING,
    NUMBER,
    THOUSANDS,
    Table,
    is_missing,
)
from device_models.pulses.types import FloatArray, PulseDataError, show
from device_models.pulses.units import Unit, find_unit

# Keithley and Keysight instruments write 9.9E37 (9.91E37 for "not a number") for an overflow.
OVERFLOW = 9.8e37
# The spellings that come up are looked up as they are, without lowering every cell.
BLANK = MISSING | {word.upper() for word in MISSING} | {"NaN", "None", "Null", "Overflow"}


@dataclass(frozen=True, eq=False)
class Readings:
    """Values of one column, shape (rows,), NaN where there is none, and the unit cells carry."""

    values: FloatArray
    unit: Unit | None = None


def read_numbers(table: Table, column: int) -> Readings:
    """Numbers of a column; blank and overflowed cells are NaN.

    Raises PulseDataError for what is no number, infinite, or in mixed units.
    """
    try:
        values = _convert(table.columns[column], table.decimal)
        unit = None
    except ValueError:
        values, unit = _read_slowly(table, column)
    if np.any(bad := np.isinf(values)):
        row = int(np.argmax(bad))
        raise _complain(table, row, column, "is infinite; expected a finite number")
    values[np.abs(values) >= OVERFLOW] = np.nan
    return Readings(values, unit)


def read_complete(table: Table, column: int, what: str) -> FloatArray:
    """Numbers of a column in which no cell may be missing."""
    values = read_numbers(table, column).values
    if np.any(bad := np.isnan(values)):
        row = int(np.argmax(bad))
        raise _complain(table, row, column, f"is no {what}; expected a number in every row")
    return values


def read_branches(table: Table, column: int) -> NDArray[np.str_]:
    """ "LTP" or "LTD" for each row, from any of the usual words."""
    words = {cell: BRANCH_WORDS.get(cell.lower()) for cell in set(table.columns[column])}
    if None in words.values():
        row = next(i for i, cell in enumerate(table.columns[column]) if words[cell] is None)
        expected = "expected LTP/LTD, P/D, pot/dep, up/down, set/reset or +1/-1"
        raise _complain(table, row, column, f"is no branch; {expected}")
    return np.array([words[cell] for cell in table.columns[column]], dtype=str)


def read_devices(table: Table, column: int) -> NDArray[np.str_]:
    """Device label of each row; 1.0 is written 1."""
    labels = {}
    for cell in set(table.columns[column]):
        whole = re.fullmatch(r"([+-]?\d+)\.0*", cell)
        labels[cell] = (whole[1] if whole else cell)[:80]
    if "" in labels:
        row = table.columns[column].index("")
        raise _complain(table, row, column, "is no device; expected a label in every row")
    return np.array([labels[cell] for cell in table.columns[column]], dtype=str)


def read_cycles(table: Table, column: int) -> NDArray[np.int64]:
    """Cycle number of each row, from "3", "3.0" or "cycle 3"."""
    numbers = {}
    for cell in set(table.columns[column]):
        match = re.fullmatch(r"(?:[A-Za-z]+[\s_#.-]*)?(\d{1,9})(?:[.,]0*)?", cell)
        numbers[cell] = int(match[1]) if match else None
    if None in numbers.values():
        row = next(i for i, cell in enumerate(table.columns[column]) if numbers[cell] is None)
        raise _complain(table, row, column, "is no cycle number; expected a whole number")
    return np.array([numbers[cell] for cell in table.columns[column]], dtype=np.int64)


def describe_missing(table: Table, column: int, rows: NDArray[np.intp]) -> str:
    """ "line 12 ('9.9E37'), line 40 (blank)" for cells that hold no reading."""
    cells = [table.columns[column][row] for row in rows[:5]]
    named = [
        f"line {table.lines[row]} ({show(cell) if cell else 'blank'})"
        for row, cell in zip(rows[:5], cells, strict=True)
    ]
    return ", ".join(named) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def _convert(cells: Sequence[str], decimal: str) -> FloatArray:
    """Whole column at once; ValueError where a cell needs a closer look."""
    text = "".join(cells)
    # float() also takes underscores and digits of other scripts, which no instrument writes.
    if not text.isascii() or "_" in text:
        raise ValueError
    if decimal == "," and "," in text:
        if "." in text:
            raise ValueError
        cells = tuple(cell.replace(",", ".") for cell in cells)
    return np.array([np.nan if cell in BLANK else float(cell) for cell in cells], dtype=float)


def _read_slowly(table: Table, column: int) -> tuple[FloatArray, Unit | None]:
    """Cell by cell: names the one that is no number, or reads the unit that all cells carry."""
    values = np.full(len(table.lines), np.nan)
    units: dict[str, Unit | None] = {}
    for row, cell in enumerate(table.columns[column]):
        if is_missing(cell):
            continue
        values[row], rest = _split_cell(table, row, column, cell)
        if rest and find_unit(rest) is None:
            raise _complain(table, row, column, "is not a number")
        units[rest] = find_unit(rest) if rest else None
        if len(units) > 1:
            above = next(iter(units)) or "no unit"
            raise _complain(table, row, column, f"mixes units in one column ({above} above)")
    return values, next(iter(units.values()), None)


def _split_cell(table: Table, row: int, column: int, cell: str) -> tuple[float, str]:
    if cell.lower() in INFINITE:
        raise _complain(table, row, column, "is infinite; expected a finite number")
    match = NUMBER[table.decimal].match(cell)
    if match is None or (match.end() < len(cell) and THOUSANDS.fullmatch(cell)):
        hint = ""
        if THOUSANDS.fullmatch(cell):
            hint = "; numbers with thousands separators are not guessed, write them without"
        elif "," in cell:
            hint = "; decimal=',' reads decimal commas"
        raise _complain(table, row, column, f"is not a number{hint}")
    return float(match[0].replace(",", ".")), cell[match.end() :].strip()


def _complain(table: Table, row: int, column: int, message: str) -> PulseDataError:
    cell = table.columns[column][row]
    return table.error(row, column, f"{show(cell) if cell else 'a blank cell'} {message}")
