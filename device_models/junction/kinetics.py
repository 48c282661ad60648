"""How voltage moves the fluorine of the barrier sites: thresholds, rates and waveforms.

A site with threshold V_k switches at the rate exp((|V| - V_k) / v_slope) / t_ref outside the dead
zone (ledger 6.1), so its unswitched share decays exponentially and every step here is exact.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.special import ndtri

from device_models.errors import InputError
from device_models.junction.checks import FloatArray, checked_waveform
from device_models.junction.parameters import MemristorParameters

BLOCK_SIZE = 65_536
"""Site values worked on at a time."""

REMEMBERED_DECAYS = 8
"""Decays kept for pulses that come again."""


class Kinetics:
    """Thresholds and rates of K sites in devices of `shape`.

    `ltp_threshold_V` and `ltd_threshold_V` [V] are of shape `(K, 1...)`, or `(K, *shape)` where a
    shift gives each device its own; devices without one share one set of sites.
    """

    def __init__(
        self,
        parameters: MemristorParameters,
        shape: tuple[int, ...] = (),
        n_sites: int | None = None,
        *,
        ltp_shift_V: float | FloatArray = 0.0,
        ltd_shift_V: float | FloatArray = 0.0,
        dtype: DTypeLike = np.float64,
    ):
        """`ltp_shift_V`, `ltd_shift_V` [V]: each device's shift of all its thresholds."""
        p = self.parameters = parameters
        self.shape = shape
        column = (-1,) + (1,) * len(shape)
        ltp_V, ltd_V = site_thresholds(p, n_sites)
        self.ltp_threshold_V = ltp_V.reshape(column) + ltp_shift_V
        self.ltd_threshold_V = ltd_V.reshape(column) + ltd_shift_V
        # Rates at the mean threshold voltage [1].
        ltp_rate = np.exp((p.v_ltp_mean_V - self.ltp_threshold_V) / p.v_slope_V)
        ltd_rate = np.exp((p.v_ltd_mean_V - self.ltd_threshold_V) / p.v_slope_V)
        self._ltp_rate = ltp_rate.astype(dtype, copy=False)
        self._ltd_rate = ltd_rate.astype(dtype, copy=False)
        self._decays: OrderedDict[tuple[float, float], FloatArray] = OrderedDict()

    @property
    def n_sites(self) -> int:
        """Number of sites K."""
        return int(self.ltp_threshold_V.shape[0])

    def switch_alike(self, sites: FloatArray, amplitude_V: float, time_s: float) -> None:
        """Move the sites in place by one pulse for all devices: one decay per site."""
        decay = self._decay(amplitude_V, time_s, sites.dtype)
        if amplitude_V < 0:
            np.subtract(1.0, sites, out=sites)
            sites *= decay
            np.subtract(1.0, sites, out=sites)
        else:
            sites *= decay

    def switch_each(self, sites: FloatArray, amplitude_V: FloatArray, time_s: FloatArray) -> None:
        """Move the sites in place, each device by its own pulse.

        Rates of the two signs are added, one of them being zero.
        """
        p, kind = self.parameters, sites.dtype
        depth, time = np.abs(amplitude_V), time_s / p.t_ref_s
        ltp = (amplitude_V < 0) & (depth > p.dead_zone_ltp_V)
        ltd = (amplitude_V > 0) & (depth > p.dead_zone_ltd_V)
        mean_V = np.where(ltp, p.v_ltp_mean_V, p.v_ltd_mean_V)
        # Beyond e^60 every site has switched; the cap keeps float32 from overflowing.
        power = np.minimum((depth - mean_V) / p.v_slope_V, 60.0)
        dose = -np.exp(power.astype(kind, copy=False)) * time
        dose_ltp = np.broadcast_to(dose * ltp, self.shape).astype(kind)
        dose_ltd = np.broadcast_to(dose * ltd, self.shape).astype(kind)
        target = np.broadcast_to(ltp, self.shape).astype(kind)
        # In blocks of sites that stay in the cache.
        rows = max(1, BLOCK_SIZE // max(1, dose_ltp.size))
        for first in range(0, len(sites), rows):
            block = slice(first, first + rows)
            decay = self._ltp_rate[block] * dose_ltp
            decay += self._ltd_rate[block] * dose_ltd
            np.exp(decay, out=decay)
            part = sites[block]
            part -= target
            part *= decay
            part += target

    def limit_cycle(
        self, sites: FloatArray, ltp_V: float, ltd_V: float, time_s: float
    ) -> FloatArray:
        """Sites at the LTD end of the cycle of `time_s` [s] at `ltp_V` [V], then at `ltd_V` [V].

        Each site's cycle is affine, f -> a f + b, so its fixed point b / (1 - a) is exact. Sites
        that neither voltage moves stay as in `sites`.
        """
        up = self._decay(ltp_V, time_s, sites.dtype)
        down = self._decay(ltd_V, time_s, sites.dtype)
        moved = up * down < 1.0
        limit = (1.0 - up) * down / np.where(moved, 1.0 - up * down, 1.0)
        return np.where(moved, limit, sites).astype(sites.dtype, copy=False)

    def ramp_time_s(self, amplitude_V: FloatArray, ramp_V_per_s: float) -> FloatArray:
        """Time [s] at full amplitude that switches as much as the two ramps do."""
        if not ramp_V_per_s > 0:
            raise InputError(f"ramp_V_per_s must be positive, got {ramp_V_per_s!r}")
        p = self.parameters
        dead_zone = np.where(amplitude_V < 0, p.dead_zone_ltp_V, p.dead_zone_ltd_V)
        above = np.maximum(np.abs(amplitude_V) - dead_zone, 0.0)
        result: FloatArray = 2 * p.v_slope_V / ramp_V_per_s * -np.expm1(-above / p.v_slope_V)
        return result

    def _decay(self, amplitude_V: float, time_s: float, dtype: np.dtype) -> FloatArray:
        """Share of each site left unswitched after `time_s` at `amplitude_V`, remembered."""
        key = (amplitude_V, time_s)
        if key in self._decays:
            self._decays.move_to_end(key)
            return self._decays[key]
        p = self.parameters
        depth = abs(amplitude_V)
        threshold = self.ltp_threshold_V if amplitude_V < 0 else self.ltd_threshold_V
        if depth <= _dead_zone_V(amplitude_V, p):
            decay = np.ones_like(threshold)
        else:
            rate_per_s = np.exp((depth - threshold) / p.v_slope_V) / p.t_ref_s
            decay = np.exp(-rate_per_s * time_s)
        self._decays[key] = decay.astype(dtype, copy=False)
        if len(self._decays) > REMEMBERED_DECAYS:
            self._decays.popitem(last=False)
        return self._decays[key]


def site_thresholds(
    p: MemristorParameters, n_sites: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """1 s switching voltages [V] of all K sites: correlated normal quantiles (ledger 6.2)."""
    if n_sites is None:
        quantiles = ndtri((np.arange(p.sites_per_axis) + 0.5) / p.sites_per_axis)
        first, second = (a.ravel() for a in np.meshgrid(quantiles, quantiles, indexing="ij"))
    else:
        first, second = _golden_quantiles(n_sites)
    rho = p.threshold_correlation
    ltp = p.v_ltp_mean_V + p.v_ltp_std_V * first
    ltd = p.v_ltd_mean_V + p.v_ltd_std_V * (rho * first + np.sqrt(1 - rho**2) * second)
    return ltp, ltd


def _golden_quantiles(n_sites: int) -> tuple[FloatArray, FloatArray]:
    """Two normal samples of `n_sites` quantiles each, paired by the golden-ratio lattice.

    Every site has its own quantile on both axes, where a grid of K sites has only sqrt(K).
    """
    if not isinstance(n_sites, int | np.integer) or n_sites < 1:
        raise InputError(f"n_sites must be a whole number from 1 up, got {n_sites!r}")
    index = np.arange(n_sites)
    order = np.argsort(np.argsort((0.5 + index * (math.sqrt(5) - 1) / 2) % 1))
    return ndtri((index + 0.5) / n_sites), ndtri((order + 0.5) / n_sites)


def equivalent_pulses(
    time_s: ArrayLike, voltage_V: ArrayLike, parameters: MemristorParameters | None = None
) -> list[tuple[float, float]]:
    """Rectangular pulses (amplitude [V], width [s]) that switch as much as a waveform does.

    The waveform is straight between its points, both of shape `(n,)`. All rates of one polarity
    go with exp(|V| / v_slope), so a stretch of one polarity counts as one pulse at its peak.
    """
    p = parameters or MemristorParameters()
    time, voltage = checked_waveform(time_s, voltage_V)
    pulses: list[tuple[float, float]] = []
    for amplitude, width in _active_pieces(time, voltage, p):
        if pulses and (pulses[-1][0] < 0) == (amplitude < 0):
            last, last_width = pulses.pop()
            peak = max(last, amplitude, key=abs)
            width *= math.exp((abs(amplitude) - abs(peak)) / p.v_slope_V)
            width += last_width * math.exp((abs(last) - abs(peak)) / p.v_slope_V)
            amplitude = peak
        pulses.append((amplitude, width))
    return pulses


def _active_pieces(
    time: FloatArray, voltage: FloatArray, p: MemristorParameters
) -> Iterator[tuple[float, float]]:
    """Pulses equivalent to each straight piece, one for each polarity that leaves its dead zone."""
    for dt, start, end in zip(np.diff(time), voltage[:-1], voltage[1:], strict=True):
        for sign in (-1, +1) if (start or -end) < 0 else (+1, -1):
            dead_zone = _dead_zone_V(sign, p)
            low, high = sorted((sign * start, sign * end))
            if high <= dead_zone or dt == 0:
                continue
            active = dt if low >= dead_zone else dt * (high - dead_zone) / (high - low)
            drop = (high - max(low, dead_zone)) / p.v_slope_V
            share = -math.expm1(-drop) / drop if drop > 0 else 1.0
            yield float(sign * high), float(active * share)


def _dead_zone_V(amplitude_V: float, p: MemristorParameters) -> float:
    """Voltage magnitude [V] up to which nothing moves at a pulse of this sign."""
    return p.dead_zone_ltp_V if amplitude_V < 0 else p.dead_zone_ltd_V
