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
from device_models.fit.few import few_units_covariance
from device_models.fit.laws import Fit, prior_std, refit
from device_models.fit.solver import Solution, are_correlated, beyond, covariance

FloatArray = NDArray[np.float64]
Labels = Sequence[Sequence[Any]]

MIN_RESAMPLED = 5
"""Fewer cycles or devices than this say too little about their own scatter to resample them."""

ALIKE = 0.1
"""Cycles whose differences are this probable by chance are pooled."""

CHANCE = 0.01
"""Cycles whose differences are less probable than this do differ."""

LEVELS = 26
"""Pulse numbers at which laws are compared."""

NO_WEIGHT = 1e-3
"""Laws with less of the best one's weight are not looked at."""

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
    chance = chance_of_difference(branches, fits, labels) if fewest > 1 else 1.0
    if chance < CHANCE and (draws < 2 or fewest < MIN_RESAMPLED):
        few = student(fewest - 1) * few_units_covariance(branches, [f.law for f in fits], labels)
        return readings + beyond(few, readings), f"how {fewest} {unit} differ"
    if chance > ALIKE or draws < 2 or fewest < MIN_RESAMPLED:
        return readings, "residuals of single readings"
    # A bootstrap over n finds (n - 1) / n of the variance.
    factor = student(fewest - 1) * fewest / (fewest - 1)
    resampled = factor * _resampled_covariance(branches, fits, labels, draws, seed)
    return readings + beyond(resampled, readings), f"bootstrap over {unit}, {draws} draws"


def chance_of_difference(branches: Sequence[Branch], fits: Sequence[Fit], labels: Labels) -> float:
    """How often chance alone lets devices or cycles differ as much as these do, 0 to 1.

    `labels` name the device or cycle of every cluster of each branch. Analysis of variance: each
    gets coordinates of its own, to first order around the fit, and an F test says how often noise
    would make these explain as much. 0 where there is no noise, or too few readings, to tell.
    """
    explained, dof, spare = 0.0, 0, 0
    for branch, fit, own in zip(branches, fits, labels, strict=True):
        together, rank = _left_by_own_fits(branch, fit.law, ["all"] * len(own))
        apart, own_rank = _left_by_own_fits(branch, fit.law, own)
        left = len(branch.values) - own_rank
        if apart <= 0 or own_rank <= rank or left < 1:
            return 0.0
        # Each branch over the variance of its own noise.
        explained += (together - apart) / (apart / left)
        dof, spare = dof + own_rank - rank, spare + left
    return float(fisher.sf(explained / dof, dof, spare))


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


def widening(branch: Branch, fits: dict[str, Fit], scores: dict[str, float], chosen: str) -> float:
    """Factor on the standard errors of the `chosen` law for others that fit nearly as well [1].

    `scores`: AICc of each of the `fits`. The variance of the response is the mean over the laws,
    with Akaike's weights, of their own variance and their squared distance from the chosen one
    (Buckland, Burnham and Augustin, 1997). The coordinates of one law cannot take the shape of
    another, so the factor is the largest along the curve, 1 or more.
    """
    pulses = np.linspace(branch.pulses.min(), branch.pulses.max(), LEVELS)
    own = _response_variance(branch, fits[chosen].law, pulses)
    best = min(scores.values())
    weights = {name: np.exp((best - score) / 2) for name, score in scores.items()}
    near = {name: weight for name, weight in weights.items() if weight > NO_WEIGHT}
    total = np.zeros(LEVELS)
    for name, weight in near.items():
        away = fits[name].law(pulses) - fits[chosen].law(pulses)
        total += weight * (own + away**2)
    ratio = total / sum(near.values()) / own
    return float(np.sqrt(max(ratio.max(), 1.0)))


def _response_variance(branch: Branch, law: Law, pulses: FloatArray) -> FloatArray:
    """Variance of the response at `pulses` (n,) from the covariance of the readings."""
    slopes = law.jacobian(pulses)
    return np.einsum("ni,ij,nj->n", slopes, reading_covariance(branch, law), slopes)


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
