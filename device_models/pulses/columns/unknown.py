"""Columns whose headings are not known: readings where no column is known to be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from device_models.pulses.columns.given import header_place
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import CONDITION_WORDS, squeeze
from device_models.pulses.table import Table, is_number
from device_models.pulses.types import PulseDataError, show

NUMBERED = re.compile(r"(.*\D)(\d{1,9})\s*")


def with_unknown(
    table: Table, headings: list[Heading], wide_of: str | None, warnings: list[str]
) -> list[Heading]:
    """Headings with those of unknown name as readings, where no column is known to be.

    Several are devices, conditions by their words, or what `wide_of` says. Raises PulseDataError
    where there are no readings.
    """
    found = list(headings)
    _name_conditions(found)
    unknown = [c for c, h in enumerate(found) if h.role == "unknown"]
    if any(h.role == "value" for h in found):
        for c in (c for c in unknown if any(table.columns[c])):
            warnings.append(f"{table.column_name(c)} is not used: its heading is not known")
        return found
    numeric = [c for c in unknown if _has_numbers(table, c)]
    has_branch = any(h.role == "branch" for h in found)
    if not numeric or (has_branch and len(numeric) > 1):
        raise PulseDataError(
            f"{header_place(table)}: no column of readings; {_advice(table, numeric)}"
        )
    labels = _labels([found[c] for c in numeric], wide_of)
    for c, label in zip(numeric, labels, strict=True):
        found[c] = replace(label, role="value")
    warnings.append(_taken([found[c] for c in numeric], wide_of))
    return found


def _labels(headings: Sequence[Heading], wide_of: str | None) -> list[Heading]:
    """Headings with the device, condition or number their texts give."""
    if len(headings) == 1:
        return list(headings)
    if wide_of not in (None, "device"):
        return _numbered(headings)
    found = []
    for heading in headings:
        text = heading.text if heading.number is None else None
        if text and squeeze(text) in CONDITION_WORDS:
            found.append(replace(heading, condition=text))
        else:
            found.append(replace(heading, device=heading.device or text))
    return found


def _numbered(headings: Sequence[Heading]) -> list[Heading]:
    """Headings with the numbers at the end of their texts, where all else in these is alike."""
    matches = [NUMBERED.fullmatch(h.text) for h in headings]
    parts = [(m[1], m[2]) for m in matches if m]
    stems, numbers = {stem for stem, _ in parts}, [number for _, number in parts]
    if len(parts) < len(headings) or len(stems) > 1 or len(set(numbers)) < len(numbers):
        return list(headings)
    return [replace(h, number=n) for h, n in zip(headings, numbers, strict=True)]


def _taken(headings: Sequence[Heading], wide_of: str | None) -> str:
    """What columns of unknown name are taken as, in words."""
    names = ", ".join(show(h.text) for h in headings[:5])
    what = "the readings"
    if len(headings) > 1 and wide_of == "repeat":
        what = "reads of one state"
    elif len(headings) > 1:
        conditions = wide_of == "condition" or all(h.condition for h in headings)
        kind = wide_of if wide_of in ("cycle", "device") else "device"
        what = f"readings {'under one condition' if conditions else f'of one {kind}'} each"
    more = ""
    if what == "readings of one device each" and wide_of is None:
        more = "; wide_of='cycle' reads them as cycles of one device"
    return f"columns {names} are taken as {what}: their headings are not known{more}"


def _name_conditions(headings: list[Heading]) -> None:
    """ "flat" beside "5 mm" is a condition as well."""
    if not any(h.role == "value" and h.condition for h in headings):
        return
    for c, heading in enumerate(headings):
        if heading.role == "unknown" and squeeze(heading.text) in CONDITION_WORDS:
            headings[c] = replace(heading, role="value", condition=heading.text)


def _advice(table: Table, numeric: list[int]) -> str:
    """What to call the columns, in words that can be typed."""
    if not numeric:
        return "expected one such as 'R (kOhm)', 'G (uS)' or 'I (nA)'"
    literal = {c + 1: f"G device {k}" for k, c in enumerate(numeric[:8], 1)}
    return f"expected one such as 'R (kOhm)', 'G (uS)' or 'I (nA)'; columns={literal} names them"


def _has_numbers(table: Table, column: int) -> bool:
    return any(is_number(cell, table.decimal) for cell in table.columns[column][:99])
