"""Junctions that several tests start from."""

from __future__ import annotations

import numpy as np

from device_models import Memristor
from device_models.junction import Variability

SPREAD = Variability(
    r_low=0.1, r_high=0.2, v_ltp_V=0.05, v_ltd_V=0.04, coercivity_lsmo=0.1, coercivity_co=0.1
)


def after(*pulses_V: float, width_s: float = 1.0, **options) -> Memristor:
    """A junction after successive pulses [V] of `width_s` [s]."""
    device = Memristor(**options)
    for voltage in pulses_V:
        device.pulse(voltage, width_s)
    return device


def settled(**options) -> Memristor:
    """A junction in the limit cycle of Fig. 3, at its LTD end."""
    device = Memristor(**options)
    device.settle(-1.3, 2.0, 0.01, 64)
    return device


def aligned_plateau_ohm(device: Memristor, fluorine: float) -> np.ndarray:
    """Parallel resistance [ohm] with all sites at `fluorine`."""
    device.sites[:] = fluorine
    return device.aligned_ohm(0.0)
