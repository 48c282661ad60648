"""The readings a curve is fitted to: one branch at one field, all cycles and devices together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from device_models.curves import Law
from device_models.fit.laws import CANDIDATES, Points, fit_law
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Pulse = tuple[float | None, float | None]

HUBER = 3.0
"""Residuals beyond this many standard deviations count less and less."""

LEAST_NOISE = 0.003
"""Share of the range below which a residual is the pilot's misfit rather than an outlier."""

LEVELS = 10
"""Levels of the response at which the noise is looked at."""

MIN_READINGS = 4


class FitError(ValueError):
    """A measurement no card can be made of; the message is one line."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Readings of one branch at one field in conductance [S or 1], every segment one after another.

    `pulses`, `values`, `weights` and `cluster` have shape (n,); `cluster` numbers the (device,
    cycle) a reading comes from, `clusters` names them. `weights` are inverse variances up to a
    factor, from the noise found at each level and less for outliers, of which `n_outliers` count
    for less than half. `noise_growth`: largest over smallest noise along the response.
    """

    branch: str
    field_G: float
    segments: tuple[Segment, ...]
    pulses: FloatArray
    values: FloatArray
    weights: FloatArray
    cluster: IntArray
    clusters: tuple[tuple[str, int], ...]
    n_outliers: int = 0
    noise_growth: float = 1.0

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.branch} at {self.field_G:g} G"

    @property
    def direction(self) -> float:
        """+1 where the conductance should rise, -1 where it should fall."""
        return 1.0 if self.branch == "LTP" else -1.0

    @cached_property
    def pilot(self) -> Law:
        """Shape-free curve that shows the noise before any law is chosen."""
        return _pilot(self.points(), self.direction)

    @cached_property
    def rows(self) -> list[NDArray[np.intp]]:
        """Indices of the readings of each cluster, in their order."""
        order = np.argsort(self.cluster, kind="stable")
        starts = np.searchsorted(self.cluster[order], np.arange(1, len(self.clusters)))
        return np.split(order, starts)

    @cached_property
    def sums(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Pulse numbers (u,), weights and weighted values of each cluster there (clusters, u)."""
        unique, position = np.unique(self.pulses, return_inverse=True)
        weights = np.zeros((len(self.clusters), len(unique)))
        values = np.zeros_like(weights)
        np.add.at(weights, (self.cluster, position), self.weights)
        np.add.at(values, (self.cluster, position), self.weights * self.values)
        return unique, weights, values

    def points(self, count: FloatArray | None = None) -> Points:
        """Means over the clusters, each taken `count` times (shape (clusters,)); all once."""
        unique, weights, values = self.sums
        count = np.ones(len(self.clusters)) if count is None else count
        total = count @ weights
        there = total > 0
        return Points(unique[there], (count @ values)[there] / total[there], total[there])


def select_branches(data: PulseData) -> tuple[list[Branch], dict[str, Any], list[str]]:
    """Branches to fit, the conditions they were taken under, and warnings.

    A card holds one pulse of each sign: where the data have several amplitudes or widths, the
    pair with the most readings is taken. Raises FitError, one line.
    """
    segments, warnings = list(data.segments), []
    conditions: dict[str, Any] = {}
    for branch in ("LTP", "LTD"):
        own = [s for s in segments if s.branch == branch]
        if not own:
            raise FitError(f"{data.source}: no {branch} readings; a card needs both branches")
        pulse, kept, left = _one_pulse(own)
        if left:
            warnings.append(
                f"{branch}: several pulses in the file; fitted: {_pulse_name(pulse)}, "
                f"left out: {', '.join(_pulse_name(p) for p in left)}"
            )
        segments = [s for s in segments if s.branch != branch] + kept
        conditions |= _conditions(branch, kept, warnings)
    fields = {s.field_G for s in segments}
    if None in fields:
        warnings.append("the file states no magnetic field; the card says 0 G")
    branches = []
    for field_G in sorted({s.field_G or 0.0 for s in segments}):
        for branch in ("LTP", "LTD"):
            own = [s for s in segments if s.branch == branch and (s.field_G or 0.0) == field_G]
            if not own:
                raise FitError(f"{data.source}: no {branch} readings at {field_G:g} G")
            branches.append(_branch(branch, field_G, own, data))
    return branches, conditions, warnings


def robust_weights(residual: FloatArray, span: float) -> FloatArray:
    """Huber weights (n,) of residuals, 1 for all but outliers of a response over `span`."""
    scale = max(1.4826 * float(np.median(np.abs(residual))), LEAST_NOISE * span)
    return np.minimum(1.0, HUBER * scale / np.maximum(np.abs(residual), 1e-300))


def level_weights(residual: FloatArray, fitted: FloatArray) -> FloatArray:
    """Relative inverse variances (n,) where the noise has a part that grows with the level.

    The variance a + b level**2 is taken only where it explains the residuals far better than one
    variance for all; otherwise all weights are 1.
    """
    ones = np.ones_like(fitted)
    if len(fitted) < 6 * LEVELS or np.ptp(fitted) == 0:
        return ones
    parts = np.array_split(np.argsort(fitted), LEVELS)
    level = np.array([np.sqrt(np.mean(fitted[p] ** 2)) for p in parts])
    # The median resists outliers; 0.455 is that of a squared normal deviate.
    variance = np.array([np.median(residual[p] ** 2) / 0.455 for p in parts])
    if np.any(variance <= 0):
        return ones
    (a, b), _ = nnls(np.stack([1 / variance, level**2 / variance], 1), np.ones(len(level)))
    expected = a + b * level**2
    if not np.all(expected > 0) or expected.max() < 4 * expected.min():
        return ones
    size = np.array([len(p) for p in parts])
    common = np.average(variance, weights=size)
    gain = size @ (np.log(common) + variance / common - np.log(expected) - variance / expected)
    if gain < 20:
        return ones
    inverse = 1 / (a + b * fitted**2)
    return inverse / inverse.mean()


def _branch(branch: str, field_G: float, segments: Sequence[Segment], data: PulseData) -> Branch:
    segments = sorted(segments, key=lambda s: (s.device, s.cycle))
    pulses = np.concatenate([s.pulses for s in segments])
    values = np.concatenate([s.values for s in segments])
    name = f"{branch} at {field_G:g} G"
    if data.quantity == "resistance":
        if np.any(values <= 0):
            raise FitError(f"{data.source}: {name}: a resistance of 0 or below has no conductance")
        values = 1 / values
    if len(np.unique(pulses)) < MIN_READINGS:
        raise FitError(
            f"{data.source}: {name}: readings at {len(np.unique(pulses))} pulse numbers, a curve "
            f"needs {MIN_READINGS} or more"
        )
    clusters = tuple(dict.fromkeys((s.device, s.cycle) for s in segments))
    number = {c: i for i, c in enumerate(clusters)}
    cluster = np.concatenate([np.full(s.values.size, number[s.device, s.cycle]) for s in segments])
    weights, outliers, growth = np.ones_like(values), 0, 1.0
    for _ in range(2):
        draft = Branch(branch, field_G, tuple(segments), pulses, values, weights, cluster, clusters)
        _check_direction(draft, data.source)
        fitted = draft.pilot(pulses)
        levels = np.sqrt(level_weights(values - fitted, fitted))
        robust = robust_weights(levels * (values - fitted), float(np.ptp(levels * values)))
        weights, outliers = levels**2 * robust, int(np.sum(robust < 0.5))
        growth = float(levels.max() / levels.min())
    return Branch(
        branch,
        field_G,
        tuple(segments),
        pulses,
        values,
        weights,
        cluster,
        clusters,
        outliers,
        growth,
    )


def _check_direction(branch: Branch, source: str) -> None:
    """The response must move at all, and the way of its branch."""
    points = branch.points()
    here = branch.pilot(points.pulses)
    change = branch.direction * float(here[-1] - here[0])
    wrong = _pilot(points, -branch.direction)
    misfit = float(points.weights @ (here - points.values) ** 2)
    other = float(points.weights @ (wrong(points.pulses) - points.values) ** 2)
    if change <= 1e-9 * max(abs(points.values).max(), 1e-300) or other < 0.5 * misfit:
        verb = "rise" if branch.branch == "LTP" else "fall"
        raise FitError(
            f"{source}: {branch.name}: the conductance does not {verb} along {branch.branch} "
            f"pulses; check branch and quantity"
        )


def _pilot(points: Points, direction: float) -> Law:
    """Shape-free where there are pulse numbers enough, one exponential otherwise.

    The start of a spline is its optimum already: a linear problem with signs.
    """
    for name in ("monotone_spline_14", "monotone_spline_8"):
        if len(points.pulses) >= 2 * CANDIDATES[name].n_theta:
            return CANDIDATES[name].starts(points, direction)[0]
    return fit_law(CANDIDATES["exponential_mixture_1"], points, direction).law


def _one_pulse(segments: list[Segment]) -> tuple[Pulse, list[Segment], list[Pulse]]:
    """The pulse (amplitude, width) with the most readings, its segments, the pulses left out."""

    def pulse(s: Segment) -> Pulse:
        amplitude = s.amplitude_V if isinstance(s.amplitude_V, float | int) else None
        return amplitude, s.width_s

    readings: Counter[Pulse] = Counter()
    for s in segments:
        readings[pulse(s)] += s.values.size
    chosen = max(readings, key=lambda p: (readings[p], abs(p[0] or 0.0), p[1] or 0.0))
    left = [p for p in readings if p != chosen]
    return chosen, [s for s in segments if pulse(s) == chosen], left


def _pulse_name(pulse: Pulse) -> str:
    amplitude, width = pulse
    text = "amplitude not stated" if amplitude is None else f"{amplitude:g} V"
    return text if width is None else f"{text}, {width:g} s"


def _conditions(branch: str, segments: list[Segment], warnings: list[str]) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    key = branch.lower()
    first = segments[0]
    if isinstance(first.amplitude_V, np.ndarray):
        ends = [float(first.amplitude_V[0]), float(first.amplitude_V[-1])]
        conditions[f"{key}_amplitudes_V"] = ends
        warnings.append(
            f"{branch}: the amplitude is stepped from {ends[0]:g} to {ends[1]:g} V; the card "
            f"holds for this train, pulse by pulse"
        )
    elif first.amplitude_V is not None:
        conditions[f"{key}_amplitude_V"] = float(first.amplitude_V)
    if first.width_s is not None:
        conditions[f"{key}_width_s"] = float(first.width_s)
    return conditions
