"""Spreads: what differs from pulse to pulse, from cycle to cycle and from device to device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.solver import beyond

FloatArray = NDArray[np.float64]

N_LAGS = 12
N_STRETCHES = 4
MIN_LAGS = 4
PROOF = 9.0
"""Gain in the squared misfit that slow noise, or noise that stays, has to bring."""

LONGEST_SHARE = 0.25
"""Pulses over which noise is followed, as a share of the branch."""

SLOW_LIVES = np.array([1 / 40, 1 / 20, 1 / 8])
"""Lives of slow noise that are tried, over the longest stretch followed."""

LEAST_STEP = 1e-3
LARGEST_RATIO = 3.0
SAME_PULSE = 0.3
"""Pulse numbers need not be whole: readings this near to one pulse apart are one pulse apart."""

MOSTLY = 0.5
"""Share of neighbouring readings that must be one pulse apart for the noise of one pulse."""

ROUNDING = 8 * np.finfo(float).eps


@dataclass(frozen=True)
class PulseNoise:
    """Noise of single pulses of one branch.

    `step_std`: std of the change of one pulse around its mean at that state,
    `mean_step`: root mean square of the mean step, `write`: std of a reading around the state,
    all in the unit of the response; `step_c2c`: std of what a pulse adds to the state and stays,
    over the mean step there [1], 0 where that was not `told_apart` from noise that is drawn anew.
    `spacing`: pulses from one reading to the next.
    """

    step_std: float
    mean_step: float
    write: float
    step_c2c: float
    told_apart: bool = True
    spacing: float = 1.0


def pulse_noise(branch: Branch, laws: Sequence[Law]) -> PulseNoise:
    """Noise around `laws`, one for each cluster of the branch.

    A deviation of the state shrinks (or grows) with the step, f(G): after k pulses it is
    f(G(n+k)) / f(G(n)) of what it was. What is left of a reading's deviation when that is taken
    off has the variance c2c**2 * a_k + write**2 * b_k with known a_k, b_k; noise that stays and
    noise that is drawn anew are told apart by how it grows with k, up to a quarter of the branch.
    Slow noise that dies out within that counts as drawn anew: taken as lasting, it would carry the
    device far further than it goes. Where readings are not one pulse apart only noise that is
    drawn anew is seen, as the scatter of a reading between its neighbours.
    """
    gaps = _gaps(branch)
    if np.mean(np.abs(gaps - 1) < SAME_PULSE) < MOSTLY:
        return _noise_of_readings_apart(branch, laws, float(np.median(gaps)))
    longest = max(int(branch.pulses.max() * LONGEST_SHARE), 1)
    lags = np.unique(np.geomspace(1, longest, N_LAGS).astype(int))
    sums, mean_step = _sums_over_lags(branch, laws, lags)
    squares, counts, fresh, lasting = sums
    if not squares[0].any():
        return PulseNoise(0.0, mean_step, 0.0, 0.0)
    variance = squares[0].sum() / counts[0].sum()
    walk = _lasting_part(lags, squares, counts, fresh, lasting)
    # What a step shows from one reading to the next is kept as it is: the parts add up to it.
    write = (squares[0].sum() - walk * lasting[0].sum()) / fresh[0].sum()
    return PulseNoise(
        float(np.sqrt(variance)),
        mean_step,
        float(np.sqrt(max(write, 0.0))),
        float(np.sqrt(walk)),
        bool(np.sum((counts > 0).any(axis=1)) >= MIN_LAGS),
    )


def _sums_over_lags(
    branch: Branch, laws: Sequence[Law], lags: NDArray[np.int64]
) -> tuple[FloatArray, float]:
    """Sums over [lag, stretch of the branch] of what `pulse_noise` compares, and the mean step.

    Squares of what is left of deviations, their number, and what multiplies noise that is drawn
    anew and noise that stays in them: (4, n_lags, n_stretches).
    """
    sums = np.zeros((4, len(lags), N_STRETCHES))
    steps = []
    for own, law in zip(branch.rows, laws, strict=True):
        order = np.argsort(branch.pulses[own], kind="stable")
        n, y = branch.pulses[own][order], branch.values[own][order]
        residual = y - law(n)
        step = np.abs(law(n + 1) - law(n))
        steps.append(step)
        # Where the curve stands still nothing is known of how a deviation moves.
        step = np.maximum(step, LEAST_STEP * np.sqrt(np.mean(step**2)) + np.finfo(float).tiny)
        falls = np.concatenate([[0.0], np.cumsum((step[:-1] / step[1:]) ** 2)])
        stretch = np.minimum(N_STRETCHES * np.arange(len(n)) // len(n), N_STRETCHES - 1)
        for i, k in enumerate(lags[lags < len(n)]):
            near = np.abs(n[k:] - n[:-k] - k) < SAME_PULSE
            ratio = np.minimum(step[k:] / step[:-k], LARGEST_RATIO)
            left = residual[k:] - ratio * residual[:-k]
            lasting = step[k:] ** 2 * (falls[k:] - falls[:-k])
            for table, values in zip(
                sums, (left**2, np.ones(len(left)), 1 + ratio**2, lasting), strict=True
            ):
                np.add.at(table[i], stretch[:-k][near], values[near])
    return sums, float(np.sqrt(np.mean(np.concatenate(steps) ** 2)))


def white_noise(branch: Branch, laws: Sequence[Law], weighted: bool = False) -> float:
    """Std of what is drawn anew with every reading, in the unit of the response.

    Where `weighted`, that of a reading of weight 1, else of all readings alike. From how far each
    reading's deviation from `laws`, one for each cluster, lies off the line between those of its
    two neighbours: whatever moves slowly along the branch drops out (Gasser, Sroka and
    Jennen-Steinmetz, 1986). 0 where no cluster has three readings.
    """
    squares, expected = [], []
    for rows, law in zip(branch.rows, laws, strict=True):
        order = np.argsort(branch.pulses[rows], kind="stable")
        n, y = branch.pulses[rows][order], branch.values[rows][order]
        residual, width = y - law(n), n[2:] - n[:-2]
        share = np.divide(n[1:-1] - n[:-2], width, out=np.full(len(width), 0.5), where=width > 0)
        between = (1 - share) * residual[:-2] + share * residual[2:]
        unit = 1 / branch.weights[rows][order] if weighted else np.ones(len(n))
        squares.append((residual[1:-1] - between) ** 2)
        expected.append(unit[1:-1] + share**2 * unit[2:] + (1 - share) ** 2 * unit[:-2])
    found, usual = np.concatenate(squares), np.concatenate(expected)
    if not len(found):
        return 0.0
    noise = np.sqrt(np.mean(found / usual) if weighted else found.sum() / usual.sum())
    return float(noise) if noise > ROUNDING * np.abs(branch.values).max() else 0.0


def _gaps(branch: Branch) -> FloatArray:
    """Pulses between neighbouring readings of a cluster, all clusters one after another."""
    gaps = [np.diff(np.sort(branch.pulses[rows])) for rows in branch.rows]
    found = np.concatenate(gaps)
    return found[found > 0] if np.any(found > 0) else np.ones(1)


def _noise_of_readings_apart(branch: Branch, laws: Sequence[Law], spacing: float) -> PulseNoise:
    """Noise where readings lie several pulses apart: what stays is not told from the curve."""
    pulses = [branch.pulses[rows] for rows in branch.rows]
    steps = [law(n + 1) - law(n) for n, law in zip(pulses, laws, strict=True)]
    mean_step = float(np.sqrt(np.mean(np.concatenate(steps) ** 2)))
    write = white_noise(branch, laws)
    return PulseNoise(float(np.sqrt(2) * write), mean_step, write, 0.0, False, spacing)


def _lasting_part(
    lags: NDArray[np.int64],
    squares: FloatArray,
    counts: FloatArray,
    fresh: FloatArray,
    lasting: FloatArray,
) -> float:
    """Square of the relative noise that stays, from sums over [lag, stretch]; 0 without proof."""
    there = counts > 0
    if np.sum(there.any(axis=1)) < MIN_LAGS:
        return 0.0
    count = counts[there]
    variance = squares[there] / count
    rows = np.stack([fresh[there], lasting[there]], 1) / count[:, None]
    # A mean square of n draws is known to sqrt(2 / n) of itself; long lags share their draws.
    lag = np.broadcast_to(lags[:, None], counts.shape)[there]
    error = (variance + squares.sum() / counts.sum() * 1e-2) * np.sqrt(2 * lag / count)
    weights = 1 / np.maximum(error, np.finfo(float).tiny)
    rows, target = rows * weights[:, None], variance * weights
    (_, walk), misfit = nnls(rows, target)
    _, without = nnls(rows[:, :1], target)
    clear = PROOF * max(misfit**2 / len(target), 1.0)
    best = misfit**2 - clear
    for life in lags[-1] * SLOW_LIVES:
        slow = rows[:, 0] * (1 - np.exp(-lag / life))
        (_, lasts, _), with_slow = nnls(np.column_stack([rows, slow]), target)
        if with_slow**2 < best:
            best, walk = with_slow**2, lasts
            _, without = nnls(np.column_stack([rows[:, 0], slow]), target)
            misfit = with_slow
    return float(walk) if without**2 - misfit**2 > clear else 0.0


def device_covariance(theta: FloatArray, fit_covariance: FloatArray) -> FloatArray:
    """Covariance between devices of coordinates (devices, n_theta) beyond the fit's own.

    `fit_covariance`: mean covariance of one device's fit. What is left after it is taken away is
    kept where it is positive; a coordinate in which the devices are equal has none, and so has a
    single device.
    """
    if len(theta) < 2 or theta.shape[1] == 0:
        return np.zeros((theta.shape[1], theta.shape[1]))
    between = np.atleast_2d(np.cov(theta, rowvar=False, ddof=1))
    equal = np.ptp(theta, axis=0) <= ROUNDING * np.abs(theta).max(axis=0)
    between[equal, :] = between[:, equal] = 0.0
    left = beyond(between, fit_covariance)
    left[equal, :] = left[:, equal] = 0.0
    return left
