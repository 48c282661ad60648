"""Fig. S5: endurance over 100 cycles and retention over 100 minutes, with their RCR."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.curves import FloatArray
from experiments.paper.figures.canvas import BLACK, BLUE, OCHRE, canvas, name_panels
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Upper: R [ohm] against cycle (a) and time (c); lower: RCR [%] (b, d)."""
    figure, panels = canvas("Fig. S5: endurance and retention", 2, 2, (9.0, 6.0))
    endurance, retention = measured.endurance_ohm, measured.retention_ohm
    cycle, minute = np.arange(1.0, len(endurance) + 1), np.arange(float(len(retention)))
    _states(panels[0], cycle, endurance, ("+1.8 V", "-2.0 V"))
    _states(panels[1], minute, retention, ("+1.9 V", "-1.9 V"))
    for axes, x, values in ((panels[2], cycle, endurance), (panels[3], minute, retention)):
        rcr = (values[:, 0] / values[:, 1] - 1) * 100
        axes.plot(x, rcr, "o", color=BLACK, ms=2)
        axes.set(ylabel="RCR [%]", ylim=(0, 1.3 * rcr.max()))
    for axes in panels[::2]:
        axes.set_xlabel("Cycle")
    for axes in panels[1::2]:
        axes.set_xlabel("Time [min]")
    name_panels(panels, "acbd")
    return figure


def _states(axes: Axes, x: FloatArray, values: FloatArray, names: tuple[str, str]) -> None:
    for column, name, colour, marker in zip(values.T, names, (OCHRE, BLUE), "os", strict=True):
        axes.semilogy(x, column, marker, color=colour, ms=2, label=f"{name}, 1 s")
    axes.set_ylabel("Resistance at +10 mV [Ω]")
    axes.legend(fontsize=8, loc="center right", markerscale=2)
