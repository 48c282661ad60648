"""Where the search for each form of law starts: the best of a grid, its linear part solved for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from device_models.curves import (
    ExponentialMixture,
    GeometricExponential,
    GeometricLogistic,
    GeometricSpline,
    Law,
    Logistic,
    LogStep,
    MonotoneSpline,
    PowerLaw,
    StretchedExponential,
    spline_design,
)
from device_models.fit.points import Points
from device_models.fit.solver import signed_least_squares

FloatArray = NDArray[np.float64]
Starts = Callable[[Points, float], list[Law]]

TAU_GRID = 22
LEAST_SPACING = 0.1
MOST_EVEN = 0.9
N_STARTS = 2
LEAST_WEIGHT = 1e-6


def mixture_starts(order: int) -> Starts:
    """The best combinations of `order` time constants of a grid."""

    def starts(points: Points, direction: float) -> list[Law]:
        n, y, w = points.pulses, points.values, np.sqrt(points.weights)
        first = float(np.min(np.diff(n)))
        grid = np.geomspace(0.4 * first, 3 * points.span, TAU_GRID)
        columns = np.concatenate([np.ones((len(n), 1)), np.exp(-n[:, None] / grid)], axis=1)
        columns *= w[:, None]
        gram, right = columns.T @ columns, columns.T @ (w * y)
        chosen = np.array(list(combinations(range(1, TAU_GRID + 1), order)))
        chosen = np.concatenate([np.zeros((len(chosen), 1), dtype=int), chosen], axis=1)
        small = gram[chosen[:, :, None], chosen[:, None, :]]
        small += 1e-10 * np.trace(gram) / len(gram) * np.eye(order + 1)
        solved = np.linalg.solve(small, right[chosen][:, :, None])[:, :, 0]
        explained = np.einsum("ck,ck->c", solved, right[chosen])
        right_way = np.all(-direction * solved[:, 1:] > 0, axis=1)
        ranked = np.argsort(np.where(right_way, -explained, np.inf))
        laws: list[Law] = [
            ExponentialMixture(
                float(solved[i, 0]), tuple(solved[i, 1:]), tuple(grid[chosen[i, 1:] - 1])
            )
            for i in ranked[: 1 if order == 1 else 3]
            if right_way[i]
        ]
        spread = np.geomspace(points.span / 20, points.span / 2, order)
        size = -direction * float(np.ptp(y)) / order
        return laws or [ExponentialMixture(float(y[-1]), (size,) * order, tuple(spread))]

    return starts


def power_starts(exponents: tuple[float, ...]) -> Starts:
    """The best of these exponents and of a grid of times."""

    def starts(points: Points, direction: float) -> list[Law]:
        best: tuple[float, Law] | None = None
        for exponent in exponents:
            for n0 in np.geomspace(points.span / 300, 3 * points.span, 12):
                unit = PowerLaw(0.0, direction, float(n0), exponent)(points.pulses)
                start, step, cost = weighted_line(unit, points)
                if step > 0 and (best is None or cost < best[0]):
                    best = cost, PowerLaw(start, direction * step, float(n0), exponent)
        step = float(np.ptp(points.values)) / points.span
        law = best[1] if best else PowerLaw(0.0, direction * step, points.span, 0.0)
        if exponents == (0.0,):
            assert isinstance(law, PowerLaw)
            return [LogStep(law.start, law.first_step, law.n0_pulses)]
        return [law]

    return starts


def weighted_line(x: FloatArray, points: Points) -> tuple[float, float, float]:
    """Weighted straight line y = start + step x and its sum of squares."""
    w, y = points.weights, points.values
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    step = float(w @ ((x - mean_x) * (y - mean_y)) / (w @ (x - mean_x) ** 2))
    start = float(mean_y - step * mean_x)
    return start, step, float(w @ (y - start - step * x) ** 2)


def spline_starts(intervals: int) -> Starts:
    """The optimum itself: with knots given, a spline is a linear problem with signs."""

    def starts(points: Points, direction: float) -> list[Law]:
        n, y, w = points.pulses, points.values, np.sqrt(points.weights)
        knots = spline_knots(points, direction, intervals)
        columns = direction * spline_design(knots, n) * w[:, None]
        (start,), sizes = signed_least_squares(w[:, None], columns, y * w)
        increments = direction * sizes
        if not increments.any():
            increments += direction * float(np.ptp(y)) / len(increments)
        return [MonotoneSpline(float(start), tuple(increments), tuple(knots))]

    return starts


def spline_knots(points: Points, direction: float, intervals: int) -> FloatArray:
    """Breakpoints (intervals + 1,) where the response moves, and more at the start than later.

    Equal steps of half the square root of the pulse number, half the rise that is done.
    """
    n, y = points.pulses, points.values
    rise = isotonic_regression(direction * y, weights=points.weights).x
    done = (rise - rise[0]) / (float(np.ptp(rise)) or 1.0)
    time = (n - n[0]) / (n[-1] - n[0])
    knots = np.interp(np.linspace(0, 1, intervals + 1), (np.sqrt(time) + done) / 2, n)
    knots[[0, -1]] = n[0], n[-1]
    # No two knots closer than a share of an even spacing, nor than two readings: between them a
    # curve could do anything.
    span = float(n[-1] - n[0])
    apart = min(float(np.min(np.diff(n))), MOST_EVEN * span / intervals)
    least = max(LEAST_SPACING * span / intervals, apart * span / (span - apart * intervals))
    knots = np.maximum.accumulate(knots + least * np.arange(intervals + 1))
    result: FloatArray = n[0] + (knots - knots[0]) * (n[-1] - n[0]) / (knots[-1] - knots[0])
    return result


def logistic_starts(points: Points, direction: float) -> list[Law]:
    """Centres over the pulses, widths from a step to most of them."""
    centres = np.linspace(0.05, 1.0, 12) * points.span
    widths = np.geomspace(0.02, 0.4, 7) * points.span
    shapes = (Logistic(0.0, direction, c, w) for c, w in product(centres, widths))
    return _best_shapes(list(shapes), points, direction)


def stretched_starts(points: Points, direction: float) -> list[Law]:
    """Time constants over the pulses, exponents from 0.3 to 6."""
    taus, betas = np.geomspace(0.02, 2.0, 12) * points.span, np.geomspace(0.3, 6.0, 7)
    shapes = (StretchedExponential(0.0, direction, t, b) for t, b in product(taus, betas))
    return _best_shapes(list(shapes), points, direction)


def _best_shapes(
    shapes: list[Logistic] | list[StretchedExponential], points: Points, direction: float
) -> list[Law]:
    """The shapes that fit best as straight lines of the readings against them, N_STARTS of them."""
    found: list[tuple[float, Law]] = []
    for shape in shapes:
        x = shape(points.pulses)
        if np.ptp(x) > 0:
            start, size, cost = weighted_line(x, points)
            if size > 0:
                found.append((cost, replace(shape, start=start, size=direction * size)))
    found.sort(key=lambda pair: pair[0])
    return [law for _, law in found[:N_STARTS]] or [
        replace(shapes[0], start=float(points.values[0]), size=direction * _size(points))
    ]


def _size(points: Points) -> float:
    return float(np.ptp(points.values)) or 1.0


def geometric_starts(inner: Starts) -> Starts:
    """Starts of the law of the logarithm: those of `inner` for the decades of the readings."""

    def starts(points: Points, direction: float) -> list[Law]:
        # A relative error is an error of the logarithm; no reading is left without a say.
        weights = points.weights * points.values**2
        weights = np.maximum(weights, LEAST_WEIGHT * weights.max())
        logs = Points(points.pulses, np.log10(points.values), weights)
        return [_geometric(law) for law in inner(logs, direction)]

    return starts


def gompertz_starts(points: Points, direction: float) -> list[Law]:
    """One exponential, as a stretched one that is not stretched."""
    taus = np.geomspace(0.02, 3.0, TAU_GRID) * points.span
    shapes = [StretchedExponential(0.0, direction, t, 1.0) for t in taus]
    return _best_shapes(shapes, points, direction)


def _geometric(law: Law) -> Law:
    start = float(10 ** law(0.0))
    if isinstance(law, Logistic):
        return GeometricLogistic(start, law.size, law.centre_pulses, law.width_pulses)
    if isinstance(law, StretchedExponential):
        return GeometricExponential(start, law.size, law.tau_pulses)
    assert isinstance(law, MonotoneSpline)
    return GeometricSpline(start, law.increments, law.knots_pulses)
