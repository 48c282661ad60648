"""The table inside an export: below its preamble, between its marks, above its summary.

Several tables with the same head, one after the other, become one: what stands above each of
them ("LTP", "cycle 2", "device A7") labels its rows, else its pulse numbers tell them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from device_models.pulses.headings import is_known
from device_models.pulses.heads import LABELS, is_label, read
from device_models.pulses.tables import RawRows, Source, is_missing, width_of
from device_models.pulses.types import show

Row = Sequence[str]

START = re.compile(
    r"\W*(?:begin|data|begin[ _-]?data|data[ _-]?(?:begin|start|block|section)|readings|values"
    r"|measure(?:d|ment)[ _-]?data|end[ _-]?of[ _-]?header)\W*",
    re.IGNORECASE,
)
END = re.compile(
    r"\W*(?:end|eof|end[ _-]?(?:of[ _-]?)?(?:data|file|measurement)|data[ _-]?end)\W*",
    re.IGNORECASE,
)
SECTION = re.compile(r"\[[^\]]+\]")
SUMMARY = re.compile(
    r"(?:mean|average|avg|median|std|stdev|sd|min|max|minimum|maximum|total|sum|count|ratio|range"
    r"|on/off|g ?max|g ?min|r ?max|r ?min|result|summary|remark|note|comment)s?\b",
    re.IGNORECASE,
)
# Headings know devices by number; a title may give any code.
DEVICE = re.compile(
    r"\W*(?:device|dev|cell|dut|sample|chip|die)\b[\s#.]*(?:id|name|no|number)?[\s#.]+(\w[\w.-]{0,39})\W*",
    re.IGNORECASE,
)
FEWEST_TAGS = 3


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows of the one table there is, lines around it, and what was left out."""

    rows: RawRows
    aside: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def cut_blocks(raw: RawRows, source: Source) -> Blocks:
    """The rows of the table in a file; PulseDataError for two tables that differ."""
    aside: list[Row] = []
    notes: list[str] = []
    raw = _between_marks(raw, source, aside)
    raw = _tagged(raw, source, aside)
    raw = _without_footer(raw, source, aside, notes)
    raw = _joined(raw, source, aside, notes)
    return Blocks(raw, aside, notes)


def _has_numbers(row: Row, source: Source) -> bool:
    return any(source.is_number(cell) for cell in row if cell)


def _is_text(row: Row, source: Source) -> bool:
    """The row holds words and no numbers but conditions such as "1.2 V"."""
    cells = [cell for cell in row if cell and not is_missing(cell)]
    return bool(cells) and not any(
        source.is_number(c) and not source.is_condition(c) for c in cells
    )


def _between_marks(raw: RawRows, source: Source, aside: list[Row]) -> RawRows:
    """Without what stands above a mark such as "[Data]", and without such marks."""
    words = {i: " ".join(row).strip() for i, row in enumerate(raw.cells) if width_of(row) < 4}
    ends = {i for i, text in words.items() if END.fullmatch(text)}
    starts = [i for i, text in words.items() if START.fullmatch(text) and _is_mark(raw, i, text)]
    headers = [i for i in starts if "header" in words[i].lower()]
    tables = [i for i in headers if _above_table(raw, i, source)]
    begin = [*tables, *headers[-1:], *starts, -1][0] + 1
    if sum(_has_numbers(row, source) for row in raw.cells[begin:]) < 2:
        begin = 0
    marks = {*ends, *(i for i in starts if i >= begin)} if begin or ends else set()
    if len(marks) == len(raw.cells):
        return raw
    aside += raw.cells[:begin]
    return raw.take(i for i in range(begin, len(raw.cells)) if i not in marks)


def _above_table(raw: RawRows, i: int, source: Source) -> bool:
    """The line is directly above the head of a table."""
    head, below = [*raw.cells[i + 1 : i + 3], [], []][:2]
    is_head = bool(head) and _is_text(head, source) and bool(below) and _has_numbers(below, source)
    return is_head and _starts_like_number(below)


