"""Which law: held-out cycles where cycles differ, the corrected Akaike criterion otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.identified import degenerate
from device_models.fit.laws import CANDIDATES, GEOMETRIC, Candidate, Fit, fit_law, refit
from device_models.fit.noise import GEOMETRIC_DECADES
from device_models.fit.solver import correlation_time
from device_models.fit.uncertainty import CHANCE, chance_of_difference, widening

FloatArray = NDArray[np.float64]

FOLDS = 5
ROUNDING = 1e-13
"""Errors below this share of the readings are those of the arithmetic."""

MIN_CLUSTERS = 3
SPLINE_AICC = 10.0
"""A curve without a formula is taken where no formula comes this near (no support at all:
Burnham and Anderson, 2002)."""

EQUAL_AICC = 1.0
"""Laws whose criterion is this near to the best have as much support."""

EQUAL_ERROR = 0.01
"""Held-out errors this close, or within two standard errors of their difference, are equal."""

SPLINE_ERROR = 1.05
"""The same for held-out errors: a formula this much worse is still the better description."""

NOT_POSITIVE = "values of 0 or below"
"""What is said of a form that goes below 0 where every reading is above."""

MIN_FIELDS = 5
"""Fields from which on one model for all of them is tried: it has four magnetic parameters."""


@dataclass(frozen=True)
class Choice:
    """Fits of the law chosen for one branch, one a field, and the score of every candidate.

    `left_out`: the forms that are no candidates, and what the data do not determine in them or
    that they go below 0 where no reading does. `reason`: why the law was taken although another
    has a better score, else "". `widening`: factor on the standard errors of each fit for laws
    that fit nearly as well, 1 or more; empty where there is none.
    """

    name: str
    fits: tuple[Fit, ...]
    criterion: str
    scores: dict[str, float]
    reason: str = ""
    widening: tuple[float, ...] = ()
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)


def choose_law(branches: Sequence[Branch], law: str = "auto") -> Choice:
    """Law of the same form for all `branches` (one branch at its fields).

    `law`: the name of a candidate, or "auto". Scores are better where lower: "AICc" (difference
    to the best), or "held-out error" (mean square that the law leaves of the shape of cycles it
    has not seen, over the best's). Of laws of equal held-out error the simplest is taken.
    """
    if law != "auto":
        return Choice(law, _fits(CANDIDATES[law], branches), "given", {})
    allowed = _tried(branches)
    fits = {c.name: _fits(c, branches) for c in allowed}
    left_out = _left_out(branches, fits)
    if len(left_out) == len(allowed) and _positive(branches):
        # No ordinary form stays above 0: those of the logarithm cannot but do so.
        allowed = _tried(branches, geometric=True)
        fits |= {c.name: _fits(c, branches) for c in allowed if c.name not in fits}
        left_out = _left_out(branches, fits)
    above = [c for c in allowed if NOT_POSITIVE not in left_out.get(c.name, ())]
    allowed = [c for c in allowed if c.name not in left_out] or above or allowed
    choose = _held_out if _cycles_differ(branches, fits[allowed[-1].name]) else _akaike
    return replace(choose(branches, allowed, fits), left_out=left_out)


def _fits(candidate: Candidate, branches: Sequence[Branch]) -> tuple[Fit, ...]:
    return tuple(fit_law(candidate, b.points(), b.direction) for b in branches)


def _tried(branches: Sequence[Branch], geometric: bool = False) -> list[Candidate]:
    """Candidates with fewer coordinates than readings, those of the logarithm where they fit in."""
    points = [b.points() for b in branches]
    fewest = min(len(p.pulses) for p in points)
    allowed = [c for c in CANDIDATES.values() if c.n_theta < fewest]
    if len(branches) >= MIN_FIELDS:
        # A field mixes two curves, and only these forms stay what they are when mixed.
        mixed = ("exponential_mixture", "monotone_spline")
        return [c for c in allowed if c.name.startswith(mixed)]
    if geometric or min(p.decades for p in points) >= GEOMETRIC_DECADES:
        return allowed
    return [c for c in allowed if not c.name.startswith(GEOMETRIC)]


def _left_out(
    branches: Sequence[Branch], fits: dict[str, tuple[Fit, ...]]
) -> dict[str, tuple[str, ...]]:
    """Why forms are no candidates: what the data leave open in them, or values of 0 and below."""
    found = {name: _undetermined(branches, own) for name, own in fits.items()}
    if _positive(branches):
        for name, own in fits.items():
            if not all(is_positive(b, f.law) for b, f in zip(branches, own, strict=True)):
                found[name] += (NOT_POSITIVE,)
    return {name: why for name, why in found.items() if why}


def _positive(branches: Sequence[Branch]) -> bool:
    return all(float(b.values.min()) > 0 for b in branches)


def is_positive(branch: Branch, law: Law) -> bool:
    """Whether a monotone law stays above 0 from its start to the last reading."""
    return float(np.min(law([0.0, branch.end]))) > 0


def _cycles_differ(branches: Sequence[Branch], fits: Sequence[Fit]) -> bool:
    """Whether there are cycles to hold out that are more than further readings of one curve."""
    if min(len(b.clusters) for b in branches) < MIN_CLUSTERS:
        return False
    return chance_of_difference(branches, fits, [b.clusters for b in branches]) < CHANCE


def _undetermined(branches: Sequence[Branch], fits: tuple[Fit, ...]) -> tuple[str, ...]:
    """Coordinates that are open at any field, each named once."""
    found = (name for b, f in zip(branches, fits, strict=True) for name in degenerate(b, f.law))
    return tuple(dict.fromkeys(found))


def _akaike(
    branches: Sequence[Branch], allowed: list[Candidate], fits: dict[str, tuple[Fit, ...]]
) -> Choice:
    scores = _aicc(branches, allowed, fits)
    best = min(scores.values())
    differences = {name: score - best for name, score in scores.items()}
    formulas = _without_splines(allowed)
    if formulas and min(differences[c.name] for c in formulas) <= SPLINE_AICC:
        allowed = formulas
    # Of laws with as much support as the best of them, the simplest.
    lowest = min(differences[c.name] for c in allowed)
    supported = [c for c in allowed if differences[c.name] <= lowest + EQUAL_AICC]
    fewest = min(c.n_theta for c in supported)
    chosen = min(
        (c.name for c in supported if c.n_theta == fewest), key=lambda name: differences[name]
    )
    near = {c.name: differences[c.name] for c in allowed}
    factors = (
        widening(b, {name: fits[name][i] for name in near}, near, chosen)
        for i, b in enumerate(branches)
    )
    reasons = (
        _simple_reason(chosen, differences, allowed, f"by less than {EQUAL_AICC:g}"),
        _formula_reason(chosen, differences, allowed, f"{SPLINE_AICC:g}"),
    )
    reason = "; ".join(filter(None, reasons))
    return Choice(chosen, fits[chosen], "AICc", differences, reason, tuple(factors))


def _aicc(
    branches: Sequence[Branch], allowed: list[Candidate], fits: dict[str, tuple[Fit, ...]]
) -> dict[str, float]:
    """Corrected Akaike criterion of every allowed law, summed over the branches."""
    scores = {c.name: 0.0 for c in allowed}
    for i, branch in enumerate(branches):
        n = len(branch.values)
        # Readings that follow each other tell less than as many independent ones.
        flexible = fits[allowed[-1].name][i].law
        root = np.sqrt(branch.weights)
        time = correlation_time(root * (branch.values - flexible(branch.pulses)))
        effective = max(n / time, min(n, 8.0))
        rounding = (ROUNDING * np.max(root * np.abs(branch.values))) ** 2
        for candidate in allowed:
            law = fits[candidate.name][i].law
            mean = np.average((branch.values - law(branch.pulses)) ** 2, weights=branch.weights)
            k = candidate.n_theta + 1
            correction = 2 * k * (k + 1) / max(effective - k - 1, 0.5)
            scores[candidate.name] += effective * np.log(mean + rounding) + 2 * k + correction
    return scores


def _without_splines(candidates: list[Candidate]) -> list[Candidate]:
    return [c for c in candidates if "spline" not in c.name]


def _better(chosen: str, scores: dict[str, float]) -> list[str]:
    return [name for name, score in scores.items() if score < scores[chosen]]


def _formula_reason(
    chosen: str, scores: dict[str, float], allowed: list[Candidate], gap: str
) -> str:
    """Why not a spline that scores better: splines that do not lead by `gap` are not `allowed`."""
    barred = [n for n in _better(chosen, scores) if n not in {c.name for c in allowed}]
    if not barred:
        return ""
    return f"a formula, which {' and '.join(barred)} would have to beat by more than {gap}"


def _simple_reason(chosen: str, scores: dict[str, float], allowed: list[Candidate], by: str) -> str:
    """Why not another allowed law that scores better: chance explains the difference."""
    close = [n for n in _better(chosen, scores) if n in {c.name for c in allowed}]
    if not close:
        return ""
    names = " and ".join(close)
    return f"the simpler law, which {names} beats {by}"


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
    floor = max(float((ROUNDING * np.max(b.weights * b.values**2) ** 0.5) ** 2) for b in branches)
    lowest = min(means.values()) + floor
    scores = {name: (mean + floor) / lowest for name, mean in means.items()}
    formulas = _without_splines(allowed)
    if formulas and min(scores[c.name] for c in formulas) <= SPLINE_ERROR:
        allowed = formulas
    best = min((c.name for c in allowed), key=lambda name: means[name])
    for candidate in allowed:
        worse = table[candidate.name] - table[best]
        doubt = 2 * worse.std(ddof=1) / np.sqrt(len(worse))
        if worse.mean() <= max(doubt, floor, EQUAL_ERROR * means[best]):
            chosen = candidate.name
            break
    reasons = (
        _simple_reason(
            chosen, scores, allowed, f"by less than {EQUAL_ERROR:.0%} or chance explains"
        ),
        _formula_reason(chosen, scores, allowed, f"{SPLINE_ERROR - 1:.0%}"),
    )
    reason = "; ".join(filter(None, reasons))
    return Choice(chosen, fits[chosen], "held-out error", scores, reason)


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
