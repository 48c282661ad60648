"""Curve laws: the response of a device as a function of the number of pulses it received.

A law is a formula with its parameters, nothing else: fitting lives in `fit/`, the device card in
`card.py`. Values carry the unit of the card that owns them (ohm, siemens or arbitrary).

Every law also has a second set of coordinates, `theta`: the start value, logarithms of what must
be positive, and whatever is free. In these a fit needs no bounds, an error bar keeps its meaning,
and every draw from a covariance is again a monotone curve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline

FloatArray = NDArray[np.float64]

SMALLEST_SHARE = 1e-9
"""Terms below this share of the largest count as this share: the logarithm of 0 is no number."""


class Response(Protocol):
    """Anything that answers with a value, and its change per pulse, for a number of pulses."""

    def __call__(self, pulses: ArrayLike) -> FloatArray: ...

    def derivative(self, pulses: ArrayLike) -> FloatArray: ...


class Law(Response, Protocol):
    """A response with parameters: what a card stores and a fit estimates.

    The fields of the dataclass are the parameters of the formula; those named in `in_unit` carry
    the unit of the response.
    """

    name: ClassVar[str]
    in_unit: ClassVar[tuple[str, ...]]

    @property
    def theta_names(self) -> tuple[str, ...]:
        """Names of the coordinates of `theta`."""

    @property
    def theta(self) -> FloatArray:
        """Parameters as free coordinates, shape (n_theta,)."""

    def with_theta(self, theta: ArrayLike) -> Law:
        """The law of the same form, order and direction at other coordinates."""

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        """Derivative of the response by `theta` at `pulses` (n,), shape (n, n_theta)."""


@dataclass(frozen=True)
class ExponentialMixture:
    """y(n) = offset + sum_k amplitudes[k] * exp(-n / tau_pulses[k]).

    The law the paper fits its LTP and LTD curves with (main text L114, ledger 3.3). With one term
    and a conductance it is the soft-bounds device (the step shrinks linearly towards the bound
    `offset`) and the form NeuroSim fits, G = B (1 - exp(-P / A)) + G_min. `offset` and
    `amplitudes` share the unit of the response, `tau_pulses` counts pulses [1].
    """

    offset: float
    amplitudes: tuple[float, ...]
    tau_pulses: tuple[float, ...]

    name: ClassVar[str] = "exponential_mixture"
    in_unit: ClassVar[tuple[str, ...]] = ("offset", "amplitudes")

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplitudes", tuple(float(a) for a in self.amplitudes))
        object.__setattr__(self, "tau_pulses", tuple(float(t) for t in self.tau_pulses))
        if len(self.amplitudes) != len(self.tau_pulses) or not self.amplitudes:
            raise ValueError(
                f"an exponential mixture needs as many amplitudes as time constants, at least one "
                f"of each: got {len(self.amplitudes)} and {len(self.tau_pulses)}"
            )
        _check_finite(self.name, self.offset, *self.amplitudes, *self.tau_pulses)
        if min(self.tau_pulses) <= 0:
            raise ValueError(f"tau_pulses must be positive, got {min(self.tau_pulses):g}")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape, real numbers allowed), same shape out."""
        n = np.asarray(pulses, dtype=float)[..., None]
        return self.offset + np.exp(-n / np.array(self.tau_pulses)) @ np.array(self.amplitudes)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        n = np.asarray(pulses, dtype=float)[..., None]
        tau = np.array(self.tau_pulses)
        return -np.exp(-n / tau) @ (np.array(self.amplitudes) / tau)

    def mixed_with(self, other: ExponentialMixture, share: float) -> ExponentialMixture:
        """(1 - share) * self + share * other, again an exponential mixture."""
        return ExponentialMixture(
            (1 - share) * self.offset + share * other.offset,
            tuple((1 - share) * a for a in self.amplitudes)
            + tuple(share * a for a in other.amplitudes),
            self.tau_pulses + other.tau_pulses,
        )

    @property
    def theta_names(self) -> tuple[str, ...]:
        order = range(1, len(self.amplitudes) + 1)
        pairs = ((f"log_amplitude_{k}", f"log_tau_{k}") for k in order)
        return ("start", *(name for pair in pairs for name in pair))

    @property
    def theta(self) -> FloatArray:
        size = np.abs(self.amplitudes)
        size = np.maximum(size, SMALLEST_SHARE * max(size.max(), np.finfo(float).tiny))
        pairs = np.stack([np.log(size), np.log(self.tau_pulses)], axis=1)
        return np.concatenate([[self.offset + sum(self.amplitudes)], pairs.ravel()])

    def with_theta(self, theta: ArrayLike) -> ExponentialMixture:
        start, *rest = np.asarray(theta, dtype=float)
        amplitudes = self._signs * np.exp(rest[0::2])
        return ExponentialMixture(
            float(start - amplitudes.sum()), tuple(amplitudes), tuple(np.exp(rest[1::2]))
        )

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        n = np.asarray(pulses, dtype=float)[:, None]
        amplitudes, tau = np.array(self.amplitudes), np.array(self.tau_pulses)
        decay = np.exp(-n / tau)
        columns = np.empty((len(n), 1 + 2 * len(tau)))
        columns[:, 0] = 1
        columns[:, 1::2] = amplitudes * (decay - 1)
        columns[:, 2::2] = amplitudes * decay * n / tau
        return columns

    @property
    def _signs(self) -> FloatArray:
        direction = -1.0 if sum(self.amplitudes) < 0 else 1.0
        return np.where(np.array(self.amplitudes) == 0, direction, np.sign(self.amplitudes))


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
        _check_finite(self.name, self.start, self.first_step, self.n0_pulses, self.exponent)
        if self.n0_pulses <= 0:
            raise ValueError(f"n0_pulses must be positive, got {self.n0_pulses:g}")

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
            [self.start, _log_size(self.first_step), np.log(self.n0_pulses), self.exponent]
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
        _check_finite(self.name, self.start, self.first_step, self.n0_pulses)
        if self.n0_pulses <= 0:
            raise ValueError(f"n0_pulses must be positive, got {self.n0_pulses:g}")

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
        _check_finite(self.name, self.start, *self.increments, *self.knots_pulses)
        knots, increments = np.array(self.knots_pulses), np.array(self.increments)
        if len(knots) < 2 or np.any(np.diff(knots) <= 0):
            raise ValueError("knots_pulses must be at least two rising numbers")
        if len(increments) != len(knots) + 1:
            raise ValueError(
                f"{len(knots)} knots_pulses need {len(knots) + 1} increments, got {len(increments)}"
            )
        if np.any(increments > 0) and np.any(increments < 0):
            raise ValueError("increments must share one sign")

    @cached_property
    def _basis(self) -> BSpline:
        """Column k rises from 0 to 1 where increment k acts."""
        return BSpline(*_rising_basis(self.knots_pulses), 3)

    def _within(self, pulses: ArrayLike) -> FloatArray:
        n = np.asarray(pulses, dtype=float)
        return np.clip(n, self.knots_pulses[0], self.knots_pulses[-1])

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        return self.start + self._basis(self._within(pulses)) @ np.array(self.increments)

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
        size = np.abs(self.increments)
        size = np.maximum(size, SMALLEST_SHARE * max(size.max(), np.finfo(float).tiny))
        return np.concatenate([[self.start], np.log(size)])

    def with_theta(self, theta: ArrayLike) -> MonotoneSpline:
        start, *rest = np.asarray(theta, dtype=float)
        sign = -1.0 if sum(self.increments) < 0 else 1.0
        return replace(self, start=float(start), increments=tuple(sign * np.exp(rest)))

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        columns = self._basis(self._within(pulses)) * np.array(self.increments)
        return np.concatenate([np.ones((len(columns), 1)), columns], axis=1)


