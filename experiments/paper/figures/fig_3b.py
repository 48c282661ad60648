"""Fig. 3b: repeated LTD/LTP loops with +2 V and -1.3 V, 10 ms."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.paper.figures.canvas import MEGA, canvas
from experiments.paper.figures.pulse_loops import draw_loops
from experiments.paper.measurements import FIG3_PAIR, Measurements


def draw(measured: Measurements) -> Figure:
    """Resistance [Mohm] along five loops of 64 + 64 pulses."""
    figure, (axes,) = canvas("Fig. 3b: repeated loops, 10 ms, 10 K", size=(6.4, 3.6))
    draw_loops(axes, measured.repeated_3b, FIG3_PAIR)
    axes.set_ylabel("Resistance at +10 mV [MΩ]")
    axes.set_ylim(0, 1.25 * measured.repeated_3b.max() * MEGA)
    return figure
