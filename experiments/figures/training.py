"""Accuracy and loss against the epoch, one line a variant with the spread of its seeds."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.figures.style import COLOURS

History = list[dict[str, float]]


def draw_training(histories: dict[str, list[History]], test_name: str = "Test") -> Figure:
    """Figure of test accuracy [%] and training loss; `histories`: runs of each variant."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    for (label, runs), colour in zip(histories.items(), cycle(COLOURS), strict=False):
        _line(accuracy, label, runs, "test_accuracy", colour, 100)
        _line(accuracy, "", runs, "test_accuracy_batch_statistics", colour, 100, style=":")
        _line(loss, label, runs, "train_loss", colour, 1)
    loss.plot([], [], ":", color="grey", label="accuracy with batch statistics")
    accuracy.set(xlabel="Epoch", ylabel=f"{test_name} accuracy [%]")
    loss.set(xlabel="Epoch", ylabel="Training loss (cross entropy) [nat]")
    loss.legend(fontsize=8, loc="upper right")  # losses fall: this corner stays free
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
    scale: float,
    style: str = "-",
) -> None:
    epochs = min(len(run) for run in runs)
    values = scale * np.array([[row[key] for row in run[:epochs]] for run in runs])
    x = np.arange(1, epochs + 1)
    marker = "o" if style == "-" else None
    axes.plot(x, values.mean(0), style, color=colour, marker=marker, ms=3, label=label or None)
    if len(runs) > 1 and label:
        axes.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
