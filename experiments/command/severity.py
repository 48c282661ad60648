"""How much a warning weighs, by its words."""

from __future__ import annotations

import re
from enum import IntEnum


class Severity(IntEnum):
    """How much a reason weighs: a fact to know, care to take, or a card not to rely on."""

    NOTE = 1
    CARE = 2
    BAD = 3


LOUD = (
    (Severity.BAD, r"does not (describe|follow)|misses (it|LTP|LTD|the)|off by \d+ ?%"),
    (Severity.BAD, r"conductance (rises|falls) along|0 or below|fault of the fit"),
    (Severity.BAD, r"neither rise nor fall along|points of a digitised curve"),
    (Severity.CARE, r"not identified|extrapolation|not measurable|cannot be known|drift"),
    (Severity.CARE, r"with the cycle number|not monotone|several pulses|follow each other"),
    (Severity.CARE, r"one sign|mid_range|exchanged|size counts|amplitude is stepped"),
    (Severity.CARE, r"reversed order|name of the file says|is time: each row"),
    (Severity.CARE, r"starts (by )?[\d.]+ ?%"),
)
"""Severity of the reader's and the fit's warnings by their words; all others are notes."""


def severity_of(warning: str) -> Severity:
    """Severity of a warning by its words."""
    return next((s for s, words in LOUD if re.search(words, warning)), Severity.NOTE)
