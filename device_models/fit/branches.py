"""The readings a curve is fitted to: one branch at one field, all cycles and devices together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card import BRANCHES
from device_models.curves import Law
from device_models.fit.laws import CANDIDATES, fit_law
from device_models.fit.noise import (
    GEOMETRIC_DECADES,
    LEAST_SPARE,
    Noise,
    Scatter,
    level_weights,
    noise_over_decades,
    robust_weights,
)
from device_models.fit.points import Points
from device_models.fit.solver import autocorrelation
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Pulse = tuple[float | None, float | None]

MIN_READINGS = 4
MIN_REPEATS = 3
"""Cycles and devices from which on their scatter is the noise."""

MIN_EVIDENCE = 22
"""Readings of a single cycle from which on what a shape-free curve leaves is noise."""

LARGEST_LEVERAGE = 0.8
LEAST_COLUMN = 1e-6

PILOTS = ((14, 34), (8, 22), (4, 10))
"""Intervals of the spline that shows the noise, and pulse numbers from which on it is taken."""


class FitError(ValueError):
    """A measurement no card can be made of; the message is one line."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Readings of one branch at one field in conductance [S or 1], every segment one after another.

    `pulses`, `values`, `weights` and `cluster` have shape (n,); `cluster` numbers the (device,
    cycle) a reading comes from, `clusters` names them. `weights` are inverse variances up to a
    factor, from the noise found at each level and less for outliers, of which `n_outliers` count
    for less than half. `noise_growth`: largest over smallest noise along the response, which
    the readings prove or which is assumed (`noise_proven`).
    `first_pulse`: the pulse number of the file that `pulses` count from, 0 where it has a reading
    before the first pulse.
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
    noise_proven: bool = True
    first_pulse: float = 0.0

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.branch} at {self.field_G:g} G"

    @property
    def end(self) -> float:
        """Pulse number of the last reading."""
        return float(self.pulses.max())

    @property
    def direction(self) -> float:
        """+1 where the conductance should rise, -1 where it should fall."""
        return 1.0 if self.branch == "LTP" else -1.0

    @property
    def verb(self) -> str:
        """What its conductance does."""
        return "rise" if self.branch == "LTP" else "fall"

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
    pair with the most readings is taken. Raises FitError, one line, also for readings under several
    conditions.
    """
    warnings: list[str] = []
    conditions: dict[str, Any] = _other_conditions(data)
    chosen: dict[str, list[Segment]] = {}
    for branch in BRANCHES:
        own = [s for s in data.segments if s.branch == branch]
        if not own:
            continue
        pulse, chosen[branch], left = _one_pulse(own)
        if left:
            warnings.append(
                f"{branch}: several pulses in the file; fitted: {_pulse_name(pulse)}, "
                f"left out: {', '.join(_pulse_name(p) for p in left)}"
            )
        conditions |= _conditions(branch, chosen[branch], warnings)
    if any(s.field_G is None for own in chosen.values() for s in own):
        warnings.append("the file states no magnetic field; the card says 0 G")
    by_field: dict[tuple[float, str], list[Segment]] = {}
    for branch, own in chosen.items():
        for s in own:
            by_field.setdefault((s.field_G or 0.0, branch), []).append(s)
    firsts = {b: min(float(s.pulses.min()) for s in own) for b, own in chosen.items()}
    order = sorted(by_field, key=lambda key: (key[0], BRANCHES.index(key[1])))
    branches = [_branch(b, f, by_field[f, b], data, firsts[b]) for f, b in order]
    return branches, conditions, warnings


def _other_conditions(data: PulseData) -> dict[str, Any]:
    """What the readings were taken under beside field and pulses; FitError for several."""
    if len(data.conditions) > 1:
        names = ", ".join(data.conditions[:5])
        raise FitError(
            f"{data.source}: readings under {len(data.conditions)} conditions ({names}), a card "
            f"holds one; in Python data.under({data.conditions[0]!r}) is one of them"
        )
    return {"condition": data.conditions[0]} if data.conditions else {}


def check_complete(data: PulseData) -> None:
    """Raise FitError, one line, where LTP or LTD readings are missing at one of the fields."""
    fields: dict[str, set[float]] = {b: set() for b in BRANCHES}
    for s in data.segments:
        fields[s.branch].add(s.field_G or 0.0)
    for branch, other in (BRANCHES, BRANCHES[::-1]):
        if not fields[branch]:
            there = [s for s in data.segments if s.branch == other]
            raise FitError(
                f"{data.source}: no {branch} readings, only {other} "
                f"({sum(s.values.size for s in there)} readings); a card needs both branches"
            )
        missing = sorted(fields[other] - fields[branch])
        if missing:
            raise FitError(
                f"{data.source}: no {branch} readings at {missing[0]:g} G; a card needs both "
                f"branches at every field"
            )


def _branch(
    branch: str, field_G: float, segments: Sequence[Segment], data: PulseData, first: float
) -> Branch:
    """Readings of one branch at one field; pulses count from the number `first` of the file."""
    segments = sorted(segments, key=lambda s: (s.device, s.cycle))
    pulses = np.concatenate([s.pulses for s in segments]) - first
    values = _conductance(np.concatenate([s.values for s in segments]), data, branch, field_G)
    if len(np.unique(pulses)) < MIN_READINGS:
        raise FitError(
            f"{data.source}: {branch} at {field_G:g} G: readings at {len(np.unique(pulses))} pulse "
            f"numbers, a curve needs {MIN_READINGS} or more"
        )
    clusters = tuple(dict.fromkeys((s.device, s.cycle) for s in segments))
    number = {c: i for i, c in enumerate(clusters)}
    cluster = np.concatenate([np.full(s.values.size, number[s.device, s.cycle]) for s in segments])
    draft = Branch(
        branch, field_G, tuple(segments), pulses, values, np.ones_like(values), cluster, clusters
    )
    for _ in range(2):
        _check_direction(draft, data.source)
        draft = _weighted(draft)
    return replace(draft, first_pulse=first)


def _conductance(values: FloatArray, data: PulseData, branch: str, field_G: float) -> FloatArray:
    if data.quantity != "resistance":
        return values
    if np.any(values <= 0):
        raise FitError(
            f"{data.source}: {branch} at {field_G:g} G: a resistance of 0 or below has no "
            f"conductance"
        )
    return 1 / values


def _weighted(draft: Branch) -> Branch:
    """The branch with the weights that its shape-free curves ask for."""
    noise, fitted = _noise(draft)
    root, values = 1 / noise.std, draft.values
    span = float(np.max(root * fitted) if noise.std.min() < noise.std.max() else np.ptp(values))
    robust = np.ones_like(values)
    if _spare(draft.pilot, values) >= LEAST_SPARE:
        robust = robust_weights(root * (values - fitted), span)
    weights = root**2 * robust
    return replace(
        draft,
        weights=weights / np.mean(root**2),
        n_outliers=int(np.sum(robust < 0.5)),
        noise_growth=float(root.max() / root.min()),
        noise_proven=noise.proven,
    )


def _noise(draft: Branch) -> tuple[Noise, FloatArray]:
    """Noise of each reading, and the shape-free curve that shows it (n,)."""
    points, values, fitted = draft.points(), draft.values, draft.pilot(draft.pulses)
    if values.min() > 0 and points.decades >= GEOMETRIC_DECADES:
        relative = Points(points.pulses, points.values, points.values**-2)
        pilot = _pilot(relative, draft.direction, geometric=True)
        level = pilot(draft.pulses)
        proportional = noise_over_decades(level, *_evidence(draft, pilot))
        if proportional is not None:
            return proportional, level
    return Noise(1 / np.sqrt(level_weights(values - fitted, fitted)), proven=True), fitted


def _evidence(draft: Branch, geometric: Law) -> tuple[Scatter, Scatter] | tuple[None, None]:
    """Scatter around curves with errors of one size and in proportion, where it shows noise.

    That of readings at the same pulse number, else of white residuals of many.
    """
    if len(draft.clusters) >= MIN_REPEATS:
        points = draft.points()
        means = np.interp(draft.pulses, points.pulses, points.values)
        around = Scatter(means, draft.values - means)
        return around, around
    if len(draft.values) < MIN_EVIDENCE:
        return None, None
    n, values = draft.pulses, draft.values
    scatters = [Scatter(law(n), values - law(n)) for law in (draft.pilot, geometric)]
    relative = scatters[1].residual / scatters[1].level
    for own in (scatters[0].residual, relative):
        if autocorrelation(own) > 2 / np.sqrt(len(own)):
            return None, None
    held = _leverage(draft.pilot, n, 1.0), _leverage(geometric, n, 1 / scatters[1].level)
    # A reading that a curve goes through whatever its value says nothing about noise.
    free = np.max(held, axis=0) < LARGEST_LEVERAGE
    constant, proportional = (
        Scatter(s.level[free], s.residual[free] / np.sqrt(1 - h[free]))
        for s, h in zip(scatters, held, strict=True)
    )
    return constant, proportional


def _leverage(law: Law, pulses: FloatArray, root: FloatArray | float) -> FloatArray:
    """How far a fitted curve follows each single reading (n,), 0 to 1."""
    columns = np.broadcast_to(root, pulses.shape)[:, None] * law.jacobian(pulses)
    sizes = np.linalg.norm(columns, axis=0)
    used = sizes > LEAST_COLUMN * sizes.max()
    axes = np.linalg.qr(columns[:, used] / sizes[used])[0]
    return np.clip(np.sum(axes**2, axis=1), 0.0, 1.0)


def _spare(pilot: Law, values: FloatArray) -> float:
    """Share of the readings beyond the coordinates of a curve."""
    return max(1 - len(pilot.theta_names) / len(values), 0.0)


def _check_direction(branch: Branch, source: str) -> None:
    """The response must move at all, and the way of its branch."""
    points = branch.points()
    here = branch.pilot(points.pulses)
    change = branch.direction * float(here[-1] - here[0])
    largest = float(np.abs(points.values).max())
    wrong = _pilot(points, -branch.direction)
    misfit = float(points.weights @ (here - points.values) ** 2)
    other = float(points.weights @ (wrong(points.pulses) - points.values) ** 2)
    if change <= 1e-9 * largest or other < 0.5 * misfit:
        raise FitError(
            f"{source}: {branch.name}: the conductance does not {branch.verb} along "
            f"{branch.branch} pulses; check branch and quantity"
        )


def _pilot(points: Points, direction: float, geometric: bool = False) -> Law:
    """Shape-free where there are pulse numbers enough, one exponential otherwise.

    Of the logarithm where `geometric`. The start of a spline is its optimum already: a linear
    problem with signs.
    """
    kind = "geometric" if geometric else "monotone"
    for intervals, least in PILOTS:
        if len(points.pulses) >= least:
            return CANDIDATES[f"{kind}_spline_{intervals}"].starts(points, direction)[0]
    simple = "geometric_exponential" if geometric else "exponential_mixture_1"
    return fit_law(CANDIDATES[simple], points, direction).law


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
