"""Numbers as a person reads them: SI prefixes, shares in per cent, spans, counts."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from device_models.plotting import si_scale

FloatArray = NDArray[np.float64]

MOST_LISTED = 8
LEAST_PERCENT = 0.001
DECADES = 100.0
"""Largest over smallest value from which a plot is logarithmic."""


def si(value: float, unit: str, digits: int = 3) -> str:
    """`value` with the prefix that suits it; `unit`: "S", "ohm", or "1" for arbitrary units."""
    name, factor = scale(unit, value, digits)
    return _with_unit(f"{factor * value:.{digits}g}", name)


def span(low: float, high: float, unit: str, digits: int = 3) -> str:
    """`low to high` with one prefix for both; a span over decades keeps a prefix for each."""
    if low == high:
        return si(low, unit, digits)
    largest = max(abs(low), abs(high))
    if unit != "1" and 0 < abs(low) < 1e-3 * largest:
        return f"{si(low, unit, digits)} to {si(high, unit, digits)}"
    name, factor = scale(unit, largest, digits)
    return _with_unit(f"{factor * low:.{digits}g} to {factor * high:.{digits}g}", name)


def scale(unit: str, value: float, digits: int) -> tuple[str, float]:
    """Unit with its prefix, "" for arbitrary units, and the factor to it, as `value` is rounded."""
    name, factor = si_scale(unit, float(f"{abs(value):.{digits}g}"))
    return "" if unit == "1" else name, factor


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number


def percent(share: float) -> str:
    """A share as per cent, to two digits."""
    size = abs(100 * share)
    if not math.isfinite(size):
        return "unknown"
    if size < LEAST_PERCENT:
        return "about 0 %" if size else "0 %"
    return f"{100 * share:.0f} %" if size >= 9.95 else f"{100 * share:.2g} %"


def count(n: int, what: str) -> str:
    """`n` of what is counted, in the plural where it is not one."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def spans_decades(values: FloatArray) -> bool:
    """Whether values are positive and so far apart that their logarithms are worth a plot."""
    return bool(values.min() > 0 and values.max() > DECADES * values.min())


def listed(names: Iterable[object]) -> str:
    """Names in quotes, the first eight of them."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - MOST_LISTED} more" if len(quoted) > MOST_LISTED else ""
    return ", ".join(quoted[:MOST_LISTED]) + more


def numbered(values: list[int] | tuple[int, ...]) -> str:
    """Whole numbers as runs: `1-4, 7`."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
