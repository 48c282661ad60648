"""Field of the lines that write the magnets and the heat they make (ledger rows N1 to N5)."""

from __future__ import annotations

import math

MU_0_T_M_PER_A = 4e-7 * math.pi
"""Magnetic constant [T m/A]."""

GAUSS_PER_TESLA = 1e4


def thin_wire_field_G(current_A: float, distance_m: float) -> float:
    """Field [G] of a long thin wire at `distance_m` [m] from its axis: mu0 I / (2 pi r)."""
    return MU_0_T_M_PER_A * current_A / (2 * math.pi * distance_m) * GAUSS_PER_TESLA


def strip_field_G(current_A: float, width_m: float, distance_m: float) -> float:
    """Field [G] of a long flat strip at `distance_m` [m] above the middle of its plane.

    mu0 I / (pi w) atan(w / 2d), along the strip's width; the thin wire far away.
    """
    sheet_T = MU_0_T_M_PER_A * current_A / (math.pi * width_m)
    return sheet_T * math.atan(width_m / 2 / distance_m) * GAUSS_PER_TESLA


def joule_energy_J(current_A: float, resistance_ohm: float, time_s: float) -> float:
    """Heat [J] of a current pulse: I^2 R t."""
    return current_A**2 * resistance_ohm * time_s
