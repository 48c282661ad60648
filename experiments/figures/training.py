"""Accuracy and loss against the epoch, one line a variant with the spread of its seeds."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.figures.style import COLOURS

MARKERS = ("o", "s", "^", "v")
"""Tell lines apart whose colours are the same."""

History = list[dict[str, float]]


def draw_training(histories: dict[str, list[History]], test_name: str = "Test") -> Figure:
    """Figure of test accuracy [%] and training loss; `histories`: runs of each variant."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    looks = ((colour, marker) for marker in cycle(MARKERS) for colour in COLOURS)
    for (label, runs), (colour, marker) in zip(histories.items(), looks, strict=False):
        _line(accuracy, label, runs, "test_accuracy", colour, marker, 100)
        _line(accuracy, "", runs, "test_accuracy_batch_statistics", colour, "", 100)
        _line(loss, label, runs, "train_loss", colour, marker, 1)
    loss.plot([], [], ":", color="grey", label="accuracy with\nbatch statistics")
    accuracy.set(xlabel="Epoch", ylabel=f"{test_name} accuracy [%]")
    loss.set(xlabel="Epoch", ylabel="Training loss (cross entropy) [nat]")
    figure.legend(*loss.get_legend_handles_labels(), fontsize=8, loc="outside right center")
    longest = max(len(run) for runs in histories.values() for run in runs)
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
        axes.set_xlim(0.5, longest + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


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
