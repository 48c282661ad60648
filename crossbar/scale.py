"""The one place where siemens become weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from crossbar.choices import check_choice
from crossbar.zero import complaint, half_range, zero_of_weight
from device_models import DeviceCard
from device_models.errors import InputError

FloatArray = NDArray[np.float64]

ZEROS = ("symmetry_point", "mid_range", "g_min")


@dataclass(frozen=True)
class WeightScale:
    """Affine map between conductance and weight: weight = (conductance - zero) / half_range."""

    zero: float
    half_range: float

    def weight(self, conductance: ArrayLike) -> FloatArray:
        """Weight [1] of a conductance in the card's unit, any shape."""
        return (np.asarray(conductance, dtype=float) - self.zero) / self.half_range

    def conductance(self, weight: ArrayLike) -> FloatArray:
        """Conductance in the card's unit of a weight [1], any shape."""
        return self.zero + self.half_range * np.asarray(weight, dtype=float)


def symmetry_point(card: DeviceCard, field_G: float = 0.0) -> float:
    """Conductance of the weight 0 for training, in the card's unit: see `zero_of_weight`."""
    return zero_of_weight(card, field_G).conductance


def weight_scale(
    card: DeviceCard, field_G: float = 0.0, zero: str = "symmetry_point"
) -> WeightScale:
    """Map of the card's conductance range onto weights two units wide.

    `zero` says which conductance is the weight 0: `symmetry_point` (an up and a down pulse
    cancel; the usual choice for training), `mid_range` (weights from -1 to 1), or `g_min`
    (weights from 0 to 2, for the two devices of a differential pair). Where no symmetry point
    leaves both signs room it is the middle of the range, and a warning says so.
    """
    text = complaint_about_zero(card, field_G, zero)
    if text:
        warnings.warn(text, stacklevel=2)
    return scale_of(card, field_G, zero)


def scale_of(card: DeviceCard, field_G: float, zero: str) -> WeightScale:
    """What `weight_scale` gives, without a word."""
    check_choice("zero", zero, ZEROS)
    low, high = card.conductance_range(field_G)
    if zero == "symmetry_point":
        origin = symmetry_point(card, field_G)
    else:
        origin = low / 2 + high / 2 if zero == "mid_range" else low
    return WeightScale(origin, half_range(low, high))


def complaint_about_zero(card: DeviceCard, field_G: float, zero: str) -> str | None:
    """One line about a symmetry point that is asked for and missing or leaves little room."""
    if zero != "symmetry_point":
        return None
    return complaint(card, field_G, zero_of_weight(card, field_G))


SPAN = 0.8
"""Largest weight that is programmed, as a share of the shorter side of the range."""


@dataclass(frozen=True)
class TileScale:
    """Converter gain and offset of a tile: weight = gain * reading + offset.

    The reading is in the unit of `weight_scale` at the reference field, so that a tile whose
    scale is kept, as a chip keeps its reference and its gain, shows what the field does.
    """

    gain: float = 1.0
    offset: float = 0.0

    def weight(self, reading: Tensor) -> Tensor:
        """Weights of readings, any shape; the same tensor where nothing is scaled."""
        return reading if self == KEPT else reading * self.gain + self.offset

    def reading(self, weight: Tensor) -> Tensor:
        """Readings of weights, any shape."""
        return weight if self == KEPT else (weight - self.offset) / self.gain

    def snapshot(self) -> dict[str, Any]:
        """Gain and offset as they are stored."""
        return {"scale": torch.tensor([self.gain, self.offset], dtype=torch.float64)}

    @staticmethod
    def restored(stored: Mapping[str, Any]) -> TileScale:
        """The scale of a `snapshot`."""
        return TileScale(*(float(number) for number in stored["scale"]))


KEPT = TileScale()
"""The scale of the reference field."""


def span_of(low: float, high: float) -> float:
    """Largest weight to program between `low` and `high`: 0.8 of the shorter side [weight].

    Raises InputError where the range has one sign.
    """
    span = SPAN * min(-low, high)
    if span <= 0:
        raise InputError(
            f"weights from {low:.3g} to {high:.3g} have one sign at this field: choose the scale "
            f"anew (rescale=True), or use pairs of devices (cells='pair')"
        )
    return span
