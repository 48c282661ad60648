"""Currents over their read voltages: from a column, a heading, an option or the lines above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_models.pulses.columns.cells import Readings, read_complete
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.roles import Roles
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError
from device_models.pulses.units import Unit

# Bare currents below this are in A: nobody drives 1 mA through a device to read it.
LARGEST_CURRENT = 1e-3


def assumes_si(
    roles: Roles,
    readings: Sequence[Readings],
    units: Sequence[Unit | None],
    measured: str | None,
) -> bool:
    """Currents without unit beside read voltages without unit, of a size that only A explains."""
    if measured != "current" or any(units) or "read_voltage" not in roles.conditions:
        return False
    small = all(np.nanmax(np.abs(r.values), initial=0.0) < LARGEST_CURRENT for r in readings)
    return small and roles.conditions["read_voltage"][1].unit is None


def over_voltage(
    table: Table,
    roles: Roles,
    columns: Sequence[tuple[int, Heading]],
    values: Sequence[FloatArray],
    unit: Unit | None,
    option: float | None,
    warnings: list[str],
) -> list[FloatArray]:
    """Currents over their read voltages; relative currents without one stay as they are."""
    voltages = [_read_voltage(table, roles, h, option) for _, h in columns]
    relative = unit is not None and unit.measures == "arbitrary"
    if relative and all(voltage is None for voltage in voltages):
        warnings.append("currents in these units without a read voltage: kept as they are")
        return list(values)
    for (c, _), voltage in zip(columns, voltages, strict=True):
        if voltage is None:
            raise _needs_voltage(table, roles, c)
    return [v / u for v, u in zip(values, voltages, strict=True) if u is not None]


def common_read_voltage(
    table: Table, roles: Roles, columns: Sequence[tuple[int, Heading]], option: float | None
) -> float | None:
    """The one read voltage of all readings [V]; None where none is stated, or several are."""
    found = [_read_voltage(table, roles, heading, option) for _, heading in columns]
    stated = np.concatenate([np.ravel(v) for v in found if v is not None] or [np.empty(0)])
    return float(stated[0]) if stated.size and np.allclose(stated, stated[0]) else None


def _needs_voltage(table: Table, roles: Roles, column: int) -> PulseDataError:
    """A current without read voltage: as an option, or by the column that could hold it."""
    more = "a column 'V_read (V)'"
    if "amplitude" in roles.conditions:
        c, heading = roles.conditions["amplitude"]
        unit = heading.unit.symbol if heading.unit else "V"
        more = f"columns={ {c + 1: f'V_read ({unit})'} } if {table.column_name(c)} holds it"
    return PulseDataError(
        f"{table.place(table.header_line or table.lines[0], column)}: a current needs its read "
        f"voltage: give read_voltage_V=0.1 with its value in volts, or {more}"
    )


def _read_voltage(
    table: Table, roles: Roles, heading: Heading, option: float | None
) -> FloatArray | float | None:
    """Read voltage [V]: from its column, the heading, the option, or the lines above the table."""
    given: FloatArray | float | None = heading.read_voltage_V
    if "read_voltage" in roles.conditions:
        where, name = roles.conditions["read_voltage"]
        factor = name.unit.factor if name.unit else 1.0
        given = read_complete(table, where, "read voltage") * factor
        if np.any(zero := given == 0):
            raise table.error(
                int(np.argmax(zero)), where, "a read voltage of 0 gives no conductance"
            )
    stated = table.settings.read_voltage_V
    if given is not None and stated is not None:
        _check_stated(table, given, stated)
    given = stated if given is None else given
    if given is not None and option is not None and not np.allclose(given, option):
        raise PulseDataError(f"{table.path}: option read_voltage_V={option:g} contradicts the file")
    voltage = option if given is None else given
    usable = isinstance(voltage, np.ndarray) or (voltage and 0 < abs(voltage) < np.inf)
    return voltage if usable else None


def _check_stated(table: Table, given: FloatArray | float, stated: float) -> None:
    """The read voltages of the table are among them that which the lines above it state."""
    if not np.any(np.isclose(np.abs(given), abs(stated))):
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0])}: the read voltage "
            f"{np.ravel(given)[0]:g} V contradicts the lines above, which state {stated:g} V"
        )
