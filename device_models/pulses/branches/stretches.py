"""Stretches of one branch whose labels the file gives: by pulse number, in order, or by sign.

Where readings follow each other in time, the last reading of a branch is also the state before the
next one, which starts with it as pulse 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.branches.kinds import check_not_alternating
from device_models.pulses.branches.records import Records, Rows
from device_models.pulses.types import FloatArray, PulseDataError, note_once

BranchNames = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Rows of one branch with their pulse numbers, shape (n,).

    `own` are the rows without a first one that the branch shares with the one before it.
    """

    branch: str
    pulses: FloatArray
    rows: Rows
    own: Rows


def reversed_rows(stretch: Stretch) -> Stretch:
    """The rows of a branch from its last to its first, its pulse numbers from the same start.

    A first row that is shared with the branch before stays the first.
    """
    n = stretch.rows.size - stretch.own.size
    rows = np.concatenate([stretch.rows[:n], stretch.rows[n:][::-1]])
    numbers = stretch.pulses[n:]
    pulses = np.concatenate([stretch.pulses[:n], numbers[0] + numbers[-1] - numbers[::-1]])
    return replace(stretch, pulses=pulses, rows=rows, own=stretch.own[::-1])


def cut_by_number(
    records: Records, pulses: FloatArray, rows: Rows, warnings: list[str]
) -> list[Stretch]:
    """Each branch has its own pulse numbers: the order of the rows does not matter."""
    runs: list[Rows] = []
    for part in split_by(rows, label_codes(records, rows)):
        cycles = [part] if records.cycle is not None else restarts(pulses, part)
        if len(cycles) > 1:
            note_once(warnings, "restarts of the pulse number are read as cycles")
        runs += [run[np.argsort(pulses[run], kind="stable")] for run in cycles]
    for run in runs:
        check_unique(records, pulses, run)
    runs.sort(key=lambda run: int(run.min()))
    assert records.branch is not None
    names = [str(records.branch[run[0]]) for run in runs]
    return [Stretch(name, pulses[run], run, run) for name, run in zip(names, runs, strict=True)]


def label_codes(records: Records, rows: Rows) -> NDArray[np.int64]:
    """Code of branch, cycle and amplitude for each of `rows`."""
    keys: list[NDArray[Any]] = []
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


def split_by(rows: Rows, codes: NDArray[np.int64]) -> list[Rows]:
    """Rows of one code each, in their order; `codes` (n,) are those of `rows` (n,)."""
    order = np.argsort(codes, kind="stable")
    return [rows[part] for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)]


def restarts(pulses: FloatArray, rows: Rows) -> list[Rows]:
    """Rows cut where the pulse number starts again, if it starts more than once."""
    starts = np.flatnonzero(pulses[rows] == pulses[rows].min())
    return np.split(rows, starts[1:]) if starts[0] == 0 else [rows]


def check_unique(records: Records, pulses: FloatArray, run: Rows) -> None:
    """Raise PulseDataError where two readings of a run have the same pulse number."""
    same = np.flatnonzero(np.diff(pulses[run]) == 0)
    if same.size:
        first, second = run[same[0]], run[same[0] + 1]
        branch = "" if records.branch is None else f"{records.branch[second]} "
        raise PulseDataError(
            f"{records.table.place(int(records.lines[second]))}: {branch}pulse {pulses[second]:g} "
            f"of device {records.device[second]} is given twice, first in line "
            f"{records.lines[first]}; a cycle column tells cycles apart"
        )


def cut_in_order(records: Records, rows: Rows, branches: BranchNames) -> list[Stretch]:
    """Branches are given and rows follow each other in time."""
    codes = label_codes(replace(records, branch=None), rows)
    new = (branches[1:] != branches[:-1]) | (codes[1:] != codes[:-1])
    bounds = [0, *(np.flatnonzero(new) + 1), rows.size]
    # Numbers that run on over the branches are their order in time already.
    timed = records.pulses is not None or len(bounds) == 2
    far = rows.size if timed else _farthest(records, rows, bounds)
    stretches = []
    for start, end in pairwise(bounds):
        shares = start > 0 and _continues(records, rows, branches, start, far)
        run = rows[start - 1 if shares else start : end]
        is_state = start > 0 and (shares or records.amplitude_V[run[0]] == 0)
        numbers = counted(records, run, None if is_state else rows[0])
        stretches.append(Stretch(str(branches[start]), numbers, run, rows[start:end]))
    return stretches


