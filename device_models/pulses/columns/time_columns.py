"""Readings against time: what is told from readings after each pulse by its time stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from device_models.pulses.columns.counting import even_step, is_sampled, numbers_of
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import words_of
from device_models.pulses.columns.sidelines import Reading
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError

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
    has_numbers = any(p is not None for _, _, p in readings)
    if not clocks or has_numbers or {"branch", "amplitude", "cycle"} & set(conditions):
        return
    note = (
        f"{table.column_name(clocks[0])} is time: each row is taken as the reading after one pulse"
    )
    values = numbers_of(table, clocks[0])
    step = even_step(values)
    if any(h.branch or h.amplitude_V for _, h, _ in readings):
        warnings.extend([note] if _runs(values) and step is None else [])
    elif step is not None and values is not None and is_sampled(values, step):
        raise _against_time(table, clocks, f"rises evenly by {step:.4g}")
    elif _runs(values) and step is None:
        raise _against_time(table, clocks, "rises unevenly, as time does")
    else:
        warnings.append(note)


def _against_time(table: Table, clocks: Sequence[int], how: str) -> PulseDataError:
    """What is wrong with readings over a clock, and how to read them where rows are pulses."""
    without = {c + 1: None for c in clocks}
    return PulseDataError(
        f"{table.place(table.header_line or table.lines[0], clocks[0])}: {how}: readings against "
        f"time, not one a pulse; expected one reading after each pulse, with a pulse number or an "
        f"amplitude; if each row follows one pulse, columns={without} reads it so"
    )


def _runs(values: FloatArray | None) -> bool:
    """The numbers never fall and rise nearly everywhere, as time stamps do."""
    there = np.empty(0) if values is None else values[~np.isnan(values)]
    steps = np.diff(there)
    return bool(steps.size > 1 and steps.min() >= 0 and np.mean(steps > 0) > 0.5)


def is_time(heading: Heading) -> bool:
    """The heading is that of time stamps."""
    in_seconds = heading.unit is not None and heading.unit.measures == "time"
    return heading.role == "ignored" and (
        in_seconds or bool(TIME_WORDS & set(words_of(heading.text)))
    )
