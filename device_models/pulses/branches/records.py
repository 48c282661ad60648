"""Readings with what is known about each row: pulse number, branch, device, cycle, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.cells import (
    describe_missing,
    read_branches,
    read_complete,
    read_cycles,
    read_devices,
)
from device_models.pulses.columns.conditions import read_condition_labels
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.pulse_numbers import read_pulse_numbers
from device_models.pulses.columns.roles import Roles
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, IntArray, Labels, PulseDataError
from device_models.pulses.units import convert

Rows = NDArray[np.intp]

# Names of a column and of a heading, both of which tell the readings apart, are one name.
JOINED = {"device": "/", "condition": ", "}
KINDS: dict[str, type] = {
    **dict.fromkeys(("branch", "device", "condition"), object),
    **dict.fromkeys(("field", "amplitude", "width"), float),
    "cycle": np.int64,
}
OPTIONS = {"field": "field_G", "amplitude": "amplitude_V", "width": "width_s"}


@dataclass(frozen=True, eq=False)
class Records:
    """One column of readings with what is known about each row; arrays have shape (rows,).

    `values` are in the unit of the data, NaN where there is no reading; `rises` is +1 where LTP
    raises them, -1 where LTP lowers them (resistance).
    """

    table: Table
    column: int
    lines: IntArray
    values: FloatArray
    rises: int
    pulses: FloatArray | None
    branch: NDArray[np.str_] | None
    device: NDArray[np.str_]
    cycle: IntArray | None
    field_G: FloatArray
    amplitude_V: FloatArray
    width_s: FloatArray
    condition: NDArray[np.str_]
    steps_amplitude: bool = False


def read_conditions(table: Table, roles: Roles, given: Labels) -> dict[str, NDArray[Any]]:
    """Columns of conditions as arrays, shape (rows,), in G, V and s."""
    readers = {"branch": read_branches, "device": read_devices, "cycle": read_cycles}
    found: dict[str, NDArray[Any]] = {}
    for role, (column, heading) in roles.conditions.items():
        if role in readers:
            found[role] = readers[role](table, column)
            if role == "device":
                for more in roles.devices:
                    names = np.char.add("/", read_devices(table, more))
                    found[role] = np.char.add(found[role], names)
        elif role != "read_voltage":
            numbers, inverse = np.unique(read_complete(table, column, role), return_inverse=True)
            found[role] = np.array([convert(x, heading.unit) for x in numbers])[inverse]
    labels = read_condition_labels(table, roles.settings)
    if labels is not None:
        found["condition"] = labels
    if found:
        columns = [c for c, _ in [*roles.conditions.values(), *roles.settings, *_columns(roles)]]
        _check_rows(table, 1 + max(columns))
    for role, values in found.items():
        option = getattr(given, OPTIONS.get(role, role))
        if option is not None and np.any(wrong := values != option):
            row = int(np.argmax(wrong))
            raise table.error(
                row,
                (roles.settings[0] if role == "condition" else roles.conditions[role])[0],
                f"{values[row]} contradicts the option {OPTIONS.get(role, role)}={option!r}; "
                f"leave the option out and use select",
            )
    return found


def _columns(roles: Roles) -> list[tuple[int, Heading]]:
    return [(column, heading) for column, heading, _ in roles.readings]


def _check_rows(table: Table, width: int) -> None:
    """No row of a long table ends before the columns that are used."""
    # Spreadsheets store no empty cells at the end of a row; there a blank cell is what is missing.
    if table.sheet is None and min(table.n_fields) < width:
        row = int(np.argmax(np.array(table.n_fields) < width))
        n = table.n_fields[row]
        raise table.error(row, n, f"the row ends after {n} fields; expected {len(table.headings)}")


def make_records(
    table: Table,
    column: int,
    heading: Heading,
    pulse_column: int | None,
    values: FloatArray,
    rises: int,
    conditions: Mapping[str, NDArray[Any]],
    given: Labels,
    warnings: list[str],
) -> Records:
    """Readings of one column: the file's columns first, then its heading, then the options."""
    rows = _used_rows(table, column, values, bool(conditions), warnings)
    pulses = None
    if pulse_column is not None:
        used = slice(int(rows[0]), int(rows[-1]) + 1)
        pulses = read_pulse_numbers(table, pulse_column, used, warnings)
    labels = {
        role: _labels_of(table, column, role, heading, rows, conditions, given) for role in KINDS
    }
    branch, device, condition = (labels[role] for role in ("branch", "device", "condition"))
    nothing = np.full(rows.size, np.nan)
    numbers = {role: nothing if (x := labels[role]) is None else x for role in OPTIONS}
    records = Records(
        table=table,
        column=column,
        lines=np.array(table.lines, dtype=np.int64)[rows],
        values=values[rows],
        rises=rises,
        pulses=pulses,
        branch=None if branch is None else branch.astype(str),
        device=np.full(rows.size, "1") if device is None else device.astype(str),
        cycle=labels["cycle"],
        field_G=numbers["field"],
        amplitude_V=numbers["amplitude"],
        width_s=numbers["width"],
        condition=np.full(rows.size, "") if condition is None else condition.astype(str),
    )
    return replace(records, steps_amplitude=not _amplitude_labels(records))