def _continues(
    records: Records, rows: Rows, branches: BranchNames, start: int, farthest: int
) -> bool:
    """Whether the reading before `start` is the state before the first pulse of its branch."""
    before, after = rows[start - 1], rows[start]
    if records.amplitude_V[after] == 0:
        return False
    # Without pulse numbers a reading that is repeated at the switch is that state already.
    if records.pulses is None and records.values[after] == records.values[before]:
        return False
    if records.cycle is not None and records.cycle[after] < records.cycle[before]:
        return False
    if records.pulses is None and _between(records, before, after) > farthest:
        return False
    if branches[start] != branches[start - 1]:
        return True
    if records.cycle is not None and records.cycle[after] != records.cycle[before]:
        return False
    # The same branch at another amplitude goes on where it was left, or starts from a reset.
    rises = records.rises if branches[start] == "LTP" else -records.rises
    return bool((records.values[after] - records.values[before]) * rises >= 0)


def _between(records: Records, before: int, after: int) -> int:
    """Rows of the same device between two rows of it, in the order of the file."""
    low, high = sorted((int(before), int(after)))
    return int(np.sum(records.device[low + 1 : high] == records.device[low]))


def _farthest(records: Records, rows: Rows, bounds: Sequence[int]) -> int:
    """The most rows of the device that lie between two that follow each other in a branch."""
    order = np.cumsum(records.device == records.device[rows[0]])
    apart = np.abs(np.diff(order[rows])) - 1
    within = np.delete(apart, [b - 1 for b in bounds[1:-1]])
    return int(within.max()) if within.size else 0


def counted(records: Records, run: Rows, first: int | None) -> FloatArray:
    """Pulse numbers within a stretch, from that of the row `first` if it is 0 or 1, else from 0."""
    if records.pulses is None:
        return np.arange(run.size, dtype=float)
    numbers = records.pulses[run]
    step = float(np.median(np.diff(numbers))) if run.size > 1 else 1.0
    start = records.pulses[first] if first is not None else 0.0
    result: FloatArray = numbers - numbers[0] + (start if start <= max(step, 1.0) else 0.0)
    return result


def cut_by_sign(
    records: Records, rows: Rows, keep_rest: bool, warnings: list[str]
) -> list[Stretch]:
    """Branches from the sign of the pulses; LTP is the sign that raises the conductance."""
    if records.pulses is not None and np.unique(records.pulses[rows]).size == rows.size:
        rows = rows[np.argsort(records.pulses[rows], kind="stable")]
    amplitude = records.amplitude_V[rows]
    if not keep_rest and np.any(idle := _without_pulse(amplitude)):
        lines = records.lines[rows[idle]]
        warnings.append(
            f"lines {lines[0]} to {lines[-1]}: {lines.size} readings at 0 V, without a pulse, "
            f"are left out; keep_rest=True keeps them"
        )
        rows, amplitude = rows[~idle], amplitude[~idle]
    sign = np.sign(amplitude)
    # A read without a pulse is the state before the train that follows it.
    index = np.where(sign == 0, sign.size - 1, np.arange(sign.size))
    sign = sign[np.minimum.accumulate(index[::-1])[::-1]]
    sign[sign == 0] = sign[np.flatnonzero(sign)[-1]]
    check_not_alternating(records, rows, sign)
    values = records.values[rows] * records.rises
    steps = np.diff(values)
    usable = ~np.isnan(steps)
    rise = float(np.sum((steps * sign[1:])[usable]))
    ltp = 1.0 if rise >= 0 else -1.0
    return cut_in_order(records, rows, np.where(sign == ltp, "LTP", "LTD"))


def _without_pulse(amplitude: FloatArray) -> NDArray[np.bool_]:
    """Reads at 0 V in a row, but the last one before each train of pulses."""
    still = amplitude == 0
    next_is_pulse = ~np.append(still[1:], True)
    alone = ~np.insert(still[:-1], 0, False)
    alone[:-1] &= next_is_pulse[:-1]
    result: NDArray[np.bool_] = still & ~next_is_pulse & ~alone
    return result
