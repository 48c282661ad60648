"""The model of all fields as one: curves in two alignments, mixed by two magnetic layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card import TwoLayers
from device_models.curves import ExponentialMixture, Law, MonotoneSpline, spline_design
from device_models.fit.branch import Branch
from device_models.fit.solver import signed_least_squares

FloatArray = NDArray[np.float64]

N_LAYERS = len(TwoLayers.theta_names)
LOG_WIDTHS = -2.0, 12.0
"""Smallest and largest logarithm of a width [G]."""


class MixtureBasis:
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


class SplineBasis:
    """Basis 1 and the rising functions of a spline; no shape."""

    def __init__(self, laws: Sequence[Any], direction: float):
        self.knots, self.sign = laws[0].knots_pulses, direction
        self.start, self.n_columns = np.empty(0), len(self.knots) + 2
        self._known: dict[bytes, FloatArray] = {}

    def columns(self, shape: FloatArray, pulses: FloatArray) -> FloatArray:
        key = pulses.tobytes()
        # Nothing in them changes from step to step of the search.
        if key not in self._known:
            rising = spline_design(self.knots, pulses)
            self._known[key] = np.concatenate([np.ones((len(pulses), 1)), rising], axis=1)
        return self._known[key]

    def law(self, shape: FloatArray, weights: FloatArray) -> Law:
        rise = self.sign * np.maximum(self.sign * weights[1:], 0.0)
        return MonotoneSpline(float(weights[0]), tuple(rise), self.knots)


BASES: dict[type, type[MixtureBasis] | type[SplineBasis]] = {
    ExponentialMixture: MixtureBasis,
    MonotoneSpline: SplineBasis,
}


class JointModel:
    """Residuals by the shape parameters: those of each branch's basis, then the two layers.

    What multiplies the basis enters linearly and is solved for at every step (variable
    projection): one set of weights for the parallel curve, one for the antiparallel one.
    """

    def __init__(self, branches: Sequence[Branch], laws: Sequence[Law], fields: FloatArray):
        self.branches, self.fields = branches, fields
        self.bases: dict[str, MixtureBasis | SplineBasis] = {}
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
        return shapes, self.layers(x).antiparallel_fraction(self.fields)

    def layers(self, x: FloatArray) -> TwoLayers:
        """The two layers of shape parameters, the one that switches first as the soft one."""
        numbers = x[self.n_shape : self.n_shape + N_LAYERS]
        widths = np.exp(np.clip(numbers[2:], LOG_WIDTHS[0], LOG_WIDTHS[1]))
        (soft, w_soft), (hard, w_hard) = sorted(zip(np.abs(numbers[:2]), widths, strict=True))
        ends = float(self.fields[0]), float(self.fields[-1])
        fields = tuple(float(f) for f in self.fields)
        return TwoLayers(float(soft), float(hard), float(w_soft), float(w_hard), ends, fields)

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
        at = self.n_shape + N_LAYERS
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

    def parts_of(self, parameters: FloatArray) -> list[Law]:
        """Law of each branch in parallel, then of each in antiparallel alignment."""
        x, linear = self.split(parameters)
        shapes, _ = self.parts(x)
        return [
            basis.law(shapes[name], linear[name][i] * self.scale[name])
            for i in range(2)
            for name, basis in self.bases.items()
        ]

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
