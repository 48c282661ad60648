"""Levels of every cycle of every device straight from its readings, without a law of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.spread import LEAST_STEP, PulseNoise

FloatArray = NDArray[np.float64]

NEAR = 0.02
"""Readings count for an end where the curve is this near to it, as a share of its change."""

END_SHARE = 0.25
"""Nor do they count where they are farther away than this share of the pulses."""

PLACES = (0.25, 0.5, 0.75)
"""Shares of the way that a branch goes, at which its speed is looked at."""

LEAST_PULSES = 0.5
MIN_DOF = 2
"""Fewer repeats than this say less about the scatter of cycles than the noise of single pulses."""

SIMULATED = 256
"""Cycles that are simulated to see what the noise of single pulses does to a number."""

MOST_READINGS = 200_000


@dataclass(frozen=True, eq=False)
class Levels:
    """What the readings of each cluster of a branch say, all (clusters,), NaN where they do not.

    `first` and `last`: conductance at the first and the last pulse number of the branch, means of
    the readings there; `scale`: size of a step over the mean one at the same place of the range.
    """

    first: FloatArray
    last: FloatArray
    scale: FloatArray


@dataclass(frozen=True)
class Components:
    """Variances of a number that devices and their cycles have, beyond what chance explains.

    `device`: between devices, `cycle`: between the cycles of a device beyond the noise of single
    pulses; NaN where there is nothing to tell it from, below 0 where chance explains more than
    there is, so that means over several stay right. `mean` of the devices' means.
    """

    mean: float
    device: float
    cycle: float

    def over(self, size: float) -> Components:
        """The same in units of `size`."""
        return Components(self.mean / size, self.device / size**2, self.cycle / size**2)


def levels(branch: Branch, law: Law) -> Levels:
    """Levels of every cluster of the branch; `law` describes their mean.

    A pulse of a device that goes the way W in the time T is as large as W / T at each place of
    the way; the times are those to a quarter, half and three quarters of it.
    """
    first, last = (_end_levels(branch, law, end) for end in _ends(branch))
    return Levels(first, last, _step_scales(branch, law, first, last))


def by_chance(branch: Branch, law: Law, noise: PulseNoise, seed: int = 0) -> Levels:
    """Variances of the `levels` of one cluster by the noise of single pulses, each (1,).

    From clusters that are all the `law` but for that noise; NaN for one cluster, which differs
    from nothing.
    """
    if len(branch.clusters) < 2:
        return Levels(*np.full((3, 1), np.nan))
    rng, drawn = np.random.default_rng(seed), []
    rounds = min(SIMULATED / len(branch.clusters), MOST_READINGS / len(branch.pulses))
    for _ in range(int(np.ceil(rounds))):
        values = law(branch.pulses) + noise.write * rng.standard_normal(len(branch.pulses))
        if noise.step_c2c > 0:
            for rows in branch.rows:
                values[rows] += _walk(branch.pulses[rows], law, noise.step_c2c, rng)
        drawn.append(levels(replace(branch, values=values), law))
    variances = []
    for name in ("first", "last", "scale"):
        own = np.concatenate([getattr(each, name) for each in drawn])
        own = own[np.isfinite(own)]
        variances.append(np.atleast_1d(np.var(own) if own.size else np.nan))
    return Levels(*variances)


def _walk(pulses: FloatArray, law: Law, step_c2c: float, rng: np.random.Generator) -> FloatArray:
    """What stays of the noise of every pulse before a reading, (n,): it shrinks with the step."""
    step = np.abs(law(pulses + 1) - law(pulses))
    step = np.maximum(step, LEAST_STEP * np.sqrt(np.mean(step**2)))
    if not np.all(step > 0):
        return np.zeros(len(pulses))
    moved = step_c2c * rng.standard_normal(len(pulses) - 1) * step[:-1] / step[1:]
    result: FloatArray = step * np.concatenate([[0.0], np.cumsum(moved)])
    return result


def _ends(branch: Branch) -> tuple[float, float]:
    """First and last pulse number."""
    return float(branch.pulses.min()), branch.end


def _end_levels(branch: Branch, law: Law, end: float) -> FloatArray:
    """Level of every cluster at one end; `law` carries the readings near it to the end itself."""
    low, high = _ends(branch)
    curve, goal = law(branch.pulses), float(law(end))
    near = np.abs(curve - goal) <= NEAR * abs(float(law(high) - law(low)))
    near &= np.abs(branch.pulses - end) <= END_SHARE * (high - low)
    weights, cluster = branch.weights[near], branch.cluster[near]
    carried = branch.values[near] + goal - curve[near]
    total = np.bincount(cluster, weights, len(branch.clusters))
    sums = np.bincount(cluster, weights * carried, len(branch.clusters))
    result: FloatArray = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return result


def _step_scales(branch: Branch, law: Law, first: FloatArray, last: FloatArray) -> FloatArray:
    """Size of a step of every cluster over the mean one; NaN where an end was not read."""
    low, high = _ends(branch)
    way = float(law(high) - law(low))
    points = branch.points()
    usual = _times(points.pulses, points.values, float(law(low)), way)
    scales = np.full(len(branch.clusters), np.nan)
    for i, rows in enumerate(branch.rows):
        own = last[i] - first[i]
        if np.isfinite(own) and own * way > 0:
            times = _times(branch.pulses[rows], branch.values[rows], first[i], own)
            scales[i] = own / way * np.exp(np.mean(np.log(usual / times)))
    return scales


def _times(pulses: FloatArray, values: FloatArray, start: float, way: float) -> FloatArray:
    """Pulses to each of `PLACES` on the `way` from `start`, from readings made monotone."""
    order = np.argsort(pulses, kind="stable")
    travelled = isotonic_regression((values[order] - start) / way).x
    passed, position = np.unique(travelled, return_inverse=True)
    # A flat stretch is passed in its middle.
    middle = np.bincount(position, pulses[order]) / np.bincount(position)
    result: FloatArray = np.maximum(np.interp(PLACES, passed, middle) - pulses.min(), LEAST_PULSES)
    return result


def components(values: FloatArray, devices: Sequence[str], noise: float) -> Components:
    """Variance components of `values` (clusters,) of the `devices` they belong to.

    `noise`: variance of a value by the noise of single pulses. One-way analysis of variance with
    unequal numbers of cycles; NaN values do not count.
    """
    there = np.isfinite(values)
    names = {name: i for i, name in enumerate(dict.fromkeys(np.array(devices)[there]))}
    group = np.array([names[name] for name in np.array(devices)[there]], dtype=int)
    y, n = values[there], np.bincount(group).astype(float)
    if len(n) == 0:
        return Components(np.nan, np.nan, np.nan)
    own = np.bincount(group, y) / n
    dof = len(y) - len(n)
    within = float(np.sum((y - own[group]) ** 2) / dof) if dof else np.nan
    if len(n) < 2:
        return Components(float(own.mean()), np.nan, within - noise)
    between = float(np.sum(n * (own - np.average(own, weights=n)) ** 2) / (len(n) - 1))
    size = (n.sum() - np.sum(n**2) / n.sum()) / (len(n) - 1)
    device = (between - (within if dof >= MIN_DOF else noise)) / size
    return Components(float(own.mean()), device, within - noise)
