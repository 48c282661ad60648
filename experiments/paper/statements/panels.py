"""The figures' rows of the ledger (section 2), checked on the compact model."""

from __future__ import annotations

import numpy as np
from scipy.stats import linregress

from device_models.junction import MemristorParameters, fluorine_in_coo, tmr
from experiments.paper.measurements import FIG3_PAIR, Measurements, states_tmr
from experiments.paper.statements.electrical import first_shares, high_and_span
from experiments.paper.statements.magnetic import (
    as_stated,
    field_correlation,
    switching_field,
    tmr_of_either_sign,
)
from experiments.paper.statements.rows import Outcome, Rows, judged
from experiments.paper.statements.stdp import stdp_outcome, superposed

ROWS = Rows()
P = MemristorParameters()
NETWORK = "network, not device: python -m experiments.train and tests/test_models.py"


@ROWS.row("fig 1a,b", "T", "stack and motion of F", "+ : F at LSMO, R high; - : F in CoO, R low")
def _1ab(m: Measurements) -> Outcome:
    high, low = m.polarised(2.0), m.polarised(-2.0)
    shares = [float(fluorine_in_coo(d.state, m.reading.immobile)) for d in (high, low)]
    return judged(
        shares[0] < 0.1 < 0.5 < shares[1] and high.resistance_ohm() > low.resistance_ohm(),
        f"F in CoO {shares[0]:.0%} after +2 V, {shares[1]:.0%} after -2 V",
    )


@ROWS.row(
    "fig 1c",
    "T",
    "I-V of three states",
    "nonlinear; abs(I)(-2 V) > abs(I)(+2 V) at every bias; ratio at 10 mV ≤ 111",
)
def _1c(m: Measurements) -> Outcome:
    bias, low, high = m.iv_bias_V, np.abs(m.iv["-2 V"]), np.abs(m.iv["+2 V"])
    on = bias != 0
    nonlinear = low[-1] / bias[-1] / (low[31] / bias[31])
    ratio = np.mean([low[i] / high[i] for i in (29, 31)])
    return judged(
        bool(np.all(low[on] > high[on])) and ratio <= 111 and nonlinear > 1.05,
        f"ratio at 10 mV {ratio:.1f}; G(0.3 V)/G(10 mV) = {nonlinear:.2f}",
        "the unpolarised curve is put between: its place is not in the text",
    )


@ROWS.row(
    "fig 1d",
    "T",
    "R against successive V_P (1 s)",
    "closed; monotone on each branch; last 0.4 V change ln R < 5 %; RCR 1.1e4 % ± 10 %",
)
def _1d(m: Measurements) -> Outcome:
    voltage, resistance = m.loop_1d
    half, log_r = len(voltage) // 2, np.log(resistance)
    span = np.ptp(log_r)
    plateaus = max(abs(log_r[half] - log_r[half - 4]), abs(log_r[-1] - log_r[-5])) / span
    monotone = np.diff(log_r[: half + 1]).max() < 1e-9 and np.diff(log_r[half:]).min() > -1e-9
    closed = abs(log_r[-1] - log_r[0]) / span
    rcr = (np.exp(span) - 1) * 100
    return judged(
        closed < 1e-3 and monotone and plateaus < 0.05 and abs(rcr / 1.1e4 - 1) < 0.1,
        f"plateaus change {plateaus:.2%}, loop open by {closed:.1e}, RCR {rcr:.4g} %",
    )


@ROWS.row(
    "fig 1e",
    "T",
    "R(H), ±2 kG, after -2.4 V",
    "R(±2 kG) the maximum; first jump at 90 ± 10 G; sweeps mirror; TMR of P and AP -43.9 ± 1 %",
)
def _1e(m: Measurements) -> Outcome:
    sweep, at = m.sweep_1e, switching_field(m)
    mirror = np.abs(sweep.up_ohm / sweep.down_ohm[::-1] - 1).max()
    value = float(tmr(m.polarised(-2.4).state))
    high = sweep.up_ohm[-1] == sweep.up_ohm.max() == sweep.up_ohm[0]
    return judged(
        as_stated(value) and high and abs(at - 90) <= 10 and mirror < 1e-9,
        f"TMR {value:.1%}, jump at {at:.0f} G, sweeps differ by {mirror:.0e}",
    )


