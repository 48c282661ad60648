"""Which column counts the pulses of which readings, and the numbers it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device_models.pulses.columns.cells import read_complete, read_numbers
from device_models.pulses.columns.counting import EVEN, counts, counts_by_steps, numbers_of
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import names_pulses
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError, note_once

# Rows at the end of a count that may have no number.
MOST_WITHOUT = 3
# Points of a curve that stand closer than this share of a pulse, and how many tell.
DENSE = 0.7
FEWEST_DENSE = 8
SPACED = re.compile(r"\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+")


def pulse_columns(
    table: Table, headings: Sequence[Heading], warnings: list[str], left_out: dict[int, str]
) -> dict[int, int | None]:
    """Column of pulse numbers for each column of readings; None where there is none.

    Raises PulseDataError where two columns can count them.
    """
    pulses = [c for c, h in enumerate(headings) if h.role == "pulse"]
    values = [c for c, h in enumerate(headings) if h.role == "value"]
    alike = len({names_pulses(headings[c].text) for c in pulses}) == 1
    if len(pulses) > 1 and values and not (alike and _are_blocks(pulses, values)):
        pulses = [_choose(table, headings, pulses, warnings, left_out)]
    found: dict[int, int | None] = {}
    for c in values:
        before = [p for p in pulses if p < c]
        found[c] = before[-1] if before else next(iter(pulses), None)
    return found


def _are_blocks(pulses: Sequence[int], values: Sequence[int]) -> bool:
    """Each column of pulse numbers has readings to its right: pulse, LTP, pulse, LTD."""
    ends = [*pulses[1:], max(values) + 1]
    return all(any(p < v < end for v in values) for p, end in zip(pulses, ends, strict=True))


def _choose(
    table: Table,
    headings: Sequence[Heading],
    pulses: Sequence[int],
    warnings: list[str],
    left_out: dict[int, str],
) -> int:
    """The one that counts pulses: named so and counting, or the first of those that agree."""
    numbers = {c: numbers_of(table, c) for c in pulses}
    named = [c for c in pulses if names_pulses(headings[c].text)]
    counting = [c for c in pulses if counts_by_steps(numbers[c])]
    good = [c for c in named if c in counting] or ([] if named else counting)
    if not good or any(not _agree(numbers[good[0]], numbers[c]) for c in good[1:]):
        first, second = pulses[:2]
        place = table.place(table.header_line or table.lines[0], second)
        raise PulseDataError(
            f"{place}: pulse numbers here and in {table.column_name(first)}; "
            f"columns={{{first + 1}: None}} or columns={{{second + 1}: None}} leaves one out"
        )
    for c in pulses:
        if c != good[0]:
            left_out[c] = f"left out: {table.column_name(good[0])} counts the pulses"
            warnings.append(f"{table.column_name(c)} is {left_out[c]}")
    return good[0]


def _agree(first: FloatArray | None, second: FloatArray | None) -> bool:
    """Both run alike, up to the number they start with."""
    if first is None or second is None:
        return False
    return bool(np.array_equal(np.diff(first), np.diff(second), equal_nan=True))


def find_counter(
    table: Table, headings: list[Heading], warnings: list[str], left_out: dict[int, str]
) -> None:
    """A column of unknown name that counts is pulse numbers, and never readings."""
    has_pulses = any(h.role == "pulse" for h in headings)
    unknown = [c for c, h in enumerate(headings) if h.role == "unknown" and (h.text or c == 0)]
    others = any(h.role == "value" for h in headings)
    for c in unknown:
        values = numbers_of(table, c)
        if not counts(values) or not (others or len(unknown) > 1):
            continue
        if has_pulses:
            left_out[c] = "left out: it counts, beside the pulse numbers"
            headings[c] = replace(headings[c], role="ignored")
            warnings.append(f"{table.column_name(c)} is left out: it counts up")
            continue
        if headings[c].text:
            warnings.append(f"{table.column_name(c)} counts up: taken as pulse numbers")
        headings[c], has_pulses = replace(headings[c], role="pulse"), True


def read_pulse_numbers(table: Table, column: int, rows: slice, warnings: list[str]) -> FloatArray:
    """Pulse numbers of some rows, shape (rows,), whole ones, from 0 upwards.

    A count without numbers in its last rows goes on. Raises PulseDataError for what is no number.
    """
    part = _without_spaces(_rows_of_column(table, column, rows), column)
    end = len(part.lines)
    while end and not part.columns[column][end - 1]:
        end -= 1
    known = _rows_of_column(part, column, slice(0, end))
    n_blank = len(part.lines) - end
    if 0 < n_blank <= MOST_WITHOUT and counts(read_numbers(known, column).values):
        numbers = read_complete(known, column, "pulse number")
        numbers = np.concatenate([numbers, numbers[-1] + np.arange(1.0, n_blank + 1)])
        note_once(
            warnings,
            f"{table.column_name(column)}: {n_blank} row{'s' if n_blank > 1 else ''} at the end "
            f"without a number: the count goes on to {numbers[-1]:g}",
        )
    else:
        numbers = read_complete(part, column, "pulse number")
    numbers = _whole(table, column, numbers, warnings)
    if np.any(numbers < 0):
        row = int(np.argmax(numbers < 0))
        raise part.error(
            row, column, f"pulse number {numbers[row]:g} is negative; expected 0, 1, ..."
        )
    return numbers


def _rows_of_column(table: Table, column: int, rows: slice) -> Table:
    """Table with some rows of one column; the others stay, as a table may have thousands."""
    columns = list(table.columns)
    columns[column] = columns[column][rows]
    return replace(table, columns=tuple(columns), lines=table.lines[rows])


def _whole(table: Table, column: int, numbers: FloatArray, warnings: list[str]) -> FloatArray:
    """Numbers that lie close to a count are that count, with a warning."""
    if np.all(numbers == np.rint(numbers)):
        return numbers
    name = table.column_name(column)
    first = float(numbers[numbers != np.rint(numbers)][0])
    if (step := dense_step(numbers)) is not None:
        note_once(
            warnings,
            f"{name}: points of a digitised curve, not one reading a pulse: {1 / step:.2g} points "
            f"to a pulse, at numbers such as {first:g}; steps and noise of single pulses cannot be "
            f"known",
        )
        return numbers
    if not counts(numbers):
        note_once(warnings, f"{name}: pulse numbers are fractional, such as {first:g}")
        return numbers
    note_once(
        warnings,
        f"{name}: pulse numbers are fractional, such as {first:g}: they rise by about 1 and are "
        f"read as the nearest whole ones",
    )
    return np.rint(numbers) + 0.0


def dense_step(numbers: FloatArray) -> float | None:
    """Median step of uneven numbers most of which are fractional and closer than one pulse.

    None for all others: even steps are those of a clock.
    """
    if numbers.size < FEWEST_DENSE or np.mean(numbers != np.rint(numbers)) < 0.5:
        return None
    steps = np.abs(np.diff(numbers))
    step = float(np.median(steps))
    is_even = float(np.mean(np.abs(steps - step) <= EVEN * step)) > 0.5
    return step if 0 < step < DENSE and not is_even else None


def _without_spaces(table: Table, column: int) -> Table:
    """Pulse numbers such as "1 000" as 1000, where that goes on with the count."""
    cells = table.columns[column]
    if not any(SPACED.fullmatch(cell) for cell in cells):
        return table
    joined = tuple(re.sub(r"\D", "", cell) if SPACED.fullmatch(cell) else cell for cell in cells)
    columns = (*table.columns[:column], joined, *table.columns[column + 1 :])
    closed = replace(table, columns=columns)
    return closed if counts_by_steps(numbers_of(closed, column)) else table
