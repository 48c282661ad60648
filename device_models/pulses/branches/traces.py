"""Stretches of a trace without labels: its branches are found in the readings.

A trace runs through LTP and LTD in turn; what is at rest before, between and after them is no part
of a branch and left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from device_models.pulses.branches.kinds import without_alternation
from device_models.pulses.branches.noise import direction, noise_of
from device_models.pulses.branches.pauses import Rests, Span
from device_models.pulses.branches.records import Records, Rows
from device_models.pulses.branches.stretches import (
    Stretch,
    check_unique,
    counted,
    restarts,
    split_by,
)
from device_models.pulses.segments import Switches
from device_models.pulses.types import FloatArray, IntArray, PulseDataError, Segment

# A switch this close to a pause is where the pause is.
NEAR = 2
# Readings at the end of a branch that tell a jump, and its size over their noise.
JUMP_READINGS = 6
JUMP_NOISE = 8.0
# Change of a branch over its standard error where other traces do not respond at all.
CERTAIN = 6.0
# Change of a branch over its standard error, for less than so many readings.
LEAST_DIRECTION = ((10, 4.0), (30, 3.5), (np.inf, 3.0))


class NoDirectionError(PulseDataError):
    """Readings that neither rise nor fall: no branch."""

    def __init__(self, records: Records, run: Rows):
        place = records.table.place(int(records.lines[run[0]]), records.column)
        last = records.lines[run[-1]]
        super().__init__(
            f"{place}: the readings from here to line {last} neither rise nor fall, as at rest or "
            f"in an endurance test; give branch='LTP' or branch='LTD' if they answer to pulses"
        )


@dataclass(frozen=True)
class Search:
    """What one round over the traces of a file knows, and what it finds out."""

    switches: Switches
    rests: Rests
    warnings: list[str] = field(default_factory=list)
    flat: list[NoDirectionError] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def cut_traces(records: Records, rows: Rows, search: Search) -> list[Stretch]:
    """No branch is given: from the readings, one trace a cycle and a start of the numbers."""
    cycles = [rows] if records.cycle is None else split_by(rows, records.cycle[rows])
    stretches: list[Stretch] = []
    for cycle in cycles:
        blocks = [cycle] if records.pulses is None else restarts(records.pulses, cycle)
        for block in blocks:
            ordered = _in_order(records, block)
            for part in without_alternation(records, ordered, search.warnings):
                try:
                    stretches += _cut_trace(records, part, search)
                except NoDirectionError as error:
                    search.flat.append(error)
                    search.left_out.append(_left_out(records, part))
    return stretches


def _left_out(records: Records, rows: Rows) -> str:
    first, last = records.lines[rows[[0, -1]]]
    return (
        f"{records.table.column_name(records.column)}: the readings from line {first} to line "
        f"{last} neither rise nor fall: no branch, left out"
    )


def _in_order(records: Records, rows: Rows) -> Rows:
    if records.pulses is None:
        return rows
    rows = rows[np.argsort(records.pulses[rows], kind="stable")]
    check_unique(records, records.pulses, rows)
    return rows


def _cut_trace(records: Records, rows: Rows, search: Search) -> list[Stretch]:
    """Stretches found in the readings of one trace."""
    values = records.values[rows]
    there = np.flatnonzero(~np.isnan(values))
    if there.size == 0:
        return []
    trace = _conductance(records, values[there])
    found, spans = search.rests.of(records, trace, records.lines[rows[there]])
    moving = _without(spans, trace.size)
    turns = search.switches.of(trace[moving], found)
    runs = _without_jumps(trace, _runs(moving, spans, turns))
    active = _without_pauses(records, rows, there, spans)
    stretches = []
    for k, run in enumerate(runs):
        own = _with_missing(rows, there, run, spans)
        if 0 < k < len(runs) - 1 and run.size == 2:
            search.warnings.append(_reset(records, own))
            continue
        numbers = counted(active, own, rows[0] if k == 0 and run[0] == 0 else None)
        try:
            stretches.append(Stretch(_branch_of(records, own), numbers, own, own))
        except NoDirectionError:
            # Behind an LTP and an LTD other pulses may follow; anywhere else nothing is certain.
            if k < len(runs) - 1 or not _is_whole(records, stretches):
                raise
            search.warnings.append(_left_out(records, own))
    return stretches


def _is_whole(records: Records, stretches: list[Stretch]) -> bool:
    """Whether there are both branches, each going its way far out of its noise."""
    names = {stretch.branch for stretch in stretches}
    return len(names) == 2 and all(
        abs(_towards(_there(records, stretch.rows), records.rises)) >= CERTAIN
        for stretch in stretches
    )


def _there(records: Records, rows: Rows) -> FloatArray:
    """The readings of these rows that are there, shape (n,)."""
    values = records.values[rows]
    return values[~np.isnan(values)]


def _without(spans: list[Span], size: int) -> IntArray:
    """Indices of the readings that move; the last one of a rest at the start is their state."""
    moving = np.ones(size, dtype=bool)
    for low, high in spans:
        moving[low : high + 1] = False
    if spans and spans[0][0] == 0:
        moving[spans[0][1]] = True
    return np.flatnonzero(moving)


def _runs(moving: IntArray, spans: list[Span], turns: list[int]) -> list[IntArray]:
    """Indices of the readings of each stretch; a rest between two branches parts them.

    The last reading at rest is the state before the branch that follows.
    """
    states: dict[int, int] = {}
    for low, high in spans:
        end = int(np.searchsorted(moving, low)) - 1
        near = [t for t in turns if abs(t - end) <= NEAR]
        if 0 < end < moving.size - 1 and near:
            turns = sorted({end if t == near[0] else t for t in turns})
            states[end] = high
    bounds = [0, *turns, moving.size - 1]
    runs = []
    for start, end in pairwise(bounds):
        run = moving[start : end + 1].copy()
        if start in states:
            run[0] = states[start]
        runs.append(run)
    return runs


def _without_jumps(trace: FloatArray, runs: list[IntArray]) -> list[IntArray]:
    """Runs whose last reading is not where their own steps lead lose it to the run that follows.

    A device that is set anew before a branch starts it from beyond the end of the branch before.
    """
    return [
        run[:-1] if k < len(runs) - 1 and _jumps_on(trace[run]) else run
        for k, run in enumerate(runs)
    ]


def _jumps_on(values: FloatArray) -> bool:
    """The last step is far larger than the ever smaller ones before it, and than the noise."""
    if values.size < JUMP_READINGS:
        return False
    *before, jump = np.diff(values[-JUMP_READINGS:])
    way = np.sign(jump)
    slows_down = bool(np.all(way * np.array(before) > 0) and np.all(way * np.diff(before) < 0))
    more = way * (jump - before[-1])
    return slows_down and more > way * before[-1] and more > JUMP_NOISE * noise_of(values[:-1])


def _with_missing(rows: Rows, there: IntArray, run: IntArray, spans: list[Span]) -> Rows:
    """Rows of a run of readings, with those between them that have no reading."""
    own = rows[there[run[0]] : there[run[-1]] + 1]
    at_rest = [rows[there[low] : there[high] + 1] for low, high in spans if run[0] < low <= run[-1]]
    return own[~np.isin(own, np.concatenate(at_rest))] if at_rest else own


def _without_pauses(records: Records, rows: Rows, there: IntArray, spans: list[Span]) -> Records:
    """Pulse numbers that do not count what is at rest; the last such reading is a state."""
    if records.pulses is None or not spans:
        return records
    pulses = records.pulses.copy()
    step = float(np.median(np.diff(pulses[rows])))
    for low, high in spans:
        pulses[rows[there[high] :]] -= step * (high - low + 1)
    return replace(records, pulses=pulses)


def _reset(records: Records, run: Rows) -> str:
    lines = [records.lines[row] for row in (run[0], run[-1])]
    return (
        f"lines {lines[0]} to {lines[1]}: the readings jump back in one step, which is "
        f"read as a reset between cycles and not as a branch"
    )


def _conductance(records: Records, values: FloatArray) -> FloatArray:
    """Resistances as conductances, so that a device is cut alike in either quantity."""
    return 1 / values if records.rises < 0 and values.min() > 0 else values


def _branch_of(records: Records, run: Rows) -> str:
    """LTP or LTD by the direction of the conductance; an error where it has none."""
    there = _there(records, run)
    towards = _towards(there, records.rises) if there.size > 1 else 0.0
    # Of few readings of noise many rise or fall by chance.
    if abs(towards) < next(least for size, least in LEAST_DIRECTION if there.size < size):
        raise NoDirectionError(records, run)
    return "LTP" if towards > 0 else "LTD"


def certain(segment: Segment, rises: int) -> bool:
    """Whether a segment goes the way of its branch far out of its noise."""
    way = 1 if segment.branch == "LTP" else -1
    return _towards(segment.values, rises) * way >= CERTAIN


def _towards(values: FloatArray, rises: int) -> float:
    """Direction of the conductance: where it is high, noise of a resistance says little."""
    if rises < 0 and values.min() > 0:
        return direction(1 / values)
    return direction(values) * rises
