"""From the rows of a file to a table: where the header is, where the readings start, how wide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from device_models.pulses.headings import is_known
from device_models.pulses.types import PulseDataError, show
from device_models.pulses.units import find_unit

MAX_BYTES = 64 * 2**20
MAX_CELLS = 2_000_000
MAX_COLUMNS = 4096

NUMBER = {
    ".": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(?:\d+(?:,\d+)?|,\d+)(?:[eE][+-]?\d+)?", re.ASCII),
}
# What instruments and spreadsheets write where there is no reading.
MISSING = {
    *("", "nan", "-nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "---", "#div/0!"),
    *("#value!", "#num!", "#ref!", "ovld", "ovrld", "overflow", "overload", "ovf", "ol", "o.l"),
    *("underflow", "over", "invalid", "missing"),
}
INFINITE = {sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")}
HEADER_REACH = 60


@dataclass(frozen=True, eq=False)
class Table:
    """A table as text: `columns` cells by column, `lines` the line of each row in the file.

    `headings` are empty strings where the file has no header; `n_fields` counts the fields each
    row really has; `remarks` are the lines above the table, `header_line` is 0 without a header.
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

    def place(self, line: int, column: int | None = None) -> str:
        """Place in the file as errors name it; `column` counts from 0."""
        return place(self.path, line, column, self.headings, self.sheet)

    def error(self, row: int, column: int | None, message: str) -> PulseDataError:
        """Error at a cell; `row` and `column` count from 0."""
        return PulseDataError(f"{self.place(self.lines[row], column)}: {message}")

    def column_name(self, column: int) -> str:
        """Number (letter in spreadsheets) and heading of a column that counts from 0."""
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


def is_missing(cell: str) -> bool:
    """The cell stands for a reading that is not there."""
    return cell.lower() in MISSING


def make_table(
    path: str,
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    decimal: str = ".",
    sheet: str | None = None,
    comments: Sequence[tuple[int, Sequence[str], str]] = (),
) -> Table:
    """Table from rows of stripped cells; `comments` are (line, fields, text) of comment lines.

    Raises PulseDataError where there is no table, or a row is longer than the header.
    """

    def at(line: int) -> str:
        return place(path, line, sheet=sheet)

    first, numeric = _first_reading(rows, decimal, at, lines)
    header, start, names = _find_header(rows, first, numeric, decimal)
    header_line = lines[header] if header is not None else 0
    if header is None:
        names, header_line = _header_in_comment(comments, lines[first], _width(rows[first]))
    n_columns = len(names) or _width(rows[start])
    if n_columns > MAX_COLUMNS:
        raise PulseDataError(f"{at(lines[start])}: {n_columns} columns, at most {MAX_COLUMNS}")
    body = rows[start:]
    table = Table(
        path=path,
        headings=tuple(names) or ("",) * n_columns,
        columns=(),
        lines=tuple(lines[start:]),
        n_fields=tuple(len(row) for row in body),
        decimal=decimal,
        sheet=sheet,
        header_line=header_line,
        remarks=(
            *(" ".join(row) for row in rows[: header if header is not None else start]),
            *(text for _, _, text in comments if text),
        ),
    )
    _check_widths(table, body, n_columns, header_line)
    columns = tuple(zip_longest(*body, fillvalue=""))[:n_columns]
    return replace(table, columns=columns + ((("",) * len(body)),) * (n_columns - len(columns)))


def _width(row: Sequence[str]) -> int:
    """Fields of a row without the empty ones at its end."""
    width = len(row)
    while width and not row[width - 1]:
        width -= 1
    return width


