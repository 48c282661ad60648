"""Fig. S6: the two spikes, and their sum at delays of -10 and +10 ms."""

from __future__ import annotations

from matplotlib.figure import Figure

from device_models.junction import alone, superpose
from experiments.paper.figures.canvas import BLACK, BLUE, ORANGE, canvas, name_panels
from experiments.paper.measurements import Measurements


def draw(measured: Measurements) -> Figure:
    """Voltage [V] against time [ms]: (a) the spikes, (b) pre minus the delayed post."""
    figure, (spikes, sums) = canvas("Fig. S6: spikes and their superposition", 1, 2, (9.0, 3.8))
    pre, post = measured.spikes
    for spike, name, colour, style in ((pre, "pre", BLACK, "-"), (post, "post", ORANGE, "--")):
        time_s, voltage = alone(spike)
        spikes.plot(time_s * 1e3, voltage, style, color=colour, label=name)
    for delay_s, colour, style in ((0.010, BLUE, "-"), (-0.010, ORANGE, "--")):
        time_s, voltage = superpose(pre, post, delay_s)
        label = f"Δt = {delay_s * 1e3:+.0f} ms: {voltage.min():+.2f} to {voltage.max():+.2f} V"
        sums.plot(time_s * 1e3, voltage, style, color=colour, label=label)
    for axes in (spikes, sums):
        axes.axhline(0, color="grey", lw=0.7)
        axes.set(xlabel="Time [ms]", ylabel="Voltage [V]")
        axes.legend(fontsize=8)
    name_panels((spikes, sums), "ab")
    return figure
