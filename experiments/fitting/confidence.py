"""How far a curve may lie from where its fit puts it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from device_models.curves import Law

FloatArray = NDArray[np.float64]

Z95 = float(norm.ppf(0.975))


def confidence(law: Law, covariance: FloatArray, pulses: FloatArray) -> FloatArray:
    """Half the width (n,) of the 95 % confidence band of a curve, from its fit's covariance."""
    slope = law.jacobian(pulses)
    return Z95 * np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", slope, covariance, slope), 0.0))
