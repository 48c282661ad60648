"""Data at several fields as one model: the field only mixes a parallel and an antiparallel curve.

The field does not move the state (ledger 3.4), and the conductance is linear in the antiparallel
fraction: G(n, H) = (1 - p_AP(H)) G_P(n) + p_AP(H) G_AP(n). A branch therefore has one set of time
constants (or spline knots) at all fields, and both branches share p_AP(H), two layers that switch
one after the other on the rising side of their loops (`magnetics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from device_models.curves import ExponentialMixture, Law, MonotoneSpline, spline_design
from device_models.fit.branch import Branch
from device_models.fit.laws import PRIOR_LOG_STD, Fit
from device_models.fit.select import MIN_FIELDS
from device_models.fit.solver import Solution, are_correlated, covariance, signed_least_squares
from device_models.junction.magnetics import Layer, antiparallel_fraction

FloatArray = NDArray[np.float64]

MAGNETIC = ("coercivity_soft_G", "coercivity_hard_G", "width_soft_G", "width_hard_G")


@dataclass(frozen=True)
class JointFit:
    """Laws of all curves, in the order of the branches, with their joint covariance.

    `magnetics`: the two coercivities and widths [G] with standard errors, (4, 2), in the order of
    MAGNETIC; `aicc_gain`: by how much the criterion is lower than that of separate fits.
    """

    laws: tuple[Law, ...]
    covariance: FloatArray
    magnetics: FloatArray
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
    model = _Model(branches, laws, fields)
    start, best = model.start(), None
    for layers in _layer_starts(fields):
        found = least_squares(
            model.residual, np.concatenate([start, layers]), x_scale="jac", max_nfev=200
        )
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    return model.result(best.x, fits)


def _layer_starts(fields: FloatArray) -> list[FloatArray]:
    """Coercivities on pairs of middles between fields, widths of one field step."""
    middles = (fields[:-1] + fields[1:]) / 2
    pairs = list(combinations(middles, 2))
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, 9).astype(int))]
    width = np.log((fields[-1] - fields[0]) / len(fields))
    return [np.array([a, b, width, width]) for a, b in chosen]


class _Mixtures:
    """Basis 1, exp(-n / tau_k); the logarithms of tau are its shape."""

    def __init__(self, laws: Sequence[Any], direction: float):
        self.order, self.sign = len(laws[0].tau_pulses), -direction
        logs = [np.sort(np.log(law.tau_pulses)) for law in laws]
        self.start, self.n_columns = np.mean(logs, axis=0), self.order + 1

    def columns(self, shape: FloatArray, pulses: FloatArray) -> FloatArray:
        tau = np.exp(np.clip(shape, -5, 20))
        return np.concatenate([np.ones((len(pulses), 1)), np.exp(-pulses[:, None] / tau)], axis=1)

    def law(self, shape: FloatArray, weights: FloatArray) -> Law:
        tau = np.exp(np.clip(shape, -5, 20))
        return ExponentialMixture(float(weights[0]), tuple(weights[1:]), tuple(tau))


class _Splines:
    """Basis 1 and the rising functions of a spline; no shape."""

    def __init__(self, laws: Sequence[Any], direction: float):
        self.knots, self.sign = laws[0].knots_pulses, direction
        self.start, self.n_columns = np.empty(0), len(self.knots) + 2

    def columns(self, shape: FloatArray, pulses: FloatArray) -> FloatArray:
        rising = spline_design(self.knots, pulses)
        return np.concatenate([np.ones((len(pulses), 1)), rising], axis=1)

    def law(self, shape: FloatArray, weights: FloatArray) -> Law:
        rise = self.sign * np.maximum(self.sign * weights[1:], 0.0)
        return MonotoneSpline(float(weights[0]), tuple(rise), self.knots)


BASES: dict[type, type[_Mixtures] | type[_Splines]] = {
    ExponentialMixture: _Mixtures,
    MonotoneSpline: _Splines,
}


class _Model:
    """Residuals by the shape parameters: those of each branch's basis, then the two layers.

    What multiplies the basis enters linearly and is solved for at every step (variable
    projection): one set of weights for the parallel curve, one for the antiparallel one.
    """

    def __init__(self, branches: Sequence[Branch], laws: Sequence[Law], fields: FloatArray):
        self.branches, self.fields = branches, fields
        self.bases: dict[str, _Mixtures | _Splines] = {}
        for branch in branches:
            own = [x for b, x in zip(branches, laws, strict=True) if b.branch == branch.branch]
            self.bases[branch.branch] = BASES[type(own[0])](own, branch.direction)
        # Readings over the range of their branch.
        self.scale = {
            name: max(np.ptp(b.values) for b in branches if b.branch == name) for name in self.bases
        }
        self.n_shape = sum(len(basis.start) for basis in self.bases.values())

    def start(self) -> FloatArray:
        """Shapes as the separate fits have them, means over the fields."""
        return np.concatenate([basis.start for basis in self.bases.values()])

    def parts(self, x: FloatArray) -> tuple[dict[str, FloatArray], FloatArray]:
        """Shape of each branch, p_AP at each field."""
        shapes, at = {}, 0
        for name, basis in self.bases.items():
            shapes[name] = x[at : at + len(basis.start)]
            at += len(basis.start)
        soft, hard, log_soft, log_hard = x[at : at + len(MAGNETIC)]
        widths = np.exp(np.clip([log_soft, log_hard], -2, 12))
        share = antiparallel_fraction(
            self.fields, +1, Layer(abs(soft), widths[0]), Layer(abs(hard), widths[1])
        )
        return shapes, share

    def design(
        self, name: str, shape: FloatArray, share: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Weighted columns and readings of one branch at all fields."""
        columns, values = [], []
        for b in self.branches:
            if b.branch == name:
                root = np.sqrt(b.weights)
                p = share[np.searchsorted(self.fields, b.field_G)]
                basis = self.bases[name].columns(shape, b.pulses)
                columns.append(root[:, None] * np.concatenate([(1 - p) * basis, p * basis], 1))
                values.append(root * b.values / self.scale[name])
        return np.concatenate(columns), np.concatenate(values)

    def residual(self, x: FloatArray) -> FloatArray:
        """Weighted residuals of all readings over the range of their branch."""
        shapes, share = self.parts(x)
        rows = []
        for name in self.bases:
            columns, values = self.design(name, shapes[name], share)
            rows.append(columns @ np.linalg.lstsq(columns, values, rcond=1e-12)[0] - values)
        return np.concatenate(rows)

    def weights(self, x: FloatArray) -> FloatArray:
        """Linear parameters of all branches one after the other, 2 n_columns each.

        With the sign that keeps both curves, and so every mixture of them, monotone.
        """
        shapes, share = self.parts(x)
        solved = []
        for name, basis in self.bases.items():
            columns, values = self.design(name, shapes[name], share)
            offsets = [0, basis.n_columns]
            free, sizes = signed_least_squares(
                columns[:, offsets], basis.sign * np.delete(columns, offsets, axis=1), values
            )
            # An offset before the weights of each of the two curves.
            curves = np.column_stack([free, basis.sign * sizes.reshape(2, -1)])
            solved.append(curves.ravel())
        return np.concatenate(solved)

    def split(self, parameters: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Shape parameters, and the linear ones of each branch as (2, n_columns)."""
        at = self.n_shape + len(MAGNETIC)
        x, linear = parameters[:at], {}
        for name, basis in self.bases.items():
            linear[name] = parameters[at : at + 2 * basis.n_columns].reshape(2, -1)
            at += 2 * basis.n_columns
        return x, linear

    def full(self, parameters: FloatArray) -> FloatArray:
        """Weighted residuals when the linear parameters are parameters too."""
        x, linear = self.split(parameters)
        shapes, share = self.parts(x)
        rows = []
        for name in self.bases:
            columns, values = self.design(name, shapes[name], share)
            rows.append(columns @ linear[name].ravel() - values)
        return np.concatenate(rows)

    def curves(self, parameters: FloatArray) -> list[Law]:
        """Law of every branch and field, in the order of `branches`."""
        x, linear = self.split(parameters)
        shapes, share = self.parts(x)
        laws = []
        for b in self.branches:
            p = share[np.searchsorted(self.fields, b.field_G)]
            mixed = (1 - p) * linear[b.branch][0] + p * linear[b.branch][1]
            mixed *= self.scale[b.branch]
            laws.append(self.bases[b.branch].law(shapes[b.branch], mixed))
        return laws

    def result(self, x: FloatArray, fits: Sequence[Fit]) -> JointFit | None:
        """The joint fit where its criterion is better than that of the separate ones."""
        parameters = np.concatenate([x, self.weights(x)])
        laws = self.curves(parameters)
        residual = self.full(parameters)
        n = len(residual)
        apart = np.concatenate(
            [
                np.sqrt(b.weights) / self.scale[b.branch] * (f.law(b.pulses) - b.values)
                for b, f in zip(self.branches, fits, strict=True)
            ]
        )
        k, k_apart = len(parameters), sum(len(f.law.theta_names) for f in fits)
        gain = _aicc(apart, k_apart, n) - _aicc(residual, k, n)
        if gain <= 0:
            return None
        jacobian = _differences(self.full, parameters)
        # What multiplies the basis, over the range: as far as the prior of a logarithm reaches.
        prior = np.full(k, np.exp(2 * PRIOR_LOG_STD))
        at = self.n_shape
        prior[:at] = PRIOR_LOG_STD
        prior[at : at + 4] = [1e4, 1e4, PRIOR_LOG_STD, PRIOR_LOG_STD]
        own = covariance(
            Solution(parameters, residual, jacobian),
            prior,
            are_correlated(residual),
            floor=1e-14,
        )

        def theta(p: FloatArray) -> FloatArray:
            return np.concatenate([law.theta for law in self.curves(p)])

        onto_theta = _differences(theta, parameters)
        matrix = onto_theta @ own @ onto_theta.T
        # A term that is not there has no slope in its logarithm: only the prior speaks.
        absent = np.concatenate([_absent(law) for law in laws])
        matrix[absent] = matrix[:, absent] = 0
        matrix[absent, absent] = PRIOR_LOG_STD**2
        soft, hard, log_soft, log_hard = x[-4:]
        values = np.array([abs(soft), abs(hard), np.exp(log_soft), np.exp(log_hard)])
        errors = np.sqrt(np.diag(own)[at : at + 4]) * [1, 1, values[2], values[3]]
        order = [0, 1, 2, 3] if values[0] <= values[1] else [1, 0, 3, 2]
        return JointFit(
            tuple(laws),
            matrix,
            np.stack([values, errors], 1)[order],
            float(gain),
        )


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
    return n * np.log(mean) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)


def _differences(function, x: FloatArray) -> FloatArray:
    """Central differences of a vector function, (n_out, n_in)."""
    columns = []
    for i, value in enumerate(x):
        step = 6e-6 * max(abs(value), 1e-3)
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up) - function(down)) / (2 * step))
    return np.stack(columns, axis=1)
