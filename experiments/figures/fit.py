"""One page that shows a fit: what to make of it, data and curves, residuals, steps, details."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from device_models.card import BRANCHES
from device_models.fit import Branch, CardFit
from device_models.plain_text import one_line
from device_models.plotting import si_scale
from experiments.command.quantities import spans_decades
from experiments.command.severity import Severity
from experiments.figures.fit_bands import draw_bands
from experiments.figures.style import COLOURS
from experiments.fitting.fit_report import (
    Report,
    choice_lines,
    conclusion_lines,
    field_lines,
    parameter_lines,
    spread_text,
)
from experiments.fitting.tile_check import range_at

PAGE_IN = (8.27, 11.69)
"""A4 [in]."""

PLOTS_IN = (5.4, 7.5)
"""Least and most of the page for the plots [in]."""

LINE_IN = 0.131
"""Height of a line of text [in]."""

WIDTH = 122
"""Characters of a line of text across the page."""

FONT_SIZE = 7.5
MAX_POINTS = 3000
FEW_POINTS = 60
STEP_BINS = 14
MAX_CONCLUSION = 24
BOX = {Severity.BAD: COLOURS[1], Severity.CARE: COLOURS[5], Severity.NOTE: COLOURS[3]}


def draw_fit(report: Report) -> Figure:
    """The report as one A4 page."""
    conclusion = _cut(conclusion_lines(report, WIDTH), MAX_CONCLUSION)
    top = LINE_IN * (len(conclusion) + 4.5)
    wrapped = detail_lines(report)
    below = PAGE_IN[1] - PLOTS_IN[0] - top
    below = max(min(below, LINE_IN * (len(wrapped) + 2)), PAGE_IN[1] - PLOTS_IN[1] - top)
    figure = Figure(figsize=PAGE_IN, layout="constrained")
    rows = figure.subfigures(3, 1, height_ratios=[top, PAGE_IN[1] - top - below, below])
    head, plots, details = np.ravel(rows)  # type: ignore[arg-type]
    _conclusion(head, report, conclusion, top)
    _plots(plots, report)
    _write(details, _cut(wrapped, int(below / LINE_IN) - 2), 1 - LINE_IN / below)
    return figure


def _conclusion(part: SubFigure, report: Report, lines: Sequence[str], height: float) -> None:
    """Title, and the verdict with the headline in a box whose colour says how good it is."""
    card = report.fit.card
    # A stranger's title is text, not mathematics.
    title = textwrap.wrap(f"{one_line(card.title)} ({card.kind})", 90)
    part.suptitle("\n".join(title[:1]), fontsize=11, parse_math=False)
    worst = report.reasons[0].severity if report.reasons else Severity.NOTE
    _write(part, lines, 1 - 2.8 * LINE_IN / height, BOX[worst])


def detail_lines(report: Report) -> list[str]:
    """Warnings, parameters and spreads, wrapped to the page."""
    fit = report.fit
    lines = [
        f"{'Note' if s == Severity.NOTE else 'Warning'}: {text}" for s, text in report.warnings
    ]
    curves = fit.card.curves
    shown = min(len(curves), 2)
    lines += [f"{curves[i].name}: {'; '.join(parameter_lines(fit, i))}" for i in range(shown)]
    if shown < len(curves):
        lines.append(f"{len(curves) - shown} more curves: see the text report")
    lines += [line.strip() for line in field_lines(fit)]
    lines += [line[0].upper() + line[1:] for line in spread_text(fit)]
    lines += [f"Law of {line}" for line in choice_lines(fit)]
    return [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]


def _cut(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"... {len(lines) - most + 1} more lines in the text report"]


def _write(part: SubFigure, lines: Sequence[str], top: float, box: str | None = None) -> None:
    """Lines of text from `top` down, with true minus signs; `box`: the colour of one around."""
    text = re.sub(r"(?<![\w)-])-(?=[\d.])", "\N{MINUS SIGN}", "\n".join(lines))
    part.text(
        0.035,
        top,
        text,
        fontsize=FONT_SIZE,
        va="top",
        family="monospace",
        linespacing=1.2,
        parse_math=False,
        bbox={"fc": "white", "ec": box, "lw": 1.2, "boxstyle": "round,pad=0.5"} if box else None,
    )


def _plots(part: SubFigure, report: Report) -> None:
    """Response, residuals and steps, LTP left and LTD right."""
    fit = report.fit
    grid = part.add_gridspec(3, 2, height_ratios=[2.6, 1.0, 1.8])
    largest = max(float(np.abs(b.values).max()) for b in fit.branches)
    unit, factor = si_scale(fit.card.unit, largest)
    first: list[Axes] = []
    for column, name in enumerate(BRANCHES):
        top = part.add_subplot(grid[0, column], sharey=first[0] if first else None)
        below = part.add_subplot(grid[1, column], sharex=top, sharey=first[1] if first else None)
        steps = part.add_subplot(grid[2, column])
        first = first or [top, below]
        for i, branch in enumerate(fit.branches):
            if branch.branch == name:
                colour = _colour(fit, branch)
                _response(top, report, i, colour, factor)
                _residuals(below, fit, i, colour)
                _steps(steps, fit, i, colour, factor)
        if spans_decades(np.concatenate([b.values for b in fit.branches])):
            top.set_yscale("log", nonpositive="mask")
        _label(column, name, unit, (top, below, steps), len(fit.card.fields_G))


def _label(
    column: int, name: str, unit: str, panels: tuple[Axes, Axes, Axes], n_fields: int
) -> None:
    """Titles, names of the axes, grids and legends of one branch."""
    top, below, steps = panels
    top.set_title(name, fontsize=10)
    below.axhline(0, color="0.4", lw=0.8)
    below.set_xlabel(f"{name} pulse number", fontsize=9)
    steps.set_xlabel(f"Conductance [{unit}]", fontsize=9)
    steps.axhline(0, color="0.4", lw=0.8)
    if column == 0:
        top.set_ylabel(f"Conductance [{unit}]", fontsize=9)
        below.set_ylabel("Residual\n[% of range]", fontsize=9)
        steps.set_ylabel(f"Step of one pulse\n[{unit}]", fontsize=9)
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
    top.legend(fontsize=6.5, ncols=2 if n_fields > 3 else 1)
    if n_fields == 1:
        steps.legend(fontsize=6.5)


def _colour(fit: CardFit, branch: Branch) -> object:
    fields = fit.card.fields_G
    if len(fields) == 1:
        return COLOURS[2]
    return colormaps["viridis"](0.9 * fields.index(branch.field_G) / (len(fields) - 1))


def _response(axes: Axes, report: Report, i: int, colour: object, factor: float) -> None:
    fit = report.fit
    branch, law = fit.branches[i], fit.laws[i]
    shown = slice(None, None, 1 + len(branch.values) // MAX_POINTS)
    several = len(fit.card.fields_G) > 1
    axes.plot(
        branch.pulses[shown],
        factor * branch.values[shown],
        ".",
        color=colour if several else "0.55",
        ms=2.5 if len(branch.values) > FEW_POINTS else 5,
        alpha=0.5 if len(branch.values) > FEW_POINTS else 1,
        label=None if several else "data",
    )
    n = np.linspace(0, branch.end, 400)
    label = f"{branch.field_G:g} G" if several else f"fit: {law.name.replace('_', ' ')}"
    axes.plot(n, factor * law(n), color=colour, lw=1.4, label=label)
    if not several:
        draw_bands(axes, report, i, factor)


def _residuals(axes: Axes, fit: CardFit, i: int, colour: object) -> None:
    branch, law = fit.branches[i], fit.laws[i]
    points = branch.points()
    share = 100 * (points.values - law(points.pulses)) / range_at(fit.card, branch.field_G)
    shown = slice(None, None, 1 + len(share) // MAX_POINTS)
    axes.plot(points.pulses[shown], share[shown], ".", color=colour, ms=2.5)


def _steps(axes: Axes, fit: CardFit, i: int, colour: object, factor: float) -> None:
    """Measured mean step in bins of the state, and the step of the curve."""
    branch, law = fit.branches[i], fit.laws[i]
    several = len(fit.card.fields_G) > 1
    n = np.arange(branch.end + 1)
    curve = law(n)
    axes.plot(
        factor * curve[:-1],
        factor * np.diff(curve),
        color=colour,
        lw=1.4,
        label=None if several else "fit",
    )
    x, y = _single_steps(fit, i)
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


def _single_steps(fit: CardFit, i: int) -> tuple[np.ndarray, np.ndarray]:
    """State before each pulse and the change it made, where readings are one pulse apart."""
    branch, law = fit.branches[i], fit.laws[i]
    state, change = [np.empty(0)], [np.empty(0)]
    for own in branch.rows:
        pulses, values = branch.pulses[own], branch.values[own]
        next_one = np.diff(pulses) == 1
        # The state before a pulse as the curve has it: a reading's own noise would bend the bins.
        state.append(law(pulses[:-1][next_one]))
        change.append(np.diff(values)[next_one])
    return np.concatenate(state), np.concatenate(change)
