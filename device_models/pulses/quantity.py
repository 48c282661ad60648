"""Readings in ohm or siemens: units from headings, cells or options, currents over voltages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device_models.pulses.columns import Readings, read_complete, read_numbers
from device_models.pulses.headings import QUANTITIES, Heading
from device_models.pulses.roles import Roles
from device_models.pulses.tables import Table
from device_models.pulses.types import FloatArray, PulseDataError, show
from device_models.pulses.units import EXPECTED, Unit, find_unit


@dataclass(frozen=True, eq=False)
class Quantity:
    """What was measured: quantity, unit, and one array of values for each column of readings."""

    quantity: str
    unit: str
    values: tuple[FloatArray, ...]
    warnings: list[str] = field(default_factory=list)


def measure(
    table: Table,
    roles: Roles,
    quantity: str | None = None,
    unit: str | None = None,
    read_voltage_V: float | None = None,
) -> Quantity:
    """Readings of every column in one unit; currents become conductances.

    Raises PulseDataError for options that contradict the file, mixed quantities, and resistances
    that are not positive.
    """
    chosen = unit_option(table, quantity, unit)
    columns = [(c, h, read_numbers(table, c)) for c, h, _ in roles.readings]
    units = [_unit_of(table, c, h, r, quantity, chosen) for c, h, r in columns]
    measured = [
        h.quantity or (u.measures if u and u.measures in QUANTITIES else quantity)
        for (_, h, _), u in zip(columns, units, strict=True)
    ]
    _check_one(table, [c for c, _, _ in columns], measured, units)
    warnings = _unit_warnings(units, measured[0])
    values = [
        r.values * (u.factor if u else 1.0) for (_, _, r), u in zip(columns, units, strict=True)
    ]
    known = units[0] is not None and units[0].measures != "arbitrary"
    if measured[0] == "current":
        values = [
            v / _read_voltage(table, roles, c, h, read_voltage_V)
            for v, (c, h, _) in zip(values, columns, strict=True)
        ]
    elif read_voltage_V is not None:
        raise PulseDataError(f"{table.path}: option read_voltage_V: the file holds no currents")
    if measured[0] == "resistance":
        _check_positive(table, [c for c, _, _ in columns], values, known)
        return Quantity("resistance", "ohm" if known else "1", tuple(values), warnings)
    return Quantity("conductance", "S" if known else "1", tuple(values), warnings)


def unit_option(table: Table, quantity: str | None, unit: str | None) -> Unit | None:
    """Unit that the option names; PulseDataError where the options make no sense."""
    if quantity is not None and quantity not in QUANTITIES:
        raise PulseDataError(
            f"{table.path}: option quantity: {show(str(quantity))}; "
            f"expected {', '.join(QUANTITIES)}"
        )
    if unit is None:
        return None
    chosen = find_unit(unit)
    if chosen is None or chosen.measures not in (*QUANTITIES, "arbitrary"):
        expected = "; ".join(EXPECTED[q] for q in QUANTITIES)
        raise PulseDataError(f"{table.path}: option unit: {show(unit)}; expected {expected}")
    if quantity is not None and chosen.measures not in (quantity, "arbitrary"):
        raise PulseDataError(
            f"{table.path}: options quantity={quantity!r} and unit={unit!r} differ"
        )
    return chosen


def _unit_of(
    table: Table,
    column: int,
    heading: Heading,
    readings: Readings,
    quantity: str | None,
    chosen: Unit | None,
) -> Unit | None:
    """Unit of one column; heading, cells and options have to agree."""
    line = table.header_line or table.lines[0]
    found = [u for u in (heading.unit, readings.unit, chosen) if u is not None]
    for unit in found[1:]:
        if (unit.measures, unit.factor) != (found[0].measures, found[0].factor):
            raise PulseDataError(
                f"{table.place(line, column)}: unit {unit.symbol!r} contradicts "
                f"{found[0].symbol!r} of the heading or the cells"
            )
    measures = found[0].measures if found else None
    names = {heading.quantity, quantity, measures if measures in QUANTITIES else None} - {None}
    if len(names) > 1:
        raise PulseDataError(
            f"{table.place(line, column)}: {' and '.join(sorted(map(str, names)))} contradict each "
            f"other; the options quantity and unit have to agree with the file"
        )
    if found and measures not in (*QUANTITIES, "arbitrary"):
        raise PulseDataError(
            f"{table.place(line, column)}: {found[0].symbol!r} is no unit of readings"
        )
    return found[0] if found else None


def _check_one(
    table: Table,
    columns: Sequence[int],
    measured: Sequence[str | None],
    units: Sequence[Unit | None],
) -> None:
    """All columns measure one quantity, and have a unit if one has."""
    line = table.header_line or table.lines[0]
    for column, what, unit in zip(columns, measured, units, strict=True):
        if (unit is None) != (units[0] is None):
            raise PulseDataError(
                f"{table.place(line, column)}: a unit here or in {table.column_name(columns[0])}, "
                f"but not in both; write both or give unit"
            )
        if what != measured[0]:
            raise PulseDataError(
                f"{table.place(line, column)}: {what or 'no quantity'} beside {measured[0]} in "
                f"{table.column_name(columns[0])}; quantity=... says which to read"
            )


def _unit_warnings(units: Sequence[Unit | None], measured: str | None) -> list[str]:
    warnings = []
    symbols = list(dict.fromkeys(u.symbol for u in units if u is not None))
    if len({u.factor for u in units if u is not None}) > 1:
        warnings.append(f"mixed units {', '.join(symbols)}: each column is converted by its own")
    if units[0] is None:
        warnings.append("no unit in the file or the options: read as arbitrary units; give unit")
    if measured is None:
        warnings.append("no quantity named: read as conductance; give quantity")
    return warnings


def _read_voltage(
    table: Table, roles: Roles, column: int, heading: Heading, option: float | None
) -> FloatArray | float:
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
    if (
        given is not None
        and stated is not None
        and not np.any(np.isclose(np.abs(given), abs(stated)))
    ):
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], column)}: the read voltage "
            f"{np.ravel(given)[0]:g} V contradicts the lines above, which state {stated:g} V"
        )
    given = stated if given is None else given
    if given is not None and option is not None and not np.allclose(given, option):
        raise PulseDataError(f"{table.path}: option read_voltage_V={option:g} contradicts the file")
    voltage = option if given is None else given
    if voltage is None or (not isinstance(voltage, np.ndarray) and not 0 < abs(voltage) < np.inf):
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], column)}: a current needs its read "
            f"voltage: give read_voltage_V (not 0), or a column 'V_read (V)'"
        )
    return voltage


def _check_positive(
    table: Table, columns: Sequence[int], values: Sequence[FloatArray], known: bool
) -> None:
    for column, array in zip(columns, values, strict=True):
        if known and np.any(bad := array <= 0):
            row = int(np.argmax(bad))
            cell = show(table.columns[column][row])
            raise table.error(row, column, f"{cell}: a resistance has to be positive")
