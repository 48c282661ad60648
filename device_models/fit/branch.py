"""The readings of one branch at one field, all cycles and devices together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.laws import CANDIDATES, fit_law
from device_models.fit.points import Points
from device_models.pulses import Segment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PILOTS = ((14, 34), (8, 22), (4, 10))
"""Intervals of the spline that shows the noise, and pulse numbers from which on it is taken."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Readings of one branch at one field in conductance [S or 1], every segment one after another.

    `pulses`, `values`, `weights` and `cluster` have shape (n,); `cluster` numbers the (device,
    cycle) a reading comes from, `clusters` names them. `weights` are inverse variances up to a
    factor, from the noise found at each level and less for outliers, of which `n_outliers` count
    for less than half. `noise_growth`: largest over smallest noise along the response, which
    the readings prove or which is assumed (`noise_proven`).
    `first_pulse`: the pulse number of the file that `pulses` count from, 0 where it has a reading
    before the first pulse.
    """

    branch: str
    field_G: float
    segments: tuple[Segment, ...]
    pulses: FloatArray
    values: FloatArray
    weights: FloatArray
    cluster: IntArray
    clusters: tuple[tuple[str, int], ...]
    n_outliers: int = 0
    noise_growth: float = 1.0
    noise_proven: bool = True
    first_pulse: float = 0.0

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.branch} at {self.field_G:g} G"

    @property
    def end(self) -> float:
        """Last pulse number that at least half of the cycles were read at.

        Devices that are pulsed until they are written leave the slow ones alone at the end.
        """
        lasts = sorted((float(self.pulses[own].max()) for own in self.rows), reverse=True)
        return lasts[(len(lasts) - 1) // 2]

    @property
    def direction(self) -> float:
        """+1 where the conductance should rise, -1 where it should fall."""
        return 1.0 if self.branch == "LTP" else -1.0

    @property
    def verb(self) -> str:
        """What its conductance does."""
        return "rise" if self.branch == "LTP" else "fall"

    @cached_property
    def pilot(self) -> Law:
        """Shape-free curve that shows the noise before any law is chosen."""
        return shape_free(self.points(), self.direction)

    @cached_property
    def rows(self) -> list[NDArray[np.intp]]:
        """Indices of the readings of each cluster, in their order."""
        order = np.argsort(self.cluster, kind="stable")
        starts = np.searchsorted(self.cluster[order], np.arange(1, len(self.clusters)))
        return np.split(order, starts)

    @cached_property
    def sums(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Pulse numbers (u,), weights and weighted values of each cluster there (clusters, u)."""
        unique, position = np.unique(self.pulses, return_inverse=True)
        weights = np.zeros((len(self.clusters), len(unique)))
        values = np.zeros_like(weights)
        np.add.at(weights, (self.cluster, position), self.weights)
        np.add.at(values, (self.cluster, position), self.weights * self.values)
        return unique, weights, values

    def points(self, count: FloatArray | None = None) -> Points:
        """Means over the clusters, each taken `count` times (shape (clusters,)); all once."""
        unique, weights, values = self.sums
        count = np.ones(len(self.clusters)) if count is None else count
        total = count @ weights
        there = total > 0
        return Points(unique[there], (count @ values)[there] / total[there], total[there])


def shape_free(points: Points, direction: float, geometric: bool = False) -> Law:
    """Shape-free where there are pulse numbers enough, one exponential otherwise.

    Of the logarithm where `geometric`. The start of a spline is its optimum already: a linear
    problem with signs.
    """
    kind = "geometric" if geometric else "monotone"
    for intervals, least in PILOTS:
        if len(points.pulses) >= least:
            return CANDIDATES[f"{kind}_spline_{intervals}"].starts(points, direction)[0]
    simple = "geometric_exponential" if geometric else "exponential_mixture_1"
    return fit_law(CANDIDATES[simple], points, direction).law
