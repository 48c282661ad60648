"""Rows M1 to M9: the TMR, its sign, and the switching of the electrodes."""

from __future__ import annotations

import numpy as np

from device_models.junction import CO, LSMO, sweep_magnetization, tmr
from device_models.reconstruct import FIELDS_G
from experiments.paper.measurements import FIG3_PAIR, Measurements, states_tmr
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()


@ROWS.row(
    "M1", "T", "TMR = -43.9 % after -2.4 V, 1 s (R_AP/R_P = 0.695)", "(R_AP - R_P)/R_AP ± 1 %"
)
def _m1(m: Measurements) -> Outcome:
    device = m.polarised(-2.4)
    parallel, anti = device.aligned_ohm(0.0), device.aligned_ohm(1.0)
    value = float((anti - parallel) / anti)
    return judged(as_stated(value), f"{value:.2%}; R_AP/R_P = {anti / parallel:.3f}")


@ROWS.row(
    "M2", "T", "±2 kG is P and high R; LSMO switches first, at 90 G", "steepest G(H) at 90 ± 10 G"
)
def _m2(m: Measurements) -> Outcome:
    sweep, at = m.sweep_1e, switching_field(m)
    high = np.isclose(sweep.up_ohm[[0, -1]], sweep.up_ohm.max(), rtol=1e-9).all()
    return judged(
        high and abs(at - 90) <= 10, f"{at:.0f} G; R(±2 kG) is {'' if high else 'not '}the maximum"
    )


@ROWS.row("M3", "T", "Co switches after LSMO (coercivity not given)", "m_Co = 0 above m_LSMO = 0")
def _m3(m: Measurements) -> Outcome:
    field = np.arange(0.0, 1000.0)
    lsmo, co = (field[np.argmax(sweep_magnetization(field, x) >= 0)] for x in (LSMO, CO))
    return judged(co > lsmo, f"{lsmo:.0f} G, then {co:.0f} G (Co assumed)")


@ROWS.row(
    "M4", "T", "TMR sign after -0.8, -1.2, -1.3 V (1 s)", "+, abs < 2 %, -; at s = 0.589 zero"
)
def _m4(m: Measurements) -> Outcome:
    values = [float(tmr(s)) for s in m.states_1f.values()]
    text = ", ".join(f"{v:+.1%}" for v in values) + f"; s(-1.2 V) = {m.states_1f[-1.2]:.3f}"
    return judged(values[0] > 0.02 and abs(values[1]) < 0.02 and values[2] < -0.02, text)


@ROWS.row(
    "M5", "T", "abs(TMR) falls in mixed states (LSMO polarisation lost)", "abs < 43.9 % in Fig. 1f"
)
def _m5(m: Measurements) -> Outcome:
    largest = max(abs(float(tmr(s))) for s in m.states_1f.values())
    return judged(largest < 0.439, f"at most {largest:.1%}", "the cause is put into the model")


@ROWS.row("M6", "T", "Fig. 2: TMR > 0 at every pulse number", "min TMR > 0 over both trains")
def _m6(m: Measurements) -> Outcome:
    lowest = states_tmr(m.loop_2a).min()
    return judged(
        lowest > 0,
        f"min {lowest:+.1%}",
        "needs s < 0.59, R > 7 R_L: from full LRS (fig2_start lrs) it fails by the 64th LTP pulse",
    )


@ROWS.row("M7", "T", "Fig. 3: TMR < 0 after -1.3 V, > 0 after +2 V", "signs")
def tmr_of_either_sign(m: Measurements) -> Outcome:
    """Fig. 3a: TMR above 0 after +2 V, below 0 after -1.3 V."""
    high, low = (sweep.tmr for sweep in m.sweeps_3a)
    return judged(high > 0 > low, f"{high:+.1%}, {low:+.1%}")


@ROWS.row(
    "M8", "T", "8 fields, 0 to 350 G: R(H) at fixed n follows the TMR curve", "correlation ≥ 0.95"
)
def _m8(m: Measurements) -> Outcome:
    lowest = field_correlation(m)
    return judged(
        lowest >= 0.95 and len(FIELDS_G) == 8, f"lowest {lowest:.4f}, {len(FIELDS_G)} fields"
    )


@ROWS.row("M9", "T", "R(+2 kG) the same before and after a ±2 kG sweep", "equal, exactly")
def _m9(m: Measurements) -> Outcome:
    sweeps = [s for branch in m.sweeps_2bc for s in branch.values()]
    change = max(abs(s.up_ohm[-1] / s.down_ohm[-1] - 1) for s in sweeps)
    return judged(change == 0, f"{change:g}")


def as_stated(tmr_value: float) -> bool:
    """TMR within 1 % of the -43.9 % of Fig. 1e (M1)."""
    return abs(tmr_value / -0.439 - 1) < 0.01


def switching_field(m: Measurements) -> float:
    """Field [G] after the zero crossing where the conductance of Fig. 1e changes fastest."""
    sweep = m.sweep_1e
    middle = (sweep.field_G[1:] + sweep.field_G[:-1]) / 2
    steps = np.abs(np.diff(1 / sweep.up_ohm)) * (middle > 0)
    return float(middle[steps.argmax()])


def field_correlation(m: Measurements) -> float:
    """Lowest correlation, over pulse numbers and branches, of R(H)/R(0) - 1 with the TMR curve."""
    p_ap = m.device().electrodes.sweep(FIELDS_G)
    loop = m.cycles[FIG3_PAIR]
    lowest = 1.0
    for branch, states in loop.branches.items():
        curves = m.field_curves[branch]
        for change, state in zip((curves / curves[0] - 1).T, states, strict=True):
            lowest = min(lowest, np.corrcoef(change, np.sign(tmr(state)) * p_ap)[0, 1])
    return float(lowest)
