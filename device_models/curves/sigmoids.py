"""S-shaped laws: slow at first, fast in the middle, slow at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from device_models.curves.response import FloatArray, check_finite, log_size
from device_models.errors import InputError

LEAST_PULSES = 1e-6
"""The slope of a stretched exponential is looked at no nearer to its start than this."""


@dataclass(frozen=True)
class Logistic:
    """y(n) = start + size * (s((n - centre) / width) - s(-centre / width)), s(x) = 1 / (1 + e^-x).

    Steps grow to the pulse number `centre_pulses` and fall again, symmetric around it. `start` and
    `size`, the distance between the two ends of the whole S, carry the unit of the response.
    """

    start: float
    size: float
    centre_pulses: float
    width_pulses: float

    name: ClassVar[str] = "logistic"
    in_unit: ClassVar[tuple[str, ...]] = ("start", "size")
    theta_names: ClassVar[tuple[str, ...]] = ("start", "log_size", "log_centre", "log_width")

    def __post_init__(self) -> None:
        check_finite(self.name, self.start, self.size, self.centre_pulses, self.width_pulses)
        check_positive(self, "centre_pulses", "width_pulses")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        result: FloatArray = self.start + self.size * (
            expit(self._place(pulses)) - expit(self._place(0.0))
        )
        return result

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        return self.size / self.width_pulses * _bell(self._place(pulses))

    def _place(self, pulses: ArrayLike) -> FloatArray:
        return (np.asarray(pulses, dtype=float) - self.centre_pulses) / self.width_pulses

    @property
    def theta(self) -> FloatArray:
        logs = np.log([self.centre_pulses, self.width_pulses])
        return np.array([self.start, log_size(self.size), *logs])

    def with_theta(self, theta: ArrayLike) -> Logistic:
        start, *logs = (float(t) for t in np.asarray(theta))
        size, centre, width = (float(v) for v in np.exp(logs))
        return Logistic(start, float(np.copysign(size, self.size)), centre, width)

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        place, first = self._place(pulses), self._place(0.0)
        rise = expit(place) - expit(first)
        bell, bell_first = _bell(place), _bell(first)
        by_centre = -self.centre_pulses / self.width_pulses * (bell - bell_first)
        by_width = -(bell * place - bell_first * first)
        columns = [np.ones_like(place), *(self.size * c for c in (rise, by_centre, by_width))]
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class StretchedExponential:
    """y(n) = start + size * (1 - exp(-(n / tau_pulses)**beta)).

    S-shaped for beta > 1, as domains that nucleate and grow switch a ferroelectric (Avrami); for
    beta < 1 many time constants at once (Kohlrausch). `start` and `size`, the distance to the
    end, carry the unit of the response.
    """

    start: float
    size: float
    tau_pulses: float
    beta: float

    name: ClassVar[str] = "stretched_exponential"
    in_unit: ClassVar[tuple[str, ...]] = ("start", "size")
    theta_names: ClassVar[tuple[str, ...]] = ("start", "log_size", "log_tau", "log_beta")

    def __post_init__(self) -> None:
        check_finite(self.name, self.start, self.size, self.tau_pulses, self.beta)
        check_positive(self, "tau_pulses", "beta")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape), same shape out."""
        return self.start - self.size * np.expm1(-self._time(pulses))

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape).

        For beta < 1 it has no bound at 0; there it is that of LEAST_PULSES.
        """
        n = np.maximum(np.asarray(pulses, dtype=float), LEAST_PULSES)
        time = self._time(n)
        result: FloatArray = self.size * self.beta * time / n * np.exp(-time)
        return result

    def _time(self, pulses: ArrayLike) -> FloatArray:
        n = np.maximum(np.asarray(pulses, dtype=float), 0.0)
        # A power beyond the range of numbers is a response that has ended.
        with np.errstate(over="ignore"):
            result: FloatArray = np.power(n / self.tau_pulses, self.beta)
            return result

    @property
    def theta(self) -> FloatArray:
        return np.array([self.start, log_size(self.size), *np.log([self.tau_pulses, self.beta])])

    def with_theta(self, theta: ArrayLike) -> StretchedExponential:
        start, *logs = (float(t) for t in np.asarray(theta))
        size, tau, beta = (float(v) for v in np.exp(logs))
        return StretchedExponential(start, float(np.copysign(size, self.size)), tau, beta)

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        time = self._time(pulses)
        # time * exp(-time) and its product with log(time): 0 at both ends.
        inner = np.clip(time, np.finfo(float).tiny, 700.0)
        fall = np.where(time > 700, 0.0, time * np.exp(-inner))
        by_tau, by_beta = -self.beta * fall, fall * np.log(inner)
        columns = [
            np.ones_like(time),
            *(self.size * c for c in (-np.expm1(-time), by_tau, by_beta)),
        ]
        return np.stack(columns, axis=1)


def check_positive(law: Logistic | StretchedExponential, *names: str) -> None:
    """Raise InputError for the first of these parameters that is not above 0."""
    for name in names:
        if getattr(law, name) <= 0:
            raise InputError(f"{name} must be positive, got {getattr(law, name):g}")


def _bell(place: FloatArray) -> FloatArray:
    """Derivative of the logistic function."""
    result: FloatArray = expit(place) * expit(-place)
    return result
