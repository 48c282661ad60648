"""Exponential mixtures: fitted to responses, and in place of any other law."""

from __future__ import annotations

import lmfit
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from device_models.curves import ExponentialMixture, Response

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
    parameters = lmfit.Parameters()
    for k, start in enumerate(np.geomspace(np.ptp(n) / 30, np.ptp(n) / 2, order)):
        parameters.add(f"log_tau_{k}", value=np.log(start), min=np.log(0.2), max=np.log(1e4))

    def residual(p: lmfit.Parameters) -> FloatArray:
        tau = np.exp([p[f"log_tau_{k}"].value for k in range(order)])
        return (project_exponential_mixture(n, y, tau)(n) - y) / y

    # Central differences and tight limits: the optimum is then the same to about 1e-7 under
    # every linear algebra library, which is what makes cards reproducible.
    best = lmfit.minimize(
        residual,
        parameters,
        method="least_squares",
        jac="3-point",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    tau = np.exp([best.params[f"log_tau_{k}"].value for k in range(order)])
    return project_exponential_mixture(n, y, np.sort(tau))


def project_exponential_mixture(
    pulses: FloatArray, response: FloatArray, tau_pulses: ArrayLike
) -> ExponentialMixture:
    """Best offset and one-signed amplitudes for given time constants, relative weights."""
    tau = np.asarray(tau_pulses, dtype=float)
    direction = 1.0 if response[-1] < response[0] else -1.0
    columns = direction * np.exp(-pulses[:, None] / tau)
    # The offset is free: it enters as the difference of two non-negative columns.
    ones = np.ones((len(pulses), 1))
    design = np.hstack([ones, -ones, columns]) / response[:, None]
    solution, _ = nnls(design, np.ones_like(response))
    return ExponentialMixture(
        float(solution[0] - solution[1]), tuple(direction * solution[2:]), tuple(tau)
    )


def as_mixture(law: Response, n_pulses: int, tolerance: float = 1e-2) -> ExponentialMixture:
    """Exponential mixture that follows `law` from 0 to `n_pulses`; a mixture passes through.

    Amplitudes of either sign on a fixed ladder of time constants, by least squares. Raises
    ValueError where the law is left by more than `tolerance` of its range.
    """
    if isinstance(law, ExponentialMixture):
        return law
    n = np.linspace(0, n_pulses, 8 * n_pulses + 1 if n_pulses < 512 else 4097)
    y = law(n)
    tau = np.geomspace(0.3, 10 * n_pulses, 16)
    design = np.concatenate([np.ones((len(n), 1)), np.exp(-n[:, None] / tau)], axis=1)
    # Singular directions below 1e-7 only trade huge amplitudes against each other.
    solution = np.linalg.lstsq(design, y, rcond=1e-7)[0]
    mixture = ExponentialMixture(float(solution[0]), tuple(solution[1:]), tuple(tau))
    error = np.abs(mixture(n) - y).max() / np.ptp(y)
    if error > tolerance:
        raise ValueError(f"no exponential mixture follows the law closer than {error:.1%}")
    return mixture
