"""One law fitted to one branch: where to start, how far to go, what it costs.

Readings come as `Points`: one weighted mean per pulse number. For least squares this is the same
as all the readings, and it makes a bootstrap over hundreds of cycles as cheap as one cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.errors import InputError
from device_models.fit.points import Points
from device_models.fit.solver import Solution, solve
from device_models.fit.starts import (
    geometric_starts,
    gompertz_starts,
    logistic_starts,
    mixture_starts,
    power_starts,
    spline_starts,
    stretched_starts,
)

FloatArray = NDArray[np.float64]

PRIOR_LOG_STD = 3.0
"""Weak prior of a logarithm: a factor of 400 to either side is within two standard deviations."""

PRIOR_EXPONENT_STD = 2.0
GEOMETRIC = "geometric_"
"""Forms of this beginning are laws of the logarithm: for readings above 0."""

SPLINE_INTERVALS = (4, 8, 14)
TINY = float(np.finfo(float).tiny)
SIZES = ("log_amplitude", "log_increment", "log_first_step", "log_size", "log_start")
"""Coordinates that are logarithms of values in the unit of the response."""


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

    Raises InputError where there are fewer points than parameters.
    """
    if len(points.pulses) < candidate.n_theta:
        raise InputError(f"{candidate.name} needs {candidate.n_theta} pulse numbers or more")
    geometric = candidate.name.startswith(GEOMETRIC)
    if geometric and points.values.min() <= 0:
        raise InputError(f"{candidate.name} needs readings above 0")
    # Readings on a scale of 1: 1e-9 S and 1e9 ohm then take the same path.
    shift, scale = float(points.values[0]), float(np.ptp(points.values)) or 1.0
    shift = 0.0 if geometric else shift
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
    smallest, largest = (max(float(v), TINY) for v in (points.values.min(), points.values.max()))
    logs = {
        "tau": (np.log(0.02), np.log(1e3 * points.span)),
        "n0": (np.log(1e-3), np.log(1e4 * points.span)),
        "centre": (np.log(0.02), np.log(1e3 * points.span)),
        "width": (np.log(0.02), np.log(1e3 * points.span)),
        "beta": (np.log(0.05), np.log(20.0)),
        "decades": (np.log(1e-9), np.log(20.0)),
        "start": (np.log(1e-6 * smallest), np.log(1e6 * largest)),
        "amplitude": (np.log(1e-9 * size), np.log(1e5 * size)),
        "size": (np.log(1e-9 * size), np.log(1e5 * size)),
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


def times(law: Law, size: float) -> Law:
    """The law of a response `size` times as large."""
    return _rescaled(law, 0.0, size)


def _rescaled(law: Law, shift: float, scale: float) -> Law:
    """The law of shift + scale * response."""
    theta = law.theta.copy()
    for i, name in enumerate(law.theta_names):
        if name == "start":
            theta[i] = shift + scale * theta[i]
        elif name.startswith(
            ("log_amplitude", "log_increment", "log_first_step", "log_size", "log_start")
        ):
            theta[i] += np.log(scale)
    return law.with_theta(theta)


CANDIDATES: dict[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        Candidate("exponential_mixture_1", 3, mixture_starts(1)),
        Candidate("log_step", 3, power_starts((0.0,))),
        Candidate("geometric_exponential", 3, geometric_starts(gompertz_starts)),
        Candidate("power_law", 4, power_starts((-4.0, -2.0, -1.0, -0.5, 0.0, 0.3, 0.6, 1.0))),
        Candidate("logistic", 4, logistic_starts),
        Candidate("stretched_exponential", 4, stretched_starts),
        Candidate("geometric_logistic", 4, geometric_starts(logistic_starts)),
        Candidate("exponential_mixture_2", 5, mixture_starts(2)),
        Candidate("exponential_mixture_3", 7, mixture_starts(3)),
        *(Candidate(f"monotone_spline_{k}", k + 3, spline_starts(k)) for k in SPLINE_INTERVALS),
        *(
            Candidate(f"geometric_spline_{k}", k + 3, geometric_starts(spline_starts(k)))
            for k in SPLINE_INTERVALS
        ),
    )
}
"""Forms that are tried, simplest first."""