def _labels_of(
    table: Table,
    column: int,
    role: str,
    heading: Heading,
    rows: Rows,
    conditions: Mapping[str, NDArray[Any]],
    given: Labels,
) -> NDArray[Any] | None:
    """Label of each row in one role; None where neither file nor option gives one."""
    name = OPTIONS.get(role, role)
    label, option = getattr(heading, name), getattr(given, name)
    if role in conditions:
        values = conditions[role][rows]
        both = label is not None and role in JOINED
        return np.char.add(values, f"{JOINED[role]}{label}") if both else values
    if label is not None and option is not None and label != option:
        raise PulseDataError(
            f"{table.place(table.header_line, column)}: {label} contradicts the option "
            f"{name}={option!r}"
        )
    value = label if label is not None else option
    return None if value is None else np.full(rows.size, value, dtype=KINDS[role])


def _used_rows(
    table: Table, column: int, values: FloatArray, is_long: bool, warnings: list[str]
) -> Rows:
    """Rows of a column; a wide one has those from its first to its last cell that says anything."""
    present = np.flatnonzero(~np.isnan(values))
    if present.size == 0:
        raise table.error(0, column, "the column holds no reading")
    first, last = 0, len(values) - 1
    if not is_long:
        filled = [row for row, cell in enumerate(table.columns[column]) if cell]
        first, last = filled[0], filled[-1]
    missing = first + np.flatnonzero(np.isnan(values[first : last + 1]))
    if missing.size:
        warnings.append(
            f"{table.column_name(column)}: {missing.size} readings dropped: "
            f"{describe_missing(table, column, missing)}"
        )
    return np.arange(first, last + 1, dtype=np.intp)


def _amplitude_labels(records: Records) -> bool:
    """The amplitude tells trains apart (constant over each run of pulses) and is not stepped."""
    amplitude = records.amplitude_V
    if np.isnan(amplitude[0]) or np.all(np.abs(amplitude) == np.abs(amplitude[0])):
        return True
    if len(set(amplitude.tolist())) > max(2, amplitude.size // 8):
        return False
    new = np.zeros(amplitude.size, dtype=bool)
    new[0] = True
    for key in (records.branch, records.device, records.cycle, records.field_G, np.sign(amplitude)):
        if key is not None:
            new[1:] |= (key[1:] != key[:-1]) & (key[1:] == key[1:])
    if records.pulses is not None:
        new[1:] |= records.pulses[1:] <= records.pulses[:-1]
    starts = np.flatnonzero(new)
    # The state before the first pulse may be given with an amplitude of 0.
    size = np.abs(amplitude)
    low = np.minimum.reduceat(np.where(size == 0, np.inf, size), starts)
    high = np.maximum.reduceat(size, starts)
    return bool(np.all((low == high) | np.isinf(low)))
