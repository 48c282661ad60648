"""NeuroSim's form of a branch: one exponential between the ends of the conductance range.

NeuroSim (MLP+NeuroSim V3.0 `Cell.cpp` and `formula.cpp`, DNN+NeuroSim V2.1 `train.py`) draws

    G(P) = G_min + B (1 - exp(-P / A)),    B = (G_max - G_min) / (1 - exp(-P_max / A)).

An LTP pulse raises P by one on the LTP curve, an LTD pulse lowers it by one on the LTD curve. With
A > 0 the curve bends up from the straight line, with A < 0 down: LTP that saturates has a positive
sign and LTD that falls fast at first a negative one.

NeuroSim's users state a label instead of A, from -9 to 9, which its `getParamA` looks up. The
900 numbers of that table follow one rule: the label is the largest distance of the normalised
curve from the straight line, at a right angle to it, in units of 0.07 (`label_of_a`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from device_models.errors import InputError

FloatArray = NDArray[np.float64]

DISTANCE_PER_LABEL = 0.07
MAX_LABEL = 9.0
LABELS_PER_UNIT = 100
"""NeuroSim cuts labels off at 0.01, which moves a curve by at most 0.001 of the range."""


@dataclass(frozen=True)
class NeuroSimBranch:
    """One branch as NeuroSim draws it, and how far that is from the card.

    `label`: NL_LTP or NL_LTD; `rms_error`, `max_error`: NeuroSim's curve less the card's at every
    pulse, over the conductance range [1]; `n_levels`: pulses from one end of the branch to the
    other, NeuroSim's maxNumLevelLTP or maxNumLevelLTD [1].
    """

    label: float
    rms_error: float
    max_error: float
    n_levels: int = 0


def label_of_a(a: ArrayLike) -> FloatArray:
    """Nonlinearity label [1] of the normalised A = A / P_max [1], any shape but zero, signed.

    The normalised curve is furthest from the straight line where its slope is 1, at
    a ln(b / a) with b = 1 / (1 - exp(-1 / a)), and there it is b - a - a ln(b / a) above it.
    """
    size = np.abs(np.asarray(a, dtype=float))
    b = -1 / np.expm1(-1 / size)
    above = b - size - size * np.log(b / size)
    result: FloatArray = np.sign(a) * above / (math.sqrt(2) * DISTANCE_PER_LABEL)
    return result


@cache
def a_of_label(label: float) -> float:
    """Normalised A [1] of a nonlinearity label, what NeuroSim's `getParamA` looks up.

    Raises InputError for a label outside of -9 to 9 or closer to 0 than 0.01, NeuroSim's smallest.
    """
    size = abs(label)
    if not 1 / LABELS_PER_UNIT <= size <= MAX_LABEL:
        raise InputError(
            f"a nonlinearity label has a size from {1 / LABELS_PER_UNIT:g} to {MAX_LABEL:g}, "
            f"got {label:g}"
        )
    log_a = brentq(lambda x: float(label_of_a(math.exp(x))) - size, math.log(1e-3), math.log(1e3))
    return math.copysign(math.exp(log_a), label)


def normalised_curve(a: ArrayLike, position: ArrayLike) -> FloatArray:
    """(G - G_min) / (G_max - G_min) at P / P_max = `position` from 0 to 1; shapes broadcast."""
    a = np.asarray(a, dtype=float)
    result: FloatArray = np.expm1(-np.asarray(position) / a) / np.expm1(-1 / a)
    return result


def fit_branch(position: ArrayLike, share: ArrayLike) -> NeuroSimBranch:
    """Best branch for shares of the range (n,) at positions P / P_max (n,), least squares.

    Every label that NeuroSim tells apart is tried, so the fit is the best there is.
    """
    labels, a = _all_labels()
    error = normalised_curve(a[:, None], position) - np.asarray(share)
    rms = np.sqrt(np.mean(error**2, axis=1))
    best = int(np.argmin(rms))
    return NeuroSimBranch(float(labels[best]), float(rms[best]), float(np.max(np.abs(error[best]))))


@cache
def _all_labels() -> tuple[FloatArray, FloatArray]:
    """Every label NeuroSim tells apart, and its normalised A; 2 x 900 each."""
    size = np.arange(1, round(MAX_LABEL * LABELS_PER_UNIT) + 1) / LABELS_PER_UNIT
    labels = np.concatenate([-size[::-1], size])
    return labels, np.array([a_of_label(float(label)) for label in labels])


def label_per_log_a(label: float) -> float:
    """Change of the label per relative change of A, central difference."""
    a, h = a_of_label(label), 1e-4
    return float(label_of_a(a * (1 + h)) - label_of_a(a * (1 - h))) / (2 * h)
