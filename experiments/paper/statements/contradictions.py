"""Rows C1 to C15: where the paper contradicts itself, as far as the device is concerned."""

from __future__ import annotations

import numpy as np

from device_models.junction import MemristorParameters, tmr
from experiments.paper.measurements import Measurements
from experiments.paper.reading import FIG2_PAIRS
from experiments.paper.statements.electrical import state_after
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()
P = MemristorParameters()


@ROWS.row("C1", "D", "Fig. 2 text says -1.5/+0.8 V, caption -0.8/+1.5 V", "only the caption moves")
def _c1(m: Measurements) -> Outcome:
    moved = {
        name: abs(state_after(ltd_V, 0.64, start=0.5) - 0.5)
        for name, (_, ltd_V) in FIG2_PAIRS.items()
    }
    return judged(
        moved["caption"] > 0.05 and moved["text"] == 0,
        f"LTD moves s by {moved['caption']:.2f} (caption), {moved['text']:.2f} (text)",
        "+0.8 V lies in the dead zone: the text's pair has no LTD",
    )


@ROWS.row(
    "C5", "D", "dead zones 0.67 < V- < 0.8 V, 1.0 < V+ < 1.5 V", "parameters inside the windows"
)
def _c5(m: Measurements) -> Outcome:
    ltp, ltd = P.dead_zone_ltp_V, P.dead_zone_ltd_V
    return judged(0.67 < ltp < 0.8 and 1.0 < ltd < 1.5, f"{ltp:g} V, {ltd:g} V")


@ROWS.row("C9", "D", "AP > P needs a TMR that falls towards LRS, not a negative one", "dTMR/ds < 0")
def _c9(m: Measurements) -> Outcome:
    steepest = np.diff(tmr(np.linspace(0, 1, 101))).max()
    flat = _stdp_ratio_of_constant_tmr(-0.3)
    return judged(
        steepest < 0 and abs(flat - 1) < 1e-12,
        f"TMR falls everywhere; a constant TMR of -30 % gives AP/P = {flat:.3f}",
    )


@ROWS.row(
    "C10", "D", "TMR amplitude of 100 % read as -100 % of R_AP", "R_AP/R_P 0.909, 0.833, 0.500"
)
def _c10(m: Measurements) -> Outcome:
    ratios = [1 / (1 + a) for a in (0.1, 0.2, 1.0)]
    return judged(
        np.allclose(ratios, [0.909, 0.833, 0.5], atol=5e-4), ", ".join(f"{r:.3f}" for r in ratios)
    )


@ROWS.row(
    "C12", "D", "4 nm of CoO as barrier gives phi m* = 0.013 eV", "0.46 to 0.65 nm for 1 to 0.5 eV"
)
def _c12(m: Measurements) -> Outcome:
    kappa = np.log(P.resistance_ratio) / 2 / 4e-9
    phi_eV = (1.054571817e-34 * kappa) ** 2 / (2 * 9.1093837e-31) / 1.602176634e-19
    thick, thin = (4.0 * np.sqrt(phi_eV / phi) for phi in (0.5, 1.0))
    return judged(
        abs(phi_eV - 0.013) < 5e-4 and abs(thin - 0.46) < 0.01 and abs(thick - 0.65) < 0.01,
        f"{phi_eV:.4f} eV; {thin:.2f} to {thick:.2f} nm",
        "too low a barrier for an oxide: only ln 111 enters the model, not a thickness",
    )


ROWS.untestable("C13", "D", "F fully mobile (plateaus) or a quarter stays", "option; see G8")
ROWS.untestable("C14", "D", "3 or 5 PVDF layers, 10 or 11 K", "no thickness or T in the model")
ROWS.untestable("C15", "D", "field line of N1 not realisable as printed", "see N1")


def _stdp_ratio_of_constant_tmr(value: float) -> float:
    """AP/P ratio of dG/G for two states of one and the same TMR."""
    parallel_S = np.array([1.0, 1.3])
    anti_S = parallel_S * (1 - value)
    return float((anti_S[1] / anti_S[0] - 1) / (parallel_S[1] / parallel_S[0] - 1))
