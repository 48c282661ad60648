"""Readings in ohm or siemens: units from headings, cells or options, currents over voltages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device_models.pulses.columns import Readings, read_complete, read_numbers
from device_models.pulses.headings import NUMBER, Heading
from device_models.pulses.names import QUANTITIES
from device_models.pulses.repeats import average
from device_models.pulses.roles import Roles
from device_models.pulses.signs import turn_upright
from device_models.pulses.tables import Table
from device_models.pulses.types import FloatArray, PulseDataError, show
from device_models.pulses.units import EXPECTED, Unit, find_unit

READ_VOLTAGE = re.compile(
    rf"(?:v[ _]?read|read[ _-]?(?:voltage|bias))\s*[(\[]?\s*(?P<unit>m?V)?\s*[)\]]?[\s:=,;]*"
    rf"(?P<number>{NUMBER})\s*(?P<after>m?V)?",
    re.IGNORECASE,
)

# Bare currents below this are in A: nobody drives 1 mA through a device to read it.
LARGEST_CURRENT = 1e-3


@dataclass(frozen=True, eq=False)
class Quantity:
    """What was measured: quantity, unit, and one array of values for each column of readings.

    `read_noise` is the std of one read, in the unit, where states were read several times.
    """

    quantity: str
    unit: str
    values: tuple[FloatArray, ...]
    warnings: list[str] = field(default_factory=list)
    read_noise: float | None = None


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
    sets = [[(k, h) for k in roles.repeats.get(c, (c,))] for c, h, _ in roles.readings]
    columns = [
        (c, h, read_numbers(table, c)) for members in sets for c, h in members
    ]
    units = [_unit_of(table, c, h, r, quantity, chosen) for c, h, r in columns]
    measured = [
        h.quantity or _measured(u) or quantity for (_, h, _), u in zip(columns, units, strict=True)
    ]
    _check_one(table, [c for c, _, _ in columns], measured, units)
    what, named = measured[0], [(c, h) for c, h, _ in columns]
    warnings = _unit_warnings(units, what, _assumes_si(roles, columns, units, what))
    known = units[0] is not None and units[0].measures != "arbitrary"
    known = known or _assumes_si(roles, columns, units, what)
    values = [
        r.values * (u.factor if u else 1.0) for (_, _, r), u in zip(columns, units, strict=True)
    ]
    if what == "current":
        values = _over_voltage(table, roles, named, values, units[0], read_voltage_V, warnings)
    elif read_voltage_V is not None:
        raise PulseDataError(f"{table.path}: option read_voltage_V: the file holds no currents")
    knows_branches = "branch" in roles.conditions or all(h.branch for _, h in named)
    values, turned = turn_upright(table, named, values, what, knows_branches)
    warnings += turned + _change_warnings(table, named)
    if what == "resistance":
        _check_positive(table, [c for c, _ in named], values, known)
    means, noise = _averaged(sets, values)
    quantity, base = ("resistance", "ohm") if what == "resistance" else ("conductance", "S")
    return Quantity(quantity, base if known else "1", means, warnings, noise)


def _measured(unit: Unit | None) -> str | None:
    """Quantity that a unit gives away."""
    by_unit = (unit.per_size or unit.measures) if unit else None
    return by_unit if by_unit in QUANTITIES else None


def _averaged(
    sets: Sequence[Sequence[tuple[int, Heading]]], values: Sequence[FloatArray]
) -> tuple[tuple[FloatArray, ...], float | None]:
    """Means over the repeats of a read, and the std of one read over all of them."""
    means, noises, start = [], [], 0
    for members in sets:
        mean, noise = average(values[start : start + len(members)])
        start += len(members)
        means.append(mean)
        noises += [] if noise is None else [noise]
    return tuple(means), float(np.sqrt(np.mean(np.square(noises)))) if noises else None


def _assumes_si(
    roles: Roles,
    columns: Sequence[tuple[int, Heading, Readings]],
    units: Sequence[Unit | None],
    measured: str | None,
) -> bool:
    """Currents without unit beside read voltages without unit, of a size that only A explains."""
    if measured != "current" or any(units) or "read_voltage" not in roles.conditions:
        return False
    small = all(np.nanmax(np.abs(r.values), initial=0.0) < LARGEST_CURRENT for _, _, r in columns)
    return small and roles.conditions["read_voltage"][1].unit is None


def _over_voltage(
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
        warnings.append(f"currents in {unit.symbol if unit else ''} without a read voltage: kept")
        return list(values)
    for (c, _), voltage in zip(columns, voltages, strict=True):
        if voltage is None:
            raise _needs_voltage(table, roles, c)
    return [v / u for v, u in zip(values, voltages, strict=True) if u is not None]


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


def _change_warnings(table: Table, columns: Sequence[tuple[int, Heading]]) -> list[str]:
    changes = [table.column_name(c) for c, h in columns if h.is_change]
    if not changes:
        return []
    return [f"{', '.join(changes[:4])}: a change, not a value: read as it stands"]


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
            symbol = next(u.symbol for u in (unit, units[0]) if u is not None)
            raise PulseDataError(
                f"{table.place(line, column)}: a unit here or in {table.column_name(columns[0])}, "
                f"but not in both; write both or give unit={symbol!r}"
            )
        if what != measured[0]:
            raise PulseDataError(
                f"{table.place(line, column)}: {what or 'no quantity'} beside {measured[0]} in "
                f"{table.column_name(columns[0])}; "
                f"quantity={(measured[0] or what)!r} says which to read"
            )
        if unit and units[0] and unit.measures == "arbitrary" and unit.symbol != units[0].symbol:
            _check_relative(table, column, unit, units[0])


def _check_relative(table: Table, column: int, unit: Unit, first: Unit) -> None:
    """Units per width or area are kept in words, so they have to be the same."""
    if unit.per_size or first.per_size:
        raise PulseDataError(
            f"{table.place(table.header_line or table.lines[0], column)}: unit {unit.symbol!r} "
            f"beside {first.symbol!r}; units per width or area are not converted, write both alike"
        )


def _unit_warnings(
    units: Sequence[Unit | None], measured: str | None, assumes_si: bool
) -> list[str]:
    warnings = []
    symbols = list(dict.fromkeys(u.symbol for u in units if u is not None))
    if len({u.factor for u in units if u is not None}) > 1:
        warnings.append(f"mixed units {', '.join(symbols)}: each column is converted by its own")
    if assumes_si:
        warnings.append("no unit in the file or the options: currents of this size are read as A")
    elif units[0] is None:
        example = {"resistance": "kOhm", "current": "nA"}.get(measured or "", "uS")
        warnings.append(
            f"no unit in the file or the options: read as arbitrary units; unit={example!r} gives one"
        )
    elif units[0].per_size:
        warnings.append(
            f"{units[0].symbol} is a {units[0].per_size} per width or area: read as arbitrary units"
        )
    if measured is None:
        warnings.append(
            "no quantity named: read as conductance; quantity='resistance' reads it as resistance"
        )
    return warnings


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
    given = _voltage_above(table) if given is None and option is None else given
    if given is not None and option is not None and not np.allclose(given, option):
        raise PulseDataError(f"{table.path}: option read_voltage_V={option:g} contradicts the file")
    voltage = option if given is None else given
    usable = isinstance(voltage, np.ndarray) or (voltage and 0 < abs(voltage) < np.inf)
    return voltage if usable else None


def _voltage_above(table: Table) -> float | None:
    for text in table.remarks:
        match = READ_VOLTAGE.search(" ".join(text[:500].split()))
        if match is not None and match["number"] is not None:
            unit = find_unit(match["after"] or match["unit"] or "V")
            return float(match["number"]) * (unit.factor if unit else 1.0)
    return None


def _check_positive(
    table: Table, columns: Sequence[int], values: Sequence[FloatArray], known: bool
) -> None:
    for column, array in zip(columns, values, strict=True):
        if known and np.any(bad := array <= 0):
            row = int(np.argmax(bad))
            cell = show(table.columns[column][row])
            raise table.error(row, column, f"{cell}: a resistance has to be positive")
