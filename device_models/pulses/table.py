"""A table as text, and what single cells of one are; places in it as errors name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from device_models.pulses.tables.settings import Settings
from device_models.pulses.types import PulseDataError, show
from device_models.pulses.units import find_unit

MAX_BYTES = 64 * 2**20
MAX_CELLS = 2_000_000
MAX_COLUMNS = 4096

NUMBER = {
    ".": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(?:\d+(?:,\d+)?|,\d+)(?:[eE][+-]?\d+)?", re.ASCII),
}
# Numbers written with separators of thousands.
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:[,.'\u2019 \u00a0\u202f]\d{3})+(?:[.,]\d+)?")
# What instruments and spreadsheets write where there is no reading.
MISSING = {
    *("", "nan", "-nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "---", "#div/0!"),
    *("#value!", "#num!", "#ref!", "ovld", "ovrld", "overflow", "overload", "ovf", "ol", "o.l"),
    *("underflow", "over", "invalid", "missing"),
}
FEWEST_NUMBERS = 4
INFINITE = {sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")}


NO_SETTINGS = Settings()


@dataclass(frozen=True, eq=False)
class RawRows:
    """Rows of stripped cells, none of them blank, and the line each starts in."""

    cells: Sequence[Sequence[str]]
    lines: Sequence[int]

    def take(self, rows: Iterable[int]) -> RawRows:
        """Only the rows of these numbers, from 0."""
        rows = list(rows)
        return RawRows([self.cells[i] for i in rows], [self.lines[i] for i in rows])


@dataclass(frozen=True, eq=False)
class Source:
    """What all complaints about a table need: its file, the sheet, the decimal sign."""

    path: str
    decimal: str = "."
    sheet: str | None = None

    def error(self, line: int, message: str) -> PulseDataError:
        """Error at a line of the file."""
        return PulseDataError(f"{place(self.path, line, sheet=self.sheet)}: {message}")

    def is_number(self, cell: str) -> bool:
        """The cell is a number in the decimals of this file, possibly with a unit."""
        return is_number(cell, self.decimal)

    def is_condition(self, cell: str) -> bool:
        """The cell is a condition such as "150 G" or "-1.3 V", as columns are headed by."""
        match = NUMBER[self.decimal].match(cell)
        if match is None or match.end() == len(cell):
            return False
        unit = find_unit(cell[match.end() :])
        return unit is not None and unit.measures in ("field", "voltage", "time")


@dataclass(frozen=True, eq=False)
class Table:
    """A table as text: `columns` cells by column, `lines` the line of each row in the file.

    `headings` are empty strings where the file has no header; `n_fields` counts the fields each
    row really has; `remarks` are the lines around the table, `settings` what they state about the
    pulses; `header_line` is 0 without a header. `turned` is empty but for traces that stood in
    rows: there it is the field, from 0, in which the reading of each row stands in its line.
    `as_conductance` is a tag whose branch was told from readings as if they were conductances.
    """

    path: str
    headings: tuple[str, ...]
    columns: tuple[Sequence[str], ...]
    lines: tuple[int, ...]
    n_fields: tuple[int, ...]
    decimal: str = "."
    sheet: str | None = None
    header_line: int = 0
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Settings = NO_SETTINGS
    turned: tuple[int, ...] = ()
    as_conductance: str = ""

    def place(self, line: int, column: int | None = None) -> str:
        """Place in the file as errors name it; `column` counts from 0."""
        if self.turned and column is not None:
            return f"{place(self.path, line, sheet=self.sheet)} ({self.headings[column][:40]})"
        return place(self.path, line, column, self.headings, self.sheet)

    def error(self, row: int, column: int | None, message: str) -> PulseDataError:
        """Error at a cell; `row` and `column` count from 0."""
        where = self.place(self.lines[row], column)
        if len(self.turned) == len(self.lines) > 0:
            where = place(self.path, self.lines[row], self.turned[row], sheet=self.sheet)
        return PulseDataError(f"{where}: {message}")

    def column_name(self, column: int) -> str:
        """Number (letter in spreadsheets) and heading of a column that counts from 0."""
        if self.turned:
            return f"{self.headings[column][:40]} of the rows"
        return column_name(column, self.headings, self.sheet is not None)


def place(
    path: str,
    line: int,
    column: int | None = None,
    headings: Sequence[str] = (),
    sheet: str | None = None,
) -> str:
    """ "file: line 3, column 2 (R (kOhm))"; `column` counts from 0."""
    text = path if sheet is None else f"{path}: sheet {show(sheet)}"
    text += f": line {line}" if sheet is None else f", line {line}"
    return text if column is None else f"{text}, {column_name(column, headings, sheet is not None)}"


def column_name(column: int, headings: Sequence[str], letter: bool) -> str:
    """ "column 2 (R (kOhm))" or, in a spreadsheet, "column B (R (kOhm))"."""
    name = f"column {_letters(column) if letter else column + 1}"
    heading = headings[column] if column < len(headings) else ""
    return f"{name} ({heading[:40]})" if heading else name


def _letters(column: int) -> str:
    text, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def is_number(cell: str, decimal: str = ".") -> bool:
    """The cell is a number, possibly with a known unit after it."""
    match = NUMBER[decimal].match(cell)
    if match is None:
        return cell.lower() in INFINITE
    rest = cell[match.end() :].strip()
    return not rest or (rest not in ("-", "%") and find_unit(rest) is not None)


def to_number(cell: str, decimal: str = ".") -> float:
    """Number at the start of a cell; NaN where there is none."""
    match = NUMBER[decimal].match(cell)
    return float(match[0].replace(",", ".")) if match else float("nan")


def is_missing(cell: str) -> bool:
    """The cell stands for a reading that is not there."""
    return cell.lower() in MISSING


def width_of(row: Sequence[str]) -> int:
    """Fields of a row without the empty ones at its end."""
    width = len(row)
    while width and not row[width - 1]:
        width -= 1
    return width


def counts(cells: Sequence[str]) -> bool:
    """The cells count 0, 1, 2, ... or 1, 2, 3, ..."""
    cells = cells[: width_of(cells)]
    bare = [re.sub(r"[.,]0*$", "", cell) for cell in cells]
    return any(bare == [str(i + k) for i in range(len(bare))] for k in (0, 1))


def rises(cells: Sequence[str]) -> bool:
    """The cells are whole numbers from 0 on, each above the one before, as pulse numbers are."""
    cells = cells[: width_of(cells)]
    bare = [re.sub(r"[.,]0*$", "", cell) for cell in cells]
    if len(bare) < FEWEST_NUMBERS or not all(cell.isdecimal() and len(cell) < 10 for cell in bare):
        return False
    numbers = [int(cell) for cell in bare]
    return all(a < b for a, b in pairwise(numbers))
