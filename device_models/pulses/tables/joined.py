"""Several tables with one head, one after the other in a file, as one table."""

from __future__ import annotations

from collections.abc import Sequence

from device_models.pulses.columns.headings import is_known
from device_models.pulses.table import RawRows, Source, width_of
from device_models.pulses.tables.head_labels import read
from device_models.pulses.tables.line_kinds import (
    has_numbers,
    is_summary,
    is_text,
    is_title,
    labels_in,
    starts_like_number,
)
from device_models.pulses.types import show

Row = Sequence[str]


def join_tables(raw: RawRows, source: Source, aside: list[Row], notes: list[str]) -> RawRows:
    """Tables of one head as one table, each row with the labels above its own."""
    heads = _heads(raw, source)
    if len(heads) < 2:
        return raw
    size = _head_size(raw, heads[0], source)
    titles = [_title(raw, head, heads[k - 1] if k else -1) for k, head in enumerate(heads)]
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
    first = starts_like_number(raw.cells[rows[0]])
    end = len(rows)
    while end:
        row = raw.cells[rows[end - 1]]
        is_row = first or (has_numbers(row, source) and not is_title(row))
        if is_row and starts_like_number(row) == first:
            break
        end -= 1
    # Close below the readings a row of their width is no text, but one of them that is damaged.
    while 0 < end < len(rows) and _follows(raw, rows[end], source):
        end += 1
    return rows[:end]


def _follows(raw: RawRows, i: int, source: Source) -> bool:
    row, above = raw.cells[i], raw.cells[i - 1]
    is_next = raw.lines[i] == raw.lines[i - 1] + 1 and width_of(row) == width_of(above)
    is_text = is_summary(row, source) or is_title(row)
    return is_next and has_numbers(row, source) and not is_text


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


def _title(raw: RawRows, head: int, above: int) -> dict[str, str]:
    """Labels that the lines directly above a head give: name of the column and its cell."""
    found: dict[str, str] = {}
    for i in range(head - 1, max(above, head - 4), -1):
        if not is_title(raw.cells[i]):
            break
        found = {**labels_in(" ".join(cell for cell in raw.cells[i] if cell)), **found}
    return dict(sorted(found.items()))


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
    return is_text(row, source) and any(_is_name(c) for c in row if c) and not is_title(row)


def _is_name(cell: str) -> bool:
    heading = read(cell)
    return is_known(cell) and not (heading is not None and heading.labelled and not heading.unit)


def _followed_by_numbers(raw: RawRows, i: int, source: Source) -> bool:
    return any(has_numbers(row, source) for row in raw.cells[i + 1 : i + 3])


def _head_size(raw: RawRows, head: int, source: Source) -> int:
    """Rows of the head: one, or two with its units."""
    below = raw.cells[head + 1] if head + 1 < len(raw.cells) else []
    return 2 if below and is_text(below, source) else 1


def _role(cell: str) -> str:
    heading = read(cell) if cell else None
    return heading.role if heading else ""


def check_one_head(raw: RawRows, start: int, source: Source) -> None:
    """Raise PulseDataError for a row below `start` that names columns, as a second table does."""
    for i in range(start, len(raw.cells) - 1):
        if not is_text(raw.cells[i], source):
            continue
        named = [cell for cell in raw.cells[i] if cell]
        is_head = len(named) > 1 and all(map(_is_name, named))
        if is_head and _followed_by_numbers(raw, i, source):
            raise source.error(
                raw.lines[i],
                f"a second table begins here ({show(', '.join(named))}); give each its own file",
            )
