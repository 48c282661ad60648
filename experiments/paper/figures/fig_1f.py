"""Fig. 1f: R(H) after successive -0.8, -1.2 and -1.3 V of 1 s: the TMR changes its sign."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.paper.figures.canvas import MEGA, canvas, draw_sweep, name_sweep
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Three panels, one a polarisation: resistance [Mohm] against field [kG]."""
    figure, panels = canvas("Fig. 1f: R(H) after 1 s pulses, 10 K", 3, 1, (5.2, 6.6))
    for axes, (voltage, sweep) in zip(panels, measured.sweeps_1f.items(), strict=True):
        draw_sweep(axes, sweep)
        middle = float(sweep.up_ohm[-1]) * MEGA
        if abs(sweep.tmr) < 0.02:
            axes.set_ylim(middle * 0.98, middle * 1.02)
        axes.set_title(f"$V_P$ = {voltage:g} V, TMR (curve) = {sweep.tmr:+.1%}", fontsize=9)
        axes.set_ylabel("R at +10 mV [MΩ]")
    name_sweep(panels[0])
    panels[0].legend(fontsize=8)
    panels[-1].set_xlabel("Field [kG]")
    return figure
