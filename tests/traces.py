"""Synthetic traces of pulses and how tests read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings

from device_models.pulses import PulseData, read_pulses

quick = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""Few examples, each of which may write into the folder of its test."""


def relax(n: int, start: float, end: float, tau: float) -> np.ndarray:
    """Readings before and after n pulses that relax from `start` to `end`, shape (n + 1,)."""
    share = (1 - np.exp(-np.arange(n + 1) / tau)) / (1 - np.exp(-n / tau))
    return start + (end - start) * share


def logistic(n: int, start: float, end: float, width: float) -> np.ndarray:
    """Readings before and after n pulses along an S, shape (n + 1,)."""
    s = 1 / (1 + np.exp(-(np.arange(n + 1) - n / 2) / width))
    return start + (end - start) * (s - s[0]) / (s[-1] - s[0])


def joined(*branches: np.ndarray) -> np.ndarray:
    """One trace of branches, each of which starts with the last reading of the one before."""
    return np.concatenate([branches[0], *(branch[1:] for branch in branches[1:])])


def noisy(trace: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """The trace with normal noise of this share of its range."""
    scatter = np.random.default_rng(seed).normal(size=trace.size)
    return trace + noise * float(np.ptp(trace)) * scatter


def table(heading: str, *columns: np.ndarray) -> str:
    """A text table with a comma between columns of equal length."""
    rows = (",".join(f"{value:.10g}" for value in row) for row in zip(*columns, strict=True))
    return "\n".join([heading, *rows]) + "\n"


def read(folder: Path, text: str, **options: object) -> PulseData:
    """What `read_pulses` makes of a file with this text."""
    path = folder / "data.csv"
    path.write_text(text)
    return read_pulses(path, **options)


def shape(data: PulseData) -> list[tuple[str, str, int]]:
    """Branch, device and number of readings of each segment."""
    return [(s.branch, s.device, s.values.size) for s in data.segments]
