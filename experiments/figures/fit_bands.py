"""Bands around a curve: its 95 % confidence, scatter of cycles and devices, data beside tile."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from device_models.fit import Band
from experiments.figures.style import COLOURS
from experiments.fitting.confidence import confidence
from experiments.fitting.fit_report import Report, curve_covariance

TILE, DATA = COLOURS[1], COLOURS[2]


def draw_bands(axes: Axes, report: Report, i: int, factor: float) -> None:
    """Bands of curve `i`: of the fit, of the measured scatter, and of the tile."""
    fit = report.fit
    branch, law = fit.branches[i], fit.laws[i]
    n = np.linspace(0, branch.end, 200)
    half, middle = confidence(law, curve_covariance(fit, i), n), law(n)
    axes.fill_between(
        n,
        factor * (middle - half),
        factor * (middle + half),
        color=DATA,
        alpha=0.3,
        lw=0,
        label="95 % confidence of the curve",
    )
    if not report.checks:
        return
    check = report.checks[i]
    _edges(axes, check.data_band, factor, DATA, "data, mean ± std of")
    inside = check.pulses <= branch.end
    axes.plot(
        check.pulses[inside],
        factor * check.mean[inside],
        "--",
        color=TILE,
        lw=1.1,
        label="tile built from the card, mean",
    )
    known = np.isfinite(check.data_band.device_std) | np.isfinite(check.data_band.cycle_std)
    if known.any():
        _edges(axes, check.band, factor, TILE, "tile, mean ± std of", branch.end)


def _edges(
    axes: Axes, band: Band, factor: float, colour: str, label: str, last: float = np.inf
) -> None:
    """Thin lines one standard deviation of cycles and devices together away from the mean."""
    parts = {"cycles": band.cycle_std, "devices": band.device_std}
    known = {name: std for name, std in parts.items() if np.isfinite(std).any()}
    if not known:
        return
    std = np.sqrt(sum(np.nan_to_num(s) ** 2 for s in known.values()))
    inside = band.pulses <= last
    for sign in (-1, 1):
        axes.plot(
            band.pulses[inside],
            factor * (band.mean + sign * std)[inside],
            ":",
            color=colour,
            lw=0.9,
            label=f"{label} {' and '.join(known)}" if sign > 0 else None,
        )
