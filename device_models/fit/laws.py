"""One law fitted to one branch: where to start, how far to go, what it costs.

Readings come as `Points`: one weighted mean per pulse number. For least squares this is the same
as all the readings, and it makes a bootstrap over hundreds of cycles as cheap as one cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from device_models.curves import (
    ExponentialMixture,
    Law,
    LogStep,
    MonotoneSpline,
    PowerLaw,
    spline_design,
)
from device_models.fit.solver import Solution, signed_least_squares, solve

FloatArray = NDArray[np.float64]

TAU_GRID = 22
PRIOR_LOG_STD = 3.0
"""Weak prior of a logarithm: a factor of 400 to either side is within two standard deviations."""

PRIOR_EXPONENT_STD = 2.0
SPLINE_INTERVALS = (4, 8, 14)
LEAST_SPACING = 0.1


@dataclass(frozen=True, eq=False)
class Points:
    """Mean reading and weight (its inverse variance, up to a factor) at each pulse number."""

    pulses: FloatArray
    values: FloatArray
    weights: FloatArray

    @property
    def span(self) -> float:
        """Largest pulse number."""
        return float(self.pulses[-1])


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law with its weighted residuals and Jacobian by `theta`."""

    law: Law
    solution: Solution

    @property
    def cost(self) -> float:
        """Weighted sum of squares at the optimum."""
        return self.solution.cost


@dataclass(frozen=True)
class Candidate:
    """A form of law that can be fitted: its name, and its laws to start from."""

    name: str
    n_theta: int
    starts: Callable[[Points, float], list[Law]]


def fit_law(candidate: Candidate, points: Points, direction: float) -> Fit:
    """Best law of the candidate's form; `direction` +1 for a rising response, -1 for falling.

    Raises ValueError where there are fewer points than parameters.
    """
    if len(points.pulses) < candidate.n_theta:
        raise ValueError(f"{candidate.name} needs {candidate.n_theta} pulse numbers or more")
    # Readings on a scale of 1: 1e-9 S and 1e9 ohm then take the same path.
    shift, scale = float(points.values[0]), float(np.ptp(points.values)) or 1.0
    scaled = Points(points.pulses, (points.values - shift) / scale, points.weights)
    fits = [refit(start, scaled, quick=True) for start in candidate.starts(scaled, direction)]
    best = min(fits, key=lambda fit: fit.cost)
    return refit(_rescaled(best.law, shift, scale), points)


def prior_std(law: Law) -> FloatArray:
    """Weak prior of the law's coordinates: none on the start value, wide on logarithms."""
    widths = {"start": np.inf, "exponent": PRIOR_EXPONENT_STD}
    return np.array([widths.get(name, PRIOR_LOG_STD) for name in law.theta_names])


def refit(law: Law, points: Points, quick: bool = False) -> Fit:
    """The same form fitted to other points, starting from `law`; `quick` to eight digits."""

    def at(theta: FloatArray) -> Law | None:
        """The law at `theta`, None where an exponential overflows."""
        try:
            return law.with_theta(theta)
        except (ValueError, OverflowError):
            return None

    shape = len(points.pulses), len(law.theta_names)
    solution = solve(
        lambda theta: found(points.pulses) if (found := at(theta)) else np.full(shape[0], np.nan),
        lambda theta: found.jacobian(points.pulses) if (found := at(theta)) else np.zeros(shape),
        points.values,
        law.theta,
        np.sqrt(points.weights),
        _widened(bounds(law.theta_names, points), law.theta),
        quick,
    )
    return Fit(law.with_theta(solution.theta), solution)


def bounds(theta_names: tuple[str, ...], points: Points) -> tuple[FloatArray, FloatArray]:
    """Where no parameter of a measured response lies; only runaways meet these.

    Lowest and highest value of each coordinate, two arrays of shape (n_theta,).
    """
    size = float(np.ptp(points.values)) or 1.0
    logs = {
        "tau": (np.log(0.02), np.log(1e3 * points.span)),
        "n0": (np.log(1e-3), np.log(1e4 * points.span)),
        "amplitude": (np.log(1e-9 * size), np.log(1e5 * size)),
        "increment": (np.log(1e-12 * size), np.log(1e3 * size)),
        "first_step": (np.log(1e-9 * size / points.span), np.log(1e6 * size)),
    }
    low, high = [], []
    for name in theta_names:
        kind = next((k for k in logs if name.startswith(f"log_{k}")), "")
        ends = logs.get(kind, (-8.0, 1.5) if name == "exponent" else (-np.inf, np.inf))
        low.append(ends[0])
        high.append(ends[1])
    return np.array(low), np.array(high)


