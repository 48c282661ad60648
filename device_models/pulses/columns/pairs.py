"""A second pair of voltage and current in the log of an instrument with two channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device_models.pulses.columns.counting import numbers_of
from device_models.pulses.columns.headings import Heading
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError

# A channel that only leaks or floats moves by less than this share of the other.
QUIET = 0.05

Pair = tuple[int, int]


def leave_out_second_pair(
    table: Table, headings: list[Heading], warnings: list[str], left_out: dict[int, str]
) -> None:
    """Of two voltages with a current each, the pair that stays quiet or repeats is left out.

    Raises PulseDataError where both pairs move.
    """
    pairs = _pairs(headings)
    if len(pairs) != 2:
        return
    numbers = [(numbers_of(table, v), numbers_of(table, i)) for v, i in pairs]
    gone = _second(numbers)
    if gone is None:
        first, second = ({v + 1: None, i + 1: None} for v, i in pairs)
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], pairs[1][1])}: a second pair of "
            f"voltage and current; columns={first} or columns={second} leaves one out"
        )
    v, i = pairs[gone]
    for c in (v, i):
        left_out[c] = "left out: a second pair of voltage and current"
        headings[c] = replace(headings[c], role="ignored")
    warnings.append(
        f"{table.column_name(v)} and {table.column_name(i)} are left out: a second pair of voltage "
        f"and current that does not respond or repeats the first"
    )


def _pairs(headings: Sequence[Heading]) -> list[Pair]:
    """Columns of a voltage with a current beside it, numbered or named alike."""
    volts = [c for c, h in enumerate(headings) if h.role in ("amplitude", "read_voltage")]
    amperes = [c for c, h in enumerate(headings) if h.role == "value" and h.measures == "current"]
    if len(volts) != 2 or len(amperes) != 2 or any(headings[c].branch for c in amperes):
        return []
    straight = list(zip(volts, amperes, strict=True))
    numbered = {headings[c].number for c in (*volts, *amperes)}
    same = len(numbered) == 2 and all(headings[v].number == headings[i].number for v, i in straight)
    beside = len({v - i for v, i in straight}) == 1 and abs(volts[0] - amperes[0]) == 1
    return straight if same or beside else []


def _second(numbers: Sequence[tuple[FloatArray | None, FloatArray | None]]) -> int | None:
    """Index of the pair that says nothing of its own; None where both do."""
    currents = [i for _, i in numbers]
    if any(i is None or np.all(np.isnan(i)) for i in currents):
        return None
    first, second = (i for i in currents if i is not None)
    if np.array_equal(first, second, equal_nan=True):
        return 1
    spans = [float(np.nanmax(i) - np.nanmin(i)) for i in (first, second)]
    quiet = int(spans[1] < spans[0])
    is_quiet = spans[quiet] < QUIET * spans[1 - quiet]
    return quiet if is_quiet else None
