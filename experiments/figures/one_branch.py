"""One branch alone: readings and curve with its confidence band, and the step of a pulse."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.plain_text import one_line
from device_models.plotting import si_scale
from experiments.figures.style import COLOURS
from experiments.fitting.confidence import confidence
from experiments.fitting.one_branch import BranchFit, OneBranch

MAX_POINTS = 3000


def draw_one_branch(found: OneBranch) -> Figure:
    """Response and steps side by side, one curve a field."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    title = f"{one_line(Path(found.data.source).name)}: {found.name} only"
    figure.suptitle("\n".join(textwrap.wrap(title, 100)[:2]), fontsize=10, parse_math=False)
    response, steps = figure.subplots(1, 2)
    unit, factor = si_scale(found.curves[0].unit, max(abs(c.high) for c in found.curves))
    for i, curve in enumerate(found.curves):
        colour = COLOURS[(2 + i) % len(COLOURS)]
        _response(response, curve, colour, factor, several=len(found.curves) > 1)
        n = np.arange(curve.branch.end + 1)
        values = factor * curve.law(n)
        steps.plot(values[:-1], np.diff(values), color=colour, lw=1.4)
    response.set_xlabel(f"{found.name} pulse number")
    response.set_ylabel(f"Conductance [{unit}]")
    steps.set_xlabel(f"Conductance [{unit}]")
    steps.set_ylabel(f"Step of one pulse [{unit}]")
    for axes in (response, steps):
        axes.grid(alpha=0.3)
    response.legend(fontsize=7)
    return figure


def _response(axes: Axes, curve: BranchFit, colour: str, factor: float, *, several: bool) -> None:
    branch = curve.branch
    shown = slice(None, None, 1 + len(branch.values) // MAX_POINTS)
    axes.plot(branch.pulses[shown], factor * branch.values[shown], ".", color="0.4", ms=4)
    n = np.linspace(0, branch.end, 300)
    middle, half = curve.law(n), confidence(curve.law, curve.covariance, n)
    edges = factor * (middle - half), factor * (middle + half)
    axes.fill_between(n, *edges, color=colour, alpha=0.3, lw=0)
    name = f"{branch.field_G:g} G" if several else curve.law.name.replace("_", " ")
    axes.plot(n, factor * middle, color=colour, lw=1.4, label=f"{name}, 95 % confidence")
