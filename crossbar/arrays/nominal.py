"""A device without spread at a field: its range, its zero, its step, and the scale they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossbar.arrays.reading import Reading
from crossbar.device import CardDevice
from crossbar.scale import KEPT, TileScale
from device_models.errors import InputError

FloatArray = NDArray[np.float64]


class FieldAndScale(NamedTuple):
    """Where an array is read [G], and by which scale of its tile."""

    field_G: float | FloatArray
    scale: TileScale


@dataclass(frozen=True)
class NominalDevice:
    """Readings [weight] of the mean device of an array at its field, before the tile's scale.

    Where devices stand in fields of their own, what they read on average.
    """

    device: CardDevice
    field: Reading

    def reading(self, state: float) -> float:
        """Mean reading of devices that stand at `state` [1]."""
        low, high = self.device.w_min, self.device.w_max
        return float(low + (high - low) * self.field.mean_place(state))

    @property
    def ends(self) -> tuple[float, float]:
        """Readings at the lower and upper end of the range."""
        return self.reading(0.0), self.reading(1.0)

    @property
    def zero_state(self) -> float:
        """State [1] of the weight 0 at the reference field."""
        return float(-self.device.w_min / (self.device.w_max - self.device.w_min))

    @property
    def zero(self) -> float:
        """Reading that is the weight 0 by the device's `zero`, at the field.

        Up and down pulses cancel at the same state at every field: the field scales both alike.
        """
        low, high = self.ends
        ends = {"g_min": low, "mid_range": (low + high) / 2}
        return ends.get(self.device.zero, self.reading(self.zero_state))

    @property
    def granularity(self) -> float:
        """Mean change of an LTP and an LTD pulse at the zero of the reference field."""
        step, zero = float(self.device.dw_min), self.zero_state
        if self.field.is_state:
            return step
        way = step / (self.device.w_max - self.device.w_min)
        below, above = max(zero - way, 0.0), min(zero + way, 1.0)
        slope = (self.field.mean_place(above) - self.field.mean_place(below)) / (above - below)
        return step * slope

    @property
    def scale(self) -> TileScale:
        """Scale by which the range is two units wide around the zero, as at the reference field.

        Raises InputError where no range is left.
        """
        if self.field.is_state:
            return KEPT
        low, high = self.ends
        if high <= low:
            raise InputError(f"no conductance range is left at {self.field.field_G} G")
        gain = (self.device.w_max - self.device.w_min) / (high - low)
        return TileScale(gain, -gain * self.zero)
