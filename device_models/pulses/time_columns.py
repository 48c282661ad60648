"""Readings against time: what is told from readings after each pulse by its time stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from device_models.pulses.counting import even_step, is_sampled, movement, numbers_of
from device_models.pulses.headings import Heading
from device_models.pulses.names import words_of
from device_models.pulses.segments import find_switches
from device_models.pulses.sidelines import Reading
from device_models.pulses.tables import Table
from device_models.pulses.types import FloatArray, PulseDataError

FEWEST_CYCLES = 6
TIME_WORDS = frozenset(["time", "t", "timestamp", "elapsed"])


def check_time(
    table: Table,
    headings: Sequence[Heading],
    readings: Sequence[Reading],
    conditions: Mapping[str, tuple[int, Heading]],
    warnings: list[str],
) -> None:
    """A warning for readings that only time stamps count, PulseDataError where these run evenly.

    Pulse numbers, an amplitude, branches or cycles of their own tell that rows are pulses.
    """
    clocks = [c for c, h in enumerate(headings) if is_time(h)]
    knows_pulses = any(h.branch or h.amplitude_V for _, h, _ in readings) or any(
        p is not None for _, _, p in readings
    )
    if not clocks or knows_pulses or {"branch", "amplitude", "cycle"} & set(conditions):
        return
    values = numbers_of(table, clocks[0])
    step = even_step(values)
    if step is not None and values is not None and is_sampled(values, step):
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], clocks[0])}: rises evenly by "
            f"{step:.4g}: readings against time, not one a pulse; expected one reading after each "
            f"pulse, with a pulse number or an amplitude"
        )
    warnings.append(
        f"{table.column_name(clocks[0])} is time: each row is taken as the reading after one pulse"
    )


def check_cycles(
    table: Table, readings: Sequence[Reading], conditions: Mapping[str, tuple[int, Heading]]
) -> None:
    """PulseDataError for a cycle number in each row over which the readings rise or fall."""
    if "cycle" not in conditions or any(p is not None for _, _, p in readings):
        return
    column = conditions["cycle"][0]
    numbers = numbers_of(table, column)
    if numbers is None or numbers.size < FEWEST_CYCLES or np.any(np.diff(numbers) != 1):
        return
    values = [v for c, _, _ in readings if (v := numbers_of(table, c)) is not None]
    if any(_rises_or_falls(v[~np.isnan(v)]) for v in values):
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], column)}: one reading for each "
            f"cycle, and they rise or fall from cycle to cycle; columns={ {column + 1: 'pulse'} } "
            f"says that pulses are counted"
        )


def _rises_or_falls(values: FloatArray) -> bool:
    """Readings go one way for certain, or one way and then the other."""
    turns = find_switches(values)
    if len(turns) > 1:
        return False
    bounds = [0, *turns, values.size - 1]
    return all(movement(values[a : b + 1]) for a, b in pairwise(bounds))


def is_time(heading: Heading) -> bool:
    """The heading is that of time stamps."""
    in_seconds = heading.unit is not None and heading.unit.measures == "time"
    return heading.role == "ignored" and (
        in_seconds or bool(TIME_WORDS & set(words_of(heading.text)))
    )
