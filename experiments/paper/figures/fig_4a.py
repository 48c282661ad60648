"""Fig. 4a: the pre- and post-synaptic spike."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from experiments.paper.figures.canvas import BLACK, ORANGE, canvas
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Voltage [V] against time [ms]; the post-synaptic spike as it reaches the device, inverted."""
    figure, panels = canvas("Fig. 4a: spikes", 2, 1, (5.2, 4.6))
    pre, post = measured.spikes
    rows = ((panels[0], pre, 1, "pre", BLACK), (panels[1], post, -1, "post, inverted", ORANGE))
    for axes, spike, sign, name, colour in rows:
        voltage = sign * np.array([0, spike.rect_V, spike.rect_V, spike.slope_V, 0, 0])
        time_s = np.array([0, 0, spike.rect_s, spike.rect_s, spike.length_s, 0.06])
        axes.plot(time_s * 1e3, voltage, color=colour, label=name)
        axes.axhline(0, color="grey", lw=0.7)
        axes.set_ylabel("Voltage [V]")
        axes.legend(fontsize=8)
    panels[-1].set_xlabel("Time [ms]")
    return figure
