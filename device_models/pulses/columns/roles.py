"""Which column of a table is what: readings, pulse numbers, branch, device, conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from device_models.pulses.columns.conditions import (
    settle_conditions,
    settle_voltages,
    two_of_one_role,
)
from device_models.pulses.columns.counting import counts_by_steps, numbers_of
from device_models.pulses.columns.given import (
    as_named,
    given_columns,
    header_place,
    read_headings,
    renamed,
)
from device_models.pulses.columns.guesses import guess_headings
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.labelled import label_readings
from device_models.pulses.columns.names import (
    BRANCH_WORDS,
    names_pulses,
    squeeze,
    words_of,
)
from device_models.pulses.columns.pairs import leave_out_second_pair
from device_models.pulses.columns.pulse_numbers import find_counter, pulse_columns
from device_models.pulses.columns.repeats import Repeats, find_repeats
from device_models.pulses.columns.sidelines import Reading, leave_out_empty, leave_out_sidelines
from device_models.pulses.columns.time_columns import check_time, is_time
from device_models.pulses.columns.unknown import with_unknown
from device_models.pulses.table import Table, is_number
from device_models.pulses.types import PulseDataError

LAYOUTS = ("long", "wide", "trace", "rows")
WIDE_OF = ("cycle", "device", "condition", "repeat")
CONDITIONS = ("branch", "device", "cycle", "field", "amplitude", "width", "read_voltage")
COMMENT = frozenset(["comment", "note", "notes", "remark", "date"])


@dataclass(frozen=True, eq=False)
class Roles:
    """Columns of readings with their headings and pulse-number column, and those of conditions.

    `settings` are the columns of conditions beside field, voltage and width; `devices` those that
    name a device beside the first, as a bit line does; `repeats` gives the columns that are
    averaged, by the first of them; `left_out` says why a column is not used; `named_pulses` are the
    columns of pulse numbers that are called so.
    """

    readings: tuple[Reading, ...]
    conditions: Mapping[str, tuple[int, Heading]]
    warnings: list[str] = field(default_factory=list)
    settings: tuple[tuple[int, Heading], ...] = ()
    devices: tuple[int, ...] = ()
    repeats: Repeats = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)
    named_pulses: frozenset[int] = frozenset()


def assign_roles(
    table: Table,
    layout: str | None = None,
    quantity: str | None = None,
    columns: Mapping[str | int, str | None] | None = None,
    wide_of: str | None = None,
) -> Roles:
    """Role of each column, from its heading or, without header, from its readings.

    `columns` puts other headings in place of those in the file. Raises PulseDataError where the
    columns can be read in two ways.
    """
    is_named = any(table.headings)
    given = frozenset(given_columns(table, columns or {}))
    original, table = table, renamed(table, columns or {})
    warnings: list[str] = []
    left_out: dict[int, str] = {}
    headings = as_named(original, read_headings(table), given)
    if not is_named:
        is_wide = layout == "wide"
        headings = guess_headings(table, headings, quantity, wide_of, is_wide, warnings)
    headings = _settle(table, headings, wide_of, given, warnings, left_out)
    roles = _sort_columns(table, headings, quantity, wide_of, given, warnings, left_out)
    readings = label_readings(
        table, roles.readings, wide_of, quantity, "branch" in roles.conditions, warnings
    )
    roles = replace(roles, readings=readings)
    _check_layout(table, roles, layout)
    return roles


def _settle(
    table: Table,
    headings: list[Heading],
    wide_of: str | None,
    given: frozenset[int],
    warnings: list[str],
    left_out: dict[int, str],
) -> list[Heading]:
    """Headings whose role the cells confirm: no pulse numbers in words, no readings that count."""
    headings = _lettered(_paired_letters(headings))
    for c in given:
        if squeeze(headings[c].text) == "repeat":
            headings[c] = replace(headings[c], role="value")
    for c, heading in enumerate(headings):
        if heading.role == "branch" or (heading.role == "pulse" and c not in given):
            headings[c] = _numbered(table, c, heading, warnings, left_out)
    leave_out_empty(table, headings, given, warnings, left_out)
    find_counter(table, headings, warnings, left_out)
    headings = with_unknown(table, headings, wide_of, warnings)
    leave_out_second_pair(table, headings, warnings, left_out)
    settle_voltages(table, headings, warnings, left_out)
    return headings


def _numbered(
    table: Table,
    column: int,
    heading: Heading,
    warnings: list[str],
    left_out: dict[int, str],
) -> Heading:
    """A column named as pulse numbers that holds words is one of branches, or of other words.

    One of branches that holds one word alone, and none of theirs, says nothing.
    """
    if heading.role == "pulse" and heading.branch:
        # "up_pulse" heads what is read after the pulses, where it does not count them.
        is_count = counts_by_steps(numbers_of(table, column))
        return heading if is_count else replace(heading, role="value")
    words = {cell.lower() for cell in table.columns[column] if cell}
    if heading.role == "branch" and (len(words) != 1 or words & set(BRANCH_WORDS)):
        return heading
    numeric = any(is_number(word, table.decimal) for word in words)
    if numeric and len(words) == 1 and len(table.lines) > 2:
        left_out[column] = "left out: the same in every row, so it counts nothing"
        warnings.append(f"{table.column_name(column)} is {left_out[column]}")
        return replace(heading, role="ignored")
    if numeric:
        return heading
    if words and words <= set(BRANCH_WORDS):
        return replace(heading, role="branch")
    left_out[column] = "left out: it holds words"
    return replace(heading, role="ignored")


def _sort_columns(
    table: Table,
    headings: list[Heading],
    quantity: str | None,
    wide_of: str | None,
    given: frozenset[int],
    warnings: list[str],
    left_out: dict[int, str],
) -> Roles:
    """Columns by role, each column of readings with its pulse numbers."""
    settings = settle_conditions(table, headings, given, warnings, left_out)
    pulses = pulse_columns(table, headings, warnings, left_out)
    conditions: dict[str, tuple[int, Heading]] = {}
    devices: list[int] = []
    for c, heading in enumerate(headings):
        if heading.role in CONDITIONS:
            if heading.role == "device" and "device" in conditions:
                devices.append(c)
                continue
            if heading.role in conditions:
                raise two_of_one_role(table, headings, conditions[heading.role][0], c)
            conditions[heading.role] = (c, heading)
    readings = [(c, h, pulses[c]) for c, h in enumerate(headings) if h.role == "value"]
    readings = leave_out_sidelines(table, readings, quantity, warnings, left_out)
    check_time(table, headings, readings, conditions, warnings)
    is_one_read = "read_voltage" in conditions and "amplitude" in conditions
    said = frozenset(c for c in given if squeeze(headings[c].text) == "repeat")
    readings, repeats = find_repeats(table, readings, wide_of, said, is_one_read, warnings)
    _note_left_out(table, headings, warnings, left_out)
    return Roles(
        tuple(readings),
        conditions,
        warnings,
        tuple(settings),
        tuple(devices),
        repeats,
        left_out,
        frozenset(c for c, h in enumerate(headings) if h.role == "pulse" and names_pulses(h.text)),
    )


def _note_left_out(
    table: Table, headings: list[Heading], warnings: list[str], left_out: dict[int, str]
) -> None:
    """Spreads of readings and leakage currents beside them are left out, in one line."""
    named = [c for c, h in enumerate(headings) if h.role == "ignored" and c not in left_out]
    numeric = [
        c
        for c in named
        if not (is_time(headings[c]) or COMMENT & set(words_of(headings[c].text)))
        and numbers_of(table, c) is not None
    ]
    for c in numeric:
        left_out[c] = "left out: no readings by its heading"
    if numeric:
        names = ", ".join(table.column_name(c) for c in numeric[:4])
        more = f" and {len(numeric) - 4} more" if len(numeric) > 4 else ""
        warnings.append(f"left out, no readings by their headings: {names}{more}")


def _paired_letters(headings: list[Heading]) -> list[Heading]:
    """P and D (with numbers) mean LTP and LTD where both letters are there."""
    matches = [re.fullmatch(r"\s*([PpDd])[\s_]*(\d{0,9})\s*", h.text) for h in headings]
    if {m[1].upper() for m in matches if m} != {"P", "D"}:
        return list(headings)
    return [
        Heading(h.text, "value", branch=BRANCH_WORDS[m[1].lower()], number=m[2] or None) if m else h
        for h, m in zip(headings, matches, strict=True)
    ]


def _lettered(headings: list[Heading]) -> list[Heading]:
    """B beside A is a name, and no magnetic field."""
    letters = {h.text.strip().lower() for h in headings if h.unit is None}
    if not {"a", "b"} <= letters:
        return headings
    return [
        Heading(h.text) if h.role == "field" and h.unit is None and len(h.text.strip()) == 1 else h
        for h in headings
    ]


def _check_layout(table: Table, roles: Roles, layout: str | None) -> None:
    n, labelled = len(roles.readings), any(h.branch for _, h, _ in roles.readings)
    by_branch = "branch" in roles.conditions
    wrong = {
        "long": n > 1 and f"has {n} columns of readings",
        "wide": by_branch and "has a column that names the branch",
        "trace": (n > 1 and f"has {n} columns of readings")
        or ((by_branch or labelled) and "names the branches"),
    }
    if layout is not None and wrong.get(layout):
        raise PulseDataError(
            f"{header_place(table)}: layout={layout!r} contradicts the file, which {wrong[layout]}"
        )
