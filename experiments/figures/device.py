"""LTP and LTD conductance curves of a device card at its fields."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from device_models import DeviceCard
from device_models.card import BRANCHES


def draw_device(card: DeviceCard) -> Figure:
    """Figure of conductance against pulse number for each branch, one line a field [G]."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    pulses = np.arange(card.n_pulses + 1)
    micro = card.conductance_unit == "S"
    fields = card.fields_G
    for axes, branch in zip(figure.subplots(1, 2, sharey=True), BRANCHES, strict=True):
        for i, field_G in enumerate(fields):
            colour = colormaps["viridis"](0.9 * i / max(len(fields) - 1, 1))
            value = card.conductance(branch, pulses, field_G) * (1e6 if micro else 1)
            axes.plot(pulses, value, color=colour, lw=1.2, label=f"{field_G:g} G")
        axes.set(xlabel=f"{branch} pulse number", title=f"{branch} ({card.kind})")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("Conductance [µS]" if micro else "Conductance [arb. unit]")
    figure.axes[1].legend(title="Field", fontsize=8, title_fontsize=8)
    return figure
