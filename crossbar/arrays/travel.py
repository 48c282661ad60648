"""How far pulses carry a device along a branch: 0 where the branch starts in the range, 1 beyond.

An LTD pulse is then an LTP pulse of the mirrored state, and both branches are curves that rise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossbar.zero import half_range
from device_models import DeviceCard
from device_models.steps import last_pulse, step_size

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

N_TABLE = 4097
"""Even places along the way that a curve is kept at; one LTP pulse of a coarse card spans many."""

SMALLEST_STEP = 1e-7
"""Steps below this share of the conductance range count as none: the branch ends there."""

WAY_IN = 0.25
"""Largest share of a branch's pulses that a device takes to get to where the branch starts."""

LONG_STAY = 32
"""Pulses between two even places above which the rounding of a weight of 32 bits adds up."""

STAY_OF_REST = 2.0
"""Pulses between two even places over the root of those of a rest: as much off as by rounding."""

BENT = 0.01
"""Pulses that the curve may be off the straight line between two even places."""

BENT_A_LITTLE = 1e-4
"""The same once it is off by more somewhere: before a rest, every hundredth of a pulse counts."""

QUICKER = 1.05
"""Where the curve is quicker by this factor later on, a device has to get there."""


def distance(card: DeviceCard, branch: str, field_G: float, conductance: ArrayLike) -> FloatArray:
    """Share of the conductance range between a conductance and where the branch starts."""
    low, high = card.conductance_range(field_G)
    share = (np.asarray(conductance) / 2 - low / 2) / half_range(low, high)
    return share if branch == "LTP" else 1 - share


def steps(card: DeviceCard, branch: str, field_G: float, travelled: FloatArray) -> FloatArray:
    """Distance of one pulse [1] at each distance travelled, 0 to 1; see `steps_at`."""
    low, high = card.conductance_range(field_G)
    share = travelled if branch == "LTP" else 1 - travelled
    with np.errstate(over="ignore"):
        span = np.subtract(high, low)
    at = low + share * span if np.isfinite(span) else low * (1 - share) + high * share
    return steps_at(card, branch, field_G, at)


def steps_at(card: DeviceCard, branch: str, field_G: float, conductance: FloatArray) -> FloatArray:
    """Distance of one pulse [1] at each `conductance` of the range.

    Where a device stands before the start of the branch, at least as much as takes it there within
    `WAY_IN` of the branch's pulses.
    """
    low, high = card.conductance_range(field_G)
    step = step_size(card, branch, conductance, field_G)
    with np.errstate(all="ignore"):
        step = np.clip(np.nan_to_num(np.abs(step) / 2 / half_range(low, high)), 0, 1)
    travelled = distance(card, branch, field_G, conductance)
    start = float(distance(card, branch, field_G, card.conductance(branch, 0, field_G)))
    n_pulses = last_pulse(card, branch, field_G)
    return np.where(travelled < start, np.maximum(step, start / (WAY_IN * n_pulses)), step)


class BranchCurve(NamedTuple):
    """Pulse numbers (n,) and the distances travelled there [1] (n,), both rising from 0.

    `lined`: straight lines stand for parts of the card's curve.
    """

    pulses: FloatArray
    travelled: FloatArray
    lined: bool = False


def branch_curve(card: DeviceCard, branch: str, field_G: float) -> BranchCurve:
    """The way of a branch from one end of the range to the other.

    Beyond the branch's own ends the curve goes on in the steps of that end, as far as they lead.
    """
    n_pulses = last_pulse(card, branch, field_G)
    pulses = np.expm1(np.linspace(0, np.log1p(n_pulses), 4 * N_TABLE))
    travelled = distance(card, branch, field_G, card.conductance(branch, pulses, field_G))
    travelled = np.maximum.accumulate(np.clip(travelled, 0, 1))
    start, end = travelled[0], travelled[-1]
    first, last = steps(card, branch, field_G, np.array([max(start - 1e-9, 0), end]))
    if start > 0 and first > SMALLEST_STEP:
        pulses = np.concatenate([[-start / first], pulses])
        travelled = np.concatenate([[0.0], travelled])
    if end < 1 and last > SMALLEST_STEP:
        pulses = np.append(pulses, pulses[-1] + (1 - end) / last)
        travelled = np.append(travelled, 1.0)
    return _left_in_time(pulses - pulses[0], travelled, start)


