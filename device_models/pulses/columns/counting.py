"""What a column of numbers does: counts pulses, tells time, rises, falls, stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from device_models.pulses.columns.cells import read_numbers
from device_models.pulses.segments import direction, find_switches
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError

# A direction is certain where the change is this many times its standard error.
CERTAIN = 6.0
# Digitised pulse numbers are this close to whole ones.
NEAR_WHOLE = 0.35
EVEN = 0.05
"""Steps of a clock differ by this share of a step at most."""

WRITTEN = re.compile(r"[+-]?\d*(?:[.,](\d*))?(?:[eE]([+-]?\d{1,4}))?", re.ASCII)


def numbers_of(table: Table, column: int) -> FloatArray | None:
    """Numbers of a column, shape (rows,), NaN where a cell is blank; None where it holds words."""
    try:
        return read_numbers(table, column).values
    except PulseDataError:
        return None


def counts(values: FloatArray | None) -> bool:
    """The numbers are 0, 1, 2, ... or 1, 2, 3, ..., possibly over again, or lie close to these."""
    there = _without_end(values)
    if there.size < 2 or np.any(np.isnan(there)):
        return False
    whole = np.rint(there)
    off = np.abs(there - whole)
    if np.any(off > 0) and not _is_digitised(off):
        return False
    goes_on = (np.diff(whole) == 1) | (whole[1:] == whole[0])
    return bool(whole[0] in (0, 1) and np.all(goes_on) and whole[1] == whole[0] + 1)


def _is_digitised(off: FloatArray) -> bool:
    """Most numbers are a little off whole ones, as those read from a figure are."""
    return bool(
        off.size >= 4
        and np.mean(off > 0) >= 0.5
        and off.max() <= NEAR_WHOLE
        and off.mean() <= NEAR_WHOLE / 2
    )


def counts_by_steps(values: FloatArray | None) -> bool:
    """Whole numbers from 0 or more that rise, with restarts: 0, 5, 10, ... 0, 5, 10, ..."""
    there = _without_end(values)
    if there.size < 2 or np.any(np.isnan(there)) or np.any(there < 0):
        return False
    if np.any(there != np.rint(there)):
        return counts(there)
    return bool(np.all((np.diff(there) > 0) | (there[1:] == there[0])) and there[1] > there[0])


def _without_end(values: FloatArray | None) -> FloatArray:
    """The numbers up to the last one that is there."""
    if values is None:
        return np.empty(0)
    there = np.flatnonzero(~np.isnan(values))
    return values[: there[-1] + 1] if there.size else np.empty(0)


def is_clock(values: FloatArray | None) -> bool:
    """The numbers rise evenly from about 0, but not by 1: time, or another swept quantity."""
    step = even_step(values)
    there = _without_end(values)
    if step is None or there[0] < 0 or abs(there[0]) > 1.1 * step:
        return False
    return is_sampled(there, step)


def is_sampled(values: FloatArray, step: float) -> bool:
    """A clock does not tick once a reading: its first step is not 1, or changes."""
    return abs(step - 1) > EVEN or bool(np.any(values != np.rint(values)))


def even_step(values: FloatArray | None) -> float | None:
    """First step of numbers that rise evenly, to rounding; None where they do not.

    The step may change a few times, as an instrument that samples more slowly later has it.
    """
    there = _without_end(values)
    if there.size < 4 or np.any(np.isnan(there)):
        return None
    steps = np.diff(there)
    if steps.min() <= 0:
        return None
    ends = 1 + np.flatnonzero(np.abs(np.diff(steps)) > EVEN * np.abs(steps[:-1]))
    starts = np.concatenate([[0], ends])
    runs = np.diff([*starts, steps.size])
    means = np.add.reduceat(steps, starts) / runs
    if ends.size > steps.size // 15 or np.any(runs < 3):
        return None
    even = np.abs(steps - np.repeat(means, runs)) <= EVEN * np.repeat(means, runs)
    return float(means[0]) if np.all(even) else None


def is_held(values: FloatArray) -> bool:
    """The numbers change in few rows, as settings do: two or three, or a count of long runs."""
    there = values[~np.isnan(values)]
    if there.size < 6 or int(np.count_nonzero(np.diff(there))) > there.size // 6:
        return False
    kinds = np.unique(there)
    return kinds.size <= 3 or bool(kinds[0] in (0, 1) and np.all(np.diff(kinds) == 1))


def is_swept(values: FloatArray) -> bool:
    """The numbers go up and down in even steps."""
    there = values[~np.isnan(values)]
    steps = np.diff(there)
    if there.size < 8 or not (np.any(steps > 0) and np.any(steps < 0)):
        return False
    size = np.abs(steps)
    even = np.abs(size - np.median(size)) <= EVEN * np.median(size)
    turns = int(np.count_nonzero(np.diff(np.sign(steps[even]))))
    return bool(np.mean(even) > 0.8 and turns <= steps.size // 4)


def movement(values: FloatArray) -> int:
    """+1 for readings that rise, -1 for readings that fall, 0 where they do both or neither."""
    there = upright(values[~np.isnan(values)])
    if there.size < 3 or find_switches(there):
        return 0
    towards = direction(there)
    return 0 if abs(towards) < CERTAIN else int(np.sign(towards))


def is_below_zero(values: FloatArray) -> bool:
    """Readings on the negative side, but for noise around 0."""
    there = values[~np.isnan(values)]
    if there.size == 0 or np.median(there) >= 0:
        return False
    return bool(there.max() <= 0.05 * abs(there.min()))


def upright(values: FloatArray) -> FloatArray:
    """Readings that are negative throughout, with the other sign."""
    return -values if is_below_zero(values) else values


def last_places(cells: Sequence[str]) -> FloatArray:
    """Unit in the last place of each cell as it is written, shape (rows,), 0 where there is none.

    Zeros that are not written make it too large for a few cells of a column.
    """
    return np.array([_last_place(cell) for cell in cells])


def resolution(cells: Sequence[str]) -> float:
    """The unit in the last place of most of the cells."""
    places = last_places([cell for cell in cells if cell])
    return float(np.median(places)) if places.size else 0.0


def _last_place(cell: str) -> float:
    match = WRITTEN.match(cell)
    if match is None or not match[0]:
        return 0.0
    return float(f"1e{int(match[2] or 0) - len(match[1] or '')}")
