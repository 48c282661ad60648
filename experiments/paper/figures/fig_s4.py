"""Fig. S4: repeated loops for three amplitude pairs, 10 ms, on one scale."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.paper.figures.canvas import canvas, name_panels
from experiments.paper.figures.pulse_loops import draw_loops
from experiments.paper.measurements import S4_PAIRS, Measurements


def draw(measured: Measurements) -> Figure:
    """Three panels, one an amplitude pair: resistance [Mohm], logarithmic, along three loops."""
    figure, panels = canvas("Fig. S4: repeated loops, 10 ms", 1, 3, (11.0, 3.6))
    for axes, pair in zip(panels, S4_PAIRS, strict=True):
        draw_loops(axes, measured.loops_ohm(pair, 3), pair)
        axes.set(yscale="log", ylim=(0.2, 25))
    panels[0].set_ylabel("Resistance at +10 mV [MΩ]")
    name_panels(panels, "abc")
    return figure
