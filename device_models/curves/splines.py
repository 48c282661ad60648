"""Monotone splines: any response that rises or falls throughout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from device_models.curves.response import FloatArray, check_finite, log_sizes
from device_models.errors import InputError

if TYPE_CHECKING:
    from scipy.interpolate import BSpline


@dataclass(frozen=True)
class MonotoneSpline:
    """Cubic spline through any monotone response: start plus one-signed increments.

    `knots_pulses` are its breakpoints, rising from 0; `increments` (one less than the spline has
    coefficients, `len(knots_pulses) + 1`) share one sign, which keeps the curve monotone. Beyond
    the last knot the value stays: nothing is known there.
    """

    start: float
    increments: tuple[float, ...]
    knots_pulses: tuple[float, ...]

    name: ClassVar[str] = "monotone_spline"
    in_unit: ClassVar[tuple[str, ...]] = ("start", "increments")

    def __post_init__(self) -> None:
        object.__setattr__(self, "increments", tuple(float(i) for i in self.increments))
        object.__setattr__(self, "knots_pulses", tuple(float(k) for k in self.knots_pulses))
        check_finite(self.name, self.start, *self.increments, *self.knots_pulses)
        knots, increments = np.array(self.knots_pulses), np.array(self.increments)
        if len(knots) < 2 or np.any(np.diff(knots) <= 0):
            raise InputError("knots_pulses must be at least two rising numbers")
        if len(increments) != len(knots) + 1:
            raise InputError(
                f"{len(knots)} knots_pulses need {len(knots) + 1} increments, got {len(increments)}"
            )
        if np.any(increments > 0) and np.any(increments < 0):
            raise InputError("increments must share one sign")

    @cached_property
    def _basis(self) -> BSpline:
        """Column k rises from 0 to 1 where increment k acts."""
        return _rising(self.knots_pulses)

    def _within(self, pulses: ArrayLike) -> FloatArray:
        n = np.asarray(pulses, dtype=float)
        result: FloatArray = np.clip(n, self.knots_pulses[0], self.knots_pulses[-1])
        return result

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        result: FloatArray = self.start + self._basis(self._within(pulses)) @ np.array(
            self.increments
        )
        return result

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        n = np.asarray(pulses, dtype=float)
        slope = self._basis.derivative()(self._within(n)) @ np.array(self.increments)
        return np.where((n >= self.knots_pulses[0]) & (n <= self.knots_pulses[-1]), slope, 0.0)

    @property
    def theta_names(self) -> tuple[str, ...]:
        return ("start", *(f"log_increment_{k + 1}" for k in range(len(self.increments))))

    @property
    def theta(self) -> FloatArray:
        return np.concatenate([[self.start], log_sizes(self.increments)])

    def with_theta(self, theta: ArrayLike) -> MonotoneSpline:
        start, *rest = np.asarray(theta, dtype=float)
        sign = -1.0 if sum(self.increments) < 0 else 1.0
        return replace(self, start=float(start), increments=tuple(sign * np.exp(rest)))

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        columns = self._basis(self._within(pulses)) * np.array(self.increments)
        return np.concatenate([np.ones((len(columns), 1)), columns], axis=1)


def spline_design(knots_pulses: ArrayLike, pulses: ArrayLike) -> FloatArray:
    """Columns that a `MonotoneSpline` on `knots_pulses` sums, len(pulses) x n_increments."""
    knots = tuple(float(k) for k in np.asarray(knots_pulses))
    n = np.clip(np.asarray(pulses, dtype=float), knots[0], knots[-1])
    result: FloatArray = _rising(knots)(n)
    return result


def _rising(knots: tuple[float, ...]) -> BSpline:
    """Cubic functions that climb from 0 to 1, one per increment, as columns."""
    from scipy.interpolate import BSpline  # loads scipy's optimisers, which few cards need

    return BSpline(*_rising_basis(knots), 3)


def _rising_basis(knots: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Knot vector and coefficients of the functions that climb from 0 to 1, one per increment."""
    padded = np.concatenate([[knots[0]] * 3, knots, [knots[-1]] * 3])
    n_coefficients = len(knots) + 2
    return padded, np.tri(n_coefficients, n_coefficients - 1, -1)
