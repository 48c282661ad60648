"""How well the curves are known: covariance of one fit, bootstrap over cycles or devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.laws import Fit, prior_std, refit
from device_models.fit.solver import Solution, are_correlated, covariance

FloatArray = NDArray[np.float64]

MIN_RESAMPLED = 5
"""Fewer cycles or devices than this say too little about their own scatter to resample them."""

ROUNDING = 8 * np.finfo(float).eps


def reading_covariance(branch: Branch, law: Law) -> FloatArray:
    """Covariance of the law's coordinates from every single reading, neighbours alike or not."""
    root = np.sqrt(branch.weights)
    residual = root * (law(branch.pulses) - branch.values)
    solution = Solution(law.theta, residual, root[:, None] * law.jacobian(branch.pulses))
    floor = ROUNDING * float(np.abs(branch.values).max())
    correlated = are_correlated(residual)
    return covariance(solution, prior_std(law), correlated, floor)


def point_covariance(fit: Fit, branch: Branch) -> FloatArray:
    """Covariance of a fit to means of the branch, from their scatter around the law."""
    floor = ROUNDING * float(np.abs(branch.values).max())
    return covariance(fit.solution, prior_std(fit.law), floor=floor)


def resampled_covariance(
    branches: Sequence[Branch], fits: Sequence[Fit], draws: int, seed: int
) -> tuple[FloatArray, str] | None:
    """Joint covariance of all curves when whole devices (or cycles) are drawn with replacement.

    Branches at one field share the draw, so that what LTP and LTD have in common stays common.
    None where there are fewer than five to draw from.
    """
    unit, labels = _resampling_unit(branches)
    if draws < 2 or min(len(set(own)) for own in labels) < MIN_RESAMPLED:
        return None
    rng = np.random.default_rng(seed)
    there: dict[float, set[Any]] = {}
    for branch, own in zip(branches, labels, strict=True):
        there.setdefault(branch.field_G, set()).update(own)
    names = {field_G: sorted(there[field_G]) for field_G in sorted(there)}
    rows = []
    for _ in range(draws):
        drawn = {}
        for field_G, own in names.items():
            times = np.bincount(rng.integers(len(own), size=len(own)), minlength=len(own))
            drawn[field_G] = dict(zip(own, times, strict=True))
        row = []
        for branch, own, fit in zip(branches, labels, fits, strict=True):
            count = np.array([drawn[branch.field_G][x] for x in own], dtype=float)
            points = branch.points(count)
            # A draw may miss the only cycles that reach a pulse number; never all of them.
            law = fit.law
            if len(points.pulses) >= len(law.theta_names):
                law = refit(law, points, quick=True).law
            row.append(law.theta)
        rows.append(np.concatenate(row))
    thetas = np.array(rows)
    centre = np.concatenate([fit.law.theta for fit in fits])
    prior = np.concatenate([prior_std(fit.law) for fit in fits])
    # A coordinate that the data leave open runs off in some draws: as far as the prior lets it.
    thetas = np.clip(thetas, centre - 2 * prior, centre + 2 * prior)
    floor = np.diag(
        np.concatenate(
            [np.diag(point_covariance(f, b)) for f, b in zip(fits, branches, strict=True)]
        )
        * 1e-12
    )
    return np.cov(thetas, rowvar=False) + floor, unit


def limited(matrix: FloatArray, prior: FloatArray) -> FloatArray:
    """The covariance with no coordinate wider than its weak prior allows."""
    errors = np.sqrt(np.diag(matrix))
    factor = np.where(errors > prior, prior / np.maximum(errors, np.finfo(float).tiny), 1.0)
    return matrix * np.outer(factor, factor)


def _resampling_unit(branches: Sequence[Branch]) -> tuple[str, list[list[Any]]]:
    """Devices where there are enough of them, cycles otherwise; a label for every cluster."""
    if min(len({d for d, _ in b.clusters}) for b in branches) >= MIN_RESAMPLED:
        return "devices", [[d for d, _ in b.clusters] for b in branches]
    return "cycles", [list(b.clusters) for b in branches]
