"""Fig. 1d: resistance against successive polarising voltages of 1 s."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.paper.figures.canvas import BLACK, ORANGE, canvas
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Resistance at 10 mV [ohm] on a logarithmic axis against the pulse amplitude [V]."""
    figure, (axes,) = canvas("Fig. 1d: successive 1 s pulses, 10 K")
    voltage, resistance = measured.loop_1d
    half = len(voltage) // 2
    axes.semilogy(
        voltage[: half + 1], resistance[: half + 1], "o-", color=BLACK, ms=3, label="+3 V to -3 V"
    )
    axes.semilogy(
        voltage[half:], resistance[half:], "s--", color=ORANGE, ms=3, label="-3 V to +3 V"
    )
    rcr = (resistance.max() / resistance.min() - 1) * 100
    axes.text(0.03, 0.86, f"RCR = {rcr:.0f} %", transform=axes.transAxes, fontsize=9)
    axes.set(xlabel="$V_P$ [V]", ylabel="Resistance at +10 mV [Ω]")
    axes.legend(fontsize=8, loc="center left")
    return figure
