"""How the paper is read where its text leaves a choice or contradicts itself (ledger 1f)."""

from __future__ import annotations

from dataclasses import dataclass

from device_models.junction import CO, LSMO, Layer

FIG2_PAIRS = {"caption": (-0.8, 1.5), "text": (-1.5, 0.8)}
"""Amplitudes of Fig. 2 (LTP, LTD) [V], as its caption and as the text have them."""

FIG2_STARTS = ("fig1f", "lrs", "cycle")

LAYERS = {
    "card": (LSMO, CO),
    "wide": (Layer(coercivity_G=90.0, width_G=40.0), Layer(coercivity_G=300.0, width_G=80.0)),
}


@dataclass(frozen=True)
class Reading:
    """How the paper is read; the defaults are those of the ledger.

    `fig2_pair`: caption (-0.8/+1.5 V) or text (-1.5/+0.8 V), C1. `fig2_start`: state before the
    initialising pulses of Fig. 2: fig1f (after -0.8, -1.2, -1.3 V of 1 s), lrs (after -2.4 V of
    1 s) or cycle (the pair's limit cycle), E7. `spikes`: si, main or main_swapped, C2. `rect_s`:
    width of the spikes' rectangle [s], S5. `ramp_V_per_s`: ramp of the 1 s pulses, None for
    rectangles, E6. `layers`: card, or wide switching as in ledger section 6 (both assumed, M3).
    `unpolarised`: state of the unpolarised device of Fig. 1c. `immobile`: fluorine that stays at
    LSMO in the profile of Fig. 1b, C13.
    """

    fig2_pair: str = "caption"
    fig2_start: str = "fig1f"
    spikes: str = "si"
    rect_s: float = 0.010
    ramp_V_per_s: float | None = None
    layers: str = "card"
    unpolarised: float = 0.5
    immobile: float = 0.25
