"""Exponential mixtures for given time constants, and in place of any other law."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.curves import ExponentialMixture, Response
from device_models.errors import InputError
from device_models.fit.solver import signed_least_squares

FloatArray = NDArray[np.float64]


def project_exponential_mixture(
    pulses: FloatArray, response: FloatArray, tau_pulses: ArrayLike
) -> ExponentialMixture:
    """Best offset and one-signed amplitudes for given time constants, relative weights."""
    tau = np.asarray(tau_pulses, dtype=float)
    direction = 1.0 if response[-1] < response[0] else -1.0
    columns = direction * np.exp(-pulses[:, None] / tau)
    weight = 1 / response[:, None]
    (offset,), sizes = signed_least_squares(weight, columns * weight, np.ones_like(response))
    return ExponentialMixture(float(offset), tuple(direction * sizes), tuple(tau))


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
        name = getattr(law, "name", "curve")
        raise InputError(f"no exponential mixture follows this {name} closer than {error:.1%}")
    return mixture
