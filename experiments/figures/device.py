"""LTP and LTD conductance curves of a device card at its fields."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from device_models import DeviceCard
from device_models.card import BRANCHES


def draw_device(card: DeviceCard) -> Figure:
    """Conductance against pulse number for each branch, one line a field [G].

    With several fields a second row shows the change that the field makes [%].
    """
    rows = 2 if len(card.fields_G) > 1 else 1
    figure = Figure(figsize=(9, 1 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
    pulses = np.arange(card.n_pulses + 1)
    micro = 1e6 if card.conductance_unit == "S" else 1.0
    for column, branch in enumerate(BRANCHES):
        without_field = card.conductance(branch, pulses, card.fields_G[0])
        for i, field_G in enumerate(card.fields_G):
            colour = colormaps["viridis"](0.9 * i / max(len(card.fields_G) - 1, 1))
            value = card.conductance(branch, pulses, field_G)
            panels[0, column].plot(pulses, micro * value, color=colour, label=f"{field_G:g} G")
            if rows == 2:
                change = 100 * (value / without_field - 1)
                panels[1, column].plot(pulses, change, color=colour)
        panels[0, column].set_title(f"{branch} ({card.kind})")
        panels[-1, column].set_xlabel(f"{branch} pulse number")
    unit = "µS" if micro > 1 else "arb. unit"
    panels[0, 0].set_ylabel(f"Conductance [{unit}]")
    if rows == 2:
        panels[1, 0].set_ylabel(f"Change from {card.fields_G[0]:g} G [%]")
    panels[0, 1].legend(title="Field", fontsize=8, title_fontsize=8)
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    return figure
