"""Rows E1 to E19: pulses, states, endurance and retention."""

from __future__ import annotations

import numpy as np

from device_models.junction import Memristor, MemristorParameters, resistance_ohm
from experiments.paper.measurements import FIG3_PAIR, S3_PAIRS, S4_PAIRS, Measurements
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()
P = MemristorParameters()


@ROWS.row("E1", "T", "V > 0 leads to HRS, V < 0 to LRS", "R rises with V > 0, falls with V < 0")
def _e1(m: Measurements) -> Outcome:
    middle = m.device(0.5).resistance_ohm()
    high, low = (m.polarised(v, fluorine=0.5).resistance_ohm() for v in (2.0, -2.0))
    return judged(low < middle < high, f"+2 V: x {high / middle:.2f}, -2 V: x {low / middle:.3f}")


@ROWS.row("E2", "T", "RCR up to 1.1e4 % (R_H/R_L = 111)", "max RCR = 1.1e4 % ± 10 %")
def _e2(m: Measurements) -> Outcome:
    rcr = _rcr(m.loop_1d[1])
    return judged(abs(rcr / 1.1e4 - 1) < 0.1, f"{rcr:.4g} %")


@ROWS.row("E3", "T", "I-V differs unpolarised, +2 V, -2 V (1 s)", "three separate curves")
def _e3(m: Measurements) -> Outcome:
    currents = np.sort([i[-1] for i in m.iv.values()])
    ratios = currents[1:] / currents[:-1]
    return judged(
        ratios.min() > 1.5, f"currents at 0.3 V apart by x {ratios[0]:.1f}, {ratios[1]:.1f}"
    )


@ROWS.row(
    "E4", "T", "R gradual with successive 1 s amplitudes", "≥ 5 levels in 5-95 % of ln R each way"
)
def _e4(m: Measurements) -> Outcome:
    voltage, resistance = m.loop_1d
    share = np.log(resistance / resistance.min()) / np.log(resistance.max() / resistance.min())
    half = len(voltage) // 2
    levels = [int(np.sum((s > 0.05) & (s < 0.95))) for s in (share[: half + 1], share[half:])]
    return judged(min(levels) >= 5, f"{levels[0]} levels down, {levels[1]} up (steps of 0.1 V)")


@ROWS.row("E5", "T", "states by pulse width and amplitude", "R falls with either, no two equal")
def _e5(m: Measurements) -> Outcome:
    by_width = [state_after(-1.2, t) for t in (0.01, 0.1, 1.0, 10.0)]
    by_amplitude = [state_after(v, 1.0) for v in (-0.8, -1.0, -1.2, -1.4)]
    rising = min(np.diff(by_width).min(), np.diff(by_amplitude).min())
    return judged(rising > 0.01, f"state steps by at least {rising:.3f}")


@ROWS.row(
    "E6", "D", "2450: 1 V/s ramps, -2.4 V lasts 5.8 s", "pulse with ramp = that trapezoid, 1e-9"
)
def _e6(m: Measurements) -> Outcome:
    corners_s = np.cumsum([0, 2.4, 1.0, 2.4])
    voltages_V = [0, -2.4, -2.4, 0]
    drawn, ramped = Memristor(), Memristor()
    drawn.apply_waveform(corners_s, voltages_V)
    ramped.pulse(-2.4, 1.0, ramp_V_per_s=1.0)
    difference = np.abs(drawn.sites - ramped.sites).max()
    states = state_after(-1.2, 1.0, ramp=1.0), state_after(-1.2, 1.0)
    return judged(
        difference < 1e-9 and corners_s[-1] == 5.8,
        f"lasts {corners_s[-1]:.1f} s; -1.2 V gives s = {states[0]:.3f} against {states[1]:.3f}",
    )


@ROWS.row(
    "E7",
    "T",
    "Fig. 2: -0.8/+1.5 V, 10 ms, at relatively low resistance",
    "both directions move; R < (R_L + R_H)/2 throughout",
)
def _e7(m: Measurements) -> Outcome:
    ratio = m.resistance(np.concatenate([m.loop_2a.ltp, m.loop_2a.ltd])) / P.r_low_ohm
    span = ratio.max() / ratio.min()
    return judged(
        ratio.max() < (1 + P.resistance_ratio) / 2 and span > 1.05,
        f"R from {ratio.min():.1f} to {ratio.max():.1f} R_L",
    )


@ROWS.row(
    "E8", "T", "64 initialising pulses, then reversed", "train of 64 goes back where it came from"
)
def _e8(m: Measurements) -> Outcome:
    ltp, ltd = m.loop_2a.ltp, m.loop_2a.ltd
    return judged(
        len(ltp) == len(ltd) == 65 and ltp[-1] > ltp[0] and ltd[-1] < ltd[0],
        f"64 pulses: s {ltp[0]:.3f} to {ltp[-1]:.3f}, {ltd[0]:.3f} to {ltd[-1]:.3f}",
    )


@ROWS.row(
    "E9", "T", "+2/-1.3 V chosen to maximise the variation", "largest RCR of all pairs of S3, S4"
)
def _e9(m: Measurements) -> Outcome:
    rcr = {pair: _rcr(m.resistance(loop.ltp)) for pair, loop in m.cycles.items()}
    second = max(v for pair, v in rcr.items() if pair != FIG3_PAIR)
    return judged(rcr[FIG3_PAIR] > second, f"{rcr[FIG3_PAIR]:.0f} %, next {second:.0f} %")


