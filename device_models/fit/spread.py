"""Spreads: what differs from pulse to pulse, from cycle to cycle and from device to device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from device_models.curves import Law
from device_models.fit.branches import Branch

FloatArray = NDArray[np.float64]

N_LAGS = 12
LONGEST_SHARE = 0.25
"""Pulses over which noise is followed, as a share of the branch."""

SLOW_LIVES = np.array([1 / 40, 1 / 20, 1 / 8])
"""Lives of slow noise that are tried, over the longest stretch followed."""

SLOW_GAIN = 0.5
"""Slow noise is assumed where it halves the misfit: a walk alone looks much the same."""

LEAST_STEP = 1e-3
LARGEST_RATIO = 3.0


@dataclass(frozen=True)
class PulseNoise:
    """Noise of single pulses of one branch.

    `step_std`: std of the change from one reading to the next around its mean at that state,
    `mean_step`: root mean square of the mean step, `write`: std of a reading around the state,
    all in the unit of the response; `step_c2c`: std of what a pulse adds to the state and stays,
    over the mean step there [1].
    """

    step_std: float
    mean_step: float
    write: float
    step_c2c: float


def pulse_noise(branch: Branch, laws: Sequence[Law]) -> PulseNoise:
    """Noise around `laws`, one for each cluster of the branch.

    A deviation of the state shrinks (or grows) with the step, f(G): after k pulses it is
    f(G(n+k)) / f(G(n)) of what it was. What is left of a reading's deviation when that is taken
    off has the variance c2c**2 * a_k + write**2 * b_k with known a_k, b_k; noise that stays and
    noise that is drawn anew are told apart by how it grows with k, up to a quarter of the branch.
    Slow noise that dies out within that counts as drawn anew: taken as lasting, it would carry the
    device far further than it goes.
    """
    longest = max(int(branch.pulses.max() * LONGEST_SHARE), 1)
    tried = np.unique(np.geomspace(1, longest, N_LAGS).astype(int))
    squares, counts = np.zeros(longest + 1), np.zeros(longest + 1)
    grown, renewed = np.zeros(longest + 1), np.zeros(longest + 1)
    steps = []
    for cluster, law in enumerate(laws):
        own = branch.cluster == cluster
        order = np.argsort(branch.pulses[own], kind="stable")
        n, y = branch.pulses[own][order], branch.values[own][order]
        residual = y - law(n)
        step = np.abs(law(n + 1) - law(n))
        steps.append(step)
        # Where the curve stands still nothing is known of how a deviation moves.
        step = np.maximum(step, LEAST_STEP * np.sqrt(np.mean(step**2)) + np.finfo(float).tiny)
        falls = np.concatenate([[0.0], np.cumsum((step[:-1] / step[1:]) ** 2)])
        for k in tried[tried < len(n)]:
            near = n[k:] - n[:-k] == k
            ratio = np.minimum(step[k:] / step[:-k], LARGEST_RATIO)[near]
            left = residual[k:][near] - ratio * residual[:-k][near]
            squares[k] += left @ left
            counts[k] += len(left)
            renewed[k] += np.sum(1 + ratio**2)
            grown[k] += np.sum((step[k:] ** 2 * (falls[k:] - falls[:-k]))[near])
    mean_step = float(np.sqrt(np.mean(np.concatenate(steps) ** 2)))
    lags = np.flatnonzero(counts)
    if len(lags) == 0 or not squares[lags].any():
        return PulseNoise(0.0, mean_step, 0.0, 0.0)
    variance = squares[lags] / counts[lags]
    fresh, lasting = renewed[lags] / counts[lags], grown[lags] / counts[lags]
    # The first lag is what a step shows: the parts must add up to it.
    weights = np.where(lags == lags[0], 30.0, 1.0) / variance[0]
    plain = np.stack([fresh, lasting], 1) * weights[:, None]
    (_, walk), misfit = nnls(plain, variance * weights)
    misfit *= SLOW_GAIN
    for life in longest * SLOW_LIVES:
        slow = fresh * (1 - np.exp(-lags / life)) * weights
        (_, lasts, _), with_slow = nnls(np.column_stack([plain, slow]), variance * weights)
        if with_slow < misfit:
            misfit, walk = with_slow, lasts
    chance = 2 * variance[0] * np.sqrt(3 / counts[lags[0]])
    if walk * lasting[-1] < chance or len(lags) < 4:
        walk = 0.0
    write = max((variance[0] - walk * lasting[0]) / fresh[0], 0.0)
    return PulseNoise(
        float(np.sqrt(variance[0])), mean_step, float(np.sqrt(write)), float(np.sqrt(walk))
    )


def device_covariance(theta: FloatArray, fit_covariance: FloatArray) -> FloatArray:
    """Covariance between devices of coordinates (devices, n_theta) beyond the fit's own.

    `fit_covariance`: mean covariance of one device's fit. What is left after it is taken away is
    kept where it is positive.
    """
    raw = np.cov(theta, rowvar=False, ddof=1)
    scale = np.sqrt(np.maximum(np.diag(raw), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh((raw - fit_covariance) / np.outer(scale, scale))
    positive = vectors * np.clip(values, 0, None) @ vectors.T
    return positive * np.outer(scale, scale)
