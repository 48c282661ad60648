"""Parameters of the compact model, and where each of them comes from."""

from __future__ import annotations

from dataclasses import dataclass

from device_models.errors import InputError
from device_models.junction.checks import check_at_least, check_positive


@dataclass(frozen=True)
class MemristorParameters:
    """Parameters of the compact model; `SOURCES` says where each value comes from.

    They are written into the reconstructed card, so options live in classes of their own:
    `Variability`, `Conduction`, `Ageing`, `Layer`.
    """

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

    def __post_init__(self) -> None:
        check_at_least(self, 0.0, "v_ltp_std_V", "v_ltd_std_V", "dead_zone_ltp_V")
        check_at_least(self, 0.0, "dead_zone_ltd_V")
        check_positive(self, "r_low_ohm", "v_slope_V", "t_ref_s", "sites_per_axis")
        if self.resistance_ratio <= 1:
            raise InputError(f"resistance_ratio must exceed 1, got {self.resistance_ratio:g}")
        if abs(self.threshold_correlation) > 1:
            raise InputError(
                f"threshold_correlation must lie in -1 to 1, got {self.threshold_correlation:g}"
            )


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
