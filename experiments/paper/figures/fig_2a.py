"""Fig. 2a: LTP with -0.8 V and LTD with +1.5 V, 10 ms, at relatively low resistance."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from experiments.paper.figures.canvas import BLACK, MEGA, ORANGE, canvas
from experiments.paper.measurements import Measurements
from experiments.paper.reading import FIG2_PAIRS


def draw(measured: Measurements) -> Figure:
    """Resistance [Mohm] against the pulse number of either branch."""
    ltp_V, ltd_V = FIG2_PAIRS[measured.reading.fig2_pair]
    figure, (axes,) = canvas("Fig. 2a: LTP and LTD, 10 ms, 10 K")
    loop = measured.loop_2a
    n = np.arange(len(loop.ltp))
    ltp, ltd = measured.resistance(loop.ltp) * MEGA, measured.resistance(loop.ltd) * MEGA
    axes.plot(n, ltp, "o", color=BLACK, ms=3, label=f"LTP, {ltp_V:+g} V")
    axes.plot(n, ltd, "s", color=ORANGE, ms=3, label=f"LTD, {ltd_V:+g} V")
    axes.set(xlabel="Pulse number", ylabel="Resistance at +10 mV [MΩ]")
    axes.legend(fontsize=8)
    return figure
