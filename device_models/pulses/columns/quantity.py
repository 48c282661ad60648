"""Readings in ohm or siemens: units from headings, cells or options, currents over voltages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device_models.pulses.columns.cells import Readings, read_numbers
from device_models.pulses.columns.currents import assumes_si, common_read_voltage, over_voltage
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import QUANTITIES
from device_models.pulses.columns.repeated_rows import AveragedTable
from device_models.pulses.columns.repeats import average
from device_models.pulses.columns.roles import Roles
from device_models.pulses.columns.signs import turn_upright
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError, show
from device_models.pulses.units import EXPECTED, Unit, find_unit


@dataclass(frozen=True, eq=False)
class Quantity:
    """What was measured: quantity, unit, and one array of values for each column of readings.

    `read_noise` is the std of one read, in the unit, where states were read several times;
    `read_voltage_V` that of currents, where it is one for all.
    """

    quantity: str
    unit: str
    values: tuple[FloatArray, ...]
    warnings: list[str] = field(default_factory=list)
    read_noise: float | None = None
    read_voltage_V: float | None = None


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
    columns = [member for members in sets for member in members]
    readings = [read_numbers(table, c) for c, _ in columns]
    units = [
        _unit_of(table, c, h, r, quantity, chosen)
        for (c, h), r in zip(columns, readings, strict=True)
    ]
    names = [h.quantity or _measured(u) for (_, h), u in zip(columns, units, strict=True)]
    measured = [name or quantity for name in names]
    _check_one(table, [c for c, _ in columns], measured, units)
    what, in_si = measured[0], assumes_si(roles, readings, units, measured[0])
    known = in_si or (units[0] is not None and units[0].measures != "arbitrary")
    warnings = [*_unit_warnings(units, what, in_si), *_change_warnings(table, columns)]
    values = _converted(readings, units)
    read = None
    if what == "current":
        read = common_read_voltage(table, roles, columns, read_voltage_V)
        values = over_voltage(table, roles, columns, values, units[0], read_voltage_V, warnings)
    elif read_voltage_V is not None:
        raise PulseDataError(f"{table.path}: option read_voltage_V: the file holds no currents")
    knows_branches = "branch" in roles.conditions or all(h.branch for _, h in columns)
    values, turned = turn_upright(table, columns, values, what, knows_branches)
    if what == "resistance":
        _check_positive(table, [c for c, _ in columns], values, known)
    means, noise = _averaged(sets, values)
    noise = noise or _noise_of_rows(table, columns, readings, values)
    name, base = ("resistance", "ohm") if what == "resistance" else ("conductance", "S")
    return Quantity(name, base if known else "1", means, [*warnings, *turned], noise, read)


def _converted(readings: Sequence[Readings], units: Sequence[Unit | None]) -> list[FloatArray]:
    """Values in the base unit of each column."""
    return [r.values * (u.factor if u else 1.0) for r, u in zip(readings, units, strict=True)]


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


def _noise_of_rows(
    table: Table,
    columns: Sequence[tuple[int, Heading]],
    readings: Sequence[Readings],
    values: Sequence[FloatArray],
) -> float | None:
    """Std of one read from rows that were averaged; None where none were."""
    if not isinstance(table, AveragedTable):
        return None
    noises = []
    for (c, _), raw, value in zip(columns, readings, values, strict=True):
        there = ~np.isnan(value) & (raw.values != 0)
        factor = np.median(np.abs(value[there] / raw.values[there])) if np.any(there) else 1.0
        noises.append(table.scatter.get(c, 0.0) * float(factor))
    return float(np.sqrt(np.mean(np.square(noises))))


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
            "no unit in the file or the options: read as arbitrary units; "
            f"unit={example!r} gives one"
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


def _check_positive(
    table: Table, columns: Sequence[int], values: Sequence[FloatArray], known: bool
) -> None:
    for column, array in zip(columns, values, strict=True):
        if known and np.any(bad := array <= 0):
            row = int(np.argmax(bad))
            cell = show(table.columns[column][row])
            raise table.error(row, column, f"{cell}: a resistance has to be positive")
