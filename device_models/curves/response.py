"""What every curve law is: a response to pulses, with parameters as free coordinates."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.errors import InputError

FloatArray = NDArray[np.float64]

SMALLEST_SHARE = 1e-9
"""Terms below this share of the largest count as this share: the logarithm of 0 is no number."""


class Response(Protocol):
    """Anything that answers with a value, and its change per pulse, for a number of pulses."""

    def __call__(self, pulses: ArrayLike) -> FloatArray: ...

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse at `pulses`, of their shape."""


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


def log_sizes(values: ArrayLike) -> FloatArray:
    """Logarithms of the sizes of terms, none further below the largest than SMALLEST_SHARE."""
    size = np.abs(np.asarray(values, dtype=float))
    result: FloatArray = np.log(
        np.maximum(size, SMALLEST_SHARE * max(size.max(), np.finfo(float).tiny))
    )
    return result


def log_size(value: float) -> float:
    """Logarithm of the size of a value, of the smallest number for 0."""
    return float(np.log(max(abs(value), np.finfo(float).tiny)))


def check_finite(name: str, *values: float) -> None:
    """Raise InputError where a parameter of the law `name` is no finite number."""
    if not np.all(np.isfinite(values)):
        raise InputError(f"the law {name} needs finite parameters")
