"""Fig. 1c: I-V curves unpolarised and after +2 V and -2 V of 1 s."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from experiments.paper.figures.canvas import BLACK, BLUE, ORANGE, canvas
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Current [nA] against bias [mV], and its magnitude on a logarithmic scale."""
    figure, (linear, logarithmic) = canvas("Fig. 1c: I-V, 10 K", 1, 2, (8.4, 3.6))
    bias_mV = measured.iv_bias_V * 1e3
    styles = ((BLACK, "-"), (ORANGE, "--"), (BLUE, "-."))
    for (name, current), (colour, style) in zip(measured.iv.items(), styles, strict=True):
        label = name if name == "unpolarised" else f"{name} (1 s)"
        linear.plot(bias_mV, current * 1e9, style, color=colour, label=label)
        magnitude = np.where(bias_mV == 0, np.nan, abs(current)) * 1e9
        logarithmic.semilogy(bias_mV, magnitude, style, color=colour, label=label)
    linear.set(xlabel="Bias [mV]", ylabel="Current [nA]")
    logarithmic.set(xlabel="Bias [mV]", ylabel="|Current| [nA]")
    linear.legend(fontsize=8)
    return figure
