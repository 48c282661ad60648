"""From a table to its segments, and several tables of one file to one data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from device_models.pulses.branches.checks import check_segments
from device_models.pulses.branches.layouts import find_segments
from device_models.pulses.columns.descriptions import describe_columns
from device_models.pulses.columns.quantity import measure, unit_option
from device_models.pulses.columns.roles import assign_roles
from device_models.pulses.columns.row_kinds import select_rows
from device_models.pulses.table import Table
from device_models.pulses.tables.head_labels import read
from device_models.pulses.tables.rows import turn_rows
from device_models.pulses.tables.settings import Settings
from device_models.pulses.types import ColumnUse, Labels, PulseDataError, Segment, common, show


@dataclass(frozen=True)
class Options:
    """What the caller says about a file, as `read_pulses` names it."""

    layout: str | None = None
    quantity: str | None = None
    unit: str | None = None
    read_voltage_V: float | None = None
    columns: Mapping[str | int, str | None] | None = None
    wide_of: str | None = None
    where: Mapping[str | int, str] | None = None
    keep_rest: bool = False
    reverse: str | None = None
    given: Labels = field(default_factory=Labels)


@dataclass(frozen=True, eq=False)
class Part:
    """What one table holds: a part of the `PulseData` of its file."""

    quantity: str
    unit: str
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...]
    columns: tuple[ColumnUse, ...] = ()
    read_noise: float | None = None
    read_voltage_V: float | None = None
    temperature_K: float | None = None


def read_table(table: Table, options: Options) -> Part:
    """Segments of one table; PulseDataError where it cannot be read, or in two ways."""
    left_out: list[str] = []
    if options.where:
        table, left_out = select_rows(table, options.where, options.columns)
    table, columns = turn_rows(table, options.layout, options.columns, options.wide_of)
    if not options.where:
        table, left_out = select_rows(table, None, columns)
    layout = None if table.turned else options.layout
    chosen = unit_option(table, options.quantity, options.unit)
    expected = options.quantity or (chosen.measures if chosen else None)
    roles = assign_roles(table, layout, expected, columns, options.wide_of)
    measured = measure(table, roles, options.quantity, options.unit, options.read_voltage_V)
    if table.as_conductance and measured.quantity == "resistance":
        raise PulseDataError(
            f"{table.place(table.lines[0])}: {show(table.as_conductance)} names no branch, and "
            f"resistances tell it the other way; call the rows LTP and LTD"
        )
    rises = -1 if measured.quantity == "resistance" else 1
    segments, notes = find_segments(
        table,
        roles,
        measured.values,
        rises,
        options.given,
        options.keep_rest,
        options.reverse,
    )
    _check_options(table, segments, options.given)
    settings = table.settings
    if "width" in roles.conditions:
        # Widths of the rows say more than one above the table, also where they are stepped.
        settings = replace(settings, width_s=None, ltp_width_s=None, ltd_width_s=None)
    # Before the settings: an LTP and an LTD of other pulses still belong to one cycle.
    suspicious = check_segments(segments, measured.quantity, measured.unit)
    if options.reverse is not None:
        suspicious = [text for text in suspicious if "reversed order" not in text]
    return Part(
        measured.quantity,
        measured.unit,
        tuple(_with_settings(segment, settings) for segment in segments),
        (*table.notes, *left_out, *measured.warnings, *roles.warnings, *notes, *suspicious),
        describe_columns(table, roles),
        measured.read_noise,
        measured.read_voltage_V or table.settings.read_voltage_V,
        table.settings.temperature_K,
    )


def _check_options(table: Table, segments: Sequence[Segment], given: Labels) -> None:
    """Amplitude and width that are given do not contradict what the file states above its table."""
    stated: tuple[tuple[str, float | None, Callable[[str], float | None]], ...] = (
        ("amplitude_V", given.amplitude_V, table.settings.amplitude_of),
        ("width_s", given.width_s, table.settings.width_of),
    )
    for name, option, of in stated:
        for branch in dict.fromkeys(segment.branch for segment in segments):
            value = of(branch)
            if option is not None and value is not None and option != value:
                raise PulseDataError(
                    f"{table.path}: option {name}={option!r} contradicts the lines above the "
                    f"table, which state {value:g} for {branch}"
                )


def _with_settings(segment: Segment, settings: Settings) -> Segment:
    """The segment with the amplitude and width of the file where it has none of its own."""
    amplitude = segment.amplitude_V
    width = segment.width_s
    return replace(
        segment,
        amplitude_V=settings.amplitude_of(segment.branch) if amplitude is None else amplitude,
        width_s=settings.width_of(segment.branch) if width is None else width,
    )


def read_sheets(tables: Sequence[Table], options: Options) -> Part:
    """Several sheets of one workbook as one: each a condition, or the label its name says.

    Sheets that cannot be read are left out with the reason, unless none can.
    """
    labels = _sheet_labels([str(table.sheet) for table in tables], options.given)
    parts: list[Part] = []
    read_of: list[str | None] = []
    notes: list[str] = []
    errors: list[PulseDataError] = []
    for table, label in zip(tables, labels, strict=True):
        try:
            parts.append(read_table(table, replace(options, given=label or options.given)))
            read_of.append(None if label else str(table.sheet))
        except PulseDataError as error:
            errors.append(error)
            reason = str(error).removeprefix(f"{table.path}: sheet {show(str(table.sheet))}, ")
            reason = reason.removeprefix(f"{table.path}: ")
            notes.append(f"sheet {show(str(table.sheet))} left out: {reason}")
    if not parts:
        raise errors[0]
    if len(parts) > 1:
        parts = [_of_sheet(part, name) for part, name in zip(parts, read_of, strict=True)]
    return _joined(tables, parts, notes)


def _of_sheet(part: Part, name: str | None) -> Part:
    """The part with the name of its sheet as condition; None where the name says another label."""
    if name is None:
        return part
    segments = tuple(
        replace(s, condition=f"{name}, {s.condition}" if s.condition else name)
        for s in part.segments
    )
    return replace(part, segments=segments)


def _sheet_labels(names: Sequence[str], given: Labels) -> list[Labels | None]:
    """Labels that the names of all sheets give alike, such as "LTP" and "LTD", else None."""
    headings = [read(name) for name in names]
    for kind in ("branch", "device", "cycle", "amplitude_V", "width_s", "field_G"):
        values = [getattr(h, kind) if h is not None else None for h in headings]
        if None not in values and len(set(values)) == len(values) and getattr(given, kind) is None:
            return [replace(given, **{kind: value}) for value in values]
    return [None] * len(names)


def _joined(tables: Sequence[Table], parts: Sequence[Part], notes: Sequence[str]) -> Part:
    first = parts[0]
    for part in parts[1:]:
        if (part.quantity, part.unit) != (first.quantity, first.unit):
            sheets = " or ".join(f"sheet={str(table.sheet)!r}" for table in tables[:4])
            raise PulseDataError(
                f"{tables[0].path}: the sheets hold {first.quantity} in {first.unit} and "
                f"{part.quantity} in {part.unit}; give {sheets}"
            )
    noises = [part.read_noise for part in parts if part.read_noise is not None]
    warnings = [warning for part in parts for warning in part.warnings]
    return replace(
        first,
        segments=tuple(segment for part in parts for segment in part.segments),
        warnings=(*notes, *dict.fromkeys(warnings)),
        read_noise=max(noises, default=None),
        read_voltage_V=common(part.read_voltage_V for part in parts),
        temperature_K=common(part.temperature_K for part in parts),
    )
