"""Where one trace of readings switches between LTP and LTD, and what way a stretch of it goes."""

from __future__ import annotations

from device_models.pulses.branches.noise import direction, noise_of, scale_of
from device_models.pulses.branches.protocols import Switches, on_period
from device_models.pulses.branches.switching import find_switching
from device_models.pulses.types import FloatArray

__all__ = ["Switches", "direction", "find_switches", "noise_of", "scale_of"]


def find_switches(values: FloatArray) -> list[int]:
    """Indices of the last reading before each reversal of a trace of shape (n,), rising."""
    return on_period(find_switching(values)).at
