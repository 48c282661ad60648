"""Measurements that are no pulse response: refused, saying what they look like.

Endurance (one reading a cycle, or two levels in turn), current-voltage sweeps, readings against
time, and pulses of alternating sign.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.branches.noise import noise_of
from device_models.pulses.branches.records import Records, Rows
from device_models.pulses.columns.roles import Roles
from device_models.pulses.types import FloatArray, PulseDataError

# Readings that alternate for certain; a few do so by chance.
FEWEST_ALTERNATING = 12
# An alternation is this many times its scatter, this share of the range, and this many times the
# usual one.
ALTERNATION_SCATTER = 2.0
ALTERNATION_SHARE = 0.05
ALTERNATION_USUAL = 4.0
# Pulses of the other sign that follow each other before they are no trains.
FEWEST_TRAINS = 6
FEWEST_CYCLES = 4
# Readings over this many times their noise rise or fall; noise alone spans less.
STRUCTURED = 12.0
# Shares of the largest voltage and current that count as zero, and of the range as one step.
NEAR_ZERO, LARGEST_STEP = 0.1, 0.26
FEWEST_VOLTAGES = 8
SLOWEST_PULSES = 0.8


def check_kind(records: Records, rows: Rows, roles: Roles) -> None:
    """Raise PulseDataError where the rows of one device are no response to pulses."""
    _check_not_time(records, rows)
    _check_not_sweep(records, rows)
    _check_not_endurance(records, rows, roles)


def _place(records: Records, row: int) -> str:
    return str(records.table.place(int(records.lines[row]), records.column))


def _check_not_time(records: Records, rows: Rows) -> None:
    if records.pulses is None:
        return
    numbers = np.unique(records.pulses[rows])
    step = float(np.median(np.diff(numbers))) if numbers.size > 2 else 1.0
    if step < SLOWEST_PULSES:
        raise PulseDataError(
            f"{_place(records, rows[0])}: the pulse numbers rise by {step:g}: this looks like "
            f"readings against time, not one a pulse; a pulse response has one reading a pulse"
        )


def _check_not_endurance(records: Records, rows: Rows, roles: Roles) -> None:
    """One reading of each branch in every cycle."""
    if records.cycle is None or "cycle" not in roles.conditions:
        return
    column = roles.conditions["cycle"][0]
    branches = np.full(rows.size, "") if records.branch is None else records.branch[rows]
    for branch in np.unique(branches):
        mine = rows[branches == branch]
        if mine.size < FEWEST_CYCLES or np.unique(records.cycle[mine]).size < mine.size:
            return
    name = records.table.column_name(column)
    if any(_has_structure(records.values[rows[branches == b]]) for b in np.unique(branches)):
        raise PulseDataError(
            f"{_place(records, rows[0])}: one reading for each number of {name}, which rise or "
            f"fall: it counts pulses, not cycles; give columns={{{column + 1}: 'pulse'}}"
        )
    raise PulseDataError(
        f"{_place(records, rows[0])}: one reading for each cycle number of {name}, and they "
        f"neither rise nor fall: this looks like endurance, not like a pulse response, which has "
        f"several readings of a branch in each cycle"
    )


def _has_structure(values: FloatArray) -> bool:
    """Whether readings differ by more than noise from one to the next explains."""
    there = values[~np.isnan(values)]
    return bool(float(np.ptp(there)) > STRUCTURED * noise_of(there))


def _check_not_sweep(records: Records, rows: Rows) -> None:
    """A voltage that runs up and down in small steps, with a current that follows it through 0."""
    voltage, current = records.amplitude_V[rows], records.values[rows]
    there = ~(np.isnan(voltage) | np.isnan(current))
    voltage, current = voltage[there], current[there]
    if np.unique(voltage).size < FEWEST_VOLTAGES or not np.any(current):
        return
    span, steps = float(np.ptp(voltage)), np.diff(voltage)
    if np.max(np.abs(steps)) > LARGEST_STEP * span or np.ptp(np.sign(steps[steps != 0])) == 0:
        return
    zero = np.abs(voltage) <= NEAR_ZERO * np.abs(voltage).max()
    small = np.abs(current) <= NEAR_ZERO * np.abs(current).max()
    visits = int(np.sum(np.diff(np.append(0, zero.astype(int))) == 1))
    follows = np.any(voltage < 0) and np.mean(np.sign(current) == np.sign(voltage)) > 0.9
    if follows or (visits >= 2 and np.all(small[zero])):
        raise PulseDataError(
            f"{_place(records, rows[0])}: the voltage runs up and down from {voltage.min():g} to "
            f"{voltage.max():g} V and the readings follow it through 0: this looks like a "
            f"current-voltage sweep, not like reads after pulses"
        )


def check_not_alternating(records: Records, rows: Rows, sign: FloatArray) -> None:
    """Raise PulseDataError where most pulses have the other sign than the one before."""
    changes = sign[1:] != sign[:-1]
    if changes.size >= FEWEST_TRAINS and np.mean(changes) > 0.5:
        raise PulseDataError(
            f"{_place(records, rows[0])}: pulses of alternating sign up to line "
            f"{records.lines[rows[-1]]}: LTP and LTD need trains of pulses of one sign"
        )


def without_alternation(records: Records, rows: Rows, warnings: list[str]) -> list[Rows]:
    """Rows of a trace before, between and after stretches that alternate from reading to reading.

    Raises PulseDataError where nothing else is there.
    """
    there = np.flatnonzero(~np.isnan(records.values[rows]))
    spans = alternating(records.values[rows[there]])
    if not spans:
        return [rows]
    if sum(high - low + 1 for low, high in spans) > 0.7 * there.size:
        values = records.values[rows[there]]
        raise PulseDataError(
            f"{_place(records, rows[0])}: the readings alternate between about "
            f"{np.median(values[::2]):.3g} and {np.median(values[1::2]):.3g} from one to the next: "
            f"this looks like endurance or pulses of alternating sign, not like LTP and LTD"
        )
    for low, high in spans:
        lines = records.lines[rows[there[[low, high]]]]
        warnings.append(
            f"lines {lines[0]} to {lines[1]}: {high - low + 1} readings that alternate from one to "
            f"the next are no branch and left out"
        )
    ends = [0, *(int(there[i]) for low, high in spans for i in (low, high + 1) if i < there.size)]
    bounds = [*ends, rows.size] if len(ends) % 2 else ends
    return [rows[a:b] for a, b in list(pairwise(bounds))[::2] if b - a > 2]


def alternating(values: FloatArray) -> list[tuple[int, int]]:
    """Stretches (first, last) of readings that alternate beyond their scatter."""
    n = values.size
    if n < FEWEST_ALTERNATING:
        return []
    turns = (-1.0) ** np.arange(n - 2) * (values[1:-1] - (values[:-2] + values[2:]) / 2)
    sizes = np.abs(turns) > ALTERNATION_SHARE * np.ptp(values)
    usual = float(np.median(np.abs(turns)))
    spans = []
    for sign in (1, -1):
        for low, high in _runs(sizes & (np.sign(turns) == sign)):
            part, readings = turns[low : high + 1], high - low + 3
            # Noise alternates now and then; a short stretch has to stand out of the rest.
            clear = readings > n / 2 or abs(part.mean()) > ALTERNATION_USUAL * usual
            steady = abs(part.mean()) > ALTERNATION_SCATTER * part.std()
            if readings >= FEWEST_ALTERNATING and steady and clear:
                spans.append(_trimmed(values, low, high + 2))
    return sorted(spans)


def _trimmed(values: FloatArray, low: int, high: int) -> tuple[int, int]:
    """A stretch that alternates without readings at its ends that are on neither level."""
    part = values[low : high + 1]
    reach = abs(float(np.median(part[::2]) - np.median(part[1::2]))) / 2
    for _ in range(3):
        low += abs(values[low] - np.median(values[low + 2 : low + 9 : 2])) > reach
        high -= abs(values[high] - np.median(values[high - 8 : high - 1 : 2])) > reach
    return int(low), int(high)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
