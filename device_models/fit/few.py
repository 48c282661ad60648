"""How well the mean curves are known from a few devices or cycles that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from device_models.curves import Law
from device_models.fit.branches import Branch

FloatArray = NDArray[np.float64]


def few_units_covariance(
    branches: Sequence[Branch], laws: Sequence[Law], labels: Sequence[Sequence[Any]]
) -> FloatArray:
    """Covariance (n, n) of the coordinates of the mean curves by how units differ around them.

    `labels` name the device or cycle of every cluster of each branch. The coordinates of each
    unit to first order around `laws`: what a unit leaves open it shares with the mean. Branches
    of the same units share what these have in common.
    """
    names = [list(dict.fromkeys(own)) for own in labels]
    apart = [
        _differences(branch, law, own, order)
        for branch, law, own, order in zip(branches, laws, labels, names, strict=True)
    ]
    if all(set(order) == set(names[0]) for order in names):
        sorted_rows = [
            rows[[order.index(name) for name in names[0]]]
            for rows, order in zip(apart, names, strict=True)
        ]
        return _of_mean(np.concatenate(sorted_rows, axis=1))
    return np.asarray(block_diag(*(_of_mean(rows) for rows in apart)))


def _of_mean(rows: FloatArray) -> FloatArray:
    """Covariance of the mean of `rows` (units, n)."""
    return np.atleast_2d(np.cov(rows, rowvar=False, ddof=1)) / len(rows)


def _differences(
    branch: Branch, law: Law, labels: Sequence[Any], order: Sequence[Any]
) -> FloatArray:
    """Coordinates of each unit minus those of the law (units, n_theta)."""
    root = np.sqrt(branch.weights)
    residual = root * (branch.values - law(branch.pulses))
    columns = root[:, None] * law.jacobian(branch.pulses)
    sizes = np.linalg.norm(columns, axis=0)
    sizes[sizes == 0] = 1.0
    number = np.array([order.index(label) for label in labels])[branch.cluster]
    rows = [
        np.linalg.lstsq(columns[number == u] / sizes, residual[number == u], rcond=1e-6)[0] / sizes
        for u in range(len(order))
    ]
    return np.array(rows)