@ROWS.row(
    "fig 1e, curve", "T", "TMR read off the curve's extremum", "extremum of R(H) at -43.9 ± 1 %"
)
def _1e_curve(m: Measurements) -> Outcome:
    value, highest = m.sweep_1e.tmr, m.device().electrodes.sweep(m.sweep_1e.field_G).max()
    return judged(as_stated(value), f"{value:.1%}; p_AP up to {highest:.3f}")


@ROWS.row("fig 1f", "T", "R(H) at -0.8, -1.2, -1.3 V", "TMR > 0, abs < 2 %, < 0; all abs < 43.9 %")
def _1f(m: Measurements) -> Outcome:
    values = [s.tmr for s in m.sweeps_1f.values()]
    signs = values[0] > 0.02 and abs(values[1]) < 0.02 and values[2] < -0.02
    return judged(signs and max(map(abs, values)) < 0.439, ", ".join(f"{v:+.1%}" for v in values))


@ROWS.row(
    "fig 2a",
    "T",
    "LTP -0.8 V, LTD +1.5 V, 10 ms",
    "strictly monotone; no pulse > 30 % of the ln R change; inside (R_L, R_H)",
)
def _2a(m: Measurements) -> Outcome:
    branches = [np.log(m.resistance(s) / P.r_low_ohm) for s in m.loop_2a.branches.values()]
    steps = [np.diff(b) / (b[-1] - b[0]) if b[-1] != b[0] else np.zeros(64) for b in branches]
    largest, smallest = max(s.max() for s in steps), min(s.min() for s in steps)
    inside = min(b.min() for b in branches) > 0
    inside &= max(b.max() for b in branches) < np.log(P.resistance_ratio)
    return judged(smallest > 0 and largest < 0.3 and inside, f"largest step {largest:.1%}")


@ROWS.row(
    "fig 2b,c",
    "T",
    "R(H) at several pulse numbers",
    "TMR > 0 at n = 0..64, both branches; R(+2 kG) the same after a sweep",
)
def _2bc(m: Measurements) -> Outcome:
    sweeps = [s for branch in m.sweeps_2bc for s in branch.values()]
    lowest = min(s.tmr for s in sweeps)
    every = states_tmr(m.loop_2a).min()
    change = max(abs(s.up_ohm[-1] - s.down_ohm[-1]) for s in sweeps)
    return judged(lowest > 0 and every > 0 and change == 0, f"min {lowest:+.1%}; change {change:g}")


@ROWS.row("fig 3a", "T", "R(H) after +2 V and -1.3 V", "TMR(+2 V) > 0 > TMR(-1.3 V)")
def _3a(m: Measurements) -> Outcome:
    return tmr_of_either_sign(m)


@ROWS.row(
    "fig 3b",
    "T",
    "repeated LTD/LTP loops",
    "end points of cycles ≥ 2 repeat within 2 %; RCR larger than at +1.5/-1.0 and +1.5/-0.8 V",
)
def _3b(m: Measurements) -> Outcome:
    change, slow = _end_changes(m.repeated_3b)[1:].max(), _end_changes(m.repeated_from_lrs)[1:]
    rcr = {pair: np.ptp(np.log(m.resistance(loop.ltp))) for pair, loop in m.cycles.items()}
    larger = rcr[FIG3_PAIR] > max(rcr[-1.0, 1.5], rcr[-0.8, 1.5])
    return judged(
        change < 0.02 and larger,
        f"{change:.1e} in the limit cycle; RCR {np.expm1(rcr[FIG3_PAIR]):.0%}",
        "from full LRS the ends still move by "
        + ", ".join(f"{c:.1%}" for c in slow)
        + " in cycles 3 to 5: the limit cycle is the reading (many loops before)",
    )


@ROWS.row(
    "fig 3c,d",
    "T",
    "LTD, LTP at 8 fields; R(H) at fixed n",
    "16 monotone curves; correlation with the TMR curve ≥ 0.95; order inverts where TMR = 0",
)
def _3cd(m: Measurements) -> Outcome:
    monotone = bool(
        np.all(np.diff(m.field_curves["LTD"]) > 0) and np.all(np.diff(m.field_curves["LTP"]) < 0)
    )
    number = sum(len(c) for c in m.field_curves.values())
    lowest = field_correlation(m)
    branches = m.cycles[FIG3_PAIR].branches
    inverts = all(_inverts(m.field_curves[b], states) for b, states in branches.items())
    return judged(
        monotone and number == 16 and lowest >= 0.95 and inverts,
        f"{number} curves, correlation ≥ {lowest:.4f}, order {'inverts' if inverts else 'stays'}",
    )


