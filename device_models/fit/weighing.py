"""Weights of readings: how their noise goes with the level, and outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branch import Branch, shape_free
from device_models.fit.noise import (
    GEOMETRIC_DECADES,
    LEAST_SPARE,
    Noise,
    Scatter,
    level_weights,
    noise_over_decades,
    robust_weights,
)
from device_models.fit.points import Points
from device_models.fit.solver import autocorrelation

FloatArray = NDArray[np.float64]

MIN_REPEATS = 3
"""Cycles and devices from which on their scatter is the noise."""

MIN_EVIDENCE = 22
"""Readings of a single cycle from which on what a shape-free curve leaves is noise."""

LARGEST_LEVERAGE = 0.8
LEAST_COLUMN = 1e-6


def weighted(draft: Branch) -> Branch:
    """The branch with the weights that its shape-free curves ask for."""
    noise, fitted = _noise(draft)
    root, values = 1 / noise.std, draft.values
    span = float(np.max(root * fitted) if noise.std.min() < noise.std.max() else np.ptp(values))
    robust = np.ones_like(values)
    if _spare(draft.pilot, values) >= LEAST_SPARE:
        robust = robust_weights(root * (values - fitted), span)
    weights = root**2 * robust
    return replace(
        draft,
        weights=weights / np.mean(root**2),
        n_outliers=int(np.sum(robust < 0.5)),
        noise_growth=float(root.max() / root.min()),
        noise_proven=noise.proven,
    )


def _noise(draft: Branch) -> tuple[Noise, FloatArray]:
    """Noise of each reading, and the shape-free curve that shows it (n,)."""
    points, values, fitted = draft.points(), draft.values, draft.pilot(draft.pulses)
    if values.min() > 0 and points.decades >= GEOMETRIC_DECADES:
        relative = Points(points.pulses, points.values, points.values**-2)
        pilot = shape_free(relative, draft.direction, geometric=True)
        level = pilot(draft.pulses)
        proportional = noise_over_decades(level, *_evidence(draft, pilot))
        if proportional is not None:
            return proportional, level
    return Noise(1 / np.sqrt(level_weights(values - fitted, fitted)), proven=True), fitted


def _evidence(draft: Branch, geometric: Law) -> tuple[Scatter, Scatter] | tuple[None, None]:
    """Scatter around curves with errors of one size and in proportion, where it shows noise.

    That of readings at the same pulse number, else of white residuals of many.
    """
    if len(draft.clusters) >= MIN_REPEATS:
        points = draft.points()
        means = np.interp(draft.pulses, points.pulses, points.values)
        around = Scatter(means, draft.values - means)
        return around, around
    if len(draft.values) < MIN_EVIDENCE:
        return None, None
    n, values = draft.pulses, draft.values
    scatters = [Scatter(law(n), values - law(n)) for law in (draft.pilot, geometric)]
    relative = scatters[1].residual / scatters[1].level
    for own in (scatters[0].residual, relative):
        if autocorrelation(own) > 2 / np.sqrt(len(own)):
            return None, None
    held = _leverage(draft.pilot, n, 1.0), _leverage(geometric, n, 1 / scatters[1].level)
    # A reading that a curve goes through whatever its value says nothing about noise.
    free = np.max(held, axis=0) < LARGEST_LEVERAGE
    constant, proportional = (
        Scatter(s.level[free], s.residual[free] / np.sqrt(1 - h[free]))
        for s, h in zip(scatters, held, strict=True)
    )
    return constant, proportional


def _leverage(law: Law, pulses: FloatArray, root: FloatArray | float) -> FloatArray:
    """How far a fitted curve follows each single reading (n,), 0 to 1."""
    columns = np.broadcast_to(root, pulses.shape)[:, None] * law.jacobian(pulses)
    sizes = np.linalg.norm(columns, axis=0)
    used = sizes > LEAST_COLUMN * sizes.max()
    axes = np.linalg.qr(columns[:, used] / sizes[used])[0]
    result: FloatArray = np.clip(np.sum(axes**2, axis=1), 0.0, 1.0)
    return result


def _spare(pilot: Law, values: FloatArray) -> float:
    """Share of the readings beyond the coordinates of a curve."""
    return max(1 - len(pilot.theta_names) / len(values), 0.0)
