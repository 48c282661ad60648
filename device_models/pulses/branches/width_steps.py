"""Widths that are stepped from pulse to pulse: a staircase within a branch, and no label of trains.

As for a stepped amplitude the readings of a branch stay together, against the pulse number.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from device_models.pulses.branches.records import Records
from device_models.pulses.types import IntArray

SHORTEST = 4
"""Readings of a stretch in which a staircase can be seen."""

MOST_EQUAL = 0.2
"""Share of the steps of a staircase that may leave the width as it is."""


def join_width_steps(records: Records, warnings: list[str]) -> Records:
    """The records without their widths where these are stepped within every branch."""
    width = records.width_s
    knows_branches = records.branch is not None or _has_both_signs(records)
    if not knows_branches or np.isnan(width).any() or not _are_steps(records):
        return records
    width = np.abs(width)  # instruments give it the sign of the pulse
    text = (
        f"the width is stepped from {width.min():g} to {width.max():g} s: the response to the "
        f"pulse number is that to this ramp"
    )
    if text not in warnings:
        warnings.append(text)
    return replace(records, width_s=np.full(width.size, np.nan))


def _has_both_signs(records: Records) -> bool:
    amplitude = records.amplitude_V
    return bool(np.any(amplitude > 0) and np.any(amplitude < 0))


def _are_steps(records: Records) -> bool:
    """Every branch goes through its widths one way, with a new one at nearly every pulse."""
    bounds = [0, *_starts(records), records.width_s.size]
    for start, end in pairwise(bounds):
        steps = np.diff(records.width_s[start:end])
        one_way = np.all(steps >= 0) or np.all(steps <= 0)
        if end - start < SHORTEST or not one_way or np.mean(steps == 0) > MOST_EQUAL:
            return False
    return True


def _starts(records: Records) -> IntArray:
    """Rows at which another branch, cycle, device or condition begins."""
    sign = np.sign(records.amplitude_V)
    new = np.zeros(sign.size - 1, dtype=bool)
    keys = (records.branch, records.device, records.cycle, records.field_G, records.condition, sign)
    for key in keys:
        if key is not None:
            new |= (key[1:] != key[:-1]) & (key[1:] == key[1:])
    if records.pulses is not None:
        new |= records.pulses[1:] <= records.pulses[:-1]
    return 1 + np.flatnonzero(new)
