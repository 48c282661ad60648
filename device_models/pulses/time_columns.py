"""Readings against time: what is told from readings after each pulse by its time stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_models.pulses.counting import even_step, is_sampled, numbers_of
from device_models.pulses.headings import Heading
from device_models.pulses.names import words_of
from device_models.pulses.sidelines import Reading
from device_models.pulses.tables import Table
from device_models.pulses.types import PulseDataError

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


def is_time(heading: Heading) -> bool:
    """The heading is that of time stamps."""
    in_seconds = heading.unit is not None and heading.unit.measures == "time"
    return heading.role == "ignored" and (
        in_seconds or bool(TIME_WORDS & set(words_of(heading.text)))
    )
