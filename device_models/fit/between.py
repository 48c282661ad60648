"""Covariance between devices, in the coordinates of their laws.

The readings of one device rarely tell all coordinates of a law: two time constants and their
shares can trade against each other for ever. Devices are therefore fitted with a prior around the
card's own law, so that what is open stays where it is and differs by nothing; and what the cycles
of a device, or the noise of its readings, explain of the differences is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.laws import Fit, Points, prior_std
from device_models.fit.levels import MIN_DOF
from device_models.fit.solver import Solution, solve
from device_models.fit.spread import device_covariance

FloatArray = NDArray[np.float64]

PRIOR_SHARE = 1 / 3
"""Spread between devices that is expected, as a share of the prior of a fit: a factor of e."""

LEAST_NOISE = 1e-3
"""Noise of a reading against which the prior counts, at least, as a share of the range."""


def shrunk_fit(law: Law, points: Points, noise: float) -> Fit:
    """The law fitted to other points, its coordinates kept near those of `law` [as `Fit`].

    `noise`: std of a reading of weight 1, in the unit of the response.
    """
    prior = _device_prior(law, points)
    noise = max(noise, LEAST_NOISE * float(np.ptp(points.values)), np.finfo(float).tiny)
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


def between_devices(
    branches: Sequence[Branch], by_device: Sequence[dict[str, Fit]], fewest: int
) -> FloatArray | None:
    """Covariance between devices of the coordinates of all branches, (n, n).

    None where fewer devices than `fewest` have all the branches.
    """
    devices = [d for d in by_device[0] if all(d in own for own in by_device)]
    if len(devices) < fewest:
        return None
    theta = np.array([np.concatenate([own[d].law.theta for own in by_device]) for d in devices])
    own = _of_cycles(branches, by_device, devices)
    return device_covariance(theta, _of_noise(branches, by_device, devices) if own is None else own)


def _device_prior(law: Law, points: Points) -> FloatArray:
    """Std of each coordinate around the card's, (n_theta,): half the range for a start."""
    prior = prior_std(law) * PRIOR_SHARE
    half = max(float(np.ptp(points.values)) / 2, np.finfo(float).tiny)
    return np.where(np.isfinite(prior), prior, half)


def _moves(branch: Branch, fit: Fit, rows: NDArray[np.intp], noise: float) -> FloatArray:
    """Change of the coordinates by a change of each reading in `rows`, (n_theta, n)."""
    points = branch.points()
    prior = _device_prior(fit.law, points)
    noise = max(noise, LEAST_NOISE * float(np.ptp(points.values)), np.finfo(float).tiny)
    root = np.sqrt(branch.weights[rows])
    columns = root[:, None] * fit.law.jacobian(branch.pulses[rows]) * prior / noise
    # In units of the prior, so that coordinates of any unit can be compared.
    inverse = np.linalg.solve(columns.T @ columns + np.eye(len(prior)), columns.T)
    return prior[:, None] * inverse * root / noise


def _of_cycles(
    branches: Sequence[Branch], by_device: Sequence[dict[str, Fit]], devices: Sequence[str]
) -> FloatArray | None:
    """Covariance of one device's coordinates from how its cycles differ; None with too few."""
    shared = set.intersection(*(set(b.clusters) for b in branches))
    clusters = [c for c in branches[0].clusters if c in shared and c[0] in devices]
    moves = {c: np.empty(0) for c in clusters}
    for branch, fits in zip(branches, by_device, strict=True):
        noise = _noise(branch, fits)
        for rows, cluster in zip(branch.rows, branch.clusters, strict=True):
            if cluster in moves:
                fit = fits[cluster[0]]
                residual = branch.values[rows] - fit.law(branch.pulses[rows])
                own = _moves(branch, fit, rows, noise) @ residual
                moves[cluster] = np.concatenate([moves[cluster], own])
    groups = [np.array([moves[c] for c in clusters if c[0] == d]) for d in devices]
    dof = sum(len(g) - 1 for g in groups)
    if dof < MIN_DOF or min(len(g) for g in groups) < 1:
        return None
    left = np.concatenate([g - g.mean(axis=0) for g in groups])
    return left.T @ left / dof * float(np.mean([1 / len(g) for g in groups]))


def _of_noise(
    branches: Sequence[Branch], by_device: Sequence[dict[str, Fit]], devices: Sequence[str]
) -> FloatArray:
    """Mean covariance of one device's coordinates from the noise of its readings."""
    blocks = []
    for branch, fits in zip(branches, by_device, strict=True):
        noise, total = _noise(branch, fits), []
        for device in devices:
            rows = np.flatnonzero([branch.clusters[c][0] == device for c in branch.cluster])
            moves = _moves(branch, fits[device], rows, noise)
            total.append(noise**2 * moves / branch.weights[rows] @ moves.T)
        blocks.append(np.mean(total, axis=0))
    return block_diag(*blocks)


def _noise(branch: Branch, fits: dict[str, Fit]) -> float:
    """Std of a reading of weight 1 around the fit of its device."""
    squares, dof = 0.0, 0
    for fit in fits.values():
        squares += fit.cost
        dof += len(fit.solution.residual) - len(fit.law.theta)
    return float(np.sqrt(squares / max(dof, 1)))
