"""Fig. 4b: relative conductance change against the delay of the two spikes, P and AP."""

from __future__ import annotations

from matplotlib.figure import Figure

from device_models.junction import superpose
from experiments.paper.figures.canvas import BLACK, BLUE, ORANGE, canvas
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """dG/G [%] against the delay [ms]; insets: the voltage [V] at -10 and +10 ms."""
    figure, (axes,) = canvas("Fig. 4b: STDP", size=(6.8, 4.4))
    delay_ms = measured.delays_s * 1e3
    for change, name, colour, style in zip(
        measured.stdp * 100, ("P", "AP"), (BLACK, ORANGE), ("o-", "s--"), strict=True
    ):
        axes.plot(delay_ms, change, style, color=colour, ms=3, lw=1, label=name)
    axes.axhline(0, color="grey", lw=0.7)
    axes.axvline(0, color="grey", lw=0.7)
    low, high = measured.stdp.min() * 100, measured.stdp.max() * 100
    span = high - low
    axes.set(xlabel="Delay Δt [ms]", ylabel="ΔG/G [%]", ylim=(low - 0.1 * span, high + 0.45 * span))
    axes.legend(fontsize=8, loc="lower left")
    for delay_s, box in ((-0.010, (0.09, 0.72, 0.3, 0.2)), (0.010, (0.64, 0.13, 0.32, 0.24))):
        inset = axes.inset_axes(box)
        time_s, voltage = superpose(*measured.spikes, delay_s)
        inset.plot(time_s * 1e3, voltage, color=BLUE, lw=1)
        inset.set_title(f"Δt = {delay_s * 1e3:+.0f} ms", fontsize=7)
        inset.set_xlabel("Time [ms]", fontsize=7, labelpad=1)
        inset.set_ylabel("V [V]", fontsize=7, labelpad=1)
        inset.tick_params(labelsize=6)
    return figure
