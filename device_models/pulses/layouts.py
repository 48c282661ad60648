"""From columns to segments: rows are grouped by device and conditions, then cut into branches.

Pulse numbers of a segment, one rule for all layouts: numbers in the file that start at 0 or 1 in
the branch are kept. Where they run on over the branches, or where there are none, readings follow
each other in time: the last reading of a branch is also the state before the next one, which
starts with it as pulse 0. Readings that were dropped leave a gap in the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.records import Records, Rows, make_records, read_conditions
from device_models.pulses.roles import Roles
from device_models.pulses.noise import direction
from device_models.pulses.protocols import Switches
from device_models.pulses.tables import Table
from device_models.pulses.types import FloatArray, Labels, PulseDataError, Segment

MAX_SEGMENTS = 20_000
# Cycle of a segment until all are known.
UNKNOWN = -1


def find_segments(
    table: Table, roles: Roles, values: Sequence[FloatArray], rises: int, given: Labels
) -> tuple[list[Segment], list[str]]:
    """Segments in the order of the file, and what is worth a warning."""
    switches = Switches()
    found = _find(table, roles, values, rises, given, switches)
    if switches.agree():
        found = _find(table, roles, values, rises, given, switches)
    return found


def _find(
    table: Table,
    roles: Roles,
    values: Sequence[FloatArray],
    rises: int,
    given: Labels,
    switches: Switches,
) -> tuple[list[Segment], list[str]]:
    warnings: list[str] = []
    conditions = read_conditions(table, roles, given)
    segments: list[Segment] = []
    for (column, heading, pulses), readings in zip(roles.readings, values, strict=True):
        records = make_records(
            table, column, heading, pulses, readings, rises, conditions, given, warnings
        )
        for rows in _groups(records):
            segments += _with_cycles(_cut(records, rows, warnings, switches))
            if len(segments) > MAX_SEGMENTS:
                raise PulseDataError(
                    f"{table.place(int(records.lines[rows[0]]), column)}: more than {MAX_SEGMENTS} "
                    f"segments; split the file"
                )
    if not segments:
        raise PulseDataError(f"{table.place(table.lines[0])}: no readings in the table")
    _check_twice(table, segments)
    return segments, warnings


def _groups(records: Records) -> list[Rows]:
    """Rows of one device under one condition, in the order of the file."""
    keys = [records.device, records.field_G, records.width_s]
    codes = np.zeros(records.values.size, dtype=np.int64)
    for key in keys:
        _, code = np.unique(key, return_inverse=True)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return sorted(groups, key=lambda rows: int(rows[0]))


def _cut(records: Records, rows: Rows, warnings: list[str], switches: Switches) -> list[Segment]:
    """Segments of one group of rows."""
    if records.branch is None:
        return _cut_traces(records, rows, warnings, switches)
    if records.pulses is None:
        return _cut_in_order(records, rows, records.branch[rows])
    if np.unique(records.pulses[rows]).size == rows.size:
        # Numbers that never come up twice run on over the branches.
        rows = rows[np.argsort(records.pulses[rows], kind="stable")]
        return _cut_in_order(records, rows, records.branch[rows])
    return _cut_by_number(records, records.pulses, rows, warnings)


def _cut_by_number(
    records: Records, pulses: FloatArray, rows: Rows, warnings: list[str]
) -> list[Segment]:
    """Each branch has its own pulse numbers: the order of the rows does not matter."""
    runs: list[Rows] = []
    for part in _split_by(rows, _label_codes(records, rows)):
        cycles = [part] if records.cycle is not None else _restarts(pulses, part)
        if len(cycles) > 1:
            _note(warnings, "restarts of the pulse number are read as cycles")
        runs += [run[np.argsort(pulses[run], kind="stable")] for run in cycles]
    for run in runs:
        _check_unique(records, pulses, run)
    runs.sort(key=lambda run: int(run.min()))
    return _present([_segment(records, pulses[run], run, run) for run in runs])


def _label_codes(records: Records, rows: Rows) -> NDArray[np.int64]:
    """Code of branch, cycle and amplitude for each of `rows`."""
    keys: list[NDArray] = []
    if records.branch is not None:
        keys.append(records.branch[rows])
    if records.cycle is not None:
        keys.append(records.cycle[rows])
    if not records.steps_amplitude:
        keys.append(_train_amplitude(records)[rows])
    codes = np.zeros(rows.size, dtype=np.int64)
    for key in keys:
        _, code = np.unique(key, return_inverse=True)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    return codes


def _train_amplitude(records: Records) -> FloatArray:
    """Amplitude of the train each row belongs to: 0 V at its start becomes that of the next row."""
    amplitude = np.abs(records.amplitude_V)
    index = np.where(amplitude == 0, amplitude.size - 1, np.arange(amplitude.size))
    following = np.minimum.accumulate(index[::-1])[::-1]
    return np.where(amplitude == 0, amplitude[following], amplitude)


def _split_by(rows: Rows, codes: NDArray[np.int64]) -> list[Rows]:
    order = np.argsort(codes, kind="stable")
    return [rows[part] for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)]


def _restarts(pulses: FloatArray, rows: Rows) -> list[Rows]:
    """Rows cut where the pulse number starts again, if it starts more than once."""
    starts = np.flatnonzero(pulses[rows] == pulses[rows].min())
    return np.split(rows, starts[1:]) if starts[0] == 0 else [rows]


def _check_unique(records: Records, pulses: FloatArray, run: Rows) -> None:
    same = np.flatnonzero(np.diff(pulses[run]) == 0)
    if same.size:
        first, second = run[same[0]], run[same[0] + 1]
        branch = "" if records.branch is None else f"{records.branch[second]} "
        raise PulseDataError(
            f"{records.table.place(int(records.lines[second]))}: {branch}pulse {pulses[second]:g} "
            f"of device {records.device[second]} is given twice, first in line "
            f"{records.lines[first]}; a cycle column tells cycles apart"
        )


def _cut_in_order(records: Records, rows: Rows, branches: NDArray) -> list[Segment]:
    """Branches are given and rows follow each other in time."""
    codes = _label_codes(replace(records, branch=None), rows)
    new = (branches[1:] != branches[:-1]) | (codes[1:] != codes[:-1])
    return _consecutive(records, rows, [0, *(np.flatnonzero(new) + 1), rows.size], branches)


def _consecutive(
    records: Records, rows: Rows, bounds: Sequence[int], branches: NDArray
) -> list[Segment]:
    """Segments between `bounds`; each but the first starts with the reading before it."""
    segments = []
    for start, end in pairwise(bounds):
        first = max(start - 1, 0)
        # Without pulse numbers a reading that is repeated at the switch is that state already.
        repeated = records.values[rows[start]] == records.values[rows[first]]
        first = start if repeated and records.pulses is None else first
        run, own = rows[first:end], rows[start:end]
        numbers = _counted(records, run, is_first=start == 0)
        segments.append(_segment(records, numbers, run, own, str(branches[start])))
    return _present(segments)


def _counted(records: Records, run: Rows, is_first: bool) -> FloatArray:
    """Pulse numbers within a stretch; the first one keeps those of the file if it starts there."""
    if records.pulses is None:
        return np.arange(run.size, dtype=float)
    numbers = records.pulses[run]
    step = float(np.median(np.diff(numbers))) if run.size > 1 else 1.0
    return numbers if is_first and numbers[0] <= step else numbers - numbers[0]


def _cut_traces(
    records: Records, rows: Rows, warnings: list[str], switches: Switches
) -> list[Segment]:
    """No branch is given: by the sign of the amplitude where it changes, else from the readings."""
    amplitude = records.amplitude_V[rows]
    if np.any(amplitude > 0) and np.any(amplitude < 0):
        return _cut_by_sign(records, rows, amplitude)
    parts = [rows] if records.cycle is None else _split_by(rows, records.cycle[rows])
    segments: list[Segment] = []
    for part in parts:
        blocks = [part] if records.pulses is None else _restarts(records.pulses, part)
        for block in blocks:
            segments += _cut_trace(records, block, warnings, switches)
    return segments


def _cut_by_sign(records: Records, rows: Rows, amplitude: FloatArray) -> list[Segment]:
    """Branches from the sign of the pulses; LTP is the sign that raises the conductance."""
    if records.pulses is not None and np.unique(records.pulses[rows]).size == rows.size:
        rows = rows[np.argsort(records.pulses[rows], kind="stable")]
        amplitude = records.amplitude_V[rows]
    sign = np.sign(amplitude)
    # Reads without a pulse belong to the train before them, at the start to the first one.
    last = np.maximum.accumulate(np.where(sign == 0, 0, np.arange(sign.size)))
    sign = sign[last]
    sign[sign == 0] = sign[np.flatnonzero(sign)[0]]
    values = records.values[rows] * records.rises
    steps = np.diff(values)
    usable = ~np.isnan(steps)
    rise = float(np.sum((steps * sign[1:])[usable]))
    ltp = 1.0 if rise >= 0 else -1.0
    return _cut_in_order(records, rows, np.where(sign == ltp, "LTP", "LTD"))


def _cut_trace(
    records: Records, rows: Rows, warnings: list[str], switches: Switches
) -> list[Segment]:
    """Segments found in the readings of one trace."""
    if records.pulses is not None:
        rows = rows[np.argsort(records.pulses[rows], kind="stable")]
        _check_unique(records, records.pulses, rows)
    values = records.values[rows]
    there = np.flatnonzero(~np.isnan(values))
    if there.size == 0:
        return []
    turns = [int(there[t]) for t in switches.of(_conductance(records, values[there]))]
    bounds = [0, *turns, rows.size - 1]
    segments = []
    for k, (start, end) in enumerate(pairwise(bounds)):
        run = rows[start : end + 1]
        lines = [records.lines[r] for r in (run[0], run[-1])]
        if 0 < k < len(bounds) - 2 and end - start == 1:
            warnings.append(
                f"lines {lines[0]} to {lines[1]}: the readings jump back in one step, which is "
                f"read as a reset between cycles and not as a branch"
            )
            continue
        numbers = _counted(records, run, is_first=k == 0)
        branch = _branch_of(records, run)
        segments.append(_segment(records, numbers, run, run, branch))
    return _present(segments)


def _conductance(records: Records, values: FloatArray) -> FloatArray:
    """Resistances as conductances, so that a device is cut alike in either quantity."""
    return 1 / values if records.rises < 0 and values.min() > 0 else values


def _branch_of(records: Records, run: Rows) -> str:
    """LTP or LTD by the direction of the conductance; an error where it has none."""
    values = records.values[run]
    there = values[~np.isnan(values)]
    towards = direction(there) * records.rises if there.size > 1 else 0.0
    if abs(towards) < 3:
        raise PulseDataError(
            f"{records.table.place(int(records.lines[run[0]]), records.column)}: the readings "
            f"from here to line {records.lines[run[-1]]} neither rise nor fall; "
            f"give branch='LTP' or branch='LTD', or a branch column"
        )
    return "LTP" if towards > 0 else "LTD"


def _segment(
    records: Records,
    pulses: FloatArray,
    rows: Rows,
    own: Rows,
    branch: str | None = None,
) -> Segment | None:
    """Segment of `rows` without missing readings; `own` are those without a shared first one."""
    keep = ~np.isnan(records.values[rows])
    if not np.any(keep):
        return None
    if branch is None:
        assert records.branch is not None
        branch = str(records.branch[own[0]])
    row = own[0]
    lines = records.lines[rows]
    return Segment(
        branch=branch,
        pulses=_fixed(pulses[keep]),
        values=_fixed(records.values[rows][keep]),
        device=str(records.device[row]),
        cycle=UNKNOWN if records.cycle is None else int(records.cycle[row]),
        field_G=_number(records.field_G[row]),
        amplitude_V=_amplitude(records, rows, own, keep),
        width_s=_number(records.width_s[row]),
        lines=_fixed(lines[keep]),
    )


def _amplitude(
    records: Records, rows: Rows, own: Rows, keep: NDArray[np.bool_]
) -> float | FloatArray | None:
    """One amplitude, or one per reading; a shared first reading had no pulse of this train: 0."""
    amplitude = records.amplitude_V[rows].copy()
    if np.isnan(amplitude[-1]):
        return None
    if rows[0] != own[0]:
        amplitude[0] = 0.0
    driven = amplitude[1:] if amplitude[0] == 0 and amplitude.size > 1 else amplitude
    return float(driven[0]) if np.all(driven == driven[0]) else _fixed(amplitude[keep])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _fixed(array: NDArray) -> NDArray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def _with_cycles(segments: list[Segment]) -> list[Segment]:
    """Cycles counted by the times a branch comes up again, where the file does not number them."""
    seen: Counter[tuple[object, ...]] = Counter()
    numbered = []
    for s in segments:
        if s.cycle == UNKNOWN:
            amplitude = abs(s.amplitude_V) if isinstance(s.amplitude_V, float) else None
            key = (s.branch, s.device, s.field_G, s.width_s, amplitude)
            seen[key] += 1
            s = replace(s, cycle=seen[key])
        numbered.append(s)
    return numbered


def _check_twice(table: Table, segments: Sequence[Segment]) -> None:
    """Nothing in the file may tell two segments apart by their place alone."""
    first: dict[tuple[object, ...], Segment] = {}
    for s in segments:
        amplitude = s.amplitude_V if isinstance(s.amplitude_V, float) else None
        key = (s.branch, s.device, s.cycle, s.field_G, s.width_s, amplitude)
        if key in first:
            assert s.lines is not None
            raise PulseDataError(
                f"{table.place(int(s.lines[0]))}: a second {s.name}; expected one stretch of each "
                f"branch in a cycle"
            )
        first[key] = s


def _present(segments: Sequence[Segment | None]) -> list[Segment]:
    return [s for s in segments if s is not None]


def _note(warnings: list[str], text: str) -> None:
    if text not in warnings:
        warnings.append(text)
