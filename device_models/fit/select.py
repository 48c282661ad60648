"""Which law: held-out cycles where there are some, the corrected Akaike criterion otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.laws import CANDIDATES, Candidate, Fit, fit_law, refit
from device_models.fit.solver import correlation_time

FloatArray = NDArray[np.float64]

FOLDS = 5
MIN_CLUSTERS = 3
EQUAL_AICC = 2.0
"""Differences below this are none (Burnham and Anderson, 2002): the simpler law is taken."""

SPLINE_AICC = 10.0
"""A curve without a formula is taken where no formula comes this near."""

EQUAL_ERROR = 0.01
"""Held-out errors this close, or within two standard errors of their difference, are equal."""

SPLINE_ERROR = 1.05
"""The same for held-out errors: a formula this much worse is still the better description."""

MIN_FIELDS = 5
"""Fields from which on one model for all of them is tried: it has four magnetic parameters."""


@dataclass(frozen=True)
class Choice:
    """Fits of the law chosen for one branch, one a field, and the score of every law tried."""

    name: str
    fits: tuple[Fit, ...]
    criterion: str
    scores: dict[str, float]


def choose_law(branches: Sequence[Branch], law: str = "auto") -> Choice:
    """Law of the same form for all `branches` (one branch at its fields).

    `law`: the name of a candidate, or "auto". Scores are better where lower: "AICc" (difference
    to the best), or "held-out error" (mean square that the law leaves of the shape of cycles it
    has not seen, over the best's).
    """
    names = [law] if law != "auto" else list(CANDIDATES)
    if law == "auto" and len(branches) >= MIN_FIELDS:
        # A field mixes two curves, and only these forms stay what they are when mixed.
        names = [n for n in names if n.startswith(("exponential_mixture", "monotone_spline"))]
    fewest = min(len(b.points().pulses) for b in branches)
    allowed = [CANDIDATES[n] for n in names if CANDIDATES[n].n_theta < fewest or law != "auto"]
    fits = {c.name: tuple(fit_law(c, b.points(), b.direction) for b in branches) for c in allowed}
    if law != "auto":
        return Choice(law, fits[law], "given", {})
    if min(len(b.clusters) for b in branches) >= MIN_CLUSTERS:
        return _held_out(branches, allowed, fits)
    return _akaike(branches, allowed, fits)


def _akaike(
    branches: Sequence[Branch], allowed: list[Candidate], fits: dict[str, tuple[Fit, ...]]
) -> Choice:
    scores = dict.fromkeys(fits, 0.0)
    for i, branch in enumerate(branches):
        n = len(branch.values)
        # Readings that follow each other tell less than as many independent ones.
        flexible = fits[allowed[-1].name][i].law
        root = np.sqrt(branch.weights)
        time = correlation_time(root * (branch.values - flexible(branch.pulses)))
        effective = max(n / time, 8.0)
        rounding = (1e-13 * np.abs(branch.values).max()) ** 2
        for candidate in allowed:
            law = fits[candidate.name][i].law
            mean = np.average((branch.values - law(branch.pulses)) ** 2, weights=branch.weights)
            k = candidate.n_theta + 1
            correction = 2 * k * (k + 1) / max(effective - k - 1, 0.5)
            scores[candidate.name] += effective * np.log(mean + rounding) + 2 * k + correction
    best = min(scores.values())
    differences = {name: score - best for name, score in scores.items()}
    formulas = [s for name, s in scores.items() if not _is_spline(name)]
    if formulas and min(formulas) - best <= SPLINE_AICC:
        best = min(formulas)
        allowed = [c for c in allowed if not _is_spline(c.name)]
    chosen = next(c.name for c in allowed if scores[c.name] - best <= EQUAL_AICC)
    return Choice(chosen, fits[chosen], "AICc", differences)


def _is_spline(name: str) -> bool:
    return name.startswith("monotone_spline")


def _held_out(
    branches: Sequence[Branch], allowed: list[Candidate], fits: dict[str, tuple[Fit, ...]]
) -> Choice:
    errors: dict[str, list[float]] = {c.name: [] for c in allowed}
    for i, branch in enumerate(branches):
        for held in _folds(len(branch.clusters)):
            points = branch.points((~held).astype(float))
            for c in allowed:
                law = refit(fits[c.name][i].law, points, quick=True).law
                errors[c.name].append(_shape_error(branch, law, np.flatnonzero(held)))
    table = {name: np.array(values) for name, values in errors.items()}
    means = {name: float(values.mean()) for name, values in table.items()}
    formulas = [name for name in means if not _is_spline(name)]
    best = min(means, key=lambda name: means[name])
    if formulas and min(means[f] for f in formulas) <= SPLINE_ERROR * means[best]:
        best = min(formulas, key=lambda name: means[name])
        allowed = [c for c in allowed if not _is_spline(c.name)]
    floor = 1e-26 * max(float(np.abs(b.values).max()) for b in branches) ** 2
    for candidate in allowed:
        worse = table[candidate.name] - table[best]
        doubt = 2 * worse.std(ddof=1) / np.sqrt(len(worse)) if len(worse) > 1 else 0.0
        if worse.mean() <= max(doubt, floor, EQUAL_ERROR * means[best]):
            chosen = candidate.name
            break
    lowest = min(means.values()) + floor
    scores = {name: (mean + floor) / lowest for name, mean in means.items()}
    return Choice(chosen, fits[chosen], "held-out error", scores)


def _shape_error(branch: Branch, law: Law, clusters: NDArray[np.intp]) -> float:
    """Mean square that `law` leaves of cycles it has not seen, whatever their offset and gain.

    Cycles and devices differ in height; that is spread, and no law could foresee it.
    """
    total, weight = 0.0, 0.0
    for cluster in clusters:
        own = branch.rows[cluster]
        y, w, x = branch.values[own], branch.weights[own], law(branch.pulses[own])
        x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
        power = float(w @ x**2)
        gain = float(w @ (x * y)) / power if power > 0 else 0.0
        total += float(w @ (y - gain * x) ** 2)
        weight += float(w.sum())
    return total / weight


def _folds(n: int) -> list[NDArray[np.bool_]]:
    """Masks of the clusters held out in turn; neighbours in time go to different folds."""
    folds = min(FOLDS, n)
    return [np.arange(n) % folds == f for f in range(folds)]
