"""Spike-timing-dependent plasticity: the paper's two spikes, their sum, and what it does.

SI Note 5 and Fig. S6 (ledger rows S1 to S5): a spike is a rectangular pulse, then a slope of the
opposite sign that fades to zero at 50 ms. The device sees V(t) = pre(t) - post(t - delay).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.errors import InputError
from device_models.junction.checks import FloatArray
from device_models.junction.memristor import Memristor

NEGLIGIBLE_S = 1e-12
"""Two corners of a waveform closer than this are one, apart from round-off."""


READINGS = {
    "si": ((1.0, -0.67), (0.67, -1.0)),
    "main": ((1.0, -1.5), (1.5, -1.0)),
    "main_swapped": ((1.5, -1.0), (1.0, -1.5)),
}
"""(rectangle [V], slope [V]) of pre and post: SI Note 5 (S2, default), Fig. 4 caption (S3)."""


@dataclass(frozen=True)
class Spike:
    """Rectangle of `rect_V` [V] for `rect_s` [s], then `slope_V` [V] falling to 0 at `length_s`."""

    rect_V: float
    slope_V: float
    rect_s: float = 0.010
    length_s: float = 0.050

    def __post_init__(self) -> None:
        if not 0 < self.rect_s < self.length_s:
            raise InputError(
                f"rect_s must lie between 0 and length_s = {self.length_s:g} s, "
                f"got {self.rect_s:g} s"
            )

    @property
    def inverted(self) -> Spike:
        """The spike as a post-synaptic one reaches the device: both voltages negated."""
        return replace(self, rect_V=-self.rect_V, slope_V=-self.slope_V)

    @property
    def corners_s(self) -> FloatArray:
        """Times [s] where the voltage jumps or bends."""
        return np.array([0.0, self.rect_s, self.length_s])

    def voltage_V(self, time_s: ArrayLike) -> FloatArray:
        """Voltage [V] at `time_s` [s] after the spike's start; 0 before and after the spike."""
        time = np.asarray(time_s, dtype=float)
        slope = self.slope_V * (self.length_s - time) / (self.length_s - self.rect_s)
        return np.where(self._in_rect(time), self.rect_V, np.where(self._in_slope(time), slope, 0))

    def steepness_V_per_s(self, time_s: ArrayLike) -> FloatArray:
        """Derivative of the voltage [V/s] away from the corners."""
        steepness = -self.slope_V / (self.length_s - self.rect_s)
        return np.where(self._in_slope(np.asarray(time_s, dtype=float)), steepness, 0.0)

    def _in_rect(self, time: FloatArray) -> NDArray[np.bool_]:
        return (time >= 0) & (time < self.rect_s)

    def _in_slope(self, time: FloatArray) -> NDArray[np.bool_]:
        return (time >= self.rect_s) & (time < self.length_s)


def spike_pair(reading: str = "si", rect_s: float = 0.010) -> tuple[Spike, Spike]:
    """Pre- and post-synaptic spike as one of the paper's `READINGS` (contradiction C2).

    `rect_s`: width of the rectangle [s], not given in the paper; 10 ms is the only one of 5 and
    10 ms whose overlap at +-10 ms reaches the stated -1.3 and +2.0 V (S5).
    """
    if reading not in READINGS:
        raise InputError(f"reading must be one of {', '.join(READINGS)}, got {reading!r}")
    pre, post = READINGS[reading]
    return Spike(*pre, rect_s=rect_s), Spike(*post, rect_s=rect_s)


def superpose(pre: Spike, post: Spike, delay_s: float) -> tuple[FloatArray, FloatArray]:
    """Times [s] and voltages [V] of pre(t) - post(t - delay), straight between the points.

    A positive `delay_s` means that the post-synaptic spike comes later. Jumps are two points at
    one time, so `Memristor.apply_waveform` integrates the result exactly.
    """
    corners = np.sort(np.concatenate([pre.corners_s, post.corners_s + delay_s]))
    corners = corners[np.diff(corners, prepend=-np.inf) > NEGLIGIBLE_S]
    # Both spikes are straight between two corners: the middle gives the value at either end.
    middle, half = (corners[1:] + corners[:-1]) / 2, np.diff(corners) / 2
    value = pre.voltage_V(middle) - post.voltage_V(middle - delay_s)
    steepness = pre.steepness_V_per_s(middle) - post.steepness_V_per_s(middle - delay_s)
    time = np.column_stack([corners[:-1], corners[1:]]).ravel()
    voltage = np.column_stack([value - steepness * half, value + steepness * half]).ravel()
    return time, voltage


def alone(spike: Spike) -> tuple[FloatArray, FloatArray]:
    """Times [s] and voltages [V] of one spike without a partner, as `superpose` gives a pair."""
    return superpose(spike, replace(spike, rect_V=0.0, slope_V=0.0), 0.0)


def stdp_start() -> Memristor:
    """Where STDP starts: the Fig. 3 loop's LTP end, then one +2 V pulse.

    The paper does not say where Fig. 4 started, and the curve's asymmetry depends on it (6.7).
    """
    device = Memristor()
    device.settle(-1.3, 2.0, 0.010, 64)
    device.pulse(-1.3, 0.010, count=64)
    device.pulse(2.0, 0.010)
    return device


def stdp_curve(
    delays_s: ArrayLike,
    pre: Spike | None = None,
    post: Spike | None = None,
    start: Memristor | None = None,
    antiparallel: Sequence[float] = (0.0, 1.0),
) -> FloatArray:
    """Relative conductance change of one spike pair at each delay, each from the same start.

    `delays_s` [s] of shape `(n,)`; p_AP of the readings in `antiparallel`: 0 parallel, 1
    antiparallel. Returns dG/G [1], shape `(len(antiparallel), n, *start.shape)`. `start` is left
    as it is (default `stdp_start`); the spikes default to SI Note 5.
    """
    default_pre, default_post = spike_pair()
    pre, post, start = pre or default_pre, post or default_post, start or stdp_start()
    changes = [
        conductance_change(start, *superpose(pre, post, delay), antiparallel)
        for delay in np.atleast_1d(np.asarray(delays_s, dtype=float))
    ]
    return np.swapaxes(np.array(changes), 0, 1)


def single_spike_change(
    spike: Spike, start: Memristor | None = None, antiparallel: Sequence[float] = (0.0, 1.0)
) -> FloatArray:
    """dG/G [1] of one spike alone, shape `(len(antiparallel), *start.shape)`; 0 is wanted (S1).

    A post-synaptic spike reaches the device inverted: pass its `inverted`.
    """
    return conductance_change(start or stdp_start(), *alone(spike), antiparallel)


def conductance_change(
    start: Memristor, time_s: ArrayLike, voltage_V: ArrayLike, antiparallel: Sequence[float]
) -> FloatArray:
    """dG/G [1] that a waveform makes, read at each p_AP; `start` is left as it is."""
    device = start.copy()
    device.apply_waveform(time_s, voltage_V)
    return np.array([start.aligned_ohm(p) / device.aligned_ohm(p) - 1 for p in antiparallel])
