"""From pulse measurements to a device card with uncertainty.

`card` the card, `curve_fit` its curves alone, of any branches; `branches` which readings are
fitted, `branch` those of one branch; `laws` the candidates, `select` which of them, `mixture`
exponentials in place of any; `joint` all fields as one model; `spread` noise of pulses and
devices, `bands` what readings scatter by; `uncertainty`, `quality` and `findings` how well.
"""

from device_models.fit.bands import Band, Drift, Readings, all_readings, band_of, drift
from device_models.fit.branch import Branch
from device_models.fit.branches import FitError, select_branches
from device_models.fit.card import CardFit, fit_card
from device_models.fit.curve_fit import MAX_BOOTSTRAP, MAX_SEED, CurveFit, fit_curves
from device_models.fit.joint import JointFit
from device_models.fit.laws import CANDIDATES, Candidate, Fit, fit_law
from device_models.fit.mixture import as_mixture, project_exponential_mixture
from device_models.fit.points import Points
from device_models.fit.select import Choice, choose_law
from device_models.fit.spread import PulseNoise, pulse_noise

__all__ = [
    "CANDIDATES",
    "MAX_BOOTSTRAP",
    "MAX_SEED",
    "Band",
    "Branch",
    "Candidate",
    "CardFit",
    "Choice",
    "CurveFit",
    "Drift",
    "Fit",
    "FitError",
    "JointFit",
    "Points",
    "PulseNoise",
    "Readings",
    "all_readings",
    "as_mixture",
    "band_of",
    "choose_law",
    "drift",
    "fit_card",
    "fit_curves",
    "fit_law",
    "project_exponential_mixture",
    "pulse_noise",
    "select_branches",
]
