"""Which column of a table is what: readings, pulse numbers, branch, device, conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from device_models.pulses.columns import read_numbers
from device_models.pulses.headings import Heading, HeadingError, read_heading
from device_models.pulses.names import BRANCH_WORDS
from device_models.pulses.segments import direction, find_switches
from device_models.pulses.tables import Table, is_number
from device_models.pulses.types import PulseDataError, show

LAYOUTS = ("long", "wide", "trace")
CONDITIONS = ("branch", "device", "cycle", "field", "amplitude", "width", "read_voltage")
# A direction is certain where the change is this many times its standard error.
CERTAIN = 6.0


# Column of readings, its heading, and the column of its pulse numbers.
Reading = tuple[int, Heading, int | None]


@dataclass(frozen=True, eq=False)
class Roles:
    """Columns of readings with their headings and pulse-number column, and those of conditions."""

    readings: tuple[Reading, ...]
    conditions: Mapping[str, tuple[int, Heading]]
    warnings: list[str] = field(default_factory=list)


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
    table = _renamed(table, columns or {})
    named = any(table.headings)
    headings = [_heading(table, c) for c in range(len(table.headings))]
    if not named:
        headings = _guess_headings(table, headings, layout, quantity)
    roles = _sort_columns(table, headings, quantity)
    roles = replace(roles, readings=_labelled(table, roles, wide_of, quantity))
    _check_layout(table, roles, layout)
    return roles


def _renamed(table: Table, columns: Mapping[str | int, str | None]) -> Table:
    headings = list(table.headings)
    for key, name in columns.items():
        found = [i for i, h in enumerate(table.headings) if key in (h, i + 1)]
        if len(found) != 1:
            known = ", ".join(show(h) for h in table.headings[:20] if h) or "numbers from 1"
            many = "more than one column is called" if found else "no column is called"
            raise PulseDataError(
                f"{table.path}: option columns: {many} {show(str(key))}; columns are {known}"
            )
        headings[found[0]] = "comment" if name is None else str(name)
    return replace(table, headings=tuple(headings))


def _heading(table: Table, column: int) -> Heading:
    text = table.headings[column]
    if not text:
        return Heading("", role="unknown")
    try:
        return read_heading(text.replace(",", ".") if table.decimal == "," else text)
    except HeadingError as error:
        raise PulseDataError(f"{_header_place(table, column)}: {error}") from None


def _guess_headings(
    table: Table, headings: list[Heading], layout: str | None, quantity: str | None
) -> list[Heading]:
    """Headings of a table that has none: an index, a column of branch words, readings."""
    found = list(headings)
    for c, cells in enumerate(table.columns):
        if {cell.lower() for cell in cells} <= set(BRANCH_WORDS):
            found[c] = Heading("", role="branch")
        elif layout != "wide" and c == 0 and len(headings) > 1 and _is_index(cells):
            found[c] = Heading("", role="pulse")
    left = [c for c, h in enumerate(found) if h.role == "unknown"]
    if len(left) == 1 or (len(left) == 2 and not any(h.role == "branch" for h in found)):
        for c in left:
            found[c] = Heading("", role="value", quantity=quantity)
        return found
    if len(left) > 2 and layout == "wide":
        return [replace(h, role="value") if h.role == "unknown" else h for h in found]
    raise PulseDataError(
        f"{_header_place(table, 0)}: {len(headings)} columns without a header; say what they "
        f"are, e.g. columns={{1: 'pulse', 2: 'LTP', 3: 'LTD'}} or layout='wide'"
    )


def _is_index(cells: Sequence[str]) -> bool:
    """The cells count 0, 1, 2, ... or 1, 2, 3, ..., possibly over again."""
    if not all(re.fullmatch(r"\d{1,9}(?:[.,]0*)?", cell) for cell in cells):
        return False
    numbers = np.array([int(re.split(r"[.,]", cell)[0]) for cell in cells])
    goes_on = (np.diff(numbers) == 1) | (numbers[1:] == numbers[0])
    return bool(numbers[0] in (0, 1) and np.all(goes_on) and len(cells) > 1)


def _sort_columns(table: Table, headings: list[Heading], quantity: str | None) -> Roles:
    """Columns by role; each column of readings belongs to the pulse numbers to its left."""
    warnings: list[str] = []
    headings = _with_unknown(table, _paired_letters(headings), warnings)
    readings: list[Reading] = []
    conditions: dict[str, tuple[int, Heading]] = {}
    pulses = next((c for c, h in enumerate(headings) if h.role == "pulse"), None)
    for c, heading in enumerate(headings):
        if heading.role == "pulse":
            pulses = c
        elif heading.role == "value":
            readings.append((c, heading, pulses))
        elif heading.role in CONDITIONS:
            if heading.role in conditions:
                first = table.column_name(conditions[heading.role][0])
                raise PulseDataError(
                    f"{_header_place(table, c)}: a second {heading.role} column beside "
                    f"{first}; columns={{...: None}} leaves one out"
                )
            conditions[heading.role] = (c, heading)
    return Roles(tuple(_of_quantity(table, readings, quantity)), conditions, warnings)


def _paired_letters(headings: list[Heading]) -> list[Heading]:
    """P and D (with numbers) mean LTP and LTD where both letters are there."""
    matches = [re.fullmatch(r"\s*([PpDd])[\s_]*(\d{0,9})\s*", h.text) for h in headings]
    if {m[1].upper() for m in matches if m} != {"P", "D"}:
        return headings
    return [
        Heading(h.text, "value", branch=BRANCH_WORDS[m[1].lower()], number=m[2] or None) if m else h
        for h, m in zip(headings, matches, strict=True)
    ]


def _with_unknown(table: Table, headings: list[Heading], warnings: list[str]) -> list[Heading]:
    """Columns of unknown name are readings where no column is known to be; a blank first, index."""
    found = list(headings)
    if not found[0].text and found[0].role == "pulse":
        warnings.append("column 1 has no heading and counts up: taken as pulse numbers")
    nameless = not found[0].text and found[0].role == "unknown"
    if len(found) > 1 and nameless and _is_index(table.columns[0]):
        found[0] = replace(found[0], role="pulse")
    unknown = [c for c, h in enumerate(found) if h.role == "unknown"]
    if any(h.role == "value" for h in found):
        for c in unknown:
            warnings.append(f"{table.column_name(c)} is not used: its heading is not known")
        return found
    numeric = [c for c in unknown if _has_numbers(table, c)]
    has_branch = any(h.role == "branch" for h in found)
    if not numeric or (has_branch and len(numeric) > 1):
        raise PulseDataError(
            f"{_header_place(table)}: no column of readings; expected one such as "
            f"'R (kOhm)', 'G (uS)' or 'I (nA)', or columns={{'name': 'R (kOhm)'}}"
        )
    for c in numeric:
        label = found[c].text if len(numeric) > 1 and found[c].number is None else None
        found[c] = replace(found[c], role="value", device=found[c].device or label)
    names = ", ".join(show(found[c].text) for c in numeric[:5])
    what = "readings of one device each" if len(numeric) > 1 else "the readings"
    warnings.append(f"columns {names} are taken as {what}: their headings are not known")
    return found


def _has_numbers(table: Table, column: int) -> bool:
    return any(is_number(cell, table.decimal) for cell in table.columns[column][:99])


def _of_quantity(table: Table, readings: list[Reading], quantity: str | None) -> list[Reading]:
    """Columns of one quantity; a file with two needs the option."""
    given = sorted({h.measures for _, h, _ in readings if h.measures})
    if len(given) < 2:
        return readings
    kept = [r for r in readings if r[1].measures == quantity]
    if not kept:
        raise PulseDataError(
            f"{_header_place(table, readings[1][0])}: columns of {' and '.join(given)} in one "
            f"file; quantity=... says which to read"
        )
    return kept


def _labelled(
    table: Table, roles: Roles, wide_of: str | None, quantity: str | None
) -> tuple[Reading, ...]:
    """Columns of readings with the device and cycle their headings or `wide_of` give."""
    if len(roles.readings) == 1:
        return roles.readings
    readings = [(c, _explained(table, c, h, wide_of, roles), p) for c, h, p in roles.readings]
    keys = [_identity(h) for _, h, _ in readings]
    if len(set(keys)) == len(keys):
        return tuple(readings)
    if wide_of is not None:
        counts = [keys[: i + 1].count(key) for i, key in enumerate(keys)]
        return tuple(
            (c, _counted(h, wide_of, k), p) for (c, h, p), k in zip(readings, counts, strict=True)
        )
    if len(readings) == 2 and not readings[0][1].labelled and "branch" not in roles.conditions:
        branches = _opposite(table, readings, quantity)
        if branches is not None:
            return tuple(
                (c, replace(h, branch=b), p)
                for (c, h, p), b in zip(readings, branches, strict=True)
            )
    second = next(i for i, key in enumerate(keys) if key in keys[:i])
    first = table.column_name(readings[keys.index(keys[second])][0])
    raise PulseDataError(
        f"{_header_place(table, readings[second][0])}: nothing tells these readings from those of "
        f"{first}; give wide_of='cycle' or wide_of='device', or columns={{...: 'LTP', ...: 'LTD'}}"
    )


def _counted(heading: Heading, wide_of: str, number: int) -> Heading:
    if wide_of == "cycle":
        return replace(heading, cycle=number)
    return replace(heading, device=str(number))


def _identity(heading: Heading) -> tuple[object, ...]:
    labels = (heading.branch, heading.device, heading.cycle)
    return (*labels, heading.field_G, heading.amplitude_V, heading.width_s)


def _explained(
    table: Table, column: int, heading: Heading, wide_of: str | None, roles: Roles
) -> Heading:
    """Heading whose bare number ("LTP_1", "R3") has become a cycle or a device."""
    if heading.number is None:
        return heading
    kind = wide_of or ("cycle" if heading.branch else None)
    if kind is None:
        raise PulseDataError(
            f"{_header_place(table, column)}: the number in {show(heading.text)} can be a cycle or "
            f"a device; give wide_of='cycle' or wide_of='device'"
        )
    if kind == "cycle" and heading.cycle is None:
        if wide_of is None:
            note = "numbers in headings are read as cycles; wide_of='device' reads them as devices"
            roles.warnings.extend([] if note in roles.warnings else [note])
        return replace(heading, cycle=int(heading.number), number=None)
    return replace(heading, device=heading.device or heading.number, number=None)


def _opposite(table: Table, readings: list[Reading], quantity: str | None) -> list[str] | None:
    """Branches of two columns of which one rises and the other falls, LTP where G rises."""
    signs = []
    for column, heading, _ in readings:
        values = read_numbers(table, column).values
        values = values[~np.isnan(values)]
        measures = heading.measures or quantity
        # Currents at a negative read voltage are negative.
        values = np.abs(values) if measures == "current" else values
        if values.size < 3 or find_switches(values):
            return None
        towards = direction(values) * (-1 if measures == "resistance" else 1)
        signs.append(0 if abs(towards) < CERTAIN else int(np.sign(towards)))
    return ["LTP" if s > 0 else "LTD" for s in signs] if signs[0] * signs[1] < 0 else None


def _check_layout(table: Table, roles: Roles, layout: str | None) -> None:
    n, labelled = len(roles.readings), any(h.branch for _, h, _ in roles.readings)
    by_branch = "branch" in roles.conditions
    wrong = {
        "long": n > 1 and f"has {n} columns of readings",
        "wide": by_branch and "has a column that names the branch",
        "trace": (n > 1 and f"has {n} columns of readings")
        or ((by_branch or labelled) and "names the branches"),
    }
    if layout is not None and wrong[layout]:
        raise PulseDataError(
            f"{_header_place(table)}: layout={layout!r} contradicts the file, which {wrong[layout]}"
        )


def _header_place(table: Table, column: int | None = None) -> str:
    return table.place(table.header_line or table.lines[0], column)
