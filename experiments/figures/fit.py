"""One page that shows a fit: data and curves, residuals, step against state, what was found."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.card import BRANCHES
from device_models.fit import CardFit
from device_models.fit.branches import Branch
from device_models.plain_text import one_line
from device_models.plotting import si_scale
from experiments.figures.style import COLOURS
from experiments.fit_report import TileCheck, choice_lines, parameter_lines, spread_text

MAX_POINTS = 3000
STEP_BINS = 14
MAX_TEXT_LINES = 27


def draw_fit(fit: CardFit, checks: list[TileCheck]) -> Figure:
    """The report as one A4 page."""
    figure = Figure(figsize=(8.27, 11.69), layout="constrained")
    # A stranger's title is text, not mathematics.
    title = textwrap.wrap(f"{one_line(fit.card.title)} ({fit.card.kind})", 90)
    figure.suptitle("\n".join(title[:2]), fontsize=11, parse_math=False)
    grid = figure.add_gridspec(4, 2, height_ratios=[2.6, 1.1, 1.9, 3.4])
    largest = max(float(np.abs(b.values).max()) for b in fit.branches)
    unit, factor = si_scale(fit.card.unit, largest)
    for column, name in enumerate(BRANCHES):
        top = figure.add_subplot(grid[0, column])
        below = figure.add_subplot(grid[1, column], sharex=top)
        steps = figure.add_subplot(grid[2, column])
        for i, branch in enumerate(fit.branches):
            if branch.branch == name:
                colour = _colour(fit, branch)
                _response(top, fit, i, colour, factor, checks)
                _residuals(below, fit, i, colour)
                _steps(steps, fit, i, colour, factor)
        top.set_title(name, fontsize=10)
        below.axhline(0, color="0.4", lw=0.8)
        below.set_xlabel(f"{name} pulse number")
        steps.set_xlabel(f"Conductance [{unit}]")
        steps.axhline(0, color="0.4", lw=0.8)
        if column == 0:
            top.set_ylabel(f"Conductance [{unit}]")
            below.set_ylabel("Residual\n[% of range]")
            steps.set_ylabel(f"Step of one pulse\n[{unit}]")
        for axes in (top, below, steps):
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
        top.legend(fontsize=7, ncols=2 if len(fit.card.fields_G) > 3 else 1)
        if len(fit.card.fields_G) == 1:
            steps.legend(fontsize=7)
    _text(figure.add_subplot(grid[3, :]), fit)
    return figure


def _colour(fit: CardFit, branch: Branch) -> object:
    fields = fit.card.fields_G
    if len(fields) == 1:
        return COLOURS[2]
    return colormaps["viridis"](0.9 * fields.index(branch.field_G) / (len(fields) - 1))


def _response(
    axes: Axes, fit: CardFit, i: int, colour: object, factor: float, checks: list[TileCheck]
) -> None:
    branch, law = fit.branches[i], fit.laws[i]
    shown = slice(None, None, 1 + len(branch.values) // MAX_POINTS)
    several = len(fit.card.fields_G) > 1
    axes.plot(
        branch.pulses[shown],
        factor * branch.values[shown],
        ".",
        color=colour if several else "0.6",
        ms=2.5,
        alpha=0.5,
        label=None if several else "data",
    )
    n = np.linspace(0, branch.pulses.max(), 400)
    label = f"{branch.field_G:g} G" if several else f"fit: {law.name.replace('_', ' ')}"
    axes.plot(n, factor * law(n), color=colour, lw=1.4, label=label)
    if checks and not several:
        inside = checks[i].pulses <= branch.pulses.max()
        axes.plot(
            checks[i].pulses[inside],
            factor * checks[i].mean[inside],
            "--",
            color=COLOURS[1],
            lw=1.1,
            label="tile built from the card, mean",
        )


def _residuals(axes: Axes, fit: CardFit, i: int, colour: object) -> None:
    branch, law = fit.branches[i], fit.laws[i]
    points = branch.points()
    span = float(np.ptp(law(points.pulses)))
    share = 100 * (points.values - law(points.pulses)) / span
    shown = slice(None, None, 1 + len(share) // MAX_POINTS)
    axes.plot(points.pulses[shown], share[shown], ".", color=colour, ms=2.5)


def _steps(axes: Axes, fit: CardFit, i: int, colour: object, factor: float) -> None:
    """Measured mean step in bins of the state, and the step of the curve."""
    branch, law = fit.branches[i], fit.laws[i]
    several = len(fit.card.fields_G) > 1
    n = np.arange(branch.pulses.max() + 1)
    curve = law(n)
    axes.plot(
        factor * curve[:-1],
        factor * np.diff(curve),
        color=colour,
        lw=1.4,
        label=None if several else "fit",
    )
    state, change = [], []
    for own in branch.rows:
        pulses, values = branch.pulses[own], branch.values[own]
        next_one = np.diff(pulses) == 1
        # The state before a pulse as the curve has it: a reading's own noise would bend the bins.
        state.append(law(pulses[:-1][next_one]))
        change.append(np.diff(values)[next_one])
    x, y = np.concatenate(state), np.concatenate(change)
    if len(x) < STEP_BINS:
        return
    edges = np.linspace(x.min(), x.max(), STEP_BINS + 1)
    bins = np.clip(np.digitize(x, edges) - 1, 0, STEP_BINS - 1)
    filled = [b for b in range(STEP_BINS) if np.sum(bins == b) > 0]
    middle = [factor * x[bins == b].mean() for b in filled]
    mean = [factor * y[bins == b].mean() for b in filled]
    error = [factor * y[bins == b].std() / np.sqrt(np.sum(bins == b)) for b in filled]
    axes.errorbar(
        middle,
        mean,
        error,
        fmt="o",
        ms=3,
        lw=0.8,
        color=colour,
        mfc="white",
        label=None if several else "data, mean ± standard error",
    )


def _text(axes: Axes, fit: CardFit) -> None:
    axes.set_axis_off()
    lines = []
    for i, curve in enumerate(fit.card.curves):
        if i >= 2 and len(fit.card.curves) > 2:
            lines.append(f"{len(fit.card.curves) - 2} more curves: see the text report")
            break
        lines.append(f"{curve.branch} at {curve.field_G:g} G: {'; '.join(parameter_lines(fit, i))}")
    lines += [f"Law of {line}" for line in choice_lines(fit)]
    lines += [line[0].upper() + line[1:] for line in spread_text(fit)]
    lines += [f"Warning: {warning}" for warning in fit.warnings]
    wrapped = [part for line in lines for part in textwrap.wrap(line, 118, subsequent_indent="   ")]
    if len(wrapped) > MAX_TEXT_LINES:
        left = len(wrapped) - MAX_TEXT_LINES + 1
        wrapped = [*wrapped[: MAX_TEXT_LINES - 1], f"... {left} more lines in the text report"]
    axes.text(
        0,
        1,
        "\n".join(wrapped),
        fontsize=7.2,
        va="top",
        family="monospace",
        transform=axes.transAxes,
        parse_math=False,
    )
