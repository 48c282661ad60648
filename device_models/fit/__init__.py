"""From pulse measurements to a device card with uncertainty."""

from device_models.fit.branches import FitError
from device_models.fit.card import CardFit, fit_card
from device_models.fit.laws import CANDIDATES
from device_models.fit.mixture import as_mixture

__all__ = ["CANDIDATES", "CardFit", "FitError", "as_mixture", "fit_card"]