@ROWS.row(
    "E10",
    "T",
    "-1.5 V rapidly to LRS, -1.0 V gradual, -0.8 V clear LTP",
    "share of ln R change in the first 4 pulses: -1.5 > -1.0 > -0.8 V",
)
def _e10(m: Measurements) -> Outcome:
    shares = first_shares(m)
    text = ", ".join(f"{pair[0]:g} V {s:.0%}" for pair, s in zip(S3_PAIRS, shares, strict=True))
    return judged(shares[0] > shares[1] > shares[2], text)


@ROWS.row(
    "E11", "T", "S4: +2/-1.3 V has the higher HRS and range", "HRS(c) > HRS(a), (b); range likewise"
)
def _e11(m: Measurements) -> Outcome:
    high, span = high_and_span(m)
    return judged(
        high[2] > max(high[:2]) and span[2] > max(span[:2]),
        "HRS/R_L "
        + ", ".join(f"{h:.0f}" for h in high)
        + "; range x "
        + ", ".join(f"{s:.1f}" for s in span),
    )


@ROWS.row(
    "E12", "T", "near LRS more F changes R little", "5 % of F moves R < 1/10 as far as near HRS"
)
def _e12(m: Measurements) -> Outcome:
    r = resistance_ohm(np.array([0.0, 0.05, 0.95, 1.0]))
    ratio = (r[2] - r[3]) / (r[0] - r[1])
    return judged(ratio < 0.1, f"{ratio:.3f} of the change near HRS")


@ROWS.row(
    "E13", "T", "threshold around +2.0 / -1.3 V", "nothing moves below (contradicts E7, E10; C5)"
)
def _e13(m: Measurements) -> Outcome:
    moved = [abs(state_after(v, 0.64, start=0.5) - 0.5) for v in (1.5, -0.8)]
    return Outcome(
        "contradiction" if min(moved) > 0.01 else "fail",
        f"64 pulses move s by {moved[0]:.2f} at +1.5 V and {moved[1]:.2f} at -0.8 V",
        "a hard threshold there leaves Figs. 2 and S3 without LTP and LTD: read as the operating "
        "amplitudes (C5)",
    )


@ROWS.row(
    "E14",
    "T",
    "shorter pulses need more volts; higher and longer saturate faster",
    "first-pulse share grows with both; 0.5 ms needs > 0 V more than 10 ms",
)
def _e14(m: Measurements) -> Outcome:
    base, higher, longer = (
        state_after(v, t) for v, t in ((-1.3, 0.01), (-1.5, 0.01), (-1.3, 0.05))
    )
    extra_V = P.v_slope_V * np.log(0.010 / 0.0005)
    same = abs(state_after(-1.3 - extra_V, 0.0005) - base)
    return judged(
        base < min(higher, longer) and same < 1e-12 and extra_V > 0,
        f"{base:.1%}; -1.5 V {higher:.1%}; 50 ms {longer:.1%}; 0.5 ms needs {extra_V:.2f} V more",
    )


@ROWS.row(
    "E15",
    "T",
    "100 cycles of +1.8/-2.0 V keep both states",
    "change from cycle 2 to 100 < 1 % (T = 11 K is not in the model)",
)
def _e15(m: Measurements) -> Outcome:
    drift = np.abs(m.endurance_ohm[-1] / m.endurance_ohm[1] - 1).max()
    return judged(drift < 0.01, f"{drift:.2%}")


@ROWS.row("E16", "T", "states kept 100 min after ±1.9 V", "drift at 10 mV < 1 %")
def _e16(m: Measurements) -> Outcome:
    drift = np.abs(m.retention_ohm[-1] / m.retention_ohm[0] - 1).max()
    return judged(drift < 0.01, f"{drift:.2%}")


@ROWS.row("E17", "T", "no STP or STD, no relaxation by itself", "nothing moves in 1e6 s at 0 V")
def _e17(m: Measurements) -> Outcome:
    device = m.polarised(-1.2)
    before = device.sites.copy()
    device.pulse(0.0, 1e6)
    device.wait(1e6)
    change = np.abs(device.sites - before).max()
    return judged(change == 0, f"{change:g}")


@ROWS.row("E18", "T", "read at +10 mV (10 K)", "1e6 s of reading move nothing; T not in the model")
def _e18(m: Measurements) -> Outcome:
    device = m.polarised(-1.2)
    before = device.sites.copy()
    device.pulse(0.010, 1e6)
    change = np.abs(device.sites - before).max()
    return judged(change == 0, f"{change:g}")


ROWS.untestable(
    "E19",
    "T",
    "absolute R and I, pulses in Fig. 3, I-V range, spreads, temperature dependence",
    "absent from the paper: assumed or left at 0 here",
)


def first_shares(m: Measurements) -> list[float]:
    """Share of the LTP branch's change of ln R that its first 4 pulses make, Fig. S3's pairs."""
    branches = [np.log(m.resistance(m.cycles[pair].ltp)) for pair in S3_PAIRS]
    return [float((r[0] - r[4]) / (r[0] - r[-1])) for r in branches]


def high_and_span(m: Measurements) -> tuple[list[float], list[float]]:
    """HRS over R_L, and HRS over LRS, for the pairs of Fig. S4."""
    curves = [m.resistance(m.cycles[pair].ltp) for pair in S4_PAIRS]
    return [r.max() / P.r_low_ohm for r in curves], [r.max() / r.min() for r in curves]


def state_after(
    voltage_V: float, width_s: float, start: float = 0.0, ramp: float | None = None
) -> float:
    """State after one pulse [V], [s] from the state `start`, with `ramp` [V/s] if any."""
    device = Memristor(fluorine=start)
    device.pulse(voltage_V, width_s, ramp_V_per_s=ramp)
    return float(device.state)


def _rcr(resistance: np.ndarray) -> float:
    return float((resistance.max() / resistance.min() - 1) * 100)
