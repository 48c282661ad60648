"""What the readings determine of a fitted law: which coordinates, how well, and which laws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.laws import GEOMETRIC, bounds, prior_std
from device_models.fit.uncertainty import reading_covariance

FloatArray = NDArray[np.float64]

UNIDENTIFIED = 1.0
"""A standard error of a logarithm above this leaves the parameter open by more than a factor 7."""

NEAR = 1e-2
"""A search within bounds ends this near to one, in a logarithm or an exponent."""

FAR_BELOW = 0.5
"""Share of the least possible standard error below which an error is said to be a fault."""

SIMPLEST = 3
"""Coordinates of the simplest formulas: start, size and time of the response."""


def open_coordinates(names: tuple[str, ...], errors: FloatArray) -> list[str]:
    """Names of the coordinates that standard errors (n_theta,) leave open, without their "log_"."""
    return [
        name.removeprefix("log_")
        for name, error in zip(names, errors, strict=True)
        if name != "start" and error > UNIDENTIFIED
    ]


def degenerate(branch: Branch, law: Law) -> list[str]:
    """Coordinates for which the fitted formula is no candidate, none for a sound one.

    A formula is degenerate where the readings leave a coordinate open, or where the fit ends on
    a bound: there it has more parameters than the response shows, and the least squares play with
    the noise. Two time constants that have met trade their amplitudes freely; a time constant far
    below one pulse has no reading between 0 and 1 to show it, and its term only carries the first
    reading to wherever its noise took it; one far beyond the last pulse mimics a straight line
    with any amplitude; a power law whose exponent runs to its bound is an exponential. Each of
    these shows as a standard error beyond any use, in any unit and at any noise, so no ratio of
    time constants has to be chosen. One exponential and the logarithmic step have nothing simpler
    to give way to: what they leave open is said in the findings. A spline has no such coordinates.
    """
    simplest = len(law.theta_names) <= SIMPLEST and not law.name.startswith(GEOMETRIC)
    if simplest or "spline" in law.name:
        return []
    errors = np.sqrt(np.diag(reading_covariance(branch, law)))
    low, high = bounds(law.theta_names, branch.points())
    at_bound = (law.theta < low + NEAR) | (law.theta > high - NEAR)
    return open_coordinates(law.theta_names, np.where(at_bound, np.inf, errors))


def too_certain(branch: Branch, law: Law, errors: FloatArray, curves: int = 1) -> list[str]:
    """Names of coordinates whose standard errors (n_theta,) lie far below noise / sqrt(n).

    The least that unbiased estimates of a coordinate allow is reached when all the others are
    known (Cramér and Rao): noise over the root of the summed squares of the response's slopes by
    it, noise / sqrt(n) for the start. `curves` that share their parameters share their readings.
    """
    root = np.sqrt(branch.weights)
    residual = root * (branch.values - law(branch.pulses))
    noise = np.sqrt(residual @ residual / len(residual) / curves)
    slopes = np.linalg.norm(root[:, None] * law.jacobian(branch.pulses), axis=0)
    known = np.hypot(slopes, noise / prior_std(law))
    least = noise / np.maximum(known, np.finfo(float).tiny)
    named = zip(law.theta_names, errors < FAR_BELOW * least, strict=True)
    return [name.removeprefix("log_") for name, low in named if low]
