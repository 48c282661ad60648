"""How each column of a table was understood, in words."""

from __future__ import annotations

from device_models.pulses.columns.given import read_headings
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.roles import Roles
from device_models.pulses.table import Table
from device_models.pulses.types import ColumnUse, PulseDataError

UNITS = {"field": "G", "amplitude": "V", "read_voltage": "V", "width": "s"}
NAMES = {"read_voltage": "read voltage", "amplitude": "pulse amplitude", "width": "pulse width"}


def describe_columns(table: Table, roles: Roles) -> tuple[ColumnUse, ...]:
    """The use of each column, in the order of the file: "pulse number", "LTP readings in uS"."""
    uses = dict(roles.left_out)
    for column, heading, pulses in roles.readings:
        uses[column] = _readings(heading)
        if pulses is not None:
            uses[pulses] = "pulse number"
        reads = roles.repeats.get(column, ())
        uses |= {
            c: f"{_readings(heading)}, read {k} of {len(reads)}" for k, c in enumerate(reads, 1)
        }
    for role, (column, heading) in roles.conditions.items():
        unit = heading.unit.symbol if heading.unit else UNITS.get(role, "")
        uses[column] = f"{NAMES.get(role, role)}{f' [{unit}]' if unit else ''}"
    uses |= dict.fromkeys(roles.devices, "device, beside the first name")
    for column, heading in roles.settings:
        unit = f" [{heading.condition_unit}]" if heading.condition_unit else ""
        uses[column] = f"condition{unit}"
    return tuple(
        ColumnUse(table.column_name(c), uses.get(c) or _unused(table, c))
        for c in range(len(table.headings))
    )


def _readings(heading: Heading) -> str:
    """ "LTP readings in uS of device 1, cycle 2, 300 K"."""
    parts = [f"{heading.branch} readings" if heading.branch else "readings"]
    if heading.measures:
        parts.append(f"of {heading.measures}")
    if heading.unit is not None:
        parts.append(f"in {heading.unit.symbol}")
    labels = [f"device {heading.device}"] if heading.device else []
    labels += [f"cycle {heading.cycle}"] if heading.cycle is not None else []
    labels += [heading.condition] if heading.condition else []
    labels += [f"{heading.field_G:g} G"] if heading.field_G is not None else []
    labels += [f"{heading.amplitude_V:g} V"] if heading.amplitude_V is not None else []
    labels += [f"{heading.width_s:g} s"] if heading.width_s is not None else []
    return " ".join(parts) + (f" ({', '.join(labels)})" if labels else "")


def _unused(table: Table, column: int) -> str:
    """Why a column is not used, where nothing else has been said about it."""
    if not any(table.columns[column]):
        return "left out: empty"
    try:
        role = read_headings(table)[column].role
    except PulseDataError:
        role = "unknown"
    return "left out: time, comment or log" if role == "ignored" else "left out: heading not known"
