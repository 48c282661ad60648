"""What the paper says about the device, row by row of the ledger, checked on the compact model.

A row carries its id, its tag (T in the text, D derived from it, A assumed), what is stated, the
acceptance, and a check that measures it. One file holds the rows of one letter of the ledger's
section 1; those of its section 2 are in `panels`.
"""

from __future__ import annotations

from experiments.paper.measurements import Measurements
from experiments.paper.statements import (
    contradictions,
    electrical,
    energy,
    fabrication,
    magnetic,
    panels,
    stdp,
)
from experiments.paper.statements.rows import Outcome, Statement

SECTIONS = (fabrication, electrical, magnetic, stdp, energy, contradictions, panels)

STATEMENTS = tuple(statement for section in SECTIONS for statement in section.ROWS.statements)
"""Every row of the ledger's sections 1 and 2 that speaks of the device, in its order."""


def evaluate(measured: Measurements) -> list[tuple[Statement, Outcome]]:
    """Every statement with its outcome, in the order of the ledger."""
    return [(s, s.outcome(measured)) for s in STATEMENTS]
