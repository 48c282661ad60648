"""Tables in which every row is a trace: "die, branch, G1_uS, G2_uS, ..." and the like.

Columns of readings count the pulses in their headings; the other columns say whose trace a row
is. What can as well be a column for each device or cycle is asked for, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from device_models.pulses.columns.names import BRANCH_WORDS
from device_models.pulses.table import Source, Table, counts, is_missing, width_of
from device_models.pulses.tables.head_labels import LABELS, read
from device_models.pulses.tables.row_traces import (
    Trace,
    is_smooth,
    long_table,
    respond,
    starts_with_count,
    trimmed,
    with_cycles,
)
from device_models.pulses.types import PulseDataError, show
from device_models.pulses.units import find_unit

Columns = Mapping[str | int, str | None]

FEWEST = 4
"""Columns of readings that a trace has at least."""

ENOUGH = 8
"""Numbers in headings that may rise by any steps and still be pulse numbers."""

SERIES = re.compile(r"(?P<stem>.*?)(?P<number>\d{1,5})(?P<rest>[\s_]*(?:[(\[/_ ].*)?)")
# Names of a pulse number in a heading such as "pulse 12" or "G after pulse 3 (uS)".
PULSE_NAME = re.compile(
    r"(?:after )?(?:pulse|puls|spike|stimulus|state|read|p|n|no|nr|#)[.\s]*$", re.I
)


@dataclass(frozen=True)
class Series:
    """Columns of readings by their numbers from 0, their pulse numbers, and what heads them all.

    The headings are numbers alone where it `counts`; where it `is_named` they say pulse.
    """

    columns: tuple[int, ...]
    pulses: tuple[str, ...]
    heading: str
    counts: bool = False
    is_named: bool = False


def turn_rows(
    table: Table, layout: str | None, columns: Columns | None, wide_of: str | None
) -> tuple[Table, Columns]:
    """The table with its rows turned into a long one where they are traces, and what is renamed.

    Raises PulseDataError where rows and columns can both be the traces, and where `layout` "rows"
    contradicts the table.
    """
    columns = columns or {}
    if table.turned or layout not in (None, "rows") or (wide_of is not None and layout is None):
        return table, columns
    source = Source(table.path, table.decimal, table.sheet)
    names = _renamed(table, columns)
    series = _series(table, names, layout)
    if series is None and layout is None:
        return table, columns
    if series is None:
        place = table.place(table.header_line or table.lines[0])
        raise PulseDataError(f"{place}: layout='rows' needs rows of {FEWEST} readings or more")
    labels = _label_columns(table, names, series)
    traces = [trace for trace in _traces(table, names, series, labels) if trace.cells]
    if layout is None and not _are_rows(table, names, series, labels, traces, source):
        return table, columns
    if len(traces) == 0:
        raise source.error(table.lines[0], "layout='rows' finds no readings in the rows")
    base = replace(table, notes=(*table.notes, _note(table, names, series, labels, traces)))
    left = {k: v for k, v in columns.items() if k not in (*table.headings, *_positions(table))}
    return long_table(base, with_cycles(traces), series.heading, series.pulses), left


def _positions(table: Table) -> range:
    return range(1, len(table.headings) + 1)


def _renamed(table: Table, columns: Columns) -> list[str]:
    """Headings with those of the option; names it does not know are left to whom reads columns."""
    names = list(table.headings)
    for key, name in columns.items():
        for i, heading in enumerate(table.headings):
            if key in (heading, i + 1):
                names[i] = "comment" if name is None else str(name)
    return names


def _series(table: Table, names: Sequence[str], layout: str | None) -> Series | None:
    """Columns whose headings count; all numeric ones without headings, or if rows are asked for."""
    runs = [_run(names, start) for start in range(len(names))]
    best = max(runs, key=len, default=[])
    if len(best) >= FEWEST:
        first = SERIES.fullmatch(names[best[0]])
        assert first is not None
        stem = first["stem"].strip(" _")
        bare = PULSE_NAME.sub("", stem).strip(" _")
        heading = f"{bare}{first['rest']}".strip(" _") or "value"
        pulses = tuple(str(_number(names[c])) for c in best)
        return Series(tuple(best), pulses, heading, counts=not stem, is_named=bare != stem)
    if any(names) and layout is None:
        return None
    plain = [c for c, cells in enumerate(table.columns) if _is_plain_column(table, cells, names[c])]
    if len(plain) < FEWEST:
        return None
    return Series(tuple(plain), tuple(str(i) for i in range(len(plain))), "value")


def _run(names: Sequence[str], start: int) -> list[int]:
    """Columns from `start` whose headings are one stem and unit, and whole numbers that rise.

    After a stem the numbers count from 0 or 1; alone, as "0, 5, 10", they only rise.
    """
    first = SERIES.fullmatch(names[start])
    if first is None or _is_other(names[start], first):
        return []
    alone = not first["stem"].strip() and not first["rest"].strip()
    run = [start]
    for c in range(start + 1, len(names)):
        match = SERIES.fullmatch(names[c])
        if match is None or (match["stem"], match["rest"]) != (first["stem"], first["rest"]):
            break
        if int(match["number"]) <= _number(names[c - 1]):
            break
        run.append(c)
    named = bool(PULSE_NAME.sub("", first["stem"]) != first["stem"])
    numbers = [_number(names[c]) for c in run]
    counted = numbers[0] in (0, 1) and numbers[-1] - numbers[0] == len(run) - 1
    return run if alone or named or counted else []


def _number(name: str) -> int:
    match = SERIES.fullmatch(name)
    assert match is not None
    return int(match["number"])


def _is_other(name: str, match: re.Match[str]) -> bool:
    """The number counts something else: a device, a cycle, volts."""
    unit = find_unit(match["rest"].strip()) if match["rest"][:1] in ("", " ") else None
    is_value = unit is not None and unit.measures in ("field", "voltage", "time")
    heading = read(name)
    is_label = heading is not None and (heading.device, heading.cycle) != (None, None)
    bare = match["stem"].strip(" _").lower()
    return is_value or re.search(r"\d\.?$", bare) is not None or (is_label and bare != "p")


def _is_plain_column(table: Table, cells: Sequence[str], name: str) -> bool:
    heading = read(name) if name else None
    if heading is not None and heading.role in (*LABELS, "pulse", "ignored", "read_voltage"):
        return False
    number = Source(table.path, table.decimal).is_number
    return any(cells) and all(number(cell) or is_missing(cell) for cell in cells)


def _label_columns(table: Table, names: Sequence[str], series: Series) -> dict[int, str]:
    """Columns beside the readings and the heading each gets in the long table."""
    found: dict[int, str] = {}
    for c, cells in enumerate(table.columns):
        if c in series.columns or not any(cells):
            continue
        heading = read(names[c]) if names[c] else None
        role = heading.role if heading is not None else "unknown"
        if role in ("unknown", "value", "branch") and _names_branches(cells):
            found[c] = "branch"
        elif role not in ("unknown", "ignored"):
            found[c] = names[c]
        elif "device" not in found.values() and role == "unknown" and _names_devices(table, cells):
            found[c] = "device"
    return found


def _names_branches(cells: Sequence[str]) -> bool:
    """Words of branches only; ones alone may be anything."""
    words = {cell.lower() for cell in cells}
    return words <= set(BRANCH_WORDS) and (len(words) > 1 or any(map(str.isalpha, words)))


def _names_devices(table: Table, cells: Sequence[str]) -> bool:
    """Words, or whole numbers that come up again, as those of a device do for each branch."""
    number = Source(table.path, table.decimal).is_number
    if not all(number(cell) for cell in cells):
        return True
    return all(cell.isdigit() for cell in cells) and 1 < len(set(cells)) < len(cells)


def _traces(
    table: Table, names: Sequence[str], series: Series, labels: Mapping[int, str]
) -> list[Trace]:
    traces = []
    for row, line in enumerate(table.lines):
        given = {_label_name(name): table.columns[c][row] for c, name in labels.items()}
        if branch := BRANCH_WORDS.get(given.get("branch", "").lower()):
            given["branch"] = branch
        cells = tuple(table.columns[c][row] for c in series.columns)
        traces.append(trimmed(Trace(line, cells, series.columns, given)))
    return traces


def _label_name(name: str) -> str:
    heading = read(name)
    is_plain = heading is not None and heading.role in ("branch", "device", "cycle")
    return heading.role if heading is not None and is_plain else name


def _are_rows(
    table: Table,
    names: Sequence[str],
    series: Series,
    labels: Mapping[int, str],
    traces: Sequence[Trace],
    source: Source,
) -> bool:
    """The rows are the traces and not the columns; PulseDataError where it can be both."""
    roles = {heading.role for name in labels.values() if (heading := read(name)) is not None}
    if roles & {"pulse", "value"} or not traces:
        return False
    has_branch = all(trace.branch for trace in traces)
    keys = [tuple(sorted(trace.labels.items())) for trace in traces]
    follows = all(a != b for a, b in pairwise(keys))
    many = len(series.columns) > len(traces)
    if not any(table.headings):
        if labels and has_branch and follows and many:
            raise PulseDataError(
                f"{table.place(table.lines[0])}: no header, and a word in front of "
                f"{len(series.columns)} numbers; give layout='rows' if each row is a trace"
            )
        return not labels and _are_bare_rows(table, series, traces, source)
    if not labels or not (len(set(keys)) == len(keys) or (has_branch and follows)):
        return False
    if _show_traces(series, traces, has_branch, source):
        return True
    if has_branch and many:
        raise PulseDataError(
            f"{table.place(table.header_line, series.columns[0])}: the number in "
            f"{show(names[series.columns[0]])} can be a pulse, a cycle or a device; give "
            f"layout='rows', wide_of='cycle' or wide_of='device'"
        )
    return False


def _show_traces(series: Series, traces: Sequence[Trace], has_branch: bool, source: Source) -> bool:
    """The headings say pulse, or the rows themselves behave like traces."""
    # Few numbers that do not count, such as 25, 50 and 100, may be temperatures.
    is_clear = not series.counts or counts(series.pulses) or len(series.columns) >= ENOUGH
    if series.is_named or (has_branch and is_clear and respond(traces, source)):
        return True
    smooth = series.counts and is_clear and not has_branch
    return smooth and all(is_smooth(trace, source) for trace in traces)


def _are_bare_rows(table: Table, series: Series, traces: Sequence[Trace], source: Source) -> bool:
    """Rows of numbers without any head that rise and fall by turns, more columns than rows."""
    is_index = any(counts(table.columns[c]) for c in series.columns[:1]) and len(traces) > 2
    is_index = is_index or all(starts_with_count(trace.cells) for trace in traces)
    if is_index or len(series.columns) <= len(traces):
        return False
    return min(width_of(trace.cells) for trace in traces) > FEWEST and respond(traces, source)


def _note(
    table: Table,
    names: Sequence[str],
    series: Series,
    labels: Mapping[int, str],
    traces: Sequence[Trace],
) -> str:
    count = "1 row" if len(traces) == 1 else f"{len(traces)} rows"
    text = f"each row is read as one trace: {count}, first in line {traces[0].line}"
    longest = max(len(trace.cells) for trace in traces)
    short = [f"line {t.line} ({len(t.cells)})" for t in traces if len(t.cells) < longest]
    if short:
        listed = ", ".join(short[:5]) + (f" and {len(short) - 5} more" if len(short) > 5 else "")
        text += f"; rows with fewer readings than {longest}: {listed}"
    for c, name in labels.items():
        text += f"; {show(names[c])} is taken as the device" if name == "device" != names[c] else ""
    used = {*series.columns, *labels}
    pairs = enumerate(zip(table.headings, table.columns, strict=True))
    unused = [show(name) for c, (name, cells) in pairs if c not in used and any(cells)]
    return f"{text}; not used: {', '.join(unused[:5])}" if unused else text
