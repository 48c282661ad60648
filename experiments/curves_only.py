"""Curves of a measurement of one branch, with the parts that `fit_card` is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branches import Branch, FitError, _branch
from device_models.fit.select import choose_law
from device_models.fit.spread import PulseNoise, pulse_noise
from device_models.fit.uncertainty import all_curves_covariance
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CurvesOnly:
    """What a fit of curves without a card gives."""

    branches: tuple[Branch, ...]
    laws: tuple[Law, ...]
    noise: tuple[PulseNoise, ...]
    covariance: FloatArray
    warnings: tuple[str, ...]


def fit_curves(data: PulseData, *, law: str, bootstrap: int, seed: int) -> CurvesOnly:
    """Curves of the branches that are there, with the parts of `fit_card`."""
    (name,) = data.branches
    fields = sorted({s.field_G or 0.0 for s in data.segments})
    branches = [
        _branch(name, f, [s for s in data.segments if (s.field_G or 0.0) == f], data)
        for f in fields
    ]
    try:
        choice = choose_law(branches, law)
    except ValueError as error:
        raise FitError(f"{data.source}: {name}: {error}") from None
    matrix, _ = all_curves_covariance(branches, list(choice.fits), bootstrap, seed)
    laws = tuple(f.law for f in choice.fits)
    noise = tuple(
        pulse_noise(b, [law] * len(b.clusters)) for b, law in zip(branches, laws, strict=True)
    )
    return CurvesOnly(tuple(branches), laws, noise, matrix, data.warnings)
