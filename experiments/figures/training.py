"""Accuracy and loss against the epoch, one line a variant with the spread of its seeds."""

from __future__ import annotations

import textwrap
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.figures.style import COLOURS

LINE_IN, LEGEND_NAMES, LABEL_WIDTH = 0.17, 40, 36
"""Height [in] of a line of the legend, most variants in it, most characters in a line of it."""

MARKERS = ("o", "s", "^", "v")
"""Tell lines apart whose colours are the same."""

History = list[dict[str, float]]


def draw_training(histories: dict[str, list[History]], test_name: str = "Test") -> Figure:
    """Figure of test accuracy [%] and training loss; `histories`: runs of each variant."""
    names = [_legend_name(label) for label in histories]
    lines = sum(name.count("\n") + 1 for name in names[:LEGEND_NAMES])
    figure = Figure(figsize=(10.5, max(3.6, LINE_IN * (lines + 5))), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    looks = ((colour, marker) for marker in cycle(MARKERS) for colour in COLOURS)
    for name, runs, look in zip(names, histories.values(), looks, strict=False):
        _line(accuracy, name, runs, "test_accuracy", *look, 100)
        _line(accuracy, "", runs, "test_accuracy_batch_statistics", look[0], "", 100)
        _line(loss, name, runs, "train_loss", *look, 1)
    accuracy.set(xlabel="Epoch", ylabel=f"{test_name} accuracy [%]")
    loss.set(xlabel="Epoch", ylabel="Training loss (cross entropy) [nat]")
    _add_legend(figure, loss)
    longest = max(len(run) for runs in histories.values() for run in runs)
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
        axes.set_xlim(0.5, longest + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _legend_name(label: str) -> str:
    """`label` in short lines; matplotlib leaves out of a legend what begins with a low line."""
    name = textwrap.fill(label, LABEL_WIDTH)
    return f" {name}" if name.startswith("_") else name


def _add_legend(figure: Figure, loss: Axes) -> None:
    """Names of the variants beside the panels; a dollar sign in a name is no formula."""
    lines, names = loss.get_legend_handles_labels()
    if len(names) > LEGEND_NAMES:
        rest = len(names) - LEGEND_NAMES
        lines, names = lines[:LEGEND_NAMES], names[:LEGEND_NAMES]
        names[-1] += f"\n(and {rest} more, not named)"
    batch = Line2D([], [], linestyle=":", color="grey")
    legend = figure.legend(
        [*lines, batch],
        [*names, "accuracy with\nbatch statistics"],
        fontsize=8,
        loc="outside right center",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _line(
    axes: Axes,
    label: str,
    runs: list[History],
    key: str,
    colour: str,
    marker: str,
    scale: float,
) -> None:
    """Mean over `runs`, dotted without a `marker`; with one also the range of several runs."""
    epochs = min(len(run) for run in runs)
    values = scale * np.array([[row[key] for row in run[:epochs]] for run in runs])
    x = np.arange(1, epochs + 1)
    style, marker = ("-", marker) if marker else (":", "none")
    axes.plot(x, values.mean(0), style, color=colour, marker=marker, ms=4, label=label or None)
    if len(runs) > 1 and style == "-":
        axes.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