def _is_mark(raw: RawRows, i: int, text: str) -> bool:
    """A bare "data" above a single column is its heading."""
    below = raw.cells[i + 1] if i + 1 < len(raw.cells) else []
    return not text.isalnum() or width_of(below) > 1


def _tagged(raw: RawRows, source: Source, aside: list[Row]) -> RawRows:
    """Only the lines of the table where one word marks its rows and another one its head."""
    words = Counter(
        row[0] for row in raw.cells if row and _is_tagged_row(row, source) and len(row) > 1
    )
    for tag, times in words.most_common(3):
        if times < FEWEST_TAGS:
            break
        rows = [i for i, row in enumerate(raw.cells) if row[0] == tag]
        heads = _tag_heads(raw, rows, source)
        kept = {*heads, *rows}
        if heads and len(kept) < len(raw.cells):
            aside += [row for i, row in enumerate(raw.cells) if i not in kept]
            cells = [
                ["comment", *row[1:]] if i in heads else row for i, row in enumerate(raw.cells)
            ]
            return RawRows(cells, raw.lines).take(sorted(kept))
    return raw


def _is_tagged_row(row: Row, source: Source) -> bool:
    """A word, then numbers alone."""
    rest = [cell for cell in row[1:] if cell]
    is_word = bool(row[0]) and not source.is_number(row[0]) and not is_missing(row[0])
    return is_word and bool(rest) and all(source.is_number(c) or is_missing(c) for c in rest)


def _tag_heads(raw: RawRows, rows: list[int], source: Source) -> set[int]:
    """Rows that head runs of tagged rows, all with one other tag; empty where there are none."""
    heads = {i - 1 for k, i in enumerate(rows) if k == 0 or i - 1 != rows[k - 1]}
    if min(heads) < 0:
        return set()
    first = raw.cells[min(heads)]
    heading = read(first[0]) if first[0] else None
    is_named = heading is not None and heading.role in ("branch", "device", "cycle")
    like = all(
        raw.cells[i][0] == first[0]
        and width_of(raw.cells[i]) >= max(2, width_of(raw.cells[i + 1]))
        and _is_text(raw.cells[i], source)
        for i in heads
    )
    is_broken = _has_strangers(raw, rows, heads, source)
    is_column = not first[0] and is_label(raw.cells[rows[0]][0])
    return heads if like and not (is_named or is_broken or is_column) else set()


def _has_strangers(raw: RawRows, rows: list[int], heads: set[int], source: Source) -> bool:
    """Rows of numbers with other tags stand among the tagged ones or below the last of them."""
    tagged, inside = set(rows), False
    kept = tagged | heads
    for i in range(len(raw.cells) - 1, min(heads), -1):
        # From below: what stands above a tagged row and below its head belongs to the run.
        inside = i in tagged if i in kept else inside
        below = i > rows[-1] and _is_tagged_row(raw.cells[i], source)
        if i not in kept and (inside or below):
            return True
    return False


def _without_footer(raw: RawRows, source: Source, aside: list[Row], notes: list[str]) -> RawRows:
    """Without the lines of text below the last reading."""
    end = len(raw.cells)
    while end and not _is_row_of(raw, end - 1, source):
        end -= 1
    left_out = range(end, len(raw.cells))
    if end < 2 or not left_out:
        return raw
    gap = raw.lines[end] > raw.lines[end - 1] + 1
    if not all(gap or _is_summary(raw.cells[i], source) for i in left_out):
        return raw
    aside += [raw.cells[i] for i in left_out]
    first = show(", ".join(cell for cell in raw.cells[end] if cell))
    count = "1 line" if len(left_out) == 1 else f"{len(left_out)} lines"
    notes.append(f"{count} of text below the readings left out: line {raw.lines[end]} ({first})")
    return raw.take(range(end))


def _is_row_of(raw: RawRows, i: int, source: Source) -> bool:
    """The row may belong to the table: it has a number, no reading, or too little text."""
    row = raw.cells[i]
    if _is_summary(row, source):
        return any(above and above[0] == row[0] for above in raw.cells[:i])
    has_cells = _has_numbers(row, source) or any(is_missing(cell) for cell in row if cell)
    return has_cells or not re.search(r"[^\W\d_]{3}", " ".join(row))


