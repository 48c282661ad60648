"""How the noise goes with the level: the same everywhere, in proportion, or a part of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

FloatArray = NDArray[np.float64]

HUBER = 3.0
"""Residuals beyond this many standard deviations count less and less."""

LEAST_NOISE = 0.003
"""Share of the range below which a residual is the pilot's misfit rather than an outlier."""

LEVELS = 10
"""Levels of the response at which the noise is looked at."""

GEOMETRIC_DECADES = 1.5
"""Decades from which on laws of the logarithm are tried."""

RELATIVE_DECADES = 2.0
"""Decades from which on errors are relative unless the readings speak against it."""

PROOF = 6.0
"""Gain in the logarithm of the likelihood that another kind of noise has to bring."""

LEAST_SPARE = 0.5
"""Share of the readings beyond the coordinates of a pilot below which they are no evidence."""

MIN_SCATTER = 8
"""Fewer readings than this are no evidence either."""

ROUNDING = 1e-4
"""Residuals below this share of the scale are digits of the file, and no evidence."""

FLOORS = np.geomspace(1e-3, 1.0, 13)
"""Levels at which noise in proportion ends and constant noise begins, over the geometric mean of
the smallest and the largest level: what is tried."""


def robust_weights(residual: FloatArray, span: float) -> FloatArray:
    """Huber weights (n,) of residuals, 1 for all but outliers of a response over `span`."""
    scale = max(1.4826 * float(np.median(np.abs(residual))), LEAST_NOISE * span)
    distance = np.abs(residual) / (HUBER * scale if scale > 0 else 1.0)
    return 1 / np.maximum(distance, 1.0)


def level_weights(residual: FloatArray, fitted: FloatArray) -> FloatArray:
    """Relative inverse variances (n,) where the noise has a part that grows with the level.

    The variance a + b level**2 is taken only where it explains the residuals far better than one
    variance for all; otherwise all weights are 1.
    """
    ones = np.ones_like(fitted)
    if len(fitted) < 6 * LEVELS or np.ptp(fitted) == 0:
        return ones
    parts = np.array_split(np.argsort(fitted), LEVELS)
    level = np.array([np.sqrt(np.mean(fitted[p] ** 2)) for p in parts])
    # The median resists outliers; 0.455 is that of a squared normal deviate.
    variance = np.array([np.median(residual[p] ** 2) / 0.455 for p in parts])
    if np.any(variance <= 0):
        return ones
    (a, b), _ = nnls(np.stack([1 / variance, level**2 / variance], 1), np.ones(len(level)))
    expected = a + b * level**2
    if not np.all(expected > 0) or expected.max() < 4 * expected.min():
        return ones
    size = np.array([len(p) for p in parts])
    common = np.average(variance, weights=size)
    gain = size @ (np.log(common) + variance / common - np.log(expected) - variance / expected)
    if gain < 20:
        return ones
    inverse = 1 / (a + b * fitted**2)
    result: FloatArray = inverse / inverse.mean()
    return result


@dataclass(frozen=True, eq=False)
class Scatter:
    """Level of the response at each reading and what is left of the reading, both (n,)."""

    level: FloatArray
    residual: FloatArray


@dataclass(frozen=True, eq=False)
class Noise:
    """Std of a reading (n,) up to a factor; whether the readings prove it or it is assumed."""

    std: FloatArray
    proven: bool


def noise_over_decades(
    level: FloatArray, constant: Scatter | None, relative: Scatter | None
) -> Noise | None:
    """Noise of positive readings at `level` (n,) over decades; None for the same everywhere.

    `constant` and `relative`: scatter around curves fitted with errors of one size and in
    proportion, None where it shows no noise. Of constant noise, noise in proportion and both, by
    the likelihood of the readings with Laplace's distribution, whose mean size of a residual no
    outlier carries away. Noise in proportion is assumed from RELATIVE_DECADES on, constant noise
    below, each until the readings prove the other.
    """
    assumed = np.log10(level.max() / level.min()) >= RELATIVE_DECADES
    if constant is None or relative is None or len(relative.level) < MIN_SCATTER:
        return Noise(level, proven=False) if assumed else None
    here, residual = relative.level, np.abs(relative.residual)
    same = _likelihood(np.abs(constant.residual), np.full_like(here, level.max()))
    proportional = _likelihood(residual, here)
    floors = FLOORS * np.sqrt(level.min() * level.max())
    mixed = [_likelihood(residual, np.hypot(here, floor)) for floor in floors]
    best = int(np.argmax(mixed))
    if mixed[best] > max(same, proportional) + PROOF:
        return Noise(np.hypot(level, floors[best]), proven=True)
    if proportional > same + (-PROOF if assumed else PROOF):
        return Noise(level, proven=bool(proportional > same + PROOF))
    return None


def _likelihood(residual: FloatArray, scale: FloatArray) -> float:
    """Logarithm of the likelihood of sizes of residuals (n,), noise in proportion to `scale`."""
    mean = float(np.mean(residual / scale)) + ROUNDING
    return -len(residual) * float(np.log(mean)) - float(np.sum(np.log(scale)))