def _first_reading(
    rows: Sequence[Sequence[str]], decimal: str, at: Callable[[int], str], lines: Sequence[int]
) -> tuple[int, set[int]]:
    """Index of the first row of readings, and the columns that hold numbers."""
    tail = rows[len(rows) // 2 :]
    sample = tail[:: max(1, len(tail) // 100)]
    votes: Counter[int] = Counter()
    bare: Counter[int] = Counter()
    for row in sample:
        for column, cell in enumerate(row):
            if cell and not is_missing(cell):
                votes[column] += 1 if is_number(cell, decimal) else -1
                bare[column] += -1 if _is_condition(cell, decimal) else 1
    numeric = {column for column, vote in votes.items() if vote > 0}
    plain = {column for column in numeric if bare[column] > 0}
    fewest = min((_width(row) for row in sample), default=0)
    for i, row in enumerate(rows):
        labels = any(c < len(row) and _is_condition(row[c], decimal) for c in plain)
        if not labels and _is_reading(row, numeric, fewest, decimal):
            return i, numeric
    expected = "expected a header and rows of numbers, or rows of numbers"
    if not rows:
        raise PulseDataError(f"{at(1)}: no table: {expected}")
    if len(rows) <= 2 and any(is_known(cell) for cell in rows[-1] if cell):
        raise PulseDataError(f"{at(lines[-1])}: header only: no readings below it")
    raise PulseDataError(f"{at(lines[0])}: no table of numbers found; {expected}")


def _is_reading(row: Sequence[str], numeric: set[int], fewest: int, decimal: str) -> bool:
    if _width(row) < fewest:
        return False
    cells = [row[c] for c in numeric if c < len(row)]
    numbers = sum(is_number(cell, decimal) for cell in cells)
    return numbers > 0 and all(is_number(c, decimal) or is_missing(c) for c in cells)


def _find_header(
    rows: Sequence[Sequence[str]], first: int, numeric: set[int], decimal: str
) -> tuple[int | None, int, list[str]]:
    """Index of the header row (None where there is none), of the first row below, and the names."""
    if _numbered(rows, first, decimal):
        return first, first + 1, list(rows[first])
    width = _width(rows[first])
    for i in range(first - 1, max(-1, first - 1 - HEADER_REACH), -1):
        row = rows[i]
        if not _is_heading_row(row, width, decimal):
            continue
        if i > 0 and _is_unit_row(row) and _is_heading_row(rows[i - 1], width, decimal):
            names = [f"{a} ({b.strip('()[]')})" if b else a for a, b in _pairs(rows[i - 1], row)]
            return i - 1, i + 1, names
        if i == first - 1 or any(is_known(cell) for cell in row if cell):
            return i, i + 1, list(row[: _width(row)])
    return None, first, []


def _is_heading_row(row: Sequence[str], width: int, decimal: str) -> bool:
    """All text, or a known name followed by numbers of columns ("pulse, 1, 2, 3")."""
    named = _width(row)
    if named == 0 or (named == 1 and width > 1):
        return False
    if not any(is_number(c, decimal) and not _is_condition(c, decimal) for c in row if c):
        return True
    return is_known(row[0]) and not is_number(row[0]) and named == width and _counts(row[1:])


def _is_condition(cell: str, decimal: str) -> bool:
    """The cell is a condition such as "150 G" or "-1.3 V", as columns are headed by."""
    match = NUMBER[decimal].match(cell)
    if match is None or match.end() == len(cell):
        return False
    unit = find_unit(cell[match.end() :])
    return unit is not None and unit.measures in ("field", "voltage", "time")


def _is_unit_row(row: Sequence[str]) -> bool:
    bare = [cell.strip("()[]") for cell in row if cell]
    return any(find_unit(cell) for cell in bare) and all(
        find_unit(cell) or cell in ("#", "count") for cell in bare
    )


def _pairs(names: Sequence[str], units: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip_longest(names[: _width(names)], units[: _width(units)], fillvalue=""))


def _numbered(rows: Sequence[Sequence[str]], first: int, decimal: str) -> bool:
    """The row numbers the columns, above an index without name, as pandas writes it."""
    row = rows[first]
    below = rows[first + 1] if first + 1 < len(rows) else []
    return _width(row) > 1 and not row[0] and bool(below and below[0]) and _counts(row[1:])


def _counts(cells: Sequence[str]) -> bool:
    """The cells count 0, 1, 2, ... or 1, 2, 3, ..."""
    cells = cells[: _width(cells)]
    return any(list(cells) == [str(i + k) for i in range(len(cells))] for k in (0, 1))


def _header_in_comment(
    comments: Sequence[tuple[int, Sequence[str], str]], first_line: int, width: int
) -> tuple[list[str], int]:
    """Names from the comment line nearest above the readings, as numpy.savetxt writes them."""
    for line, fields, text in reversed(comments):
        if line > first_line:
            continue
        names = [text] if width == 1 else list(fields[: _width(fields)])
        if len(names) == width and any(is_known(name) for name in names if name):
            return names, line
    return [], 0


def _check_widths(
    table: Table, body: Sequence[Sequence[str]], n_columns: int, header_line: int
) -> None:
    if max(table.n_fields) <= n_columns:
        return
    said = f"the header in line {header_line} names" if header_line else "the first row has"
    for i, row in enumerate(body):
        if _width(row) > n_columns:
            raise table.error(
                i, n_columns, f"{show(row[n_columns])} is one field too many; {said} {n_columns}"
            )