@dataclass(frozen=True)
class Blend:
    """(1 - share) * first + share * second: how a card goes from one field to the next."""

    first: Response
    second: Response
    share: float

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        return (1 - self.share) * self.first(pulses) + self.share * self.second(pulses)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        return (1 - self.share) * self.first.derivative(
            pulses
        ) + self.share * self.second.derivative(pulses)


@dataclass(frozen=True)
class Inverse:
    """1 / response: resistance from conductance, or the other way."""

    response: Response

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        return 1 / self.response(pulses)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        return -self.response.derivative(pulses) / self.response(pulses) ** 2


LAWS: dict[str, type[Law]] = {
    law.name: law for law in (ExponentialMixture, PowerLaw, LogStep, MonotoneSpline)
}
"""Every law a card may hold, by its name in the card."""


def blend(first: Response, second: Response, share: float) -> Response:
    """(1 - share) * first + share * second; of two exponential mixtures again a mixture."""
    if isinstance(first, ExponentialMixture) and isinstance(second, ExponentialMixture):
        return first.mixed_with(second, share)
    return Blend(first, second, share)


def spline_design(knots_pulses: ArrayLike, pulses: ArrayLike) -> FloatArray:
    """Columns that a `MonotoneSpline` on `knots_pulses` sums, len(pulses) x n_increments."""
    knots = tuple(float(k) for k in np.asarray(knots_pulses))
    n = np.clip(np.asarray(pulses, dtype=float), knots[0], knots[-1])
    return BSpline(*_rising_basis(knots), 3)(n)


def _rising_basis(knots: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Knot vector and coefficients of the functions that climb from 0 to 1, one per increment."""
    padded = np.concatenate([[knots[0]] * 3, knots, [knots[-1]] * 3])
    n_coefficients = len(knots) + 2
    return padded, np.tri(n_coefficients, n_coefficients - 1, -1)


def _log_time(pulses: ArrayLike, n0_pulses: float) -> FloatArray:
    return np.log1p(np.asarray(pulses, dtype=float) / n0_pulses)


def _power(log_time: FloatArray, exponent: float) -> FloatArray:
    """(e^(exponent log_time) - 1) / exponent, log_time itself where the exponent is 0."""
    if abs(exponent) < 1e-12:
        return log_time
    return np.expm1(exponent * log_time) / exponent


def _log_size(value: float) -> float:
    return float(np.log(max(abs(value), np.finfo(float).tiny)))


def _check_finite(name: str, *values: float) -> None:
    if not np.all(np.isfinite(values)):
        raise ValueError(f"the law {name} needs finite parameters")
