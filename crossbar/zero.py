"""Which conductance is the weight 0: where up and down pulses cancel, or the middle of the range.

A device that gets as many LTP as LTD pulses drifts to where their steps are equally large: the
symmetry point. Training wants its weight 0 there, as long as both signs find room beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossbar.per_card import per_card
from device_models import DeviceCard
from device_models.plain_text import one_line
from device_models.steps import step_size

FloatArray = NDArray[np.float64]

_GRID = 4097

ALIKE = 0.01
"""Steps that differ by less than this share of their mean are equally large."""

BROAD = 0.05
"""Share of the range over which steps must be alike to be no mere crossing."""

ROOM = 0.05
"""Share of the range on the smaller side below which a symmetry point is not taken."""

GOOD_ROOM = 0.08
"""The same below which mixed precision trains better with `mid_range`."""

LITTLE_ROOM = 0.1
"""Share of the range on the smaller side below which it is said."""


@dataclass(frozen=True)
class ZeroChoice:
    """The conductance that is the weight 0, and why.

    `name`: "symmetry_point", or "mid_range" where none leaves both signs room; `conductance` in
    the card's unit; `smaller_side_share`: the shorter side of it over the range [1];
    `candidates`: every conductance that pulses of both signs drift to, rising; `reason`: one
    sentence.
    """

    name: str
    conductance: float
    smaller_side_share: float
    candidates: tuple[float, ...]
    reason: str


class Recommendation(NamedTuple):
    """Name of a zero of the weight, as `weight_scale` takes it, and one sentence why."""

    zero: str
    why: str


@per_card
def zero_of_weight(card: DeviceCard, field_G: float = 0.0) -> ZeroChoice:
    """Zero of the weight that leaves both signs most room, among those that pulses drift to.

    The middle of the range where the shorter side of the best is below `ROOM` of the range.
    Raises InputError for a field outside the card's range.
    """
    low, high = card.conductance_range(field_G)
    grid = evenly(low, high, _GRID)
    up = step_size(card, "LTP", grid, field_G)
    down = -step_size(card, "LTD", grid, field_G)
    candidates = sorted({*_crossings(grid, up - down), *_broad_crossings(grid, up, down)})
    rooms = [smaller_side(g, low, high) for g in candidates]
    room = max(rooms, default=0.0)
    if room < ROOM:
        reason = _no_room(room, bool(candidates), up, down)
        return ZeroChoice("mid_range", low / 2 + high / 2, 0.5, tuple(candidates), reason)
    best = candidates[int(np.argmax(rooms))]
    reason = f"LTP and LTD steps cancel at {room:.0%} of the range from its nearer end"
    return ZeroChoice("symmetry_point", best, room, tuple(candidates), reason)


def recommended_zero(
    card: DeviceCard, field_G: float = 0.0, recipe: str = "mixed_precision"
) -> Recommendation:
    """The zero to train the card with at `field_G` [G] by a `recipe`, and why.

    Mixed precision loses more by little room than by drift; the other recipes, whose pulses of
    both signs act all the time, lose more away from a symmetry point.
    """
    choice = zero_of_weight(card, field_G)
    if not choice.candidates:
        return Recommendation("mid_range", f"{choice.reason}: there is no symmetry point")
    if choice.name != "symmetry_point":
        return Recommendation("mid_range", f"{choice.reason}, which leaves one sign no room")
    if choice.smaller_side_share < GOOD_ROOM and recipe == "mixed_precision":
        return Recommendation("mid_range", f"{choice.reason}, which leaves one sign little room")
    return Recommendation("symmetry_point", choice.reason)


def complaint(card: DeviceCard, field_G: float, choice: ZeroChoice) -> str | None:
    """One line about a symmetry point that is missing or leaves one sign little room."""
    where = f"card {one_line(card.name)!r:.80} at {field_G:g} G"
    if choice.name != "symmetry_point":
        return (
            f"{where}: {choice.reason}; the weight 0 is the middle of the range, as with "
            f"zero='mid_range'"
        )
    if choice.smaller_side_share < LITTLE_ROOM:
        return (
            f"{where}: {choice.reason}, which leaves one sign of the weights little room; "
            f"zero='mid_range' leaves both the same"
        )
    return None


def evenly(low: float, high: float, n: int) -> FloatArray:
    """`n` evenly spaced numbers from `low` to `high`, also where their distance overflows."""
    with np.errstate(over="ignore"):
        if np.isfinite(np.subtract(high, low)):
            return np.linspace(low, high, n)
    share = np.linspace(0, 1, n)
    return low * (1 - share) + high * share


def half_range(low: float, high: float) -> float:
    """Half the distance of two conductances, above 0 also where it underflows."""
    return max(high / 2 - low / 2, np.nextafter(0, 1))


def smaller_side(conductance: float, low: float, high: float) -> float:
    """Distance to the nearer end over the range [1]."""
    side = min(half_range(low, conductance), half_range(conductance, high))
    return float(side / half_range(low, high))


def _crossings(grid: FloatArray, excess: FloatArray) -> list[float]:
    """Conductances that pulses of both signs drift to: LTP larger below, LTD larger above."""
    crossings = []
    for i in np.flatnonzero((excess[:-1] > 0) & (excess[1:] <= 0)):
        share = excess[i] / (excess[i] - excess[i + 1])
        crossings.append(float(grid[i] + share * (grid[i + 1] - grid[i])))
    return crossings


def _broad_crossings(grid: FloatArray, up: FloatArray, down: FloatArray) -> list[float]:
    """Of each long stretch of like steps the place nearest to the middle of the range."""
    mean = (up + down) / 2
    alike = (mean > 0) & (np.abs(up - down) <= ALIKE * mean)
    turns = np.flatnonzero(np.diff(alike, prepend=False, append=False))
    middle = len(grid) // 2
    return [
        float(grid[np.clip(middle, first, stop - 1)])
        for first, stop in zip(turns[::2], turns[1::2], strict=True)
        if stop - first > BROAD * len(grid)
    ]


def _no_room(room: float, crossed: bool, up: FloatArray, down: FloatArray) -> str:
    if crossed:
        return f"LTP and LTD pulses cancel only {room:.1%} of the range from an end"
    share = np.mean(up > down)
    if 0 < share < 1:
        return "no conductance is one that LTP and LTD pulses drift to"
    return f"the steps of {'LTP' if share else 'LTD'} are larger at every conductance"
