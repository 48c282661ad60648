"""Fig. 3c, d: LTD and LTP curves at eight fields; below, R against field at fixed pulse number."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.curves import FloatArray
from device_models.reconstruct import FIELDS_G
from experiments.paper.figures.canvas import MEGA, canvas, name_panels
from experiments.paper.measurements import FIG3_PAIR, Measurements

PULSES = (0, 1, 2, 4, 16, 64)


def draw(measured: Measurements) -> Figure:
    """Upper: R [Mohm] against pulse number, one line a field; lower: R/R(0 G) against field [G]."""
    figure, panels = canvas("Fig. 3c, d: LTD and LTP at eight fields, 10 K", 2, 2, (9.0, 6.6))
    for column, (branch, voltage) in enumerate((("LTD", FIG3_PAIR[1]), ("LTP", FIG3_PAIR[0]))):
        curves = measured.field_curves[branch]
        upper, lower = panels[column], panels[2 + column]
        _against_pulses(upper, curves)
        upper.set_title(f"{branch}, {voltage:+g} V, 10 ms", fontsize=9)
        _against_field(lower, curves)
    panels[0].set_ylabel("Resistance at +10 mV [MΩ]")
    panels[2].set_ylabel("R(H) / R(0 G)")
    panels[1].legend(fontsize=7, title="Field", title_fontsize=7, ncols=2)
    panels[3].legend(fontsize=7, title="Pulse number", title_fontsize=7, ncols=2, loc="upper left")
    name_panels(panels[:2], "cd")
    return figure


def _against_pulses(axes: Axes, curves: FloatArray) -> None:
    for i, (field_G, curve) in enumerate(zip(FIELDS_G, curves, strict=True)):
        colour = colormaps["viridis"](0.9 * i / (len(FIELDS_G) - 1))
        axes.plot(np.arange(curve.size), curve * MEGA, color=colour, lw=1.2, label=f"{field_G:g} G")
    axes.set(xlabel="Pulse number", yscale="log")


def _against_field(axes: Axes, curves: FloatArray) -> None:
    for i, n in enumerate(PULSES):
        colour = colormaps["cividis"](0.9 * i / (len(PULSES) - 1))
        axes.plot(FIELDS_G, curves[:, n] / curves[0, n], "o-", color=colour, ms=3, label=f"{n}")
    axes.margins(y=0.2)
    axes.set(xlabel="Field [G]")