@ROWS.row("fig 4a", "T", "spike waveforms", "SI amplitudes; single spike dG = 0")
def _4a(m: Measurements) -> Outcome:
    pre, post = m.spikes
    given = (pre.rect_V, pre.slope_V, post.rect_V, post.slope_V)
    return judged(
        given == (1.0, -0.67, 0.67, -1.0) and m.single_spikes == (0, 0),
        f"{given} V; dG/G {m.single_spikes[0]:.1%}, {m.single_spikes[1]:.1%}",
    )


@ROWS.row(
    "fig 4b",
    "T",
    "dG/G against the delay, P and AP",
    "sign of the delay; non-increasing for abs ≥ w; AP/P > 1; 0 beyond 50 ms; 0 at 0",
)
def _4b(m: Measurements) -> Outcome:
    outcome = stdp_outcome(m)
    if np.abs(m.stdp[:, len(m.delays_s) // 2]).max() > 1e-9:
        return Outcome("fail", "not 0 at delay 0; " + outcome.value)
    return outcome


for figure, content in {
    "fig 5a,b": "network architecture",
    "fig 6a": "accuracy of Baseline, SET1, SET2",
    "fig 6b": "SET2 at two learning rates",
    "fig 6c": "seconds per epoch against the learning rate",
    "fig 6d": "SET1 and SET2 at 1e-4",
    "fig 6e": "seconds per epoch against the number of curves",
    "fig 6f": "SET2 with TMR 10, 20, 100 %",
}.items():
    ROWS.untestable(figure, "T", content, NETWORK)

ROWS.untestable("fig S1,S2", "T", "AFM, STEM-EELS", "images; the 75/25 split is row G8")


@ROWS.row("fig S3", "T", "three pairs", "first 4 LTP pulses' share of ln R: -1.5 > -1.0 > -0.8 V")
def _s3(m: Measurements) -> Outcome:
    shares = first_shares(m)
    return judged(shares[0] > shares[1] > shares[2], ", ".join(f"{s:.0%}" for s in shares))


@ROWS.row("fig S4", "T", "three pairs", "range (c) > (a); HRS(c) > HRS(a), (b)")
def _s4(m: Measurements) -> Outcome:
    high, span = high_and_span(m)
    return judged(
        span[2] > span[0] and high[2] > max(high[:2]),
        f"range x {span[2]:.1f} > {span[0]:.1f}; HRS {high[2]:.0f} > {max(high[:2]):.0f} R_L",
    )


@ROWS.row(
    "fig S5",
    "T",
    "100 cycles, 100 min",
    "bands apart; no trend (p > 0.05, or below 1e-4 in all); retention drift < 1 %",
)
def _s5(m: Measurements) -> Outcome:
    high, low = m.endurance_ohm[1:].T
    trend = max(_trend(high), _trend(low))
    drift = np.abs(m.retention_ohm / m.retention_ohm[0] - 1).max()
    rcr = (high[-1] / low[-1] - 1) * 100
    return judged(
        high.min() > low.max() and trend < 1e-4 and drift < 0.01,
        f"RCR {rcr:.0f} %, trend {trend:.1e} over 99 cycles, drift {drift:.2%}",
        "no noise in the model by default, so the trend is its size, not its significance",
    )


@ROWS.row("fig S6", "T", "superposition at ±10 ms", "max +2.00 V, min -1.34 V")
def _s6(m: Measurements) -> Outcome:
    return superposed(m)


for figure, content in {
    "fig S7": "seconds per epoch",
    "fig S8": "accuracy against the number of curves",
    "fig S9": "noise control",
    "fig S10": "loss curves",
}.items():
    ROWS.untestable(figure, "T", content, NETWORK)


def _end_changes(loops: np.ndarray) -> np.ndarray:
    """Largest relative change of either end point from one cycle to the next."""
    ends = loops[:, [63, 127]]
    return np.abs(np.diff(ends, axis=0) / ends[:-1]).max(axis=1)


def _inverts(curves: np.ndarray, states: np.ndarray) -> bool:
    """The order over the fields turns round exactly where the TMR changes sign."""
    positive = tmr(states) > 0
    middle = curves[3] > curves[0]
    return bool(np.array_equal(middle, positive) and positive.any() and not positive.all())


def _trend(values: np.ndarray) -> float:
    """Relative change over all cycles of a straight line through them; 0 where it is noise."""
    fit = linregress(np.arange(len(values)), values / values.mean())
    return 0.0 if fit.pvalue > 0.05 else float(abs(fit.slope) * len(values))
