"""Compact model of the LSMO/PVDF/Co memristor (ledger section 6): fluorine state to resistance.

The state is the share of mobile fluorine in the CoO layer of each of K barrier sites. A pulse of
voltage V and width t moves every site with its own rate; the mean over the sites, `s`, sets
the resistance, and a magnetic field scales it through the TMR without moving the state.

The paper gives no absolute resistance and no raw curve, so whatever comes out of this model is a
reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from device_models.magnetics import antiparallel_fraction

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MemristorParameters:
    """Parameters of the compact model; `SOURCES` says where each value comes from."""

    r_low_ohm: float = 1e5
    resistance_ratio: float = 111.0
    v_ltp_mean_V: float = 1.25
    v_ltp_std_V: float = 0.25
    v_ltd_mean_V: float = 1.60
    v_ltd_std_V: float = 0.35
    threshold_correlation: float = 0.8
    v_slope_V: float = 0.21
    dead_zone_ltp_V: float = 0.70
    dead_zone_ltd_V: float = 1.05
    t_ref_s: float = 1.0
    lsmo_polarization: float = 0.95
    lsmo_polarization_loss: float = 0.5
    polarization_product_low: float = -0.180
    tmr_zero_state: float = 0.59
    sites_per_axis: int = 20


SOURCES = {
    "r_low_ohm": "assumed; the paper gives no absolute resistance (E19)",
    "resistance_ratio": "stated: RCR up to 1.1e4 % (E2, Fig. 1d)",
    "v_ltp_mean_V": "assumed; order of the states after 1 s at -0.8/-1.2/-1.3/-2.4 V (section 6)",
    "v_ltp_std_V": "assumed (section 6)",
    "v_ltd_mean_V": "assumed; +1.5 V partial, +2 V nearly full (section 6)",
    "v_ltd_std_V": "assumed (section 6)",
    "threshold_correlation": "assumed; +2 V enables -1.3 V (E11)",
    "v_slope_V": "derived upper bound 0.224 V (M4, M7); lower end from gradual LTP/LTD (section 6)",
    "dead_zone_ltp_V": "derived window 0.67 to 0.8 V (C5)",
    "dead_zone_ltd_V": "derived window 1.0 to 1.5 V (C5)",
    "t_ref_s": "definition: thresholds are 1 s switching voltages (section 6)",
    "lsmo_polarization": "assumed, LSMO near half-metal (section 6)",
    "lsmo_polarization_loss": "assumed (M5, section 6)",
    "polarization_product_low": "derived from TMR = -43.9 % at full polarisation (M1)",
    "tmr_zero_state": "state after -1.2 V, 1 s, where the TMR changes sign (M4, section 6)",
    "sites_per_axis": "numerical: sites = square of this number (K = 400, section 6)",
}
"""Ledger row and status (stated, derived, assumed) of every parameter."""


class Memristor:
    """One LSMO/PVDF/Co junction. Sites are fixed quantiles, so the model has no random part."""

    def __init__(self, parameters: MemristorParameters | None = None, fluorine: float = 0.0):
        """`fluorine`: share in CoO at the start, 0 (high resistance) to 1 (low resistance)."""
        self.parameters = parameters or MemristorParameters()
        if not 0.0 <= fluorine <= 1.0:
            raise ValueError(f"fluorine must lie between 0 and 1, got {fluorine:g}")
        self._ltp_threshold_V, self._ltd_threshold_V = _site_thresholds(self.parameters)
        self.sites = np.full(self._ltp_threshold_V.shape, float(fluorine))

    @property
    def state(self) -> float:
        """Mean share of mobile fluorine in the CoO layer, 0 to 1."""
        return float(self.sites.mean())

    def pulse(self, amplitude_V: float, width_s: float, count: int = 1) -> None:
        """Apply `count` rectangular pulses of `amplitude_V` [V] and `width_s` [s]."""
        decay = self._decay(amplitude_V, width_s * count)
        target = 1.0 if amplitude_V < 0 else 0.0
        self.sites = target + (self.sites - target) * decay

    def pulse_train(self, amplitude_V: float, width_s: float, count: int) -> FloatArray:
        """Apply `count` pulses one by one; the states before and after each, shape `count + 1`."""
        states = [self.state]
        for _ in range(count):
            self.pulse(amplitude_V, width_s)
            states.append(self.state)
        return np.array(states)

    def settle(self, ltp_V: float, ltd_V: float, width_s: float, count: int) -> None:
        """Go to the limit cycle of `count` LTP then `count` LTD pulses, at its LTD end.

        Each site's cycle is affine, f -> a f + b, so its fixed point b / (1 - a) is exact.
        """
        up = self._decay(ltp_V, width_s * count)
        down = self._decay(ltd_V, width_s * count)
        moved = up * down < 1.0
        limit = (1.0 - up) * down / np.where(moved, 1.0 - up * down, 1.0)
        self.sites = np.where(moved, limit, self.sites)

    def resistance_ohm(self, field_G: ArrayLike = 0.0, direction: int = +1) -> FloatArray:
        """Low-bias resistance [ohm] of the present state at `field_G` [G], shape of the field."""
        return resistance_ohm(self.state, field_G, self.parameters, direction)

    def _decay(self, amplitude_V: float, time_s: float) -> FloatArray:
        """Share of each site left unswitched after `time_s` at `amplitude_V` (ledger 6.1)."""
        p = self.parameters
        depth = abs(amplitude_V)
        dead_zone = p.dead_zone_ltp_V if amplitude_V < 0 else p.dead_zone_ltd_V
        if depth <= dead_zone:
            return np.ones_like(self.sites)
        threshold = self._ltp_threshold_V if amplitude_V < 0 else self._ltd_threshold_V
        rate_per_s = np.exp((depth - threshold) / p.v_slope_V) / p.t_ref_s
        return np.exp(-rate_per_s * time_s)


def tmr(state: ArrayLike, parameters: MemristorParameters | None = None) -> FloatArray:
    """TMR = (R_AP - R_P) / R_AP (the paper's normalisation, M1) of a fluorine state 0 to 1."""
    p = parameters or MemristorParameters()
    s = np.asarray(state, dtype=float)
    lsmo = p.lsmo_polarization * (1 - p.lsmo_polarization_loss * (1 - s))
    # Co interface: linear in s, zero at the state where the TMR changes sign (M4, M5).
    cobalt_low = p.polarization_product_low / p.lsmo_polarization
    product = lsmo * cobalt_low * (s - p.tmr_zero_state) / (1 - p.tmr_zero_state)
    return 2 * product / (1 + product)


def parallel_resistance_ohm(
    state: ArrayLike, parameters: MemristorParameters | None = None
) -> FloatArray:
    """R_P [ohm]: tunnelling through a barrier that thins linearly with the state (ledger 6.3)."""
    p = parameters or MemristorParameters()
    return p.r_low_ohm * p.resistance_ratio ** (1 - np.asarray(state, dtype=float))


def resistance_ohm(
    state: ArrayLike,
    field_G: ArrayLike = 0.0,
    parameters: MemristorParameters | None = None,
    direction: int = +1,
) -> FloatArray:
    """R(s, H) = R_P / (1 - TMR * p_AP) [ohm]; `state` and `field_G` [G] broadcast (ledger 6.5)."""
    share = tmr(state, parameters) * antiparallel_fraction(field_G, direction)
    return parallel_resistance_ohm(state, parameters) / (1 - share)


def _site_thresholds(p: MemristorParameters) -> tuple[FloatArray, FloatArray]:
    """1 s switching voltages [V] of all K sites: correlated normal quantiles (ledger 6.2)."""
    quantiles = ndtri((np.arange(p.sites_per_axis) + 0.5) / p.sites_per_axis)
    first, second = (a.ravel() for a in np.meshgrid(quantiles, quantiles, indexing="ij"))
    rho = p.threshold_correlation
    ltp = p.v_ltp_mean_V + p.v_ltp_std_V * first
    ltd = p.v_ltd_mean_V + p.v_ltd_std_V * (rho * first + np.sqrt(1 - rho**2) * second)
    return ltp, ltd
