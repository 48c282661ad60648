"""Measure callables against each other: one call of each in turn, many times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds of every call of one candidate; `note` says what was done or moved."""

    name: str
    seconds: tuple[float, ...]
    note: str = ""

    @property
    def median_s(self) -> float:
        """Median [s]."""
        return float(np.median(self.seconds))

    @property
    def spread_s(self) -> float:
        """Half the distance of the quartiles [s]."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float(high - low) / 2

    def ratio(self, base: Timing) -> float:
        """Median of the ratios to `base`, round by round: what slows both cancels."""
        return float(np.median(np.array(self.seconds) / np.array(base.seconds)))


def compare(
    candidates: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_up: int = 1,
    notes: Mapping[str, str] | None = None,
) -> list[Timing]:
    """Time each candidate `repeats` times, all in turn, after `warm_up` calls nobody counts."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warm_up + repeats):
        for name, call in candidates.items():
            gc.collect()
            start = time.perf_counter()
            call()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    notes = notes or {}
    return [Timing(name, tuple(own), notes.get(name, "")) for name, own in seconds.items()]