def _is_summary(row: Row, source: Source) -> bool:
    """A name with a value, as summaries have them: "Gmax = 3e-5 S", "mean, 2.3"."""
    first = next((cell for cell in row if cell), "")
    if source.is_number(first) or is_missing(first) or is_label(first):
        return False
    is_assigned = re.match(r"[^\W\d][^:=]*[:=]", first) is not None
    return bool(is_assigned or SUMMARY.match(first) or SECTION.fullmatch(first))


def _joined(raw: RawRows, source: Source, aside: list[Row], notes: list[str]) -> RawRows:
    """Tables of one head as one table, each row with the labels above its own."""
    heads = _heads(raw, source)
    if len(heads) < 2:
        return raw
    size = _head_size(raw, heads[0], source)
    titles = [_title(raw, head, heads[k - 1] if k else -1, source) for k, head in enumerate(heads)]
    kept = list(range(heads[0] + size))
    labels: list[tuple[str, ...]] = [()] * len(kept)
    numbered = any(_role(cell) in ("pulse", "branch") for cell in raw.cells[heads[0]])
    for k, (head, end) in enumerate(zip(heads, [*heads[1:], len(raw.cells)], strict=True)):
        rows = range(head + size, end)
        body = _body(raw, rows, source)
        aside += [raw.cells[i] for i in rows if i not in body]
        kept += body
        added = titles[k].values()
        labels += [(*added, *(() if numbered else (str(n),))) for n in range(len(body))]
    names = (*titles[0], *(() if numbered else ("pulse",)))
    if any(set(title) != set(titles[0]) for title in titles):
        line = raw.lines[heads[-1]]
        raise source.error(
            line, "a second table, and not every table has a title of the same kind; split the file"
        )
    if not titles[0]:
        _check_copies(raw, heads, size, source)
    notes.append(f"{len(heads)} tables with the same headings read one after the other")
    return _with_columns(raw.take(kept), heads[0], names, labels)


def _body(raw: RawRows, rows: range, source: Source) -> range:
    """Rows of readings of one table, damaged ones with them, without the lines of text below."""
    if not rows:
        return rows
    first = _starts_like_number(raw.cells[rows[0]])
    end = len(rows)
    while end:
        row = raw.cells[rows[end - 1]]
        is_row = first or (_has_numbers(row, source) and not is_title(row))
        if is_row and _starts_like_number(row) == first:
            break
        end -= 1
    # Close below the readings a row of their width is no text, but one of them that is damaged.
    while 0 < end < len(rows) and _follows(raw, rows[end], source):
        end += 1
    return rows[:end]


def _follows(raw: RawRows, i: int, source: Source) -> bool:
    row, above = raw.cells[i], raw.cells[i - 1]
    is_next = raw.lines[i] == raw.lines[i - 1] + 1 and width_of(row) == width_of(above)
    is_text = _is_summary(row, source) or is_title(row)
    return is_next and _has_numbers(row, source) and not is_text


def _starts_like_number(row: Row) -> bool:
    """The first cell is a number or begins like one, is blank, or stands for no reading."""
    return is_missing(row[0]) or re.match(r"[+-]?[.,]?\d", row[0]) is not None


def _check_copies(raw: RawRows, heads: Sequence[int], size: int, source: Source) -> None:
    """Raise PulseDataError for a table most of whose rows are those of another one."""
    tables = [
        list(map(list, raw.cells[head + size : end]))
        for head, end in zip(heads, [*heads[1:], len(raw.cells)], strict=True)
    ]
    for k, table in enumerate(tables):
        for j, above in enumerate(tables[:k]):
            same = sum(a == b for a, b in zip(table, above, strict=False))
            if 2 * same > min(len(table), len(above)):
                raise source.error(
                    raw.lines[heads[k]],
                    f"the table that begins here repeats the rows of that in line "
                    f"{raw.lines[heads[j]]}; leave one of them out",
                )


