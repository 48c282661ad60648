"""Fig. 3a: R(H) after +2 V and after -1.3 V pulses of 10 ms: TMR of either sign."""

from __future__ import annotations

from matplotlib.figure import Figure

from device_models.reconstruct import LTD_V, LTP_V, N_PULSES
from experiments.paper.figures.canvas import canvas, draw_sweep, name_sweep
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Two panels, one a polarisation: resistance [Mohm] against field [kG]."""
    figure, panels = canvas("Fig. 3a: R(H) after 10 ms pulses, 10 K", 2, 1, (5.2, 5.0))
    for axes, voltage, sweep in zip(panels, (LTD_V, LTP_V), measured.sweeps_3a, strict=True):
        draw_sweep(axes, sweep)
        axes.set_title(
            f"{N_PULSES} pulses of {voltage:+g} V, TMR (curve) = {sweep.tmr:+.1%}", fontsize=9
        )
        axes.set_ylabel("R at +10 mV [MΩ]")
        axes.ticklabel_format(useOffset=False)
    name_sweep(panels[0])
    panels[0].legend(fontsize=8)
    panels[-1].set_xlabel("Field [kG]")
    return figure
