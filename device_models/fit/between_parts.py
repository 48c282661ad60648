"""Covariance between devices of a joint model: of its curves in two alignments and its layers.

As in `between`, every device gets the change of coordinates that takes the model to its readings
to first order; here those at all fields together, since they share the curves and the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.card import BRANCHES
from device_models.fit.between import (
    MIN_DEVICES,
    PRIOR_SHARE,
    Cluster,
    at_least,
    beyond_cycles,
    device_prior,
    in_all,
)
from device_models.fit.branch import Branch
from device_models.fit.joint import JointFit
from device_models.fit.laws import PRIOR_LOG_STD
from device_models.fit.spread import white_noise

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Readings of one branch at one field: slopes (n, n_coordinates) and residuals (n,).

    Both over the noise that is set against the prior; `noise` of a reading over that [1].
    """

    branch: Branch
    slopes: FloatArray
    residual: FloatArray
    noise: float

    def of(self, cluster: Cluster) -> NDArray[np.intp]:
        """Indices of the readings of a cluster."""
        return self.branch.rows[self.branch.clusters.index(cluster)]


def between_parts(branches: Sequence[Branch], joint: JointFit) -> FloatArray | None:
    """Covariance between devices of the coordinates of the parts, then of the layers, (n, n).

    None where fewer than three devices were read in all branches at all fields.
    """
    clusters = in_all(branches)
    if len({d for d, _ in clusters}) < MIN_DEVICES:
        return None
    prior = _prior(branches, joint)
    rows = [_rows(b, joint, i, prior) for i, b in enumerate(branches)]
    moved, by_noise = [], np.zeros((len(prior), len(prior)))
    for cluster in clusters:
        own = [r.of(cluster) for r in rows]
        slopes = np.concatenate([r.slopes[i] for r, i in zip(rows, own, strict=True)])
        residual = np.concatenate([r.residual[i] for r, i in zip(rows, own, strict=True)])
        noise = np.concatenate([np.full(len(i), r.noise) for r, i in zip(rows, own, strict=True)])
        moves = np.linalg.solve(slopes.T @ slopes + np.eye(len(prior)), slopes.T)
        moved.append(prior * (moves @ residual))
        by_noise += np.outer(prior, prior) * ((moves * noise**2) @ moves.T)
    return beyond_cycles(np.array(moved), by_noise / len(clusters), clusters)


def _prior(branches: Sequence[Branch], joint: JointFit) -> FloatArray:
    """Std of each coordinate around the model's that is expected between devices, (n,)."""
    names = [b for b in BRANCHES if any(own.branch == b for own in branches)]
    spans = {
        name: max(float(np.ptp(b.values)) for b in branches if b.branch == name) for name in names
    }
    of_parts = [
        device_prior(law, spans[name]) for law, name in zip(joint.parts, names * 2, strict=True)
    ]
    coercivity = PRIOR_SHARE * joint.layers.coercivity_hard_G
    log_width = PRIOR_SHARE * PRIOR_LOG_STD
    return np.concatenate([*of_parts, [coercivity, coercivity, log_width, log_width]])


def _rows(branch: Branch, joint: JointFit, index: int, prior: FloatArray) -> _Rows:
    """The readings of the branch `index` of the joint fit, in units of prior and noise."""
    law = joint.laws[index]
    noise = white_noise(branch, [law] * len(branch.clusters), weighted=True)
    floor = at_least(noise, law(branch.pulses), branch.weights)
    root = np.sqrt(branch.weights)
    residual = root * (branch.values - law(branch.pulses)) / floor
    slopes = root[:, None] * _jacobian(branch, joint) * prior / floor
    return _Rows(branch, slopes, residual, noise / floor)


def _jacobian(branch: Branch, joint: JointFit) -> FloatArray:
    """Derivative of the response of a branch by the model's coordinates, (n, n_coordinates)."""
    share = float(joint.layers.antiparallel_fraction(branch.field_G))
    half = len(joint.parts) // 2
    # With one branch measured there are two parts, with both four.
    own = 0 if half == 1 else BRANCHES.index(branch.branch)
    columns = []
    for i, law in enumerate(joint.parts):
        of = (1 - share, share)[i // half] if i % half == own else 0.0
        columns.append(of * law.jacobian(branch.pulses))
    parallel, antiparallel = joint.parts[own], joint.parts[half + own]
    apart = antiparallel(branch.pulses) - parallel(branch.pulses)
    by_layers = apart[:, None] * joint.layers.jacobian(branch.field_G)
    return np.concatenate([*columns, by_layers], axis=1)
