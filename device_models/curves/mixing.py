"""Responses made of responses: mixtures of two, and one turned over."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from device_models.curves.exponentials import ExponentialMixture
from device_models.curves.response import FloatArray, Response


@dataclass(frozen=True)
class Blend:
    """(1 - share) * first + share * second: how a card mixes its curves at a field."""

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


def blend(first: Response, second: Response, share: float) -> Response:
    """(1 - share) * first + share * second; of two exponential mixtures again a mixture."""
    if isinstance(first, ExponentialMixture) and isinstance(second, ExponentialMixture):
        return first.mixed_with(second, share)
    return Blend(first, second, share)
