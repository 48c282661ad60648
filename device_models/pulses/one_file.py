"""One file read as a measurement: its bytes, its tables, what they hold."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path

from device_models.files import FileError, read_limited
from device_models.pulses.columns.file_names import contradictions
from device_models.pulses.columns.roles import LAYOUTS, WIDE_OF
from device_models.pulses.reading import Options, read_sheets, read_table
from device_models.pulses.table import MAX_BYTES, Table
from device_models.pulses.tables.sheets import read_sheet_tables
from device_models.pulses.tables.text import DELIMITERS, read_text_table
from device_models.pulses.types import Labels, PulseData, PulseDataError, show

OLD_EXCEL = b"\xd0\xcf\x11\xe0"
ZIP = b"PK\x03\x04"


def read_pulses(
    path: str | Path,
    *,
    layout: str | None = None,
    quantity: str | None = None,
    unit: str | None = None,
    read_voltage_V: float | None = None,
    columns: Mapping[str | int, str | None] | None = None,
    wide_of: str | None = None,
    sheet: str | int | None = None,
    branch: str | None = None,
    device: str | int | None = None,
    cycle: int | None = None,
    field_G: float | None = None,
    amplitude_V: float | None = None,
    width_s: float | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    where: Mapping[str | int, str] | None = None,
    keep_rest: bool = False,
    reverse: str | None = None,
) -> PulseData:
    """Pulse measurement from a CSV, text or .xlsx file; resistances in ohm, conductances in S.

    Options say what the file does not: `layout` "long", "wide", "trace" or "rows" (each row is a
    trace); `quantity` "resistance", "conductance" or "current" (with `read_voltage_V`); `unit` such
    as "kOhm"; `columns` other headings for columns, by heading or number from 1, None to leave one
    out; `wide_of` "cycle", "device", "condition" or "repeat" (reads of one state), what unlabelled
    columns are; `sheet` of a workbook by name or number from 1, or "all"; `where` the rows that
    count, by column; `keep_rest` keeps readings at rest before, between and after the branches of a
    trace; `reverse` "LTP" or "LTD", a branch whose rows stand from its last pulse to its first;
    `branch`, `device`, `cycle`, `field_G`, `amplitude_V`, `width_s` for the whole file;
    `delimiter` "tab", "comma", "semicolon", "blank" or the character. Raises PulseDataError, one
    line, also for numbers that are not finite, a width that is not above 0, a read voltage of 0.
    """
    _check_choices(layout, wide_of, branch, delimiter, decimal)
    _check_choice("reverse", reverse, ("LTP", "LTD"))
    _check_numbers(field_G, amplitude_V, width_s, read_voltage_V, cycle)
    data = _read_bytes(Path(path))
    tables = _read_tables(str(path), data, sheet, delimiter, decimal, encoding, layout)
    given = Labels(
        branch=branch,
        device=None if device is None else str(device),
        cycle=cycle,
        field_G=field_G,
        amplitude_V=amplitude_V,
        width_s=width_s,
    )
    options = Options(
        layout, quantity, unit, read_voltage_V, columns, wide_of, where, keep_rest, reverse, given
    )
    part = read_table(tables[0], options) if len(tables) == 1 else read_sheets(tables, options)
    return PulseData(
        quantity=part.quantity,
        unit=part.unit,
        segments=part.segments,
        source=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        warnings=(*contradictions(Path(path).stem, part.segments, branch), *part.warnings),
        columns=part.columns,
        read_noise=part.read_noise,
        read_voltage_V=part.read_voltage_V,
        temperature_K=part.temperature_K,
    )


def _check_choices(
    layout: str | None,
    wide_of: str | None,
    branch: str | None,
    delimiter: str | None,
    decimal: str | None,
) -> None:
    _check_choice("layout", layout, LAYOUTS)
    _check_choice("wide_of", wide_of, WIDE_OF)
    _check_choice("branch", branch, ("LTP", "LTD"))
    _check_choice("delimiter", delimiter, tuple(DELIMITERS))
    _check_choice("decimal", decimal, (".", ","))


def _check_numbers(
    field_G: float | None,
    amplitude_V: float | None,
    width_s: float | None,
    read_voltage_V: float | None,
    cycle: int | None,
) -> None:
    _check_number("field_G", field_G)
    _check_number("amplitude_V", amplitude_V)
    _check_number("width_s", width_s, "above 0", lambda width: width > 0)
    _check_number("read_voltage_V", read_voltage_V, "other than 0", lambda voltage: voltage != 0)
    _check_number("cycle", cycle, "without decimals", lambda number: number == int(number))


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise PulseDataError(f"option {name}: {show(str(value))}; expected {listed}")


def _check_number(
    name: str,
    value: float | None,
    wanted: str = "",
    holds: Callable[[float], bool] = lambda value: True,
) -> None:
    """Raise PulseDataError for a number that is not finite or for which `holds` is not true."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PulseDataError(f"option {name}: {show(str(value))}; expected a number")
    if not (math.isfinite(value) and holds(value)):
        expected = f"a finite number {wanted}".strip()
        raise PulseDataError(f"option {name}: {value}; expected {expected}")


def _read_bytes(path: Path) -> bytes:
    """Bytes of a regular file of limited size; PulseDataError where it cannot be read."""
    try:
        data = read_limited(path, MAX_BYTES)
    except FileError as error:
        raise PulseDataError(str(error)) from None
    except OSError as error:
        raise PulseDataError(f"{path}: {error.strerror or error}") from None
    if not data.strip():
        raise PulseDataError(f"{path}: line 1: the file is empty")
    return data


def _read_tables(
    path: str,
    data: bytes,
    sheet: str | int | None,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    layout: str | None,
) -> list[Table]:
    """Tables of a text file or a workbook; the content decides, not the name."""
    if data.startswith(ZIP):
        return read_sheet_tables(path, data, sheet, layout)
    if data.startswith(OLD_EXCEL):
        raise PulseDataError(f"{path}: an old Excel file (.xls); save it as .xlsx or CSV")
    if sheet is not None:
        raise PulseDataError(f"{path}: option sheet: the file is not an .xlsx workbook")
    return [read_text_table(path, data, delimiter, decimal, encoding, layout)]
