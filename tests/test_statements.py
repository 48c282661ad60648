"""Every statement of the paper about the device, by its id."""

from __future__ import annotations

import pytest

from experiments.paper.measurements import Measurements
from experiments.paper.reading import Reading
from experiments.paper.statements import STATEMENTS

TESTABLE = [s for s in STATEMENTS if s.check is not None]

CANNOT_HOLD = {"E13", "S3", "N1"}
"""Rows that contradict others in the paper (C5, C2, C15) or the card's assumed switching widths."""

READINGS = {
    "E7": Reading(fig2_start="cycle"),
    "E8": Reading(fig2_pair="text"),
    "M6": Reading(fig2_start="lrs"),
    "S1": Reading(spikes="main"),
    "S2": Reading(rect_s=0.005),
    "M4": Reading(ramp_V_per_s=1.0),
    "G8": Reading(immobile=0.0),
    "fig 1e, curve": Reading(layers="wide"),
}
"""The other reading of a contradiction, and a row that it breaks."""


@pytest.fixture(scope="module")
def measured() -> Measurements:
    return Measurements()


@pytest.mark.parametrize("statement", TESTABLE, ids=lambda s: s.id)
def test_statement_holds(statement, measured):
    outcome = statement.outcome(measured)
    expected = "contradiction" if statement.id in CANNOT_HOLD else "pass"
    assert outcome.status == expected, f"{statement.id}: {statement.acceptance}: {outcome.value}"
    assert outcome.why or outcome.status == "pass"


def test_every_row_of_the_ledger_is_there():
    ids = {s.id for s in STATEMENTS}
    numbered = {"G": 8, "E": 19, "M": 9, "S": 5, "N": 5}
    assert {f"{letter}{i + 1}" for letter, n in numbered.items() for i in range(n)} <= ids
    panels = ("1a,b", "1c", "1d", "1e", "1f", "2a", "2b,c", "3a", "3b", "3c,d", "4a", "4b")
    panels += ("S3", "S4", "S5", "S6")
    assert {f"fig {panel}" for panel in panels} <= ids
    assert len(ids) == len(STATEMENTS)
    assert all(s.check or s.why for s in STATEMENTS)


@pytest.mark.parametrize("broken", READINGS)
def test_the_other_reading_breaks_its_row(broken):
    """A check that cannot fail is no check: each of these must notice."""
    statement = next(s for s in STATEMENTS if s.id == broken)
    assert statement.outcome(Measurements(READINGS[broken])).status == "fail"
