"""Pulse data, curve laws, device cards and the physical model of field-tunable memristors.

Everything here is numpy and scipy: no torch, no aihwkit, no plotting. Cards come with the import;
reading of measurements, the fit and the compact model are loaded when they are first asked for.
Facts of the paper are cited by rows of the ledger (M1, E9, 6.3), on `cards/lsmo_pvdf_co.md`.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from device_models.card import CardError, Conditions, DeviceCard
from device_models.curves import ExponentialMixture
from device_models.errors import FieldCrossbarError, InputError
from device_models.library import CardSummary, list_cards, load_card
from device_models.on_first_use import names_on_first_use as _names_on_first_use

if TYPE_CHECKING:
    from device_models.fit import CardFit, CurveFit, FitError, fit_card, fit_curves
    from device_models.junction import Memristor, MemristorParameters
    from device_models.pulses import PulseData, PulseDataError, read_branches, read_pulses

try:
    __version__ = version("fieldcrossbar")
except PackageNotFoundError:  # used from a folder, without having been installed
    __version__ = "0+unknown"

__all__ = [
    "CardError",
    "CardFit",
    "CardSummary",
    "Conditions",
    "CurveFit",
    "DeviceCard",
    "ExponentialMixture",
    "FieldCrossbarError",
    "FitError",
    "InputError",
    "Memristor",
    "MemristorParameters",
    "PulseData",
    "PulseDataError",
    "__version__",
    "fit_card",
    "fit_curves",
    "list_cards",
    "load_card",
    "read_branches",
    "read_pulses",
]

_LAZY = {
    "fit": ("CardFit", "CurveFit", "FitError", "fit_card", "fit_curves"),
    "junction": ("Memristor", "MemristorParameters"),
    "pulses": ("PulseData", "PulseDataError", "read_branches", "read_pulses"),
}
"""Rooms, and the names of each that are loaded when they are first asked for."""

__getattr__, __dir__ = _names_on_first_use(__name__, _LAZY)
