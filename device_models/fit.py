"""Fit curve laws to pulse responses."""

from __future__ import annotations

import lmfit
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from device_models.curves import ExponentialMixture

FloatArray = NDArray[np.float64]


def fit_exponential_mixture(
    pulses: ArrayLike, response: ArrayLike, order: int = 3
) -> ExponentialMixture:
    """Monotone mixture of `order` exponentials that fits `response` with relative weights.

    `pulses`, `response`: one dimension, same length; the response must not be zero. The time
    constants are searched (lmfit), offset and amplitudes follow from them by non-negative least
    squares, so that the curve keeps the direction of the data.
    """
    n = np.asarray(pulses, dtype=float)
    y = np.asarray(response, dtype=float)
    if n.shape != y.shape or n.ndim != 1 or len(n) < 2 * order + 2:
        raise ValueError(
            f"an exponential mixture of order {order} needs two equally long rows of at least "
            f"{2 * order + 2} numbers, got shapes {n.shape} and {y.shape}"
        )
    direction = 1.0 if y[-1] < y[0] else -1.0
    parameters = lmfit.Parameters()
    for k, start in enumerate(np.geomspace(np.ptp(n) / 30, np.ptp(n) / 2, order)):
        parameters.add(f"log_tau_{k}", value=np.log(start), min=np.log(0.2), max=np.log(1e4))

    def residual(p: lmfit.Parameters) -> FloatArray:
        tau = np.exp([p[f"log_tau_{k}"].value for k in range(order)])
        return (_project(n, y, tau, direction)(n) - y) / y

    best = lmfit.minimize(residual, parameters, method="least_squares", xtol=1e-14, ftol=1e-14)
    tau = np.exp([best.params[f"log_tau_{k}"].value for k in range(order)])
    return _project(n, y, np.sort(tau), direction)


def _project(n: FloatArray, y: FloatArray, tau: FloatArray, direction: float) -> ExponentialMixture:
    """Best offset and one-signed amplitudes for given time constants, relative weights."""
    columns = direction * np.exp(-n[:, None] / tau)
    # The offset is free: it enters as the difference of two non-negative columns.
    ones = np.ones((len(n), 1))
    design = np.hstack([ones, -ones, columns]) / y[:, None]
    solution, _ = nnls(design, np.ones_like(y))
    return ExponentialMixture(
        float(solution[0] - solution[1]), tuple(direction * solution[2:]), tuple(tau)
    )
