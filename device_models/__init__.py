"""Pulse data, curve laws, device cards and the physical model of field-tunable memristors.

Everything here is numpy and scipy: no torch, no aihwkit, no plotting. Cards come with the import;
reading of measurements, the fit and the compact model are loaded when they are first asked for.
Facts of the paper are cited by rows of the ledger (M1, E9, 6.3), on `cards/lsmo_pvdf_co.md`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from device_models.card import CardError, Conditions, DeviceCard
from device_models.curves import ExponentialMixture
from device_models.errors import FieldCrossbarError, InputError
from device_models.library import CardSummary, list_cards, load_card

if TYPE_CHECKING:
    from device_models.fit import CardFit, CurveFit, FitError, fit_card, fit_curves
    from device_models.junction.memristor import Memristor, MemristorParameters
    from device_models.pulses import PulseData, PulseDataError, read_pulses
    from device_models.pulses.together import read_branches

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
    **dict.fromkeys(("CardFit", "CurveFit", "FitError", "fit_card", "fit_curves"), "fit"),
    **dict.fromkeys(("Memristor", "MemristorParameters"), "junction.memristor"),
    **dict.fromkeys(("PulseData", "PulseDataError", "read_pulses"), "pulses"),
    "read_branches": "pulses.together",
}
"""Modules of the names that are loaded when they are first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
