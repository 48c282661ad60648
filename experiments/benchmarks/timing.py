"""Measure callables against each other: one call of each in turn, many times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Work:
    """What one call does at least: bytes to and from memory, floating-point operations."""

    bytes_moved: float = 0.0
    operations: float = 0.0


@dataclass(frozen=True)
class Ceilings:
    """What the machine can do: copying [byte/s, read and written] and multiplying [1/s]."""

    bytes_per_s: float
    operations_per_s: float


@dataclass(frozen=True)
class Timing:
    """Seconds of every call of one candidate; `note` says what was done."""

    name: str
    seconds: tuple[float, ...]
    note: str = ""
    bytes_moved: float = 0.0
    operations: float = 0.0

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

    def shares(self, ceilings: Ceilings) -> tuple[float, float]:
        """Shares of the two ceilings that the call reaches, 0 where nothing was counted."""
        bytes_share = self.bytes_moved / self.median_s / ceilings.bytes_per_s
        return bytes_share, self.operations / self.median_s / ceilings.operations_per_s


def compare(
    candidates: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_up: int = 1,
    notes: Mapping[str, str] | None = None,
    work: Mapping[str, Work] | None = None,
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
    notes, work = notes or {}, work or {}
    return [
        Timing(name, tuple(own), notes.get(name, ""), **vars(work.get(name, Work())))
        for name, own in seconds.items()
    ]


def measure_ceilings(repeats: int = 7) -> Ceilings:
    """Best of a few copies of 256 MB and products of two 1024 x 1024 float32 matrices."""
    source = torch.zeros(2**26)
    target, matrix = torch.empty_like(source), torch.ones(1024, 1024)
    copied, multiplied = compare(
        {"copy": lambda: target.copy_(source), "product": lambda: matrix @ matrix}, repeats
    )
    return Ceilings(
        2 * 4 * source.numel() / min(copied.seconds), 2 * 1024**3 / min(multiplied.seconds)
    )
