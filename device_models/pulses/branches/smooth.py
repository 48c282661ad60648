"""How well any smooth branch explains readings: mixtures of relaxations, or one S."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares, nnls

from device_models.pulses.types import FloatArray

MOST_STEPS = 1000
# Shares of a branch whose places tell the width of an S.
QUARTERS = (0.25, 0.5, 0.75)
# Logarithms of the powers that make an S steeper at one end.
POWERS = (-1.6, 1.6)


def smooth_misfit(values: FloatArray) -> float:
    """Squared misfit of the best smooth monotone curve to readings of shape (n,)."""
    n, span = values.size, float(np.ptp(values))
    if n < 3 or span == 0:
        return 0.0
    rising = (values if values[-1] > values[0] else -values) / span
    return min(mixture_misfit(values), _s_misfit(rising) * span**2)


def mixture_misfit(values: FloatArray) -> float:
    """Squared misfit of a level and relaxations that all slow down, or that all speed up."""
    rising = values if values[-1] > values[0] else -values
    level, steps = np.ones(values.size), np.arange(values.size)
    slowing = 1 - np.exp(-steps / np.geomspace(0.3, 3.0 * values.size, 30)[:, None])
    shapes = (slowing, -slowing[:, ::-1])
    return min(_nonnegative_misfit(np.vstack([level, -level, x]).T, rising) for x in shapes)


def _nonnegative_misfit(columns: FloatArray, values: FloatArray) -> float:
    """Squared misfit of the best sum of columns with weights of 0 or more."""
    try:
        return float(nnls(columns, values, maxiter=MOST_STEPS)[1] ** 2)
    except RuntimeError:
        # It turns in circles on a few degenerate readings: the best of the columns alone.
        shapes, y = columns[:, 2:] - columns[:, 2:].mean(axis=0), values - values.mean()
        shared = np.maximum(shapes.T @ y, 0.0) ** 2 / np.maximum((shapes**2).sum(axis=0), 1e-300)
        return float(max(y @ y - shared.max(), 0.0))


def _s_misfit(rising: FloatArray) -> float:
    """Squared misfit of a level and a logistic step raised to a power."""
    steps = np.linspace(0.0, 1.0, rising.size)
    level = np.ones(rising.size)

    def residuals(p: FloatArray) -> FloatArray:
        # A step within one reading, or one with a corner, would be a rest and its end.
        width, power = max(float(np.exp(p[1])), 1 / rising.size), np.exp(np.clip(p[2], *POWERS))
        z = np.clip((steps - p[0]) / width, -50, 50)
        basis = np.vstack([level, (1 + np.exp(-z)) ** -power]).T
        return np.asarray(rising - basis @ np.linalg.lstsq(basis, rising, rcond=None)[0])

    reached = [np.argmax(rising >= rising[0] + q * (rising[-1] - rising[0])) for q in QUARTERS]
    first, half, last = (float(steps[int(i)]) for i in reached)
    width = max(last - first, 1 / rising.size) / 2.2
    fit = least_squares(residuals, [half, np.log(width), 0.0], max_nfev=25)
    return float(2 * fit.cost)
