"""Reading the junction: state and alignment to resistance (ledger 6.3 to 6.5), and low-bias I-V."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from device_models.errors import InputError
from device_models.junction.checks import FloatArray, check_positive
from device_models.junction.magnetics import antiparallel_fraction
from device_models.junction.parameters import MemristorParameters

READ_BIAS_V = 0.010
"""Read voltage of the paper (E18)."""


@dataclass(frozen=True)
class Conduction:
    """Low-bias I-V (ledger 6.6), all assumed: I = G V (1 + a V + (V / v_c)^2).

    `v_c_V`: curvature [V], range 0.3 to 0.6; `asymmetry_per_V`: a [1/V]; `tmr_half_bias_V`: bias
    where the TMR has halved [V], infinite when off. G is the chord at the read bias of 10 mV.
    """

    v_c_V: float = 0.45
    asymmetry_per_V: float = 0.0
    tmr_half_bias_V: float = math.inf

    def __post_init__(self) -> None:
        check_positive(self, "v_c_V", "tmr_half_bias_V")
        limit = math.sqrt(3) / self.v_c_V
        if abs(self.asymmetry_per_V) >= limit:
            raise InputError(
                f"asymmetry_per_V must stay within +-{limit:.3g} for a current that rises with "
                f"the bias, got {self.asymmetry_per_V:g}"
            )

    def shape(self, bias_V: ArrayLike) -> FloatArray:
        """Chord conductance at `bias_V` [V] over the one at the read bias [1]."""
        return self._polynomial(bias_V) / self._polynomial(READ_BIAS_V)

    def tmr_share(self, bias_V: ArrayLike) -> FloatArray:
        """TMR at `bias_V` [V] over the one at the read bias [1]."""
        return self._roll_off(bias_V) / self._roll_off(READ_BIAS_V)

    def _polynomial(self, bias_V: ArrayLike) -> FloatArray:
        bias = np.asarray(bias_V, dtype=float)
        return 1 + self.asymmetry_per_V * bias + (bias / self.v_c_V) ** 2

    def _roll_off(self, bias_V: ArrayLike) -> FloatArray:
        return 1 / (1 + (np.asarray(bias_V, dtype=float) / self.tmr_half_bias_V) ** 2)


def tmr(state: ArrayLike, parameters: MemristorParameters | None = None) -> FloatArray:
    """TMR = (R_AP - R_P) / R_AP (the paper's normalisation, M1) of a fluorine state 0 to 1."""
    p = parameters or MemristorParameters()
    s = np.asarray(state, dtype=float)
    lsmo = p.lsmo_polarization * (1 - p.lsmo_polarization_loss * (1 - s))
    # Co interface: linear in s, zero at the state where the TMR changes sign (M4, M5).
    cobalt_low = p.polarization_product_low / p.lsmo_polarization
    product = lsmo * cobalt_low * (s - p.tmr_zero_state) / (1 - p.tmr_zero_state)
    return 2 * product / (1 + product)


def tmr_over_parallel(tmr_paper: ArrayLike) -> FloatArray:
    """(R_AP - R_P) / R_P from the paper's (R_AP - R_P) / R_AP (contradiction C10)."""
    value = np.asarray(tmr_paper, dtype=float)
    result: FloatArray = value / (1 - value)
    return result


def tunnel_resistance_ohm(
    state: ArrayLike,
    antiparallel: ArrayLike,
    parameters: MemristorParameters,
    r_low_ohm: float | FloatArray,
    resistance_ratio: float | FloatArray,
) -> FloatArray:
    """R(s, p_AP) = R_P / (1 - TMR * p_AP) [ohm] of devices with plateaus of their own.

    R_P is tunnelling through a barrier that thins linearly with the state (ledger 6.3), from
    `r_low_ohm` [ohm] times `resistance_ratio` [1] at state 0 to `r_low_ohm` at state 1.
    """
    parallel = r_low_ohm * resistance_ratio ** (1 - np.asarray(state, dtype=float))
    result: FloatArray = parallel / (
        1 - tmr(state, parameters) * np.asarray(antiparallel, dtype=float)
    )
    return result


def parallel_resistance_ohm(
    state: ArrayLike, parameters: MemristorParameters | None = None
) -> FloatArray:
    """R_P [ohm] of a state, the resistance at an antiparallel fraction of 0 (ledger 6.3)."""
    return aligned_resistance_ohm(state, 0.0, parameters)


def aligned_resistance_ohm(
    state: ArrayLike, antiparallel: ArrayLike, parameters: MemristorParameters | None = None
) -> FloatArray:
    """Resistance [ohm] at the antiparallel fraction 0 (P) to 1 (AP); both broadcast."""
    p = parameters or MemristorParameters()
    return tunnel_resistance_ohm(state, antiparallel, p, p.r_low_ohm, p.resistance_ratio)


def resistance_ohm(
    state: ArrayLike,
    field_G: ArrayLike = 0.0,
    parameters: MemristorParameters | None = None,
    direction: int = +1,
) -> FloatArray:
    """R(s, H) = R_P / (1 - TMR * p_AP) [ohm]; `state` and `field_G` [G] broadcast (ledger 6.5)."""
    return aligned_resistance_ohm(state, antiparallel_fraction(field_G, direction), parameters)
