"""Lines that each hold one trace, with a word in front that says which: "LTP: 1.0 1.2 1.3".

The lines may differ in length. Among them may be one of pulse numbers and one of conditions, so
that a whole table lies on its side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from device_models.pulses.table import (
    NUMBER,
    RawRows,
    Source,
    Table,
    counts,
    rises,
    width_of,
)
from device_models.pulses.tables.head_labels import LABELS
from device_models.pulses.tables.line_kinds import has_numbers, title_of
from device_models.pulses.tables.programming import WORD, named_branches, tell_branches
from device_models.pulses.tables.remarks import Comment, with_remarks
from device_models.pulses.tables.row_traces import (
    Trace,
    check_labels,
    goes_somewhere,
    long_table,
    respond,
    starts_with_count,
    with_cycles,
    with_titles,
)
from device_models.pulses.tables.settings import read_settings
from device_models.pulses.tables.tag_lines import (
    FEWEST,
    MAX_TAG,
    Line,
    heading_of,
    join_brackets,
    take_apart,
)
from device_models.pulses.tables.tagged_lines import Lines
from device_models.pulses.types import PulseDataError, show

Row = Sequence[str]

MANY = 40
"""Lines from which on a few are looked at first."""

WORDS = {"resistance": "R", "conductance": "G", "current": "I"}


def find_tagged(
    source: Source, raw: RawRows, comments: Sequence[Comment], layout: str | None
) -> Table | None:
    """Long table of lines that are traces; None where they are something else.

    Raises PulseDataError where `layout` asks for rows and a line cannot be read as one.
    """
    if layout not in (None, "rows") or not _may_hold_traces(raw, source):
        return None
    if layout is None and len(raw.cells) > MANY and not _seem_traces(raw, source):
        return None
    told = tell_branches([take_apart(row, line, source) for row, line in _rows(raw)], source)
    lines = Lines(_data_lines(told.lines), source, told)
    if not lines.all or _has_head(raw, lines.all[0], source):
        return None
    if told.error:
        raise told.error
    if told.branches:
        _check_whole(raw, lines, source)
    first = lines.all[0]
    if first.role in LABELS and (counts(first.cells) or rises(first.cells)):
        return None
    _check_counts(lines, layout, source)
    is_table = lines.of("value") or (lines.named and lines.pulses)
    if not is_table or len(lines.pulses) > 1 or (layout is None and not _is_plain(lines)):
        return None
    return None if _has_strangers(raw, lines, source) else _table(raw, comments, lines)


def may_be_rows(source: Source, raw: RawRows) -> bool:
    """Rows could be traces although nothing shows it: few, long, and with tags by turns."""
    try:
        table = find_tagged(source, raw, (), "rows")
    except PulseDataError:
        return False
    if table is None:
        return False
    found = [take_apart(row, line, source) for row, line in _rows(raw)]
    found = list(tell_branches(found, source).lines)
    tags = [line.tag for line in found if line is not None and line.role == "value"]
    longest = max(len(row) for row in raw.cells)
    return len(tags) < longest and all(a != b for a, b in pairwise(tags))


def _may_hold_traces(raw: RawRows, source: Source) -> bool:
    """Most lines are long enough and begin with a word, as far as a few of them show."""
    sample = raw.cells[:: max(1, len(raw.cells) // 100)]
    number = NUMBER[source.decimal]
    long = [len(row) > FEWEST and not number.fullmatch(row[0]) for row in sample]
    return 4 * sum(long) >= len(sample)


def _seem_traces(raw: RawRows, source: Source) -> bool:
    """What a few lines of many show, so that a long table need not be taken apart for nothing."""
    top = raw.take(range(MANY))
    middle = len(raw.cells) // 2
    some = raw.take(range(middle, middle + 10))
    heads = [take_apart(row, line, source) for row, line in _rows(top)]
    if any(line is not None and line.role == "pulse" for line in heads):
        return True
    lines = [take_apart(row, line, source) for row, line in _rows(some)]
    values = [line for line in lines if line is not None and line.role == "value"]
    return all(goes_somewhere(line.cells, source) for line in values)


def _rows(raw: RawRows) -> Iterator[tuple[Row, int]]:
    return zip(raw.cells, raw.lines, strict=True)


def _data_lines(lines: Sequence[Line | None]) -> list[Line]:
    """The lines from the first that is long or names readings; short ones above are settings."""
    found = [line for line in lines if line is not None]
    longest = max((len(line.cells) for line in found), default=0)
    belongs = [line.role == "value" or 2 * len(line.cells) >= longest for line in found]
    return found[belongs.index(True) :] if found else []


def _has_head(raw: RawRows, first: Line, source: Source) -> bool:
    """The row above the first line names its columns."""
    at = raw.lines.index(first.line)
    above = [cell for cell in raw.cells[at - 1] if cell] if at else []
    is_text = not any(source.is_number(c) and not source.is_condition(c) for c in above)
    return len(above) > FEWEST and is_text and width_of(raw.cells[at - 1]) >= len(first.cells)


def _has_strangers(raw: RawRows, lines: Lines, source: Source) -> bool:
    """Rows with numbers of their own stand among the traces, or a broken one above them."""
    used, first = {line.line for line in lines.all}, lines.all[0].line
    longest = max(len(line.cells) for line in lines.all)
    for row, at in _rows(raw):
        if at < first:
            has_digits = any(character.isdigit() for cell in row for character in cell)
            is_stranger = has_digits and 2 * len(row) >= longest
        else:
            is_stranger = at not in used and _is_reading(row, source)
        if is_stranger:
            return True
    return False


def _check_whole(raw: RawRows, lines: Lines, source: Source) -> None:
    """Raise PulseDataError for a row with a tag of programming that cannot be taken apart."""
    used, first = {line.line for line in lines.all}, lines.all[0].line
    for row, at in _rows(raw):
        is_tagged = WORD.search(" ".join(row[:MAX_TAG])) is not None
        if at > first and at not in used and is_tagged and has_numbers(row, source):
            cells = join_brackets(row)
            start = next((k for k, cell in enumerate(cells) if source.is_number(cell)), 0)
            words = [cell for cell in cells[start:] if cell and not source.is_number(cell)]
            said = f"; {show(words[0])} is not a number" if words else ""
            raise source.error(at, f"not a whole row of readings as those above{said}")


def _is_reading(row: Row, source: Source) -> bool:
    """The row has numbers, and begins with one or with a word that names readings."""
    first = next(cell for cell in row if cell)
    heading = heading_of(first.strip(" :="))
    is_value = heading is not None and heading.role == "value"
    has_numbers = any(source.is_number(cell) for cell in row if cell)
    return has_numbers and (source.is_number(first) or is_value)


def _check_counts(lines: Lines, layout: str | None, source: Source) -> None:
    """A whole number in front of readings with decimals can be a cycle: an error, not a guess."""
    traces = lines.of("value")
    if layout == "rows" and traces and all(starts_with_count(line.cells) for line in traces):
        first = traces[0]
        raise source.error(
            first.line,
            f"{show(first.cells[0])} can be a number of the row or a reading; "
            f"write it into the tag, as in {show(first.tag + '_' + first.cells[0])}",
        )


def _is_plain(lines: Lines) -> bool:
    """Nothing else in the file fits rows that are traces less well than columns."""
    kept = lines.all
    if any(line.role == "" for line in kept):
        return False
    if lines.pulses:
        length = len(lines.pulses[0].cells)
        starts = {line.fields[0] for line in kept}
        is_first = lines.pulses[0] is kept[0]
        return is_first and len(starts) == 1 and max(len(line.cells) for line in kept) == length
    firsts = [line.cells[0] for line in kept]
    is_index = len(firsts) > 2 and (counts(firsts) or len(set(firsts)) == 1)
    is_index = is_index or all(starts_with_count(line.cells) for line in kept)
    return not lines.named and not is_index and respond(lines.traces(), lines.source)


def _table(raw: RawRows, comments: Sequence[Comment], lines: Lines) -> Table:
    """The long table, with the other lines of the file as remarks."""
    source, titles = lines.source, _titles(raw, lines)
    traces = with_titles(list(lines.traces()), titles)
    check_labels(source, traces)
    used = {line.line for line in lines.all}
    around = [row for row, line in _rows(raw) if line not in used]
    base = Table(
        path=source.path,
        headings=(),
        columns=(),
        lines=(),
        n_fields=(),
        decimal=source.decimal,
        sheet=source.sheet,
        header_line=lines.pulses[0].line if lines.pulses else 0,
        notes=tuple(_notes(raw, lines, traces, len(titles))),
    )
    pulses = lines.pulses[0].cells if lines.pulses else None
    beside = {line.tag: line.cells for line in lines.of(*LABELS, "read_voltage")}
    value = _value(source, traces)
    table = with_remarks(base, around, comments)
    rows = [*([text] for text in table.remarks), *(line.settings for line in lines.all)]
    stated = read_settings(
        [[named_branches(cell, lines.told.branches) for cell in row] for row in rows],
        source.decimal,
    )
    settings = stated.completed(table.settings)
    table = replace(table, settings=settings, as_conductance=lines.told.bare)
    return long_table(table, with_cycles(traces), value, pulses, beside)


def _titles(raw: RawRows, lines: Lines) -> dict[int, dict[str, str]]:
    """Labels by line where lines of text between the traces say whose they are, as "(B7) ..." does.

    Empty unless every such line, the one above the first trace among them, is a label.
    """
    used = {line.line for line in lines.all}
    start = max(0, list(raw.lines).index(lines.all[0].line) - 1)
    last = lines.all[-1].line
    texts = {
        at: " ".join(join_brackets(row)) for row, at in list(_rows(raw))[start:] if at not in used
    }
    titles = {at: title_of(text) for at, text in texts.items() if at < last}
    if len(titles) == 1 and lines.told.branches:
        # A lone title gives the name in front; its widths belong to one of the words each.
        titles = {at: {k: v for k, v in t.items() if k == "device"} for at, t in titles.items()}
        return titles if all(titles.values()) else {}
    return titles if len(titles) > 1 and all(titles.values()) else {}


def _value(source: Source, traces: Sequence[Trace]) -> str:
    """Heading of the readings: the one quantity and unit that the tags name."""
    first: tuple[str, str] | None = None
    for trace in traces:
        heading = trace.heading
        if heading is None:
            continue
        found = (heading.measures or "", heading.unit.symbol if heading.unit else "")
        if first is not None and found != first:
            raise source.error(trace.line, "another quantity or unit than in the rows above")
        first = found
    quantity, unit = first or ("", "")
    name = WORDS.get(quantity, "value")
    return f"{name} ({unit})" if unit else name


def _notes(raw: RawRows, lines: Lines, traces: Sequence[Trace], n_titles: int) -> list[str]:
    count = "1 row" if len(traces) == 1 else f"{len(traces)} rows"
    notes = [f"each row is read as one trace: {count}, first in line {traces[0].line}"]
    notes += [lines.told.note] if lines.told.note else []
    for line in lines.of("ignored"):
        notes.append(f"line {line.line} ({show(line.tag)}) is no trace and left out")
    if lines.named:
        names = ", ".join(show(line.tag) for line in lines.named[:5])
        notes.append(f"rows {names} are taken as readings of one device each")
    if any(trace.heading is not None and trace.heading.number for trace in traces):
        notes.append("numbers in front of rows are read as cycles of a branch, else as devices")
    others = sum(line > lines.all[0].line for _, line in _rows(raw)) + 1 - len(lines.all)
    below = others - max(0, n_titles - 1)
    if below > 0:
        lines_of_text = "1 line" if below == 1 else f"{below} lines"
        notes.append(f"{lines_of_text} of text between or below the rows left out")
    return notes
