"""Data at several fields as one model: the field only mixes a parallel and an antiparallel curve.

The field does not move the state (ledger 3.4), and the conductance is linear in the antiparallel
fraction: G(n, H) = (1 - p_AP(H)) G_P(n) + p_AP(H) G_AP(n). A branch therefore has one set of time
constants (or spline knots) at all fields, and both branches share p_AP(H), two layers that switch
one after the other on the rising side of their loops (`magnetics`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from device_models.card import TwoLayers
from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.joint_model import BASES, N_LAYERS, JointModel
from device_models.fit.laws import PRIOR_LOG_STD, Fit
from device_models.fit.select import MIN_FIELDS
from device_models.fit.solver import Solution, are_correlated, covariance

FloatArray = NDArray[np.float64]

PRIOR_COERCIVITY_G = 1e4


@dataclass(frozen=True)
class JointFit:
    """One model in the field: curves in two alignments and two layers, with their covariance.

    `parts`: laws of each branch in parallel, then of each in antiparallel alignment; `layers` with
    standard errors; `parts_covariance` of the coordinates of all parts, then of the layers.
    `laws`: the curves of the model at the fields of the branches, in their order, and
    `covariance` of their coordinates; `aicc_gain`: by how much the criterion is lower than that of
    separate fits.
    """

    laws: tuple[Law, ...]
    covariance: FloatArray
    parts: tuple[Law, ...]
    layers: TwoLayers
    parts_covariance: FloatArray
    aicc_gain: float


def fit_jointly(branches: Sequence[Branch], fits: Sequence[Fit]) -> JointFit | None:
    """One model in the field for all curves, or None where it does not apply or does not pay.

    It applies to exponential mixtures and splines at five fields or more, and is kept where its
    corrected Akaike criterion is lower than that of the separate `fits`.
    """
    fields = np.array(sorted({b.field_G for b in branches}))
    laws = [f.law for f in fits]
    if len(fields) < MIN_FIELDS or not all(type(law) in BASES for law in laws):
        return None
    model = JointModel(branches, laws, fields)
    start, best = model.start(), None
    for layers in _layer_starts(fields):
        found = least_squares(
            model.residual, np.concatenate([start, layers]), x_scale="jac", max_nfev=200
        )
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    return _result(model, best.x, fits)


def _layer_starts(fields: FloatArray) -> list[FloatArray]:
    """Coercivities on pairs of middles between fields, widths of one field step."""
    middles = (fields[:-1] + fields[1:]) / 2
    pairs = list(combinations(middles, 2))
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, 9).astype(int))]
    width = np.log((fields[-1] - fields[0]) / len(fields))
    return [np.array([a, b, width, width]) for a, b in chosen]


def _result(model: JointModel, x: FloatArray, fits: Sequence[Fit]) -> JointFit | None:
    """The joint fit where its criterion is better than that of the separate ones."""
    parameters = np.concatenate([x, model.weights(x)])
    residual = model.full(parameters)
    apart = np.concatenate(
        [
            np.sqrt(b.weights) / model.scale[b.branch] * (f.law(b.pulses) - b.values)
            for b, f in zip(model.branches, fits, strict=True)
        ]
    )
    n, k, k_apart = len(residual), len(parameters), sum(len(f.law.theta_names) for f in fits)
    gain = _aicc(apart, k_apart, n) - _aicc(residual, k, n)
    if gain <= 0:
        return None
    own = _covariance(model, parameters, residual)
    laws, parts = model.curves(parameters), model.parts_of(parameters)
    matrix = _carried(model.curves, parameters, own)
    parts_matrix = _carried(model.parts_of, parameters, own, lambda p: model.layers(p).theta)
    layers = model.layers(parameters)
    errors = np.sqrt(np.diag(parts_matrix)[-N_LAYERS:])
    errors = errors * [1, 1, layers.width_soft_G, layers.width_hard_G]
    layers = replace(layers, standard_errors_G=tuple(float(e) for e in errors))
    return JointFit(tuple(laws), matrix, tuple(parts), layers, parts_matrix, float(gain))


def _covariance(model: JointModel, parameters: FloatArray, residual: FloatArray) -> FloatArray:
    """Covariance of the parameters of the model, with weak priors."""
    # What multiplies the basis, over the range: as far as the prior of a logarithm reaches.
    prior = np.full(len(parameters), np.exp(2 * PRIOR_LOG_STD))
    at = model.n_shape
    prior[:at] = PRIOR_LOG_STD
    prior[at : at + N_LAYERS] = [*[PRIOR_COERCIVITY_G] * 2, *[PRIOR_LOG_STD] * 2]
    solution = Solution(parameters, residual, _differences(model.full, parameters))
    return covariance(solution, prior, are_correlated(residual), floor=1e-14)


def _carried(
    laws_at: Callable[[FloatArray], list[Law]],
    parameters: FloatArray,
    own: FloatArray,
    more_at: Callable[[FloatArray], FloatArray] = lambda _: np.empty(0),
) -> FloatArray:
    """Covariance `own` of the parameters carried to the coordinates of laws, and of `more_at`."""

    def theta(p: FloatArray) -> FloatArray:
        return np.concatenate([*(law.theta for law in laws_at(p)), more_at(p)])

    onto_theta = _differences(theta, parameters)
    matrix = onto_theta @ own @ onto_theta.T
    # A term that is not there has no slope in its logarithm: only the prior speaks.
    absent = np.concatenate([_absent(law) for law in laws_at(parameters)])
    absent = np.flatnonzero(absent)
    matrix[absent] = matrix[:, absent] = 0
    matrix[absent, absent] = PRIOR_LOG_STD**2
    return matrix


def _absent(law: Law) -> NDArray[np.bool_]:
    """Which coordinates belong to terms of no size, and time constants of such terms."""
    theta, names = law.theta, law.theta_names
    sizes = [i for i, n in enumerate(names) if n.startswith(("log_amplitude", "log_increment"))]
    absent = np.zeros(len(theta), dtype=bool)
    for i in sizes:
        if theta[i] < theta[sizes].max() + np.log(1e-6):
            absent[i] = True
            if names[i].startswith("log_amplitude"):
                absent[i + 1] = True
    return absent


def _aicc(residual: FloatArray, k: int, n: int) -> float:
    mean = float(residual @ residual) / n + 1e-26
    return float(n * np.log(mean) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1))


def _differences(function: Callable[[FloatArray], FloatArray], x: FloatArray) -> FloatArray:
    """Central differences of a vector function, (n_out, n_in)."""
    columns = []
    for i, value in enumerate(x):
        step = 6e-6 * max(abs(value), 1e-3)
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up) - function(down)) / (2 * step))
    return np.stack(columns, axis=1)
