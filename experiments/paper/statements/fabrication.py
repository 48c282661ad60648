"""Rows G1 to G8: how the junction is made, and where its fluorine sits."""

from __future__ import annotations

from device_models.junction import fluorine_in_coo
from experiments.paper.measurements import Measurements
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()
METADATA = "fabrication metadata; enters no model"

ROWS.untestable("G1", "T", "50 nm La0.67Sr0.33MnO3 on SrTiO3 (001), PLD", METADATA)
ROWS.untestable("G2", "T", "PVDF, 3 Langmuir-Blodgett layers", METADATA)
ROWS.untestable("G3", "T", "annealed at 120 °C, 1 h; F dissociated by LSMO", METADATA)
ROWS.untestable("G4", "T", "10 nm Co + 10 nm Au, about 4 nm CoO", METADATA)
ROWS.untestable("G5", "T", "PVDF 2 to 5 nm thick", METADATA)
ROWS.untestable("G6", "T", "junction 10 x 10 µm²", "metadata; no current density is stated")
ROWS.untestable("G7", "T", "AFM: five-layer film, RMS 1.3 nm", METADATA)


@ROWS.row(
    "G8",
    "T",
    "after 100 cycles ending negative: > 75 % of F in CoO, about 25 % at LSMO",
    "share in CoO 70 to 80 % with the immobile fraction of C13",
)
def _g8(m: Measurements) -> Outcome:
    share = fluorine_in_coo(m.polarised(*(1.8, -2.0) * 100).state, m.reading.immobile)
    return judged(
        0.70 <= share <= 0.80,
        f"{share:.1%} (immobile {m.reading.immobile:g})",
        "the immobile quarter is put in; with 0 all F moves, as E2's plateaus suggest (C13)",
    )
