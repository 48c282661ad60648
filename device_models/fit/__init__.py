"""From pulse measurements to a device card with uncertainty."""

from device_models.fit.branches import FitError
from device_models.fit.card import CardFit, fit_card
from device_models.fit.curve_fit import CurveFit, fit_curves
from device_models.fit.laws import CANDIDATES
from device_models.fit.mixture import as_mixture

__all__ = ["CANDIDATES", "CardFit", "CurveFit", "FitError", "as_mixture", "fit_card", "fit_curves"]
