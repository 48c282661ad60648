"""Fig. 1a, b: the stack and where the fluorine sits after either polarisation (schematic)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.junction import fluorine_in_coo
from experiments.paper.figures.canvas import BLUE, MEGA, ORANGE, canvas, name_panels
from experiments.paper.measurements import Measurements

LAYERS_NM = (
    ("LSMO", -4, 0, "#c9d7e6"),
    ("PVDF", 0, 3, "#f4ead0"),
    ("CoO", 3, 7, "#e3d3e4"),
    ("Co", 7, 11, "#d5d5d5"),
)
"""Drawn thicknesses: PVDF 2 to 5 nm (G5), CoO about 4 nm (G4); electrodes cut off."""


def draw(measured: Measurements) -> Figure:
    """Fluorine profile [arbitrary unit] against depth [nm] after +2 V and -2 V, 1 s."""
    figure, panels = canvas("Fig. 1a, b: fluorine in the stack (schematic)", 1, 2, (8.4, 3.6))
    for axes, voltage, colour in zip(panels, (2.0, -2.0), (ORANGE, BLUE), strict=True):
        device = measured.polarised(voltage)
        share = float(fluorine_in_coo(device.state, measured.reading.immobile))
        _profile(axes, share, colour)
        axes.set_title(
            f"after {voltage:+g} V (1 s): {share:.0%} of F in CoO\n"
            f"R = {float(device.resistance_ohm()) * MEGA:.3g} MΩ",
            fontsize=9,
        )
    panels[0].set_ylabel("Fluorine [arb. unit]")
    name_panels(panels, "ab")
    return figure


def _profile(axes: Axes, share_in_coo: float, colour: str) -> None:
    """Layers as bands; fluorine as one peak at LSMO/PVDF and one in CoO, by their shares."""
    depth = np.linspace(-4, 11, 400)
    peaks = ((1 - share_in_coo, 0.3, 0.7), (share_in_coo, 5.0, 1.0))
    profile = sum(w * np.exp(-(((depth - c) / s) ** 2) / 2) / s for w, c, s in peaks)
    for name, start, end, shade in LAYERS_NM:
        axes.axvspan(start, end, color=shade, lw=0)
        axes.text((start + end) / 2, 1.62, name, ha="center", fontsize=9)
    axes.plot(depth, profile, color=colour, lw=2)
    axes.grid(visible=False)
    axes.set(xlabel="Depth from the LSMO surface [nm]", xlim=(-4, 11), ylim=(0, 1.8))