def _widened(
    ends: tuple[FloatArray, FloatArray], theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bounds within which what the caller starts from is allowed too."""
    return np.minimum(ends[0], theta), np.maximum(ends[1], theta)


def _rescaled(law: Law, shift: float, scale: float) -> Law:
    """The law of shift + scale * response."""
    theta = law.theta.copy()
    for i, name in enumerate(law.theta_names):
        if name == "start":
            theta[i] = shift + scale * theta[i]
        elif name.startswith(("log_amplitude", "log_increment", "log_first_step")):
            theta[i] += np.log(scale)
    return law.with_theta(theta)


def _mixture_starts(order: int) -> Callable[[Points, float], list[Law]]:
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


def _power_starts(exponents: tuple[float, ...]) -> Callable[[Points, float], list[Law]]:
    def starts(points: Points, direction: float) -> list[Law]:
        best: tuple[float, Law] | None = None
        for exponent in exponents:
            for n0 in np.geomspace(points.span / 300, 3 * points.span, 12):
                unit = PowerLaw(0.0, direction, float(n0), exponent)(points.pulses)
                start, step, cost = _line(unit, points)
                if step > 0 and (best is None or cost < best[0]):
                    best = cost, PowerLaw(start, direction * step, float(n0), exponent)
        step = float(np.ptp(points.values)) / points.span
        law = best[1] if best else PowerLaw(0.0, direction * step, points.span, 0.0)
        if exponents == (0.0,):
            assert isinstance(law, PowerLaw)
            return [LogStep(law.start, law.first_step, law.n0_pulses)]
        return [law]

    return starts


def _line(x: FloatArray, points: Points) -> tuple[float, float, float]:
    """Weighted straight line y = start + step x and its sum of squares."""
    w, y = points.weights, points.values
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    step = float(w @ ((x - mean_x) * (y - mean_y)) / (w @ (x - mean_x) ** 2))
    start = float(mean_y - step * mean_x)
    return start, step, float(w @ (y - start - step * x) ** 2)


def _spline_starts(intervals: int) -> Callable[[Points, float], list[Law]]:
    def starts(points: Points, direction: float) -> list[Law]:
        n, y, w = points.pulses, points.values, np.sqrt(points.weights)
        knots = _knots(points, direction, intervals)
        columns = direction * spline_design(knots, n) * w[:, None]
        (start,), sizes = signed_least_squares(w[:, None], columns, y * w)
        increments = direction * sizes
        if not increments.any():
            increments += direction * float(np.ptp(y)) / len(increments)
        return [MonotoneSpline(float(start), tuple(increments), tuple(knots))]

    return starts


def _knots(points: Points, direction: float, intervals: int) -> FloatArray:
    """Breakpoints (intervals + 1,) where the response moves, and more at the start than later.

    Equal steps of half the square root of the pulse number, half the rise that is done.
    """
    n, y = points.pulses, points.values
    rise = isotonic_regression(direction * y, weights=points.weights).x
    done = (rise - rise[0]) / (float(np.ptp(rise)) or 1.0)
    time = (n - n[0]) / (n[-1] - n[0])
    knots = np.interp(np.linspace(0, 1, intervals + 1), (np.sqrt(time) + done) / 2, n)
    knots[[0, -1]] = n[0], n[-1]
    # No two knots closer than a share of an even spacing.
    least = LEAST_SPACING * (n[-1] - n[0]) / intervals
    knots = np.maximum.accumulate(knots + least * np.arange(intervals + 1))
    return n[0] + (knots - knots[0]) * (n[-1] - n[0]) / (knots[-1] - knots[0])


CANDIDATES: dict[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        Candidate("exponential_mixture_1", 3, _mixture_starts(1)),
        Candidate("log_step", 3, _power_starts((0.0,))),
        Candidate("power_law", 4, _power_starts((-4.0, -2.0, -1.0, -0.5, 0.0, 0.3, 0.6, 1.0))),
        Candidate("exponential_mixture_2", 5, _mixture_starts(2)),
        Candidate("exponential_mixture_3", 7, _mixture_starts(3)),
        *(Candidate(f"monotone_spline_{k}", k + 3, _spline_starts(k)) for k in SPLINE_INTERVALS),
    )
}
"""Forms that are tried, simplest first."""
