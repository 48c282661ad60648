"""Pulse data, curve laws, device cards and the physical model of field-tunable memristors.

Everything here is numpy and scipy: no torch, no aihwkit, no plotting. Facts of the paper are cited
by rows of the ledger (M1, E9, 6.3), which is on the page `cards/lsmo_pvdf_co.md`.
"""

from importlib.metadata import PackageNotFoundError, version

from device_models.card import CardError, DeviceCard
from device_models.curves import ExponentialMixture
from device_models.fit import CardFit, CurveFit, FitError, fit_card, fit_curves
from device_models.junction.memristor import Memristor, MemristorParameters
from device_models.library import CardSummary, list_cards, load_card
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
    "CurveFit",
    "DeviceCard",
    "ExponentialMixture",
    "FitError",
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
