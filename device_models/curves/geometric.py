"""Laws of the logarithm: a response over decades, which is positive whatever its parameters.

The logarithm of the response follows an ordinary law from 0 on. `start` carries the unit of the
response, `decades` says by which power of ten it has changed in the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from device_models.curves.response import FloatArray, Law, check_finite
from device_models.curves.sigmoids import Logistic, StretchedExponential
from device_models.curves.splines import MonotoneSpline
from device_models.errors import InputError

LN10 = float(np.log(10))


class _Geometric(ABC):
    """start * 10**inner(n): coordinates of the inner law and the logarithm of the start."""

    start: float
    name: ClassVar[str]
    in_unit: ClassVar[tuple[str, ...]] = ("start",)

    @property
    @abstractmethod
    def _inner(self) -> Law:
        """Decades gone after n pulses, 0 at the start."""

    @abstractmethod
    def _with_inner(self, start: float, inner: Law) -> Law:
        """The law of the same form from `start` on, along another one."""

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        return self.start * np.exp(LN10 * self._inner(pulses))

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        return LN10 * self(pulses) * self._inner.derivative(pulses)

    @property
    def theta_names(self) -> tuple[str, ...]:
        """Names of the coordinates of `theta`."""
        renamed = (
            name.replace("size", "decades").replace("increment", "decades")
            for name in self._inner.theta_names[1:]
        )
        return ("log_start", *renamed)

    @property
    def theta(self) -> FloatArray:
        """Parameters as free coordinates, shape (n_theta,)."""
        return np.concatenate([[np.log(self.start)], self._inner.theta[1:]])

    def with_theta(self, theta: ArrayLike) -> Law:
        """The law of the same form and direction at other coordinates."""
        log_start, *rest = np.asarray(theta, dtype=float)
        return self._with_inner(float(np.exp(log_start)), self._inner.with_theta([0.0, *rest]))

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        """Derivative of the response by `theta` at `pulses` (n,), shape (n, n_theta)."""
        slopes = LN10 * self._inner.jacobian(pulses)
        slopes[:, 0] = 1.0
        return self(np.asarray(pulses, dtype=float))[:, None] * slopes

    def _check_start(self, name: str) -> None:
        check_finite(name, self.start)
        if self.start <= 0:
            raise InputError(f"start must be positive, got {self.start:g}")


@dataclass(frozen=True)
class GeometricExponential(_Geometric):
    """y(n) = start * 10**(decades * (1 - exp(-n / tau_pulses))): Gompertz' law.

    The logarithm of the response relaxes with one time constant.
    """

    start: float
    decades: float
    tau_pulses: float

    name: ClassVar[str] = "geometric_exponential"

    def __post_init__(self) -> None:
        self._check_start(self.name)
        assert self._inner

    @cached_property
    def _inner(self) -> Law:
        return StretchedExponential(0.0, self.decades, self.tau_pulses, 1.0)

    @property
    def theta_names(self) -> tuple[str, ...]:
        return super().theta_names[:3]

    @property
    def theta(self) -> FloatArray:
        return super().theta[:3]

    def with_theta(self, theta: ArrayLike) -> GeometricExponential:
        log_start, log_decades, log_tau = (float(t) for t in np.asarray(theta))
        decades = float(np.copysign(np.exp(log_decades), self.decades))
        return GeometricExponential(float(np.exp(log_start)), decades, float(np.exp(log_tau)))

    def _with_inner(self, start: float, inner: Law) -> GeometricExponential:
        assert isinstance(inner, StretchedExponential)
        return GeometricExponential(start, inner.size, inner.tau_pulses)

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        return super().jacobian(pulses)[:, :3]


@dataclass(frozen=True)
class GeometricLogistic(_Geometric):
    """y(n) = start * 10**f(n), f a logistic of size `decades` that is 0 at the start."""

    start: float
    decades: float
    centre_pulses: float
    width_pulses: float

    name: ClassVar[str] = "geometric_logistic"

    def __post_init__(self) -> None:
        self._check_start(self.name)
        assert self._inner

    @cached_property
    def _inner(self) -> Law:
        return Logistic(0.0, self.decades, self.centre_pulses, self.width_pulses)

    def _with_inner(self, start: float, inner: Law) -> GeometricLogistic:
        assert isinstance(inner, Logistic)
        return GeometricLogistic(start, inner.size, inner.centre_pulses, inner.width_pulses)


@dataclass(frozen=True)
class GeometricSpline(_Geometric):
    """y(n) = start * 10**f(n), f a monotone spline with increments `decades` of one sign.

    `knots_pulses` are its breakpoints; beyond the last one the value stays.
    """

    start: float
    decades: tuple[float, ...]
    knots_pulses: tuple[float, ...]

    name: ClassVar[str] = "geometric_spline"

    def __post_init__(self) -> None:
        object.__setattr__(self, "decades", tuple(float(d) for d in self.decades))
        object.__setattr__(self, "knots_pulses", tuple(float(k) for k in self.knots_pulses))
        self._check_start(self.name)
        assert self._inner

    @cached_property
    def _inner(self) -> Law:
        return MonotoneSpline(0.0, self.decades, self.knots_pulses)

    def _with_inner(self, start: float, inner: Law) -> GeometricSpline:
        assert isinstance(inner, MonotoneSpline)
        return replace(self, start=start, decades=inner.increments)
