"""Columns of what the readings were taken under, and which of two voltages is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.counting import numbers_of, resolution
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import squeeze, words_in
from device_models.pulses.table import Table
from device_models.pulses.types import PulseDataError

# Settings differ by more than this share; what drifts by less is the log of an instrument.
LEAST_CHANGE = 0.05
SHORTEST_RUN = 3
MOST_SETTINGS = 24
GENERIC_VOLTAGES = words_in("voltage v voltages volt volts bias appliedvoltage amplitude")


def settle_conditions(
    table: Table,
    headings: list[Heading],
    given: frozenset[int],
    warnings: list[str],
    left_out: dict[int, str],
) -> list[tuple[int, Heading]]:
    """Columns of conditions; logs of an instrument are left out, unless they are among `given`."""
    found = []
    for c, heading in enumerate(headings):
        if heading.role != "condition":
            continue
        if c in given or _is_setting(table, headings, c):
            found.append((c, heading))
            continue
        headings[c] = replace(heading, role="ignored")
        left_out[c] = "left out: it changes from row to row, as a log does"
        warnings.append(
            f"{table.column_name(c)} is left out: it changes as a log does; "
            f"columns={{{c + 1}: 'condition'}} reads it as a condition"
        )
    return found


def _is_setting(table: Table, headings: Sequence[Heading], column: int) -> bool:
    """Few values, each held over many rows, that change where the pulse numbers start again."""
    cells = np.array(table.columns[column], dtype=str)
    changes = 1 + np.flatnonzero(cells[1:] != cells[:-1])
    if changes.size == 0:
        return True
    runs = np.diff([0, *changes, cells.size])
    kinds = set(cells.tolist())
    if runs.min() < SHORTEST_RUN or len(kinds) > MOST_SETTINGS:
        return False
    values = numbers_of(table, column)
    if values is None:
        return "" not in kinds
    if np.any(np.isnan(values)):
        return False
    if _restarts_at(table, headings, changes):
        return True
    known = np.unique(values)
    is_fine = len(known) > 2 and np.diff(known).max() <= 1.5 * resolution(table.columns[column])
    return bool(np.ptp(known) >= LEAST_CHANGE * np.abs(known).max()) and not is_fine


def _restarts_at(table: Table, headings: Sequence[Heading], changes: NDArray[np.intp]) -> bool:
    """Pulse numbers start again in each of the rows."""
    for c, heading in enumerate(headings):
        values = numbers_of(table, c) if heading.role == "pulse" else None
        if values is not None and not np.any(np.isnan(values)):
            return bool(np.all(values[changes] < values[changes - 1]))
    return False


def read_condition_labels(
    table: Table, columns: Sequence[tuple[int, Heading]]
) -> NDArray[np.str_] | None:
    """What each row was read under, in the words of the file: "300 K", "strain 0.5 %"."""
    if not columns:
        return None
    parts = [[_label(cell, heading) for cell in table.columns[c]] for c, heading in columns]
    return np.array([", ".join(filter(None, row)) for row in zip(*parts, strict=True)], dtype=str)


def _label(cell: str, heading: Heading) -> str:
    if not cell:
        return ""
    unit = heading.condition_unit
    if unit and unit != "%":
        return f"{cell} {unit}"[:80]
    name = squeeze(heading.text.replace(unit, "")) if heading.text else ""
    is_plain = name in ("", "condition", "conditions") or not cell[-1:].isdigit()
    return f"{cell} {unit}".strip()[:80] if is_plain else f"{name} {cell} {unit}".strip()[:80]


def settle_voltages(
    table: Table, headings: list[Heading], warnings: list[str], left_out: dict[int, str]
) -> None:
    """Of two voltages, the one that stays beside an amplitude is that of the read.

    Raises PulseDataError where two could be the amplitude.
    """
    voltages = [c for c, h in enumerate(headings) if h.role == "amplitude"]
    if len(voltages) < 2:
        return
    special = [c for c in voltages if squeeze(_name(headings[c])) not in GENERIC_VOLTAGES]
    pulsed = [c for c in special if squeeze(_name(headings[c])) == "pulseamplitude"]
    special = pulsed or special
    others = [c for c in voltages if c not in special]
    has_read = any(h.role == "read_voltage" for h in headings)
    for c in others if len(special) == 1 else []:
        values = numbers_of(table, c)
        if values is None or np.unique(np.abs(values)).size != 1 or not np.any(values):
            continue
        name = (
            f"the voltage that stays beside the pulse amplitude in {table.column_name(special[0])}"
        )
        voltages.remove(c)
        if has_read:
            left_out[c] = f"left out: {name}"
            headings[c] = replace(headings[c], role="ignored")
        else:
            headings[c], has_read = replace(headings[c], role="read_voltage"), True
            warnings.append(f"{table.column_name(c)} is taken as the read voltage: it is {name}")
    if len(voltages) > 1:
        raise two_of_one_role(table, headings, voltages[0], voltages[1])


def two_of_one_role(
    table: Table, headings: Sequence[Heading], first: int, second: int
) -> PulseDataError:
    """Two columns of one role: either may be meant, or each for the readings right of it alone."""
    between, after = headings[first + 1 : second], headings[second + 1 :]
    if all(any(h.role == "value" for h in part) for part in (between, after)):
        advice = f"columns={ {first + 1: None, second + 1: None} } leaves both out"
    else:
        one, other = {first + 1: None}, {second + 1: None}
        advice = f"columns={one} or columns={other} leaves one out"
    return PulseDataError(
        f"{table.place(table.header_line or table.lines[0], second)}: a second "
        f"{headings[first].role} column beside {table.column_name(first)}; {advice}"
    )


def _name(heading: Heading) -> str:
    """The heading without its unit."""
    name = heading.text.split("(")[0].split("[")[0]
    symbol = heading.unit.symbol if heading.unit else ""
    return name.strip().removesuffix(symbol) if name.strip() != symbol else "v"
