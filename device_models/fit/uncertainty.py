"""How well the curves are known: covariance of one fit, bootstrap over cycles or devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.stats import f as fisher
from scipy.stats import norm, t

from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.laws import Fit, prior_std, refit
from device_models.fit.solver import Solution, are_correlated, beyond, covariance

FloatArray = NDArray[np.float64]
Labels = Sequence[Sequence[Any]]

MIN_RESAMPLED = 5
"""Fewer cycles or devices than this say too little about their own scatter to resample them."""

ALIKE = 0.25
"""Cycles whose differences are this probable by chance are pooled (Bancroft, 1964)."""

ROUNDING = 8 * np.finfo(float).eps


def reading_covariance(branch: Branch, law: Law) -> FloatArray:
    """Covariance of the law's coordinates from every single reading, neighbours alike or not.

    As wide as 1.96 standard errors must be to hold 95 %, also from few readings.
    """
    root = np.sqrt(branch.weights)
    residual = root * (law(branch.pulses) - branch.values)
    solution = Solution(law.theta, residual, root[:, None] * law.jacobian(branch.pulses))
    floor = ROUNDING * float(np.abs(branch.values).max())
    correlated = are_correlated(residual)
    spare = max(len(residual) - len(law.theta), 1)
    return student(spare) * covariance(solution, prior_std(law), correlated, floor)


def student(dof: float) -> float:
    """Factor on a variance known from `dof` squares, so that normal intervals hold 95 % [1]."""
    return float((t.ppf(0.975, dof) / norm.ppf(0.975)) ** 2)


def point_covariance(fit: Fit, branch: Branch) -> FloatArray:
    """Covariance of a fit to means of the branch, from their scatter around the law."""
    floor = ROUNDING * float(np.abs(branch.values).max())
    return covariance(fit.solution, prior_std(fit.law), floor=floor)


def all_curves_covariance(
    branches: Sequence[Branch], fits: Sequence[Fit], draws: int, seed: int
) -> tuple[FloatArray, str]:
    """Covariance of the coordinates of all curves, (n, n), and where it comes from.

    From the single readings; and where whole devices (or cycles) differ by more than their
    readings explain, what a bootstrap over them shows beyond that.
    """
    readings = block_diag(
        *(reading_covariance(b, f.law) for b, f in zip(branches, fits, strict=True))
    )
    unit, labels = _resampling_unit(branches)
    fewest = min(len(set(own)) for own in labels)
    if draws < 2 or fewest < MIN_RESAMPLED:
        return readings, "residuals of single readings"
    if _are_alike(branches, fits, labels):
        return readings, f"residuals of single readings, {unit} differ by no more than these"
    # A bootstrap over n finds (n - 1) / n of the variance.
    factor = student(fewest - 1) * fewest / (fewest - 1)
    resampled = factor * _resampled_covariance(branches, fits, labels, draws, seed)
    return readings + beyond(resampled, readings), f"bootstrap over {unit}, {draws} draws"


def _are_alike(branches: Sequence[Branch], fits: Sequence[Fit], labels: Labels) -> bool:
    """Whether devices or cycles differ by no more than the noise of their readings lets them.

    Analysis of variance: each gets coordinates of its own, to first order around the fit, and an
    F test says whether these explain more than chance.
    """
    explained, dof, spare = 0.0, 0, 0
    for branch, fit, own in zip(branches, fits, labels, strict=True):
        left, rank = _left_by_own_fits(branch, fit.law, own)
        n, n_theta = len(branch.values), len(fit.law.theta_names)
        if left <= 0 or rank <= n_theta or rank >= n:
            return False
        together = float(branch.weights @ (branch.values - fit.law(branch.pulses)) ** 2)
        # Each branch over the variance of its own noise.
        explained += (together - left) / (left / (n - rank))
        dof, spare = dof + rank - n_theta, spare + n - rank
    return bool(fisher.sf(explained / dof, dof, spare) > ALIKE)


def _left_by_own_fits(branch: Branch, law: Law, labels: Sequence[Any]) -> tuple[float, int]:
    """Weighted sum of squares when each label has coordinates of its own, and how many in all."""
    root = np.sqrt(branch.weights)
    residual = root * (branch.values - law(branch.pulses))
    columns = root[:, None] * law.jacobian(branch.pulses)
    columns /= np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    group = np.array([number[label] for label in labels])[branch.cluster]
    order = np.argsort(group, kind="stable")
    left, rank = 0.0, 0
    for own in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        best, _, own_rank, _ = np.linalg.lstsq(columns[own], residual[own], rcond=1e-8)
        left += float(np.sum((residual[own] - columns[own] @ best) ** 2))
        rank += int(own_rank)
    return left, rank


def _resampled_covariance(
    branches: Sequence[Branch], fits: Sequence[Fit], labels: Labels, draws: int, seed: int
) -> FloatArray:
    """Covariance when whole devices (or cycles), named by `labels`, are drawn with replacement.

    Branches at one field share the draw, so that what LTP and LTD have in common stays common.
    """
    rng = np.random.default_rng(seed)
    there: dict[float, set[Any]] = {}
    for branch, own in zip(branches, labels, strict=True):
        there.setdefault(branch.field_G, set()).update(own)
    names = {field_G: sorted(there[field_G]) for field_G in sorted(there)}
    rows = []
    for _ in range(draws):
        drawn = {}
        for field_G, units in names.items():
            times = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units))
            drawn[field_G] = dict(zip(units, times, strict=True))
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
    centre = np.concatenate([fit.law.theta for fit in fits])
    prior = np.concatenate([prior_std(fit.law) for fit in fits])
    # A coordinate that the data leave open runs off in some draws: as far as the prior lets it.
    thetas = np.clip(np.array(rows), centre - 2 * prior, centre + 2 * prior)
    return np.cov(thetas, rowvar=False)


def limited(matrix: FloatArray, prior: FloatArray) -> FloatArray:
    """The covariance with no coordinate wider than its weak prior allows."""
    errors = np.sqrt(np.diag(matrix))
    factor = np.where(errors > prior, prior / np.maximum(errors, np.finfo(float).tiny), 1.0)
    return matrix * np.outer(factor, factor)


def _resampling_unit(branches: Sequence[Branch]) -> tuple[str, Labels]:
    """Devices where there are enough of them, cycles otherwise; a label for every cluster."""
    if min(len({d for d, _ in b.clusters}) for b in branches) >= MIN_RESAMPLED:
        return "devices", [[d for d, _ in b.clusters] for b in branches]
    return "cycles", [list(b.clusters) for b in branches]
