"""What the switches of one protocol have in common: equal cycles in a trace, equal traces.

On a flat, noisy top a switch is only known to a few readings; that the other cycles or traces
switch at the same place is better evidence. Switches stay where the readings contradict it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from device_models.pulses.branches.noise import direction
from device_models.pulses.branches.switching import Switching, find_switching, switching_at
from device_models.pulses.types import FloatArray, IntArray

# Switches that are needed to see what they have in common.
ENOUGH = 4

# Log evidence that one switch may lose on the common place, and that all may lose on average.
MOST_LOSS = 12.0
MEAN_LOSS = 2.5
# Readings by which the lengths of branches are varied in the search for the common ones.
VARIED = 3
# A switch of other traces is one of this trace too where both branches stand out of the noise.
CERTAIN = 6.0


class Switches:
    """Where the traces of one file switch: found one by one, then agreed among equal traces.

    Ask for every trace in turn with `of`; `agree` compares what was found, and where it moved
    anything, the same questions in the same order get the agreed answers.
    """

    def __init__(self) -> None:
        self._found: list[Switching] = []
        self._answers: Iterator[list[int]] | None = None

    def of(self, values: FloatArray, found: Switching | None = None) -> list[int]:
        """Indices of the last reading before each reversal of a trace of shape (n,), rising.

        `found` are its switches where they are known already.
        """
        if self._answers is not None:
            return next(self._answers)
        self._found.append(on_period(found or find_switching(values)))
        return self._found[-1].at

    def agree(self) -> bool:
        """Give traces of equal length the switches most of them have; whether any moved."""
        before = [found.at for found in self._found]
        for members in self._kinds(lambda found: (found.trace.size,)):
            self._adopt(members)
        for members in self._kinds(lambda found: (found.trace.size, len(found.at))):
            self._share(members)
        after = [found.at for found in self._found]
        self._answers = iter(after)
        return after != before

    def _kinds(self, key: Callable[[Switching], tuple[int, ...]]) -> list[list[int]]:
        kinds: dict[tuple[int, ...], list[int]] = {}
        for i, found in enumerate(self._found):
            kinds.setdefault(key(found), []).append(i)
        return [members for members in kinds.values() if len(members) > 1]

    def _adopt(self, members: list[int]) -> None:
        """Traces that differ in their number of switches take the usual ones if they fit."""
        counts = [len(self._found[i].at) for i in members]
        usual = max(set(counts), key=lambda n: (counts.count(n), n))
        alike = [self._found[i].at for i, n in zip(members, counts, strict=True) if n == usual]
        if usual == 0 or len(alike) < 2:
            return
        places = [int(np.median(column)) for column in zip(*alike, strict=True)]
        for i, n in zip(members, counts, strict=True):
            if n != usual and _switches_at(self._found[i].trace, places):
                self._found[i] = switching_at(self._found[i].trace, places)

    def _share(self, members: list[int]) -> None:
        """Switches that are one in number move to the places most evidence speaks for."""
        found = [self._found[i] for i in members]
        if len(found) < ENOUGH or not found[0].at:
            return
        places = [_common_place(found, k) for k in range(len(found[0].at))]
        for i in members:
            if _may_move(self._found[i], np.array(places)):
                self._found[i] = replace(self._found[i], at=places)


def _common_place(found: Sequence[Switching], k: int) -> int:
    """The reading at which switch `k` of all traces loses least evidence."""
    places = np.arange(found[0].trace.size)
    losses = [np.minimum(f.loss(k, places), MOST_LOSS) for f in found]
    return int(np.argmin(np.sum(losses, axis=0)))


def _may_move(found: Switching, places: IntArray) -> bool:
    """Whether no switch of a trace loses much evidence at other places."""
    if np.any(np.diff([0, *places, found.trace.size - 1]) <= 0):
        return False
    losses = np.array([found.loss(k, place) for k, place in enumerate(places)])
    return bool(losses.max() <= MOST_LOSS and losses.mean() <= MEAN_LOSS)


def _switches_at(trace: FloatArray, places: list[int]) -> bool:
    """Whether the trace rises and falls in turn between these places, out of the noise."""
    bounds = [0, *places, trace.size - 1]
    along = np.array([direction(trace[low : high + 1]) for low, high in pairwise(bounds)])
    return bool(np.all(np.abs(along) >= CERTAIN) and np.all(along[1:] * along[:-1] < 0))


def on_period(found: Switching) -> Switching:
    """Switches on the grid of a protocol that repeats itself, where the readings allow it."""
    if len(found.at) < ENOUGH:
        return found
    grid = _best_grid(found)
    if grid is None or not _may_move(found, grid):
        return found
    return replace(found, at=[int(place) for place in grid])


def _best_grid(found: Switching) -> IntArray | None:
    """Places at alternating distances that lose least evidence; None where all lie outside."""
    lengths = np.diff(found.at)
    count = len(found.at)
    usual = [round(float(np.median(lengths[parity::2]))) for parity in (0, 1)]
    period = round((found.at[(count - 1) // 2 * 2] - found.at[0]) / ((count - 1) // 2))
    steps = [
        (first, whole - first)
        for whole in {usual[0] + usual[1], period - 1, period, period + 1}
        for first in range(usual[0] - VARIED, usual[0] + VARIED + 1)
        if 0 < first < whole
    ]
    k = np.arange(count)
    grids = np.array([k // 2 * (a + b) + k % 2 * a for a, b in steps])
    offsets = np.arange(-2 * VARIED, 2 * VARIED + 1)
    centres = np.round(np.median(np.array(found.at) - grids, axis=1)).astype(int)
    places = (grids + centres[:, None])[:, None, :] + offsets[:, None]
    places = places.reshape(-1, count)
    places = places[(places[:, 0] > 0) & (places[:, -1] < found.trace.size - 1)]
    if places.size == 0:
        return None
    losses = np.sum(
        [np.minimum(found.loss(i, places[:, i]), MOST_LOSS) for i in range(count)], axis=0
    )
    return np.asarray(places[int(np.argmin(losses))])
