"""What all reconstructed figures share: the label that says so, units and the sweep's two lines."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from experiments.figures.style import COLOURS
from experiments.paper.measurements import FieldSweep

LABEL = "reconstructed (model)"
BLACK, ORANGE, BLUE, GREEN, PINK, OCHRE = COLOURS[:6]
MEGA = 1e-6


def canvas(
    title: str, rows: int = 1, columns: int = 1, size: tuple[float, float] = (5.2, 3.8)
) -> tuple[Figure, list[Axes]]:
    """A figure with its title, the label and `rows` x `columns` panels in reading order."""
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{title}, {LABEL}", fontsize=10)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    return figure, list(panels.flat)


def name_panels(panels: Sequence[Axes], names: str) -> None:
    """Letters of the paper's panels, at the upper left outside the axes."""
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(f"({name})", loc="left", fontsize=10)


def draw_sweep(
    axes: Axes, sweep: FieldSweep, colours: tuple[ColorType, ColorType] = (BLACK, ORANGE)
) -> None:
    """R(H) of one sweep: falling field full, rising field dashed; H in kG."""
    axes.plot(sweep.field_G / 1e3, sweep.down_ohm * MEGA, color=colours[0], lw=1.3)
    axes.plot(sweep.field_G / 1e3, sweep.up_ohm * MEGA, "--", color=colours[1], lw=1.3)


def name_sweep(axes: Axes) -> None:
    """Names of a sweep's two lines in their default colours, for the legend."""
    axes.plot([], [], color=BLACK, label="falling field")
    axes.plot([], [], "--", color=ORANGE, label="rising field")
