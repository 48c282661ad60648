"""Fig. 2b, c: R(H) after several pulse numbers of LTP and of LTD; the TMR stays positive."""

from __future__ import annotations

from matplotlib import colormaps
from matplotlib.figure import Figure

from experiments.paper.figures.canvas import MEGA, canvas, draw_sweep, name_panels
from experiments.paper.measurements import FIG2_PULSES, Measurements
from experiments.paper.reading import FIG2_PAIRS


def draw(measured: Measurements) -> Figure:
    """Resistance [Mohm] against field [kG]; full lines: falling field, dashed: rising."""
    figure, panels = canvas("Fig. 2b, c: R(H) along the pulses, 10 K", 1, 2, (9.0, 4.0))
    pair = FIG2_PAIRS[measured.reading.fig2_pair]
    for axes, sweeps, voltage in zip(panels, measured.sweeps_2bc, pair, strict=True):
        for i, (n, sweep) in enumerate(sweeps.items()):
            colour = colormaps["viridis"](0.9 * i / (len(FIG2_PULSES) - 1))
            draw_sweep(axes, sweep, (colour, colour))
            label = f"{n} pulses, TMR {sweep.tmr:+.1%}"
            axes.annotate(
                label,
                (2.0, sweep.up_ohm[-1] * MEGA),
                (0, 2),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=7,
                color="black",
            )
        axes.set_title(f"{voltage:+g} V, 10 ms", fontsize=9)
        axes.set_xlabel("Field [kG]")
    panels[0].set_ylabel("Resistance at +10 mV [MΩ]")
    name_panels(panels, "bc")
    return figure
