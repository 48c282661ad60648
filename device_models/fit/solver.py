"""Weighted nonlinear least squares and the covariance of what it finds.

scipy's MINPACK does the work; what stands around it is what curve laws need: parameters that run
away are brought back into bounds, and a weak prior on logarithms keeps a covariance finite where
the data say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, lsq_linear, nnls

FloatArray = NDArray[np.float64]
Model = Callable[[FloatArray], FloatArray]

TOLERANCE = 1e-15
MAX_EVALUATIONS = 400
FAR = 1e100
"""Residuals of a step too far: large, and their squares are still numbers."""

POLISH = 8
LARGEST_POLISH = 1e-5
BAND = 12
"""Longest autocorrelation of residuals that is looked for, as a root of the number of readings."""


@dataclass(frozen=True)
class Solution:
    """Parameters (n_theta,), weighted residuals (n,) and weighted Jacobian (n, n_theta) there."""

    theta: FloatArray
    residual: FloatArray
    jacobian: FloatArray

    @property
    def cost(self) -> float:
        """Sum of the squared weighted residuals."""
        return float(self.residual @ self.residual)


def solve(
    model: Model,
    jacobian: Model,
    y: FloatArray,
    start: FloatArray,
    root_weights: FloatArray | float = 1.0,
    bounds: tuple[FloatArray, FloatArray] | None = None,
    quick: bool = False,
) -> Solution:
    """Parameters that minimise sum (root_weights * (model - y))**2, from `start`.

    `model` gives (n,) and `jacobian` (n, n_theta) for parameters (n_theta,). `bounds` hold only
    where the free search leaves them, or where there are fewer readings than parameters. `quick`
    stops at eight digits: enough for a resample or a held-out cycle.
    """
    # The bounded search stops at gradients below an absolute number: residuals of about 1 go in.
    size = _power_of_two(float(np.linalg.norm(root_weights * (y - y.mean()))))
    root_weights = root_weights / size

    def residual(theta: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            difference = root_weights * (model(theta) - y)
        # A step too far is no error: it is a bad step, and the search takes it back.
        return np.clip(np.nan_to_num(difference, nan=FAR), -FAR, FAR)

    def weighted(theta: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            columns = np.broadcast_to(root_weights, y.shape)[:, None] * jacobian(theta)
        return np.clip(np.nan_to_num(columns), -FAR, FAR)

    low, high = bounds or (np.full(len(start), -np.inf), np.full(len(start), np.inf))
    theta = _search(residual, weighted, start, (low, high), quick, free=len(y) >= len(start))
    if not quick and np.all((low < theta) & (theta < high)):
        theta = _polished(theta, residual, weighted)
    return Solution(theta, size * residual(theta), size * weighted(theta))


def _search(
    residual: Model,
    weighted: Model,
    start: FloatArray,
    bounds: tuple[FloatArray, FloatArray],
    quick: bool,
    free: bool,
) -> FloatArray:
    """Parameters of least squares: a `free` search, within bounds where that loses its way."""
    settings = {
        "jac": weighted,
        **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-8 if quick else TOLERANCE),
        "max_nfev": MAX_EVALUATIONS // 8 if quick else MAX_EVALUATIONS,
        "x_scale": "jac",
    }
    begun = np.clip(start, *bounds)

    def sound(theta: FloatArray) -> bool:
        """Within the bounds, and no worse than where the search began."""
        within = bool(np.all((bounds[0] <= theta) & (theta <= bounds[1])))
        return within and bool(np.sum(residual(theta) ** 2) <= np.sum(residual(begun) ** 2))

    theta = least_squares(residual, start, method="lm", **settings).x if free else start
    if not free or not sound(theta):
        theta = least_squares(residual, begun, method="trf", bounds=bounds, **settings).x
    return theta if sound(theta) else begun


def _power_of_two(value: float) -> float:
    """The power of two just above `value`, 1 for zero: a scale that rounds nothing."""
    return float(np.ldexp(1.0, int(np.frexp(value)[1]))) if value > 0 else 1.0


def _polished(theta: FloatArray, residual: Model, weighted: Model) -> FloatArray:
    """Gauss-Newton steps from an optimum, as long as each is much smaller than the one before.

    A search that watches the cost stops at half the digits, where the cost stands still; the
    step does not.
    """
    last = np.inf
    for _ in range(POLISH):
        columns = weighted(theta)
        scale = np.linalg.norm(columns, axis=0)
        if not np.all(scale > 0):
            return theta
        step = np.linalg.lstsq(columns / scale, -residual(theta), rcond=None)[0] / scale
        size = float(np.max(np.abs(step) / np.maximum(np.abs(theta), 1e-300)))
        # The first may be no larger than what a search leaves: else the optimum is elsewhere.
        if not size < min(last / 4, LARGEST_POLISH):
            return theta
        theta, last = theta + step, size
    return theta


def signed_least_squares(
    free: FloatArray, signed: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights of columns of any sign (n, n_free) and of columns that must not be negative.

    Least squares to `values` (n,): what keeps a sum of one-signed terms monotone. A free column
    enters as the difference of two non-negative ones.
    """
    n_free = free.shape[1]
    try:
        solution, _ = nnls(np.hstack([free, -free, signed]), values)
    except RuntimeError:  # it goes in circles where weights span many decades
        solution = _bounded_least_squares(np.hstack([free, signed]), values, n_free)
        return solution[:n_free], solution[n_free:]
    return solution[:n_free] - solution[n_free : 2 * n_free], solution[2 * n_free :]


