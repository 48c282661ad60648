"""Fig. 1e: R(H) after -2.4 V of 1 s, with the magnetizations of the four plateaus."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device_models.junction import CO, LSMO, sweep_magnetization
from experiments.paper.figures.canvas import BLACK, MEGA, ORANGE, canvas, draw_sweep, name_sweep
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Resistance [Mohm] against field [kG], sweep directions as in the paper."""
    figure, (axes,) = canvas("Fig. 1e: R(H) after -2.4 V (1 s), 10 K", size=(6.0, 4.2))
    sweep = measured.sweep_1e
    draw_sweep(axes, sweep)
    low, high = sweep.up_ohm.min() * MEGA, sweep.up_ohm.max() * MEGA
    for field_G, direction in ((-1500.0, -1), (-180.0, -1), (180.0, +1), (1500.0, +1)):
        _insets(axes, field_G, direction, high if abs(field_G) > 1000 else low, high - low)
    axes.text(0.02, 0.05, f"TMR (curve) = {sweep.tmr:.1%}", transform=axes.transAxes, fontsize=9)
    axes.set(
        xlabel="Field [kG]",
        ylabel="Resistance at +10 mV [MΩ]",
        ylim=(low - 0.22 * (high - low), high + 0.22 * (high - low)),
    )
    name_sweep(axes)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def _insets(axes: Axes, field_G: float, direction: int, y: float, span: float) -> None:
    """Arrows of Co over LSMO at one plateau."""
    names = []
    for name, layer in (("Co", CO), ("LSMO", LSMO)):
        arrow = "→" if sweep_magnetization(field_G, layer, direction) > 0 else "←"
        names.append(f"{name} {arrow}")
    above = abs(field_G) > 1000
    axes.text(
        field_G / 1e3 if above else field_G / 1e3 * 2.6,
        y + (0.03 if above else -0.03) * span,
        "\n".join(names),
        ha="center",
        va="bottom" if above else "top",
        fontsize=8,
        color=BLACK if direction < 0 else ORANGE,
    )
