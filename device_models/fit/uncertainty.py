"""How well the curves are known: covariance of one fit, bootstrap over cycles or devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.optimize import brentq
from scipy.stats import f as fisher
from scipy.stats import norm, t

from device_models.curves import Law
from device_models.fit.branch import Branch
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

LEAST_SHARE = -100.0
"""Logarithm of the least share of a prior that is taken into a covariance."""

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


def all_curves_covariance(
    branches: Sequence[Branch], fits: Sequence[Fit], draws: int, seed: int
) -> tuple[FloatArray, str]:
    """Covariance of the coordinates of all curves, (n, n), and where it comes from.

    From the single readings; and where whole devices (or cycles) differ by more than their
    readings explain, what a bootstrap over them shows beyond that. Of two to four, which are too
    few to resample, and without draws, what each adds to the coordinates counts instead.
    """
    readings = block_diag(
        *(reading_covariance(b, f.law) for b, f in zip(branches, fits, strict=True))
    )
    unit, labels = _resampling_unit(branches, fits)
    fewest = min(len(set(own)) for own in labels)
    chance = chance_of_difference(branches, fits, labels) if fewest > 1 else 1.0
    if chance > ALIKE:
        return readings, "residuals of single readings"
    if draws < 2 or fewest < MIN_RESAMPLED:
        few = _few_units_covariance(branches, fits, labels)
        return readings + beyond(few, readings), f"how {fewest} {unit} differ"
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


def _few_units_covariance(
    branches: Sequence[Branch], fits: Sequence[Fit], labels: Labels
) -> FloatArray:
    """Covariance of the coordinates from how few whole devices (or cycles) move the fits.

    To first order each adds its own part to the coordinates; n parts that differ by chance have
    n times the variance of one in their sum (a sandwich over clusters: Liang and Zeger, 1986), as
    wide as Student's t for n - 1 degrees of freedom makes it. Fields have units of their own.
    """
    parts = [_parts(*each) for each in zip(branches, fits, labels, strict=True)]
    sizes = [len(fit.law.theta_names) for fit in fits]
    stops = np.cumsum(sizes)
    matrix = np.zeros((stops[-1], stops[-1]))
    for field_G in {b.field_G for b in branches}:
        own = [i for i, b in enumerate(branches) if b.field_G == field_G]
        names = sorted(set.union(*(set(parts[i]) for i in own)))
        columns = np.concatenate([np.arange(stops[i] - sizes[i], stops[i]) for i in own])
        moved = np.array(
            [np.concatenate([parts[i].get(u, np.zeros(sizes[i])) for i in own]) for u in names]
        )
        moved -= moved.mean(axis=0)
        factor = student(len(names) - 1) * len(names) / (len(names) - 1)
        matrix[np.ix_(columns, columns)] = factor * moved.T @ moved
    return matrix


def _parts(branch: Branch, fit: Fit, labels: Sequence[Any]) -> dict[Any, FloatArray]:
    """What the readings of each label add to the coordinates of the fit, (n_theta,) each."""
    prior, root = prior_std(fit.law), np.sqrt(branch.weights)
    prior = np.where(np.isfinite(prior), prior, 2 * float(np.ptp(branch.values)))
    residual = root * (branch.values - fit.law(branch.pulses))
    noise = max(float(np.sqrt(np.mean(residual**2))), ROUNDING * float(np.abs(residual).max()))
    columns = root[:, None] * fit.law.jacobian(branch.pulses) * prior / noise
    inverse = np.linalg.inv(columns.T @ columns + np.eye(len(prior)))
    moves = (columns * (residual / noise)[:, None]) @ inverse * prior
    sums = np.zeros((len(labels), len(prior)))
    np.add.at(sums, branch.cluster, moves)
    parts = dict.fromkeys(labels, np.zeros(len(prior)))
    for label, own in zip(labels, sums, strict=True):
        parts[label] = parts[label] + own
    return parts


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
    result: FloatArray = np.einsum("ni,ij,nj->n", slopes, reading_covariance(branch, law), slopes)
    return result


def limited(matrix: FloatArray, prior: FloatArray) -> FloatArray:
    """The covariance (n, n) with no coordinate wider than its weak `prior` std (n,) allows.

    As much of the prior is taken in as that needs, which leaves alone what the data know: sums of
    coordinates that are open each stay as certain as they are.
    """
    known = np.isfinite(prior)
    unit = np.where(known, prior, np.maximum(np.sqrt(np.diag(matrix)), np.finfo(float).tiny))
    own = matrix / np.outer(unit, unit)

    def at(log_share: float) -> FloatArray:
        return np.linalg.solve(np.eye(len(own)) + np.exp(log_share) * own * known, own)

    def excess(log_share: float) -> float:
        return float(np.diag(at(log_share))[known].max() - 1)

    if np.diag(own)[known].max(initial=0.0) > 1 and excess(LEAST_SHARE) > 0 > excess(0.0):
        own = at(brentq(excess, LEAST_SHARE, 0.0, xtol=1e-2))
    # Whatever rounding leaves over.
    factor = np.minimum(1.0, 1 / np.sqrt(np.maximum(np.diag(own), 1.0)))
    unit = unit * np.where(known, factor, 1.0)
    result: FloatArray = (own + own.T) / 2 * np.outer(unit, unit)
    return result


def _resampling_unit(branches: Sequence[Branch], fits: Sequence[Fit]) -> tuple[str, Labels]:
    """Devices or cycles, whichever the scatter is in, and a label for every cluster.

    Devices where there are enough of them, where each was measured once, and where they differ by
    more than their cycles do.
    """
    n_devices = [len({d for d, _ in b.clusters}) for b in branches]
    once = all(n == len(b.clusters) > 1 for n, b in zip(n_devices, branches, strict=True))
    if min(n_devices) >= MIN_RESAMPLED or once or _devices_differ(branches, fits):
        return "devices", [[d for d, _ in b.clusters] for b in branches]
    return "cycles", [list(b.clusters) for b in branches]


def _devices_differ(branches: Sequence[Branch], fits: Sequence[Fit]) -> bool:
    """Whether the levels of devices differ by more than those of their cycles do."""
    for branch, fit in zip(branches, fits, strict=True):
        weights = np.bincount(branch.cluster, branch.weights)
        away = branch.weights * (branch.values - fit.law(branch.pulses))
        level = np.bincount(branch.cluster, away) / weights
        names = [d for d, _ in branch.clusters]
        groups = [level[[n == name for n in names]] for name in dict.fromkeys(names)]
        spare = len(level) - len(groups)
        within = sum(float(np.sum((g - g.mean()) ** 2)) for g in groups)
        if len(groups) > 1 and spare > 0 and within > 0:
            between = sum(len(g) * float(g.mean() - level.mean()) ** 2 for g in groups)
            ratio = between / (len(groups) - 1) / (within / spare)
            if fisher.sf(ratio, len(groups) - 1, spare) < ALIKE / len(branches):
                return True
    return False
