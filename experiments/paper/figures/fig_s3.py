"""Fig. S3: LTP and LTD for -1.5, -1.0 and -0.8 V against +1.5 V, 10 ms."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.paper.figures.canvas import MEGA, canvas, name_panels
from experiments.paper.figures.pulse_loops import draw_loops
from experiments.paper.measurements import S3_PAIRS, Measurements


def draw(measured: Measurements) -> Figure:
    """Three panels, one an amplitude pair: resistance [Mohm] along two loops."""
    figure, panels = canvas("Fig. S3: amplitude pairs, 10 ms", 1, 3, (11.0, 3.6))
    for axes, pair in zip(panels, S3_PAIRS, strict=True):
        loops = measured.loops_ohm(pair)
        draw_loops(axes, loops, pair)
        axes.set_ylim(0, 1.3 * loops.max() * MEGA)
    panels[0].set_ylabel("Resistance at +10 mV [MΩ]")
    name_panels(panels, "abc")
    return figure
