"""Repeated LTP/LTD loops on one axis, as Figs. 3b, S3 and S4 show them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from device_models.curves import FloatArray
from experiments.paper.figures.canvas import BLACK, MEGA, ORANGE


def draw_loops(axes: Axes, loops_ohm: FloatArray, pair_V: tuple[float, float]) -> None:
    """R [Mohm] against the running pulse number; `loops_ohm` (loops, 2 n): LTP then LTD."""
    half = loops_ohm.shape[1] // 2
    number = np.arange(loops_ohm.size).reshape(loops_ohm.shape)
    ends = ((slice(None, half), BLACK, "LTP", "o"), (slice(half, None), ORANGE, "LTD", "s"))
    for (part, colour, name, marker), voltage in zip(ends, pair_V, strict=True):
        axes.plot(
            number[:, part].ravel(),
            loops_ohm[:, part].ravel() * MEGA,
            marker,
            color=colour,
            ms=1.8,
            label=f"{name}, {voltage:+g} V",
        )
    axes.set_xlabel("Pulse number")
    axes.legend(fontsize=7, loc="upper right", markerscale=2)
