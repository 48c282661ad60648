"""Columns of numbers beside the readings that are no readings of a device of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from device_models.pulses.columns.counting import last_places, numbers_of, resolution
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import squeeze
from device_models.pulses.table import Table, is_missing
from device_models.pulses.types import FloatArray, PulseDataError

# Column of readings, its heading, and the column of its pulse numbers.
Reading = tuple[int, Heading, int | None]

WINDOWS = (3, 5, 7, 9, 11, 15, 21)
# Products of current and resistance of the same read are constant to this share.
CONSTANT = 0.01
MOST_COMPARED = 40
MOST_NAMED = 4
PREFERRED = ("conductance", "resistance", "current")


def leave_out_empty(
    table: Table,
    headings: list[Heading],
    given: frozenset[int],
    warnings: list[str],
    left_out: dict[int, str],
) -> None:
    """A column named as readings that holds none does not decide what the readings are."""
    for c, heading in enumerate(headings):
        if heading.role == "value" and c not in given and all(map(is_missing, table.columns[c])):
            left_out[c] = "left out: it holds no reading"
            warnings.append(f"{table.column_name(c)} is {left_out[c]}")
            headings[c] = replace(heading, role="ignored")


def leave_out_sidelines(
    table: Table,
    readings: Sequence[Reading],
    quantity: str | None,
    warnings: list[str],
    left_out: dict[int, str],
) -> list[Reading]:
    """The readings without averages, fits, sizes of others and a second quantity of the same reads.

    Raises PulseDataError where a second quantity does not follow from the first.
    """
    kept = _without_derived(table, list(readings), warnings, left_out)
    kept = _without_means(table, kept, warnings, left_out)
    kept = _of_one_quantity(table, kept, quantity, warnings, left_out)
    if 1 < len(kept) <= MOST_COMPARED:
        kept = _without_copies(table, kept, warnings, left_out)
    return kept


def _drop(
    table: Table,
    columns: dict[int, str],
    readings: list[Reading],
    warnings: list[str],
    left_out: dict[int, str],
) -> list[Reading]:
    """The readings without `columns`, whose values say what each is; many are named in one line."""
    for c, what in columns.items():
        left_out[c] = f"left out: {what}"
    shown = list(columns.items())[: MOST_NAMED if len(columns) > MOST_NAMED + 1 else None]
    warnings += [f"{table.column_name(c)} is left out: {what}" for c, what in shown]
    if (more := len(columns) - len(shown)) > 0:
        warnings.append(f"{more} more columns are left out for the same reason")
    return [r for r in readings if r[0] not in columns]


def _without_derived(
    table: Table, readings: list[Reading], warnings: list[str], left_out: dict[int, str]
) -> list[Reading]:
    """Columns called averages, fits or changes go where the readings themselves are there."""
    if all(h.is_derived or h.is_change for _, h, _ in readings):
        return readings
    derived = {c: "computed from readings, not read" for c, h, _ in readings if h.is_derived}
    derived |= {c: "a change, not a value" for c, h, _ in readings if h.is_change}
    return _drop(table, derived, readings, warnings, left_out)


def _of_one_quantity(
    table: Table,
    readings: list[Reading],
    quantity: str | None,
    warnings: list[str],
    left_out: dict[int, str],
) -> list[Reading]:
    """Columns of one quantity; others go where the option or the numbers themselves say so."""
    given = {h.measures for _, h, _ in readings if h.measures}
    if len(given) < 2:
        return readings
    chosen = quantity if quantity in given else next(q for q in PREFERRED if q in given)
    kept = [r for r in readings if r[1].measures == chosen]
    others = {r[0]: _partner(table, r, kept) for r in readings if r not in kept}
    if quantity not in given and None in others.values():
        choices = " or ".join(f"quantity={q!r}" for q in sorted(given))
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], readings[1][0])}: columns of "
            f"{' and '.join(sorted(given))} in one file; {choices} says which to read"
        )
    what = {
        c: f"another quantity{'' if p is None else f' of the same reads as {table.column_name(p)}'}"
        for c, p in others.items()
    }
    return _drop(table, what, readings, warnings, left_out)


def _partner(table: Table, other: Reading, kept: Sequence[Reading]) -> int | None:
    """The column of the same reads: the product, or the ratio to a conductance, is constant."""
    second = numbers_of(table, other[0])
    for c, heading, _ in kept:
        first = numbers_of(table, c) if _alike(heading, other[1]) else None
        if first is None or second is None:
            continue
        inverse = (heading.measures == "resistance") != (other[1].measures == "resistance")
        digits = last_places(table.columns[c]), last_places(table.columns[other[0]])
        if _is_constant(first, second, inverse, digits):
            return c
    return None


def _alike(first: Heading, second: Heading) -> bool:
    """No label of theirs differs: "R LTP" and "I LTP" can be of the same reads."""
    names = ("branch", "device", "cycle", "field_G", "number", "condition")
    return all(getattr(first, n) == getattr(second, n) for n in names)


def _is_constant(
    first: FloatArray, second: FloatArray, inverse: bool, digits: tuple[FloatArray, FloatArray]
) -> bool:
    """Product (`inverse`) or ratio of two columns is constant, up to their last digits."""
    there = ~np.isnan(first) & ~np.isnan(second) & (first != 0) & (second != 0)
    if there.sum() < 3:
        return False
    sizes = np.abs(first[there]), np.abs(second[there])
    logs = np.log(sizes[0]), np.log(sizes[1])
    combined = logs[0] + logs[1] if inverse else logs[0] - logs[1]
    limit = CONSTANT + 0.6 * (digits[0][there] / sizes[0] + digits[1][there] / sizes[1])
    # Two columns that hardly change have a constant product whatever they are.
    changes = np.ptp(logs[0]) > 5 * np.median(limit)
    return bool(changes and np.all(np.abs(combined - np.median(combined)) < limit))


def _without_copies(
    table: Table, readings: list[Reading], warnings: list[str], left_out: dict[int, str]
) -> list[Reading]:
    """Running means and sizes of another column, found in the numbers."""
    numbers = {c: numbers_of(table, c) for c, _, _ in readings}
    found: dict[int, str] = {}
    for c, heading, _ in readings:
        for other, named, _ in readings:
            if c == other or other in found or not _alike(heading, named) or c in found:
                continue
            first, second = numbers[c], numbers[other]
            if first is None or second is None or heading.number is not None:
                continue
            digits = resolution(table.columns[c])
            if _is_size(first, second):
                found[c] = f"the size of {table.column_name(other)}"
            elif _is_running_mean(first, second, digits):
                found[c] = f"a moving average of {table.column_name(other)}"
    return _drop(table, found, readings, warnings, left_out)


def _is_size(values: FloatArray, of: FloatArray) -> bool:
    """`values` are the sizes of numbers some of which are negative."""
    there = ~np.isnan(values) & ~np.isnan(of)
    if there.sum() < 3 or not np.any(of[there] < 0) or np.any(values[there] < 0):
        return False
    return bool(np.allclose(values[there], np.abs(of[there]), rtol=1e-3, atol=0))


def _is_running_mean(values: FloatArray, of: FloatArray, digits: float) -> bool:
    """`values` are means of `of` over some rows around or before each, to their last digit."""
    there = ~np.isnan(values) & ~np.isnan(of)
    n = int(there.sum())
    if n < 6 or np.ptp(of[there]) == 0 or np.ptp(values[there]) == 0:
        return False
    x, y = of[there], values[there]
    limit = 0.51 * digits + 1e-9 * np.ptp(x)
    for width in (w for w in WINDOWS if w <= n - 3):
        means = uniform_filter1d(x, width, mode="nearest")
        half = width // 2
        centred = np.abs(y - means)[half : n - half]
        trailing = np.abs(y[2 * half :] - means[half : n - half])
        if min(centred.max(), trailing.max()) <= limit and np.abs(x - y).max() > 2 * limit:
            return True
    return False


def _without_means(
    table: Table, readings: list[Reading], warnings: list[str], left_out: dict[int, str]
) -> list[Reading]:
    """A column called mean or average beside the columns it is the mean of."""
    for c, heading, _ in readings if len(readings) <= MOST_COMPARED else []:
        if not {"mean", "average", "avg"} & set(_words(heading)) or len(readings) < 3:
            continue
        others = [numbers_of(table, k) for k, h, _ in readings if k != c and not h.is_derived]
        own = numbers_of(table, c)
        if own is None or any(o is None for o in others):
            continue
        mean = np.mean(np.array([o for o in others if o is not None]), axis=0)
        there = ~np.isnan(mean) & ~np.isnan(own)
        limit = resolution(table.columns[c]) + 1e-6 * np.abs(mean[there])
        if there.sum() > 2 and np.all(np.abs(mean - own)[there] <= limit):
            what = {c: "the mean of the other columns"}
            return _drop(table, what, readings, warnings, left_out)
    return readings


def _words(heading: Heading) -> list[str]:
    return [squeeze(word) for word in heading.text.replace("_", " ").split()]
