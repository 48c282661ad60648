"""Columns of readings that look alike: cycles, devices or conditions, by number or by option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device_models.pulses.columns.cells import read_numbers
from device_models.pulses.columns.counting import movement
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.sidelines import Reading
from device_models.pulses.table import Table
from device_models.pulses.types import PulseDataError, show

# Columns that correlate better than this at levels within this factor can be of one state.
CLOSE = 0.9
SIMILAR_LEVEL = 2.0
FEWEST_ROWS = 4
MOST_CHOICES = 3


def label_readings(
    table: Table,
    readings: Sequence[Reading],
    wide_of: str | None,
    quantity: str | None,
    by_branch: bool,
    warnings: list[str],
) -> tuple[Reading, ...]:
    """Columns of readings with the device and cycle their headings or `wide_of` give.

    `by_branch` says that a column names the branch. Raises PulseDataError where two columns
    are told apart by nothing.
    """
    if len(readings) == 1:
        return tuple(readings)
    found = [(c, _explained(table, c, h, wide_of, warnings), p) for c, h, p in readings]
    keys = [_identity(h) for _, h, _ in found]
    if len(set(keys)) == len(keys):
        return tuple(found)
    if wide_of is not None:
        counts = [keys[: i + 1].count(key) for i, key in enumerate(keys)]
        return tuple(
            (c, _counted(table, c, h, wide_of, k), p)
            for (c, h, p), k in zip(found, counts, strict=True)
        )
    if len(found) == 2 and not found[0][1].labelled and not by_branch:
        branches = _opposite(table, found, quantity)
        if branches is not None:
            return tuple(
                (c, replace(h, branch=b), p) for (c, h, p), b in zip(found, branches, strict=True)
            )
    raise _ask(table, found, keys)


def _ask(
    table: Table, readings: Sequence[Reading], keys: Sequence[tuple[object, ...]]
) -> PulseDataError:
    """What to give for columns that nothing tells apart."""
    second = next(i for i, key in enumerate(keys) if key in keys[:i])
    alike = [r for r, key in zip(readings, keys, strict=True) if key == keys[second]]
    literal = {c + 1: f"{_stem(h)} device {k}" for k, (c, h, _) in enumerate(alike, 1)}
    names = f", or names such as columns={literal}" if len(literal) < 9 else ""
    each = f"wide_of='cycle', wide_of='device', wide_of='condition' or wide_of='repeat'{names}"
    one = _leaving_out([c for c, _, _ in alike])
    advice = f"give {each}; {one}" if one else f"give {each}"
    if one and _follow(table, [c for c, _, _ in alike]):
        advice = f"they follow each other closely: {one}; or give {each}"
    return PulseDataError(
        f"{table.place(table.header_line or table.lines[0], readings[second][0])}: nothing tells "
        f"these readings from those of {table.column_name(alike[0][0])}; {advice}"
    )


def _leaving_out(columns: Sequence[int]) -> str:
    """How to leave all but one out, for a few columns; those that stay are named by what goes."""
    if len(columns) > MOST_CHOICES:
        return ""
    ways = [{c + 1: None for c in columns if c != kept} for kept in columns]
    listed = " or ".join(f"columns={way}" for way in ways)
    return f"{listed} leaves {'one' if len(columns) == 2 else 'all but one'} out"


def _follow(table: Table, columns: Sequence[int]) -> bool:
    """Columns move together at a similar level, as two reads of one state do."""
    arrays = np.array([read_numbers(table, c).values for c in columns])
    arrays = arrays[:, ~np.any(np.isnan(arrays), axis=0)]
    if arrays.shape[1] < FEWEST_ROWS or np.any(np.ptp(arrays, axis=1) == 0):
        return False
    levels = np.abs(np.median(arrays, axis=1))
    alike = levels.min() * SIMILAR_LEVEL >= levels.max()
    # Scaled, as readings of 1e-200 have no squares.
    scaled = arrays / np.abs(arrays).max(axis=1, keepdims=True)
    return bool(alike and np.corrcoef(scaled)[0].min() > CLOSE)


def _stem(heading: Heading) -> str:
    """Quantity, branch and unit of a heading, as they can be written into one."""
    letters = {"resistance": "R", "conductance": "G", "current": "I"}
    name = f"{heading.branch or ''} {letters.get(heading.measures or '', '')}".strip() or "value"
    return f"{name} ({heading.unit.symbol})" if heading.unit else name


def _counted(table: Table, column: int, heading: Heading, wide_of: str, number: int) -> Heading:
    if wide_of == "cycle":
        return replace(heading, cycle=number)
    if wide_of == "condition":
        text = heading.text or table.column_name(column)
        return replace(heading, condition=f"{text[:60]} {number}" if number > 1 else text[:60])
    return replace(heading, device=str(number))


def _identity(heading: Heading) -> tuple[object, ...]:
    # Readings without a label are those of device 1.
    labels = (heading.branch, heading.device or "1", heading.cycle, heading.condition)
    return (*labels, heading.field_G, heading.amplitude_V, heading.width_s)


def _explained(
    table: Table, column: int, heading: Heading, wide_of: str | None, warnings: list[str]
) -> Heading:
    """Heading whose bare number ("LTP_1", "R3") has become a cycle, a device or a condition."""
    if heading.number is None:
        return heading
    kind = wide_of or ("cycle" if heading.branch else None)
    if kind == "repeat":
        return replace(heading, number=None)
    if kind is None:
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], column)}: the number in "
            f"{show(heading.text)} can be a cycle or a device; give wide_of='cycle' or "
            f"wide_of='device', wide_of='condition' or wide_of='repeat'"
        )
    if kind == "condition":
        return replace(heading, condition=heading.condition or heading.text[:60], number=None)
    if kind == "cycle" and heading.cycle is None:
        if wide_of is None:
            note = "numbers in headings are read as cycles; wide_of='device' reads them as devices"
            warnings.extend([] if note in warnings else [note])
        return replace(heading, cycle=int(heading.number), number=None)
    return replace(heading, device=heading.device or heading.number, number=None)


def _opposite(table: Table, readings: Sequence[Reading], quantity: str | None) -> list[str] | None:
    """Branches of two columns of which one rises and the other falls, LTP where G rises."""
    signs = []
    for column, heading, _ in readings:
        way = movement(read_numbers(table, column).values)
        measures = heading.measures or quantity
        signs.append(-way if measures == "resistance" else way)
    return ["LTP" if s > 0 else "LTD" for s in signs] if signs[0] * signs[1] < 0 else None