def _left_in_time(pulses: FloatArray, travelled: FloatArray, start: float) -> BranchCurve:
    """The curve with straight lines between the even places that it is bent or rests between.

    A state is a place, not a pulse number, and a table tells places apart by straight lines: where
    the curve itself is bent, a device would be taken for another one after every pulse, and stay
    for ever where it should leave. The lines are off by little more than the way between places.
    """
    places = np.linspace(0, 1, N_TABLE)
    numbers = np.interp(places, travelled, pulses)
    numbers[0] = 0
    stay = np.diff(numbers)[: int(travelled[-1] * (N_TABLE - 1))]
    cells = np.minimum((travelled * (N_TABLE - 1)).astype(int), len(stay))
    straight = _is_bent(pulses, np.interp(travelled, places, numbers), cells)[:-1]
    if not straight.any():
        return BranchCurve(pulses, travelled)
    at_start = pulses[np.searchsorted(travelled, start)]  # the first one of a rest
    stay, straight = _stay_from_start(stay, straight, start, at_start, numbers)
    left = np.concatenate([[0.0], np.cumsum(stay)])
    early = numbers[: len(left)] - left
    before, behind = np.append(straight, False), np.append(False, straight)
    kept = ~(before[cells] | (behind[cells] & (places[cells] == travelled)))
    borders = np.flatnonzero(before | behind)
    new_pulses = np.concatenate([pulses[kept] - early[cells[kept]], left[borders]])
    new_travelled = np.concatenate([travelled[kept], places[borders]])
    order = np.lexsort((new_pulses, new_travelled))
    return BranchCurve(np.maximum.accumulate(new_pulses[order]), new_travelled[order], lined=True)


def _is_bent(pulses: FloatArray, straight: FloatArray, cells: IntArray) -> BoolArray:
    """Whether the curve leaves the straight line, from each place to the next and behind."""
    bend = np.zeros(cells[-1] + 1)
    np.maximum.at(bend, cells, np.abs(pulses - straight))
    return bend > BENT_A_LITTLE if bend.max() > BENT else np.zeros(len(bend), bool)


def _stay_from_start(
    stay: FloatArray, straight: BoolArray, start: float, number: float, numbers: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Stays spread, with those around the start such that the pulses are right from it on.

    A straight line between the places around it would take away what lies before the start.
    """
    cell, part = divmod(start * (N_TABLE - 1), 1)
    first = int(cell)
    if first + 1 >= len(stay) or not straight[first]:
        return _spread(stay, straight, first)
    ahead = numbers[first + 1] - number
    if part <= 0.5:
        stay, straight = _spread(_with(stay, {first: ahead}), straight, first)
        return _with(stay, {first: stay[first] / (1 - part)}), straight
    straight[first + 1] = True
    behind = {first: 0.0, first + 1: ahead + stay[first + 1]}
    stay, straight = _spread(_with(stay, behind), straight, first)
    alike = stay[first + 1] / (2 - part)
    return _with(stay, {first: alike, first + 1: alike}), straight


def _with(values: FloatArray, new: Mapping[int, float]) -> FloatArray:
    """A copy of `values` with the `new` ones in their places."""
    values = values.copy()
    for place, value in new.items():
        values[place] = value
    return values


def _spread(stay: FloatArray, straight: BoolArray, first: int) -> tuple[FloatArray, BoolArray]:
    """Rests from the place `first` on shared out with what is behind, earlier ones cut.

    A weight of 32 bits has to move with every pulse, too, where the curve is quicker later.
    """
    stay, straight = stay.copy(), straight.copy()
    rests = stay > QUICKER * np.minimum.accumulate(stay[::-1])[::-1]
    if not rests.any():
        return stay, straight
    most = max(LONG_STAY, STAY_OF_REST * np.sqrt(stay[rests].max()))
    stay[:first] = np.where(rests[:first], np.minimum(stay[:first], most), stay[:first])
    for i in np.flatnonzero(rests):
        while i + 1 < len(stay) and stay[i] > most:
            stay[i + 1] += stay[i] - most
            stay[i] = most
            i += 1
            straight[i] = True
    return stay, straight