def is_title(row: Row) -> bool:
    """A line of labels above a table: "Cycle 2", "Device: A7", "LTP"."""
    cells = [cell for cell in row if cell]
    if not cells or (re.match(r"[+-]?[\d.]", cells[0]) and len(cells) > 1):
        return False
    name = read(cells[0].rstrip(":= "))
    is_named = cells[0][-1] in ":=" or (name is not None and name.role in LABELS)
    return (len(cells) == 1 or (len(cells) < 5 and is_named)) and bool(_labels_in(" ".join(cells)))


def _title(raw: RawRows, head: int, above: int, source: Source) -> dict[str, str]:
    """Labels that the lines directly above a head give: name of the column and its cell."""
    found: dict[str, str] = {}
    for i in range(head - 1, max(above, head - 4), -1):
        if not is_title(raw.cells[i]):
            break
        found = {**_labels_in(" ".join(cell for cell in raw.cells[i] if cell)), **found}
    return dict(sorted(found.items()))


def _labels_in(text: str) -> dict[str, str]:
    text = re.sub(r"[:=;]", " ", text)
    if code := DEVICE.fullmatch(text):
        return {"device": code[1]}
    heading = read(text)
    if heading is None or heading.unit or not heading.labelled:
        return {}
    found = {
        "branch": heading.branch,
        "device": heading.device,
        "cycle": heading.cycle,
        "field (G)": heading.field_G,
        "amplitude (V)": heading.amplitude_V,
        "width (s)": heading.width_s,
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _with_columns(
    raw: RawRows, head: int, names: Sequence[str], labels: Sequence[tuple[str, ...]]
) -> RawRows:
    """The rows with further columns to the right of all they have."""
    if not names:
        return raw
    width = max(width_of(row) for row in raw.cells[head:])
    cells: list[Row] = []
    for i, (row, added) in enumerate(zip(raw.cells, labels, strict=True)):
        padded = [*row[:width], *[""] * (width - len(row))]
        cells.append([*padded, *names] if i == head else ([*padded, *added] if added else row))
    return RawRows(cells, raw.lines)


def _heads(raw: RawRows, source: Source) -> list[int]:
    """Rows that repeat the head of the table, the first one among them."""
    texts: dict[tuple[str, ...], list[int]] = {}
    for i, row in enumerate(raw.cells):
        if _names_columns(row, source):
            texts.setdefault(tuple(row[: width_of(row)]), []).append(i)
    runs = [
        [i for i in rows if _followed_by_numbers(raw, i, source)]
        for rows in texts.values()
        if len(rows) > 1
    ]
    return max(runs, key=len, default=[])


def _names_columns(row: Row, source: Source) -> bool:
    cells = [cell for cell in row if cell]
    return _is_text(row, source) and any(_is_name(cell) for cell in cells) and not is_title(row)


def _is_name(cell: str) -> bool:
    heading = read(cell)
    return is_known(cell) and not (heading is not None and heading.labelled and not heading.unit)


def _followed_by_numbers(raw: RawRows, i: int, source: Source) -> bool:
    return any(_has_numbers(row, source) for row in raw.cells[i + 1 : i + 3])


def _head_size(raw: RawRows, head: int, source: Source) -> int:
    """Rows of the head: one, or two with its units."""
    below = raw.cells[head + 1] if head + 1 < len(raw.cells) else []
    return 2 if below and _is_text(below, source) else 1


def _role(cell: str) -> str:
    heading = read(cell) if cell else None
    return heading.role if heading else ""


def check_one_head(raw: RawRows, start: int, source: Source) -> None:
    """Raise PulseDataError for a row below `start` that names columns, as a second table does."""
    for i in range(start, len(raw.cells) - 1):
        named = [cell for cell in raw.cells[i] if cell]
        is_head = len(named) > 1 and _is_text(raw.cells[i], source) and all(map(_is_name, named))
        if is_head and _followed_by_numbers(raw, i, source):
            raise source.error(
                raw.lines[i],
                f"a second table begins here ({show(', '.join(named))}); give each its own file",
            )
