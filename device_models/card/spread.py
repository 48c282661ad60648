"""How a card's device scatters: from pulse to pulse, cycle to cycle and device to device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card.errors import CardError

FloatArray = NDArray[np.float64]

COVARIANCES = ("fit", "d2d")
MAX_SPREAD = 1e4
"""Largest spread a card may state; noisy devices have steps far below their noise."""

MAY_BE_UNKNOWN = ("range_c2c", "upper_share")
"""Parts of a spread that a card may lack."""

NUMBERS = ("step_c2c", "write_noise", "step_d2d", "range_d2d", *MAY_BE_UNKNOWN)


@dataclass(frozen=True)
class Spread:
    """Relative variability the card states; zero where nothing was measured.

    `step_c2c`: std of a step at fixed state over the mean step, cycle to cycle, the part that
    stays [1];
    `write_noise`: std of what is read after a pulse around the state it left, the part that is
    drawn anew with every pulse, over half the conductance range [1];
    `step_d2d`: std of the step size over its mean, device to device [1];
    `range_d2d`: std of the ends of the range over half the range, device to device [1];
    `range_c2c`: std of the ends of the range over half the range, cycle to cycle of one device,
    beyond what single pulses do [1], None where it was not measured; tiles do not have it;
    `upper_share`: share of the two ends' variances, of which `range_d2d` is the root mean, that
    the upper end has, 0 to 1; None for ends that differ alike.

    Raises CardError for one that is no number from 0 to `MAX_SPREAD`.
    """

    step_c2c: float = 0.0
    write_noise: float = 0.0
    step_d2d: float = 0.0
    range_d2d: float = 0.0
    note: str = ""
    range_c2c: float | None = None
    upper_share: float | None = None

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            if value is None and name in MAY_BE_UNKNOWN:
                continue
            number = isinstance(value, Real) and not isinstance(value, bool)
            highest = 1.0 if name == "upper_share" else MAX_SPREAD
            if not number or not 0 <= value <= highest:
                raise CardError(
                    f"spread.{name} must be a number from 0 to {highest:g}, got {value!r:.40}"
                )
            if not isinstance(value, int | float):  # a numpy float32, which JSON does not know
                object.__setattr__(self, name, float(value))

    @property
    def ends_d2d(self) -> tuple[float, float]:
        """Std of the lower and of the upper end, device to device [half the range]."""
        share = 0.5 if self.upper_share is None else self.upper_share
        return self.range_d2d * math.sqrt(2 - 2 * share), self.range_d2d * math.sqrt(2 * share)

    def to_dict(self) -> dict[str, Any]:
        """The spreads as they are stored, without one that was not measured."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Uncertainty:
    """Covariances of a card's coordinates: all its curves, then its magnetic layers.

    `parameters` names the coordinates (`DeviceCard.parameters`); `fit` says how well the fit
    knows them, `d2d` how they differ from device to device; None where it is not known.
    """

    parameters: tuple[str, ...]
    fit: tuple[tuple[float, ...], ...] | None = None
    d2d: tuple[tuple[float, ...], ...] | None = None

    def standard_errors(self) -> FloatArray:
        """Standard error of the fit of every coordinate, NaN where it is not known."""
        if self.fit is None:
            return np.full(len(self.parameters), np.nan)
        return np.sqrt(np.diag(np.array(self.fit)))
