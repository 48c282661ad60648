"""Covariance between devices, in the coordinates of the card's laws.

The readings of one device rarely tell all coordinates of a law: two time constants and their
shares can trade against each other for ever. So every device gets the change of coordinates that
takes the card's curves to its readings to first order, with a prior that leaves alone what the
readings leave open; draws then differ from the card as the readings do. What the cycles of a
device, or the noise of its readings, explain of the differences is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.laws import Fit, prior_std
from device_models.fit.levels import MIN_DOF
from device_models.fit.points import Points
from device_models.fit.solver import Solution, solve
from device_models.fit.spread import device_covariance, white_noise

FloatArray = NDArray[np.float64]
Cluster = tuple[str, int]

PRIOR_SHARE = 1 / 3
"""Spread between devices that is expected, as a share of the prior of a fit: a factor of e."""

MIN_DEVICES = 3
LEAST_NOISE = 1e-3
"""Noise of a reading that is set against the prior, at least, as a share of the response."""


def shrunk_fit(law: Law, points: Points, noise: float) -> Fit:
    """The law fitted to other points, its coordinates kept near those of `law` [as `Fit`].

    `noise`: std of a reading of weight 1, in the unit of the response.
    """
    prior = device_prior(law, float(np.ptp(points.values)))
    noise = at_least(noise, points.values, points.weights)
    centre, n_theta = law.theta, len(law.theta)

    def at(theta: FloatArray) -> Law | None:
        try:
            return law.with_theta(theta)
        except (ValueError, OverflowError):
            return None

    def model(theta: FloatArray) -> FloatArray:
        found = at(theta)
        values = found(points.pulses) if found else np.full(len(points.pulses), np.nan)
        return np.concatenate([values / noise, (theta - centre) / prior])

    def jacobian(theta: FloatArray) -> FloatArray:
        found = at(theta)
        columns = found.jacobian(points.pulses) if found else np.zeros(shape)
        return np.concatenate([columns / noise, np.diag(1 / prior)])

    shape = len(points.pulses), n_theta
    root = np.sqrt(points.weights)
    target = np.concatenate([points.values / noise, np.zeros(n_theta)])
    weights = np.concatenate([root, np.ones(n_theta)])
    found = law.with_theta(solve(model, jacobian, target, centre, weights, quick=True).theta)
    columns = root[:, None] * found.jacobian(points.pulses)
    return Fit(found, Solution(found.theta, root * (found(points.pulses) - points.values), columns))


def between_devices(branches: Sequence[Branch], laws: Sequence[Law]) -> FloatArray | None:
    """Covariance between devices of the coordinates of all branches, (n, n).

    None where fewer than three devices have all the branches.
    """
    clusters = in_all(branches)
    if len({d for d, _ in clusters}) < MIN_DEVICES:
        return None
    moved, by_noise = zip(
        *(_moved(b, law, clusters) for b, law in zip(branches, laws, strict=True)), strict=True
    )
    return beyond_cycles(np.concatenate(moved, axis=1), block_diag(*by_noise), clusters)


def in_all(branches: Sequence[Branch]) -> list[Cluster]:
    """Clusters (device, cycle) that were read in all branches."""
    return [c for c in branches[0].clusters if all(c in b.clusters for b in branches)]


def beyond_cycles(
    moved: FloatArray, by_noise: FloatArray, clusters: Sequence[Cluster]
) -> FloatArray:
    """Covariance between devices of changes (clusters, n) beyond that of cycles, or of noise.

    `by_noise`: mean covariance of one change by the noise of its readings, (n, n).
    """
    devices = list(dict.fromkeys(d for d, _ in clusters))
    groups = [[i for i, c in enumerate(clusters) if c[0] == device] for device in devices]
    means = np.array([moved[own].mean(axis=0) for own in groups])
    cycles = np.mean([1 / len(own) for own in groups])
    left = np.concatenate([moved[own] - moved[own].mean(axis=0) for own in groups])
    dof = len(clusters) - len(devices)
    within = left.T @ left / dof if dof >= MIN_DOF else by_noise
    return device_covariance(means, within * cycles)


def _moved(branch: Branch, law: Law, clusters: Sequence[Cluster]) -> tuple[FloatArray, FloatArray]:
    """Change of the coordinates from the card to each cluster, (clusters, n_theta).

    And the mean covariance of one by the noise of its readings, (n_theta, n_theta).
    """
    noise = white_noise(branch, [law] * len(branch.clusters), weighted=True)
    prior = device_prior(law, float(np.ptp(law(branch.pulses))))
    floor = at_least(noise, law(branch.pulses), branch.weights)
    changes, by_noise = {}, np.zeros((len(prior), len(prior)))
    for cluster, rows in zip(branch.clusters, branch.rows, strict=True):
        root = np.sqrt(branch.weights[rows])
        # In units of the prior, so that coordinates of any unit can be compared.
        columns = root[:, None] * law.jacobian(branch.pulses[rows]) * prior / floor
        moves = np.linalg.solve(columns.T @ columns + np.eye(len(prior)), columns.T)
        residual = root * (branch.values[rows] - law(branch.pulses[rows])) / floor
        changes[cluster] = prior * (moves @ residual)
        by_noise += np.outer(prior, prior) * (moves @ moves.T) * (noise / floor) ** 2
    return np.array([changes[c] for c in clusters]), by_noise / len(branch.clusters)


def device_prior(law: Law, span: float) -> FloatArray:
    """Std of each coordinate around the card's, (n_theta,): half the range for a start."""
    prior = prior_std(law) * PRIOR_SHARE
    return np.where(np.isfinite(prior), prior, max(span / 2, np.finfo(float).tiny))


def at_least(noise: float, values: FloatArray, weights: FloatArray) -> float:
    """The noise of weight 1, or the least that is set against the prior for a response (n,)."""
    away = values - np.average(values, weights=weights)
    size = 2 * float(np.sqrt(np.mean(weights * away**2)))
    return max(noise, LEAST_NOISE * size, np.finfo(float).tiny)