def _bounded_least_squares(columns: FloatArray, values: FloatArray, n_free: int) -> FloatArray:
    """The same by a slower search that always ends, columns on a scale of 1."""
    size = np.linalg.norm(columns, axis=0)
    size[size == 0] = 1.0
    low = np.where(np.arange(len(size)) < n_free, -np.inf, 0.0)
    result: FloatArray = np.maximum(lsq_linear(columns / size, values, (low, np.inf)).x, low) / size
    return result


def covariance(
    solution: Solution,
    prior_std: FloatArray | None = None,
    correlated: bool = False,
    floor: float = 0.0,
) -> FloatArray:
    """Covariance (n_theta, n_theta) of the parameters from the residuals' own scatter.

    `prior_std`: standard deviation of a weak normal prior, inf for none. `correlated`: residuals
    that follow each other are not taken as independent (Newey and West, 1987, with Andrews'
    bandwidth for a first-order process). `floor`: least std of a weighted residual, for rounding.
    """
    residual, jacobian = solution.residual, solution.jacobian
    dof = max(len(residual) - len(solution.theta), 1)
    variance = max(solution.cost / dof, floor**2, np.finfo(float).tiny)
    precision = np.zeros(len(solution.theta)) if prior_std is None else 1 / prior_std**2
    root = _inverse_root(np.vstack([jacobian, np.diag(np.sqrt(variance * precision))]))
    white = variance * root @ root.T
    if not correlated:
        return white
    # In the axes of `root` every number is of the size of the variance: no cancellation.
    scores = jacobian @ root * residual[:, None]
    lags = bandwidth(residual)
    meat = scores.T @ scores
    for lag in range(1, lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        meat += (1 - lag / (lags + 1)) * (product + product.T)
    meat *= len(residual) / dof
    of_prior = variance**2 * root.T @ np.diag(precision) @ root
    sandwich = root @ (meat + of_prior) @ root.T
    # A kernel that is too short may only add to what independent residuals would give.
    wider = np.sqrt(np.maximum(np.diag(sandwich), np.diag(white)))
    scale = np.sqrt(np.maximum(np.diag(sandwich), np.finfo(float).tiny))
    return sandwich * np.outer(wider / scale, wider / scale)


def beyond(matrix: FloatArray, known: FloatArray) -> FloatArray:
    """What a covariance has beyond a `known` one, where that is positive; same shape."""
    largest = np.maximum(np.diag(matrix), np.diag(known))
    scale = np.sqrt(np.maximum(largest, np.finfo(float).tiny))
    values, vectors = np.linalg.eigh((matrix - known) / np.outer(scale, scale))
    positive = vectors * np.clip(values, 0, None) @ vectors.T
    result: FloatArray = positive * np.outer(scale, scale)
    return result


def autocorrelation(residual: FloatArray) -> float:
    """Correlation of neighbouring residuals, -1 to 1; 0 for fewer than three."""
    centred = residual - residual.mean()
    power = float(centred @ centred)
    if len(residual) < 3 or power == 0:
        return 0.0
    return float(centred[1:] @ centred[:-1] / power)


def correlation_time(residual: FloatArray) -> float:
    """Readings that tell as much as one independent one, 1 for white noise.

    Sum of the autocorrelations to the first that is lost in chance (Sokal, 1997, with a sharp
    cut-off).
    """
    centred = residual - residual.mean()
    power = float(centred @ centred)
    if len(residual) < 8 or power == 0:
        return 1.0
    size = 2 ** int(np.ceil(np.log2(2 * len(centred))))
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    rho = np.fft.irfft(spectrum)[: len(centred) // 4] / power
    below = np.flatnonzero(rho < 2 / np.sqrt(len(centred)))
    cut = int(below[0]) if len(below) else len(rho)
    return float(1 + 2 * rho[1:cut].sum())


def are_correlated(residual: FloatArray) -> bool:
    """Whether neighbouring residuals are alike beyond chance (three standard errors)."""
    return bool(autocorrelation(residual) > 3 / np.sqrt(max(len(residual), 1)))


def bandwidth(residual: FloatArray) -> int:
    """Lags that matter for residuals of a first-order process (Andrews, 1991)."""
    rho = min(max(autocorrelation(residual), 0.0), 0.97)
    alpha = 4 * rho**2 / ((1 - rho) ** 2 * (1 + rho) ** 2)
    lags = 1.1447 * (alpha * len(residual)) ** (1 / 3)
    return int(min(lags, BAND * np.sqrt(len(residual)), len(residual) - 1))


def _inverse_root(rows: FloatArray) -> FloatArray:
    """R with R @ R.T the inverse of rows.T @ rows, whose columns may differ by orders of magnitude.

    From the singular values of the rows themselves: their squares would lose half the digits, and
    with them the prior. A direction lost in rounding is unknown, so it gets a huge variance.
    """
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1.0
    _, sizes, axes = np.linalg.svd(rows / scale, full_matrices=False)
    least = np.finfo(float).eps * max(rows.shape) * sizes[0]
    result: FloatArray = axes.T / np.maximum(sizes, least) / scale[:, None]
    return result
