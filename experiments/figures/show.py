"""The readings as they were understood, LTP and LTD side by side, before any fit."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from device_models.plain_text import one_line
from device_models.plotting import si_scale
from device_models.pulses import PulseData
from experiments.command.quantities import spans_decades
from experiments.figures.style import COLOURS

MOST_LINES = 300
MOST_NAMED = 8


def draw_readings(data: PulseData) -> Figure:
    """Every segment as a line of points; colours tell devices apart, or cycles of one device."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    title = textwrap.wrap(one_line(Path(data.source).name), 100)
    figure.suptitle("\n".join(title[:2]), fontsize=10, parse_math=False)
    panels = figure.subplots(1, max(len(data.branches), 1), sharey=True, squeeze=False)[0]
    values = np.concatenate([s.values for s in data.segments])
    unit, factor = si_scale(data.unit, float(np.abs(values).max()))
    groups = _groups(data)
    for axes, branch in zip(panels, data.branches, strict=True):
        _draw(axes, data, branch, groups, factor)
        if spans_decades(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    panels[0].set_ylabel(f"{data.quantity.capitalize()} [{unit}]")
    return figure


def _groups(data: PulseData) -> dict[str, str]:
    """Colour of each label: of devices, or of cycles where there is one device."""
    labels = [_label(data, i) for i in range(len(data.segments))]
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(labels))}


def _label(data: PulseData, index: int) -> str:
    segment = data.segments[index]
    if len(data.conditions) > 1:
        return segment.condition
    if len(data.devices) > 1:
        return f"device {segment.device}"
    return f"cycle {segment.cycle}"


def _draw(axes: Axes, data: PulseData, branch: str, groups: dict[str, str], factor: float) -> None:
    own = [i for i, s in enumerate(data.segments) if s.branch == branch]
    named: set[str] = set()
    for i in own[:: 1 + len(own) // MOST_LINES]:
        segment, label = data.segments[i], _label(data, i)
        legend = label if label not in named and len(named) < MOST_NAMED else None
        named.add(label)
        axes.plot(
            segment.pulses,
            factor * segment.values,
            ".-",
            ms=3,
            lw=0.6,
            color=groups[label],
            label=None if legend is None else one_line(legend)[:40],
        )
    axes.set_title(f"{branch}, {len(own)} {'segment' if len(own) == 1 else 'segments'}", fontsize=9)
    axes.set_xlabel(f"{branch} pulse number")
    axes.grid(alpha=0.3)
    if len(groups) > 1:
        for text in axes.legend(fontsize=7).get_texts():
            text.set_parse_math(False)
