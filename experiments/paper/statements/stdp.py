"""Rows S1 to S5: the spikes, their superposition, and the plasticity they make."""

from __future__ import annotations

import numpy as np

from device_models.junction import Spike, spike_pair, superpose
from experiments.paper.measurements import Measurements
from experiments.paper.reading import Reading
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()


@ROWS.row(
    "S1", "T", "spike: rectangle, opposite slope, 50 ms; alone below threshold", "dG = 0 exactly"
)
def _s1(m: Measurements) -> Outcome:
    pre, post = m.single_spikes
    shaped = all(s.rect_V * s.slope_V < 0 and s.length_s == 0.05 for s in m.spikes)
    return judged(pre == post == 0 and shaped, f"dG/G {pre:.1%} pre, {post:.1%} post")


@ROWS.row(
    "S2", "T", "+1.0/-0.67 V and +0.67/-1.0 V sum to +2.0/-1.3 V", "max 2.00, min -1.34 V ± 0.005"
)
def superposed(m: Measurements) -> Outcome:
    """The sum of the spikes reaches -1.34 and +2.00 V at delays of 10 ms."""
    low, high = _extremes(*m.spikes)
    return judged(_as_stated(low, high), f"{high:+.2f}, {low:+.2f} V")


@ROWS.row(
    "S3", "T", "Fig. 4 caption: 1.0/1.5 V and 1.5/1.0 V", "single spike below threshold (S1, C2)"
)
def _s3(m: Measurements) -> Outcome:
    readings = ("main", "main_swapped")
    changes = [Measurements(Reading(spikes=reading)).single_spikes for reading in readings]
    moved = all(max(map(abs, pair)) > 0.005 for pair in changes)
    text = "; ".join(f"{a:+.1%} pre, {b:+.1%} post" for a, b in changes)
    return Outcome(
        "contradiction" if moved else "fail",
        f"as printed {text.replace('; ', '; swapped ')}",
        "a single spike switches, against S1: SI Note 5's amplitudes are used (C2)",
    )


@ROWS.row("S4", "T", "dG has the sign of the delay, decays with it, is larger in AP", "as fig 4b")
def stdp_outcome(m: Measurements) -> Outcome:
    """Fig. 4b: signs, decay beyond the rectangle, AP/P > 1, nothing beyond 50 ms."""
    delay, (parallel, anti) = m.delays_s, m.stdp
    width, beyond = m.reading.rect_s, np.abs(m.delays_s) > 0.0501
    inside = (np.abs(delay) < 0.0499) & (delay != 0)
    signs = np.all(np.sign(parallel[inside]) == np.sign(delay[inside]))
    sides = [np.abs(parallel[d >= width - 1e-9]) for d in (delay, -delay)]
    decays = np.all(np.diff(sides[0]) <= 0) and np.all(np.diff(sides[1][::-1]) <= 0)
    ratio = anti[inside] / np.where(parallel[inside] == 0, np.nan, parallel[inside])
    silent = np.abs(m.stdp[:, beyond]).max() < 1e-9
    moved = np.isfinite(ratio)
    at = {t: int(np.argmin(np.abs(delay - t))) for t in (0.010, -0.010)}
    text = ", ".join(
        f"{t * 1e3:+.0f} ms {parallel[i]:+.1%} P {anti[i]:+.1%} AP" for t, i in at.items()
    )
    above = ratio[moved]
    share = f"{above.min():.2f} to {above.max():.2f}" if above.size else "nowhere, nothing moves"
    quiet = np.abs(delay[inside][~moved]).min(initial=np.inf)
    return judged(
        signs and decays and silent and bool(np.all(above > 1)),
        f"{text}; AP/P {share}"
        + (f"; no change from {quiet * 1e3:.1f} ms" if np.isfinite(quiet) else ""),
    )


@ROWS.row("S5", "D", "rectangle of 10 ms, not 5 ms", "at ±10 ms only 10 ms reaches -1.34/+2.00 V")
def _s5(m: Measurements) -> Outcome:
    ten, five = (_extremes(*spike_pair("si", w)) for w in (0.010, 0.005))
    reaches = [_as_stated(*pair) for pair in (ten, five)]
    return judged(
        reaches == [True, False],
        f"10 ms {ten[0]:.2f}/{ten[1]:+.2f} V, 5 ms {five[0]:.2f}/{five[1]:+.2f} V",
    )


def _extremes(pre: Spike, post: Spike) -> tuple[float, float]:
    """Lowest and highest voltage [V] of the pair at delays of ±10 ms."""
    voltages = [superpose(pre, post, delay)[1] for delay in (0.010, -0.010)]
    return float(np.min(voltages)), float(np.max(voltages))


def _as_stated(low_V: float, high_V: float) -> bool:
    return abs(low_V + 1.34) < 0.005 and abs(high_V - 2.0) < 0.005
