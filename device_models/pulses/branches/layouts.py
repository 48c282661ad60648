"""From columns to segments: rows are grouped by device and conditions, then cut into branches.

Pulse numbers of a segment, one rule for all layouts: numbers in the file that start at 0 or 1 in
the branch are kept. Where they run on over the branches, or where there are none, readings follow
each other in time: the last reading of a branch is also the state before the next one, which
starts with it as pulse 0. Readings that were dropped leave a gap in the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.branches.checks import few_of_each
from device_models.pulses.branches.kinds import check_kind
from device_models.pulses.branches.pauses import Rests
from device_models.pulses.branches.records import Records, Rows, make_records, read_conditions
from device_models.pulses.branches.stretches import (
    Stretch,
    cut_by_number,
    cut_by_sign,
    cut_in_order,
    reversed_rows,
)
from device_models.pulses.branches.traces import Search, certain, cut_traces
from device_models.pulses.branches.width_steps import join_width_steps
from device_models.pulses.columns.pulse_numbers import dense_step
from device_models.pulses.columns.roles import Roles
from device_models.pulses.segments import Switches
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, Labels, PulseDataError, Segment

MAX_SEGMENTS = 20_000
# Cycle of a segment until all are known.
UNKNOWN = -1


def find_segments(
    table: Table,
    roles: Roles,
    values: Sequence[FloatArray],
    rises: int,
    given: Labels,
    keep_rest: bool = False,
    reverse: str | None = None,
) -> tuple[list[Segment], list[str]]:
    """Segments in the order of the file, and what is worth a warning.

    `keep_rest` keeps the readings at rest before, between and after the branches of a trace;
    `reverse` is a branch whose rows stand from its last pulse to its first.
    """
    cutter = _Cutter(table, roles, values, rises, given, reverse)
    search = Search(Switches(), Rests(keep_rest))
    found = cutter.find(search)
    if search.rests.learned:
        search = Search(Switches(), search.rests.again())
        found = cutter.find(search)
    if search.switches.agree():
        found = cutter.find(Search(search.switches, search.rests.replay()))
    return found


@dataclass(frozen=True)
class _Cutter:
    """What a file holds, ready to be cut into segments more than once."""

    table: Table
    roles: Roles
    values: Sequence[FloatArray]
    rises: int
    given: Labels
    reverse: str | None = None

    def find(self, search: Search) -> tuple[list[Segment], list[str]]:
        """Segments and warnings under what is known about switches and rests."""
        segments: list[Segment] = []
        for records in self._records(search.warnings):
            for rows in _groups(records):
                check_kind(self._without_dense(records), rows, self.roles)
                stretches = _in_order(records, _cut(records, rows, search), self.reverse)
                new = _with_cycles([s for x in stretches if (s := _segment(records, x))])
                if records.branch is not None:
                    search.rests.note_labelled(new, self.rises)
                segments += new
                self._check_number(segments, records, rows)
        if search.flat and not (segments and all(certain(s, self.rises) for s in segments)):
            raise search.flat[0]
        if not segments:
            first = self.table.place(self.table.lines[0])
            raise PulseDataError(f"{first}: no readings in the table")
        _check_twice(self.table, segments)
        notes = [*search.rests.notes, *search.left_out]
        return segments, [*search.warnings, *few_of_each(notes)]

    def _records(self, warnings: list[str]) -> Iterator[Records]:
        conditions = read_conditions(self.table, self.roles, self.given)
        for (column, heading, pulses), readings in zip(
            self.roles.readings, self.values, strict=True
        ):
            records = make_records(
                self.table,
                column,
                heading,
                pulses,
                readings,
                self.rises,
                conditions,
                self.given,
                warnings,
            )
            yield join_width_steps(records, warnings)

    def _without_dense(self, records: Records) -> Records:
        """Records without the numbers of a digitised curve, which are pulses by name, not time."""
        column = next((p for c, _, p in self.roles.readings if c == records.column), None)
        if column is None or records.pulses is None or dense_step(records.pulses) is None:
            return records
        return replace(records, pulses=None) if column in self.roles.named_pulses else records

    def _check_number(self, segments: list[Segment], records: Records, rows: Rows) -> None:
        if len(segments) > MAX_SEGMENTS:
            raise PulseDataError(
                f"{self.table.place(int(records.lines[rows[0]]), records.column)}: more than "
                f"{MAX_SEGMENTS} segments; split the file"
            )


def _groups(records: Records) -> list[Rows]:
    """Rows of one device under one condition, in the order of the file."""
    keys = [records.device, records.field_G, records.width_s, records.condition]
    codes = np.zeros(records.values.size, dtype=np.int64)
    for key in keys:
        _, code = np.unique(key, return_inverse=True)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return sorted(groups, key=lambda rows: int(rows[0]))


def _cut(records: Records, rows: Rows, search: Search) -> list[Stretch]:
    """Stretches of one branch in one group of rows."""
    if records.branch is None:
        amplitude = records.amplitude_V[rows]
        if np.any(amplitude > 0) and np.any(amplitude < 0):
            return cut_by_sign(records, rows, search.rests.keep, search.warnings)
        return cut_traces(records, rows, search)
    if records.pulses is None:
        return cut_in_order(records, rows, records.branch[rows])
    if np.unique(records.pulses[rows]).size == rows.size:
        # Numbers that never come up twice run on over the branches.
        rows = rows[np.argsort(records.pulses[rows], kind="stable")]
        return cut_in_order(records, rows, records.branch[rows])
    return cut_by_number(records, records.pulses, rows, search.warnings)


def _in_order(records: Records, stretches: list[Stretch], reverse: str | None) -> list[Stretch]:
    """The stretches with the rows of the branch `reverse` from the last to the first.

    Raises PulseDataError where the file does not name the branches, which rows then tell.
    """
    if reverse is None:
        return stretches
    if records.branch is None:
        row = int(stretches[0].rows[0]) if stretches else 0
        place = records.table.place(int(records.lines[row]), records.column)
        raise PulseDataError(
            f"{place}: option reverse: nothing names the branch of these readings; "
            f"give branch={reverse!r}"
        )
    return [reversed_rows(s) if s.branch == reverse else s for s in stretches]


def _segment(records: Records, stretch: Stretch) -> Segment | None:
    """Segment of a stretch without missing readings; None where all are missing."""
    rows = stretch.rows
    keep = ~np.isnan(records.values[rows])
    if not np.any(keep):
        return None
    row = stretch.own[0]
    lines = records.lines[rows]
    return Segment(
        branch=stretch.branch,
        pulses=_fixed(stretch.pulses[keep]),
        values=_fixed(records.values[rows][keep]),
        device=str(records.device[row]),
        cycle=UNKNOWN if records.cycle is None else int(records.cycle[row]),
        field_G=_number(records.field_G[row]),
        amplitude_V=_amplitude(records, rows, stretch.own, keep),
        width_s=_number(records.width_s[row]),
        lines=_fixed(lines[keep]),
        condition=str(records.condition[row]),
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


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
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
            key = (s.branch, s.device, s.field_G, s.width_s, amplitude, s.condition)
            seen[key] += 1
            s = replace(s, cycle=seen[key])
        numbered.append(s)
    return numbered


def _check_twice(table: Table, segments: Sequence[Segment]) -> None:
    """Nothing in the file may tell two segments apart by their place alone."""
    first: dict[tuple[object, ...], Segment] = {}
    for s in segments:
        amplitude = s.amplitude_V if isinstance(s.amplitude_V, float) else None
        key = (s.branch, s.device, s.cycle, s.field_G, s.width_s, amplitude, s.condition)
        if key in first:
            assert s.lines is not None
            raise PulseDataError(
                f"{table.place(int(s.lines[0]))}: a second {s.name}; expected one stretch of each "
                f"branch in a cycle"
            )
        first[key] = s
