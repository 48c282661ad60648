"""Laws whose step follows a power of the way left, or falls exponentially with the way gone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from device_models.curves.response import FloatArray, check_finite, log_size
from device_models.errors import InputError


@dataclass(frozen=True)
class PowerLaw:
    """y(n) = start + first_step * n0_pulses * ((1 + n / n0_pulses)**exponent - 1) / exponent.

    The step follows a power of the distance to a bound, as in aihwkit's PowStep device with
    gamma = 1 - 1 / exponent (exponent < 0), or grows without bound (0 < exponent <= 1).
    `start` carries the unit of the response, `first_step` that unit per pulse.
    """

    start: float
    first_step: float
    n0_pulses: float
    exponent: float

    name: ClassVar[str] = "power_law"
    in_unit: ClassVar[tuple[str, ...]] = ("start", "first_step")
    theta_names: ClassVar[tuple[str, ...]] = (
        "start",
        "log_first_step",
        "log_n0",
        "exponent",
    )

    def __post_init__(self) -> None:
        check_finite(self.name, self.start, self.first_step, self.n0_pulses, self.exponent)
        if self.n0_pulses <= 0:
            raise InputError(f"n0_pulses must be positive, got {self.n0_pulses:g}")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        log_time = _log_time(pulses, self.n0_pulses)
        return self.start + self.first_step * self.n0_pulses * _power(log_time, self.exponent)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        log_time = _log_time(pulses, self.n0_pulses)
        return self.first_step * np.exp((self.exponent - 1) * log_time)

    @property
    def theta(self) -> FloatArray:
        return np.array(
            [self.start, log_size(self.first_step), np.log(self.n0_pulses), self.exponent]
        )

    def with_theta(self, theta: ArrayLike) -> PowerLaw:
        start, log_step, log_n0, exponent = (float(t) for t in np.asarray(theta))
        step = float(np.copysign(np.exp(log_step), self.first_step))
        return PowerLaw(start, step, float(np.exp(log_n0)), exponent)

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        n = np.asarray(pulses, dtype=float)
        log_time, q = _log_time(n, self.n0_pulses), self.exponent
        size, power = self.first_step * self.n0_pulses, _power(log_time, q)
        fall = np.exp((q - 1) * log_time) * n / self.n0_pulses
        # The derivative of (e^(qL) - 1) / q by q; its series where q L is small.
        small = np.abs(q * log_time) < 1e-4
        safe = q if abs(q) > 1e-12 else 1.0
        by_q = np.where(
            small,
            log_time**2 / 2 + q * log_time**3 / 3,
            (log_time * np.exp(q * log_time) - power) / safe,
        )
        return np.stack([np.ones_like(n), size * power, size * (power - fall), size * by_q], 1)


@dataclass(frozen=True)
class LogStep:
    """y(n) = start + first_step * n0_pulses * log(1 + n / n0_pulses).

    The step falls exponentially with the conductance gained, |dG| = A exp(-beta |G - G_start|)
    with A = first_step and beta = 1 / (A n0_pulses): the (A, beta) form of filamentary devices.
    `start` carries the unit of the response, `first_step` that unit per pulse.
    """

    start: float
    first_step: float
    n0_pulses: float

    name: ClassVar[str] = "log_step"
    in_unit: ClassVar[tuple[str, ...]] = ("start", "first_step")
    theta_names: ClassVar[tuple[str, ...]] = PowerLaw.theta_names[:3]

    def __post_init__(self) -> None:
        check_finite(self.name, self.start, self.first_step, self.n0_pulses)
        if self.n0_pulses <= 0:
            raise InputError(f"n0_pulses must be positive, got {self.n0_pulses:g}")

    @cached_property
    def _power(self) -> PowerLaw:
        return PowerLaw(self.start, self.first_step, self.n0_pulses, 0.0)

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        return self._power(pulses)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        return self._power.derivative(pulses)

    @property
    def theta(self) -> FloatArray:
        return self._power.theta[:3]

    def with_theta(self, theta: ArrayLike) -> LogStep:
        law = self._power.with_theta([*np.asarray(theta), 0.0])
        return LogStep(law.start, law.first_step, law.n0_pulses)

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        return self._power.jacobian(pulses)[:, :3]


def _log_time(pulses: ArrayLike, n0_pulses: float) -> FloatArray:
    return np.log1p(np.asarray(pulses, dtype=float) / n0_pulses)


def _power(log_time: FloatArray, exponent: float) -> FloatArray:
    """(e^(exponent log_time) - 1) / exponent, log_time itself where the exponent is 0."""
    if abs(exponent) < 1e-12:
        return log_time
    return np.expm1(exponent * log_time) / exponent
