"""Lines that each hold one trace, with a word in front that says which: "LTP: 1.0 1.2 1.3".

The lines may differ in length. Among them may be one of pulse numbers and one of conditions, so
that a whole table lies on its side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from device_models.pulses.headings import Heading
from device_models.pulses.heads import LABELS, read
from device_models.pulses.settings import read_settings
from device_models.pulses.tables import (
    NUMBER,
    RawRows,
    Source,
    Table,
    counts,
    is_missing,
    width_of,
)
from device_models.pulses.traces import (
    Trace,
    long_table,
    respond,
    starts_with_count,
    trimmed,
    with_cycles,
)
from device_models.pulses.types import show
from device_models.pulses.units import find_unit

Row = Sequence[str]

MAX_TAG = 6
FEWEST = 3
"""Readings a line has at least."""

# "Gset", "R_LTP", "I pot.": the quantity by its letter, then the branch.
LETTER = re.compile(
    r"(?<![A-Za-z])([GRI])[_ ]?(?=(?:set|reset|ltp|ltd|pot|dep|up|down)(?![A-Za-z]))"
)
# Names of devices such as "B2", although a B may be a field; "V1" and "G1" say too much.
CODE = re.compile(r"(?![GRIVP]\d)[A-Z]{1,2}\d{1,3}")
WORDS = {"resistance": "R", "conductance": "G", "current": "I"}
UNITS = {"field_G": "field (G)", "amplitude_V": "amplitude (V)", "width_s": "width (s)"}


@dataclass(frozen=True, eq=False)
class Line:
    """A line taken apart: its tag as text and as a heading, its cells and their fields."""

    line: int
    tag: str
    heading: Heading | None
    cells: tuple[str, ...]
    fields: tuple[int, ...]

    @property
    def role(self) -> str:
        """Role of the tag; "pulse" for a line without tag that counts."""
        if not self.tag:
            return "pulse" if counts(self.cells) else ""
        return self.heading.role if self.heading else "unknown"


def find_tagged(
    source: Source, raw: RawRows, comments: Sequence[tuple[int, Row, str]], layout: str | None
) -> Table | None:
    """Long table of lines that are traces; None where they are something else.

    Raises PulseDataError where `layout` asks for rows and a line cannot be read as one.
    """
    if layout not in (None, "rows"):
        return None
    lines = [_taken_apart(row, line, source) for row, line in _rows(raw)]
    kept = _data_lines(lines)
    if (
        not kept
        or _has_head(raw, kept[0], source)
        or any(_is_stranger(row, line, kept, source) for row, line in _rows(raw))
    ):
        return None
    _check_counts(kept, layout, source)
    traces = [
        t for line in kept if line.role == "value" and (t := _trace(line, source)) is not None
    ]
    pulses = [line for line in kept if line.role == "pulse"]
    others = [line for line in kept if line.role in LABELS or line.role == "read_voltage"]
    named = [line for line in kept if line.role == "unknown" and line.tag]
    if not traces and not (named and pulses):
        return None
    if len(pulses) > 1 or (layout is None and not _is_plain(kept, traces, named, pulses, source)):
        return None
    traces += [_of_device(line) for line in named]
    traces.sort(key=lambda trace: trace.line)
    return _table(source, raw, comments, kept, traces, pulses, others, named)


def _rows(raw: RawRows) -> Iterator[tuple[Row, int]]:
    return zip(raw.cells, raw.lines, strict=True)


def _taken_apart(row: Row, line: int, source: Source) -> Line | None:
    """The line as a tag and numbers; None where it is something else."""
    cells = list(row[: width_of(row)])
    if NUMBER[source.decimal].fullmatch(cells[0]):
        return None
    if split := re.fullmatch(r"([^:=]*[A-Za-z][^:=]*[:=])\s*(\S+)", cells[0]):
        cells[:1] = [split[1], split[2]] if source.is_number(split[2]) else [cells[0]]
    words = [i for i, c in enumerate(cells) if not is_missing(c) and not source.is_number(c)]
    last = words[-1] if words else -1
    if last >= MAX_TAG or (words and words[0] > 0) or (not words and cells[0]):
        return None
    if not all(_is_word(cells, i, source) for i in range(last + 1)):
        return None
    start = max(last + 1, 0 if words else 1)
    readings = tuple(cells[start:])
    if sum(not is_missing(cell) for cell in readings) < FEWEST:
        return None
    tag = " ".join(cells[: last + 1]).strip(" :=,;")
    offset = len(row[: width_of(row)]) - len(cells)
    fields = tuple(start + offset + i for i in range(len(readings)))
    heading = None if CODE.fullmatch(tag) else read(LETTER.sub(r"\1 ", tag))
    return Line(line, tag, heading, readings, fields)


def _is_word(cells: Sequence[str], i: int, source: Source) -> bool:
    """The cell may stand in a tag: a word, a whole number, or a number with its unit next to it."""
    if source.is_number(cells[i]):
        return cells[i].isdigit() or find_unit(cells[i + 1]) is not None
    return re.match(r"[+-]?[.,]?\d", cells[i]) is None


def _data_lines(lines: Sequence[Line | None]) -> list[Line]:
    """The lines from the first that is long; short ones above it are settings."""
    found = [line for line in lines if line is not None]
    longest = max((len(line.cells) for line in found), default=0)
    first = next((i for i, line in enumerate(found) if 2 * len(line.cells) >= longest), 0)
    return found[first:]


def _has_head(raw: RawRows, first: Line, source: Source) -> bool:
    """The row above the first line names its columns."""
    at = raw.lines.index(first.line)
    above = [cell for cell in raw.cells[at - 1] if cell] if at else []
    is_text = not any(source.is_number(c) and not source.is_condition(c) for c in above)
    return len(above) > FEWEST and is_text and width_of(raw.cells[at - 1]) >= len(first.cells)


def _is_stranger(row: Row, line: int, kept: Sequence[Line], source: Source) -> bool:
    """The row stands among the traces with numbers of its own and is none of them."""
    if any(line == other.line for other in kept):
        return False
    if line < kept[0].line:
        has_digits = any(character.isdigit() for cell in row for character in cell)
        return has_digits and 2 * len(row) >= max(len(other.cells) for other in kept)
    first = next(cell for cell in row if cell)
    heading = read(LETTER.sub(r"\1 ", first.strip(" :=")))
    is_value = heading is not None and heading.role == "value"
    has_numbers = any(source.is_number(cell) for cell in row if cell)
    return has_numbers and (source.is_number(first) or is_value)


def _check_counts(kept: Sequence[Line], layout: str | None, source: Source) -> None:
    """A whole number in front of readings with decimals can be a cycle: an error, not a guess."""
    traces = [line for line in kept if line.role == "value"]
    if layout == "rows" and traces and all(starts_with_count(line.cells) for line in traces):
        first = traces[0]
        raise source.error(
            first.line,
            f"{show(first.cells[0])} can be a number of the row or a reading; "
            f"write it into the tag, as in {show(first.tag + '_' + first.cells[0])}",
        )


def _is_plain(
    kept: Sequence[Line],
    traces: Sequence[Trace],
    named: Sequence[Line],
    pulses: Sequence[Line],
    source: Source,
) -> bool:
    """Nothing else in the file fits rows that are traces less well than columns."""
    if any(line.role == "" for line in kept):
        return False
    if pulses:
        widths = {len(line.cells) for line in kept}
        starts = {line.fields[0] for line in kept}
        return pulses[0] is kept[0] and len(starts) == 1 and max(widths) == len(pulses[0].cells)
    firsts = [line.cells[0] for line in kept]
    is_index = len(firsts) > 2 and (counts(firsts) or len(set(firsts)) == 1)
    is_index = is_index or all(starts_with_count(line.cells) for line in kept)
    return not named and not is_index and respond(traces, source)


def _trace(line: Line, source: Source) -> Trace | None:
    """The line as a trace with the labels of its tag."""
    heading = line.heading
    assert heading is not None
    labels: dict[str, str] = {}
    for name in ("branch", "device", "cycle"):
        if getattr(heading, name) is not None:
            labels[name] = str(getattr(heading, name))
    for name, column in UNITS.items():
        if getattr(heading, name) is not None:
            text = f"{getattr(heading, name):g}"
            labels[column] = text.replace(".", source.decimal)
    if heading.number is not None:
        labels.setdefault("cycle" if heading.branch else "device", heading.number)
    return trimmed(Trace(line.line, line.cells, line.fields, labels, heading))


def _of_device(line: Line) -> Trace:
    return trimmed(Trace(line.line, line.cells, line.fields, {"device": line.tag[:40]}))


def _table(
    source: Source,
    raw: RawRows,
    comments: Sequence[tuple[int, Row, str]],
    kept: Sequence[Line],
    traces: Sequence[Trace],
    pulses: Sequence[Line],
    others: Sequence[Line],
    named: Sequence[Line],
) -> Table:
    used = {line.line for line in kept}
    around = [row for row, line in zip(raw.cells, raw.lines, strict=True) if line not in used]
    below = [row for row, line in zip(raw.cells, raw.lines, strict=True) if line > kept[0].line]
    _check_labels(source, traces)
    base = Table(
        path=source.path,
        headings=(),
        columns=(),
        lines=(),
        n_fields=(),
        decimal=source.decimal,
        sheet=source.sheet,
        header_line=pulses[0].line if pulses else 0,
        remarks=(*(" ".join(row) for row in around), *(text for _, _, text in comments if text)),
        notes=tuple(_notes(traces, kept, named, len(below) + 1 - len(kept))),
        settings=read_settings([*around, *([text] for _, _, text in comments)], source.decimal),
    )
    beside = {line.tag: line.cells for line in others}
    counted = with_cycles(traces)
    return long_table(base, counted, _value(source, traces), _numbers(pulses), beside)


def _numbers(pulses: Sequence[Line]) -> Sequence[str] | None:
    return pulses[0].cells if pulses else None


def _check_labels(source: Source, traces: Sequence[Trace]) -> None:
    """All lines have the same kinds of labels."""
    for trace in traces[1:]:
        missing = set(traces[0].labels) ^ set(trace.labels)
        if missing:
            name = sorted(missing)[0]
            lacking = trace if name in traces[0].labels else traces[0]
            raise source.error(
                lacking.line, f"nothing says the {name} of this row, as other rows do"
            )


def _value(source: Source, traces: Sequence[Trace]) -> str:
    """Heading of the readings: the one quantity and unit that the tags name."""
    headings = [trace.heading for trace in traces if trace.heading is not None]
    found = {(h.measures or "", h.unit.symbol if h.unit else "") for h in headings}
    if len(found) > 1:
        odd = next(
            t for t in traces if t.heading is not None and _of(t.heading) != _of(headings[0])
        )
        raise source.error(odd.line, "this row is in another quantity or unit than those above")
    quantity, unit = found.pop() if found else ("", "")
    name = WORDS.get(quantity, "value")
    return f"{name} ({unit})" if unit else name


def _of(heading: Heading) -> tuple[str, str]:
    return heading.measures or "", heading.unit.symbol if heading.unit else ""


def _notes(
    traces: Sequence[Trace], kept: Sequence[Line], named: Sequence[Line], others: int
) -> list[str]:
    notes = [f"each row is read as one trace: {len(traces)} rows, first in line {traces[0].line}"]
    ignored = [line for line in kept if line.role == "ignored"]
    notes += [f"line {line.line} ({show(line.tag)}) is no trace and left out" for line in ignored]
    if named:
        names = ", ".join(show(line.tag) for line in named[:5])
        notes.append(f"rows {names} are taken as readings of one device each")
    if others > 0:
        notes.append(f"{others} lines between or below the traces left out")
    return notes
