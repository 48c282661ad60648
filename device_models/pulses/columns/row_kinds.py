"""Rows of several kinds in one log: reads count, writes become the pulses before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.counting import counts, counts_by_steps, numbers_of
from device_models.pulses.columns.given import read_headings, renamed
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import BRANCH_WORDS, squeeze
from device_models.pulses.columns.repeated_rows import average_states, repeated_states
from device_models.pulses.columns.row_evidence import (
    READ_WORDS,
    WRITE_WORDS,
    Kinds,
    Rows,
    columns_of_words,
    find_kinds,
    only,
)
from device_models.pulses.columns.zero_rows import rows_of, without_zeros
from device_models.pulses.table import Table
from device_models.pulses.types import PulseDataError, show


def select_rows(
    table: Table,
    where: Mapping[str | int, str] | None = None,
    columns: Mapping[str | int, str | None] | None = None,
) -> tuple[Table, list[str]]:
    """Table with the rows of readings alone, and what was left out.

    `where` names the cells these rows have, by heading or number from 1; without it they are found
    by a column of words or by a read voltage that comes up again and again. Pulses between the
    reads become two more columns, their number and their amplitude. Raises PulseDataError for a
    heading or a cell that is not there. `columns` are headings that the caller gives.
    """
    named = renamed(table, columns or {})
    kinds = _chosen(table, named, where) if where else find_kinds(named)
    if kinds is not None and not any(named.headings):
        raise _ask(table)
    table, notes = without_zeros(table) if kinds is None else _reads_only(table, named, kinds)
    headings = _headings(renamed(table, columns or {}))
    states = repeated_states(table, headings)
    averaged = None if states is None else average_states(table, headings, states)
    return (table, notes) if averaged is None else (averaged[0], [*notes, averaged[1]])


def _ask(table: Table) -> PulseDataError:
    """What to call the columns of a log without headings, in words that can be typed."""
    is_number_column = [numbers_of(table, c) is not None for c in range(len(table.headings))]
    names = iter(["V (V)", "I (A)"] if sum(is_number_column) == 2 else ["G"])
    literal = {c + 1: next(names, None) if n else "kind" for c, n in enumerate(is_number_column)}
    example = f", for example columns={literal}" if len(literal) < 9 else ""
    return PulseDataError(
        f"{table.place(table.lines[0])}: rows of several kinds without a header; say what the "
        f"columns are{example}"
    )


def _headings(table: Table) -> list[Heading]:
    """What the headings say; nothing where one of them cannot be read, which is said later."""
    try:
        return read_headings(table)
    except PulseDataError:
        return []


def _chosen(table: Table, named: Table, where: Mapping[str | int, str]) -> Kinds:
    """Rows whose cells are those that the option names; others may hold pulses."""
    reads = np.ones(len(table.lines), dtype=bool)
    for key, wanted in where.items():
        c = _column(table, key)
        cells = [cell.lower() for cell in table.columns[c]]
        rows = np.array([_equal(cell, str(wanted).strip().lower()) for cell in cells])
        if not np.any(rows):
            known = ", ".join(show(cell) for cell in dict.fromkeys(table.columns[c][:2000]))
            raise PulseDataError(
                f"{table.path}: option where: no {show(str(wanted))} in {table.column_name(c)}; "
                f"it holds {known[:200]}"
            )
        reads &= rows
    if not np.any(reads):
        raise PulseDataError(f"{table.path}: option where: no row has all of {dict(where)}")
    said = " and ".join(f"{key} is {wanted}" for key, wanted in where.items())
    return Kinds(reads, _writes(named) & ~reads, said)


def _column(table: Table, key: str | int) -> int:
    texts = table.headings
    found = [i for i, h in enumerate(texts) if key == h]
    found = found or [i for i in range(len(texts)) if str(key) == str(i + 1)]
    found = found or [i for i, h in enumerate(texts) if squeeze(h) == squeeze(str(key)) != ""]
    if len(found) != 1:
        known = ", ".join(show(h) for h in texts[:20] if h) or f"numbers from 1 to {len(texts)}"
        raise PulseDataError(
            f"{table.path}: option where: no column {show(str(key))}; columns are {known}"
        )
    return found[0]


def _equal(cell: str, wanted: str) -> bool:
    """The same text, or the same number."""
    if cell == wanted:
        return True
    try:
        return float(cell) == float(wanted)
    except ValueError:
        return False


def _writes(table: Table) -> Rows:
    """Rows of pulses: those that a column of words calls so, else those with a voltage."""
    for words in columns_of_words(table):
        if set(words.tolist()) & WRITE_WORDS and set(words.tolist()) & READ_WORDS:
            return np.isin(words, list(WRITE_WORDS))
    volts = only(read_headings(table), "amplitude")
    values = None if volts is None else numbers_of(table, volts)
    return np.zeros(len(table.lines), dtype=bool) if values is None else np.nan_to_num(values) != 0


def _reads_only(table: Table, named: Table, kinds: Kinds) -> tuple[Table, list[str]]:
    """Rows of reads with the pulses before them; several after the same pulse are averaged.

    Where these are no reads of one state, because they drift, the last one counts.
    """
    notes = [_left_out(table, kinds)]
    rows = np.flatnonzero(kinds.reads)
    if not np.any(kinds.writes):
        return rows_of(table, rows), notes
    pulses = np.cumsum(kinds.writes, dtype=np.int64)
    kept = rows[np.append(np.diff(pulses[rows]) > 0, True)]
    found = average_states(rows_of(table, rows), _headings(named), pulses[rows])
    reads = rows_of(table, kept) if found is None else found[0]
    if found is not None:
        notes.append(found[1])
    elif rows.size > kept.size:
        again = rows.size - kept.size
        notes.append(f"{again} rows are left out: reads before another one of the same state")
    return _with_pulses(table, reads, named, kinds, kept, pulses), notes


def _left_out(table: Table, kinds: Kinds) -> str:
    writes = int((kinds.writes & ~kinds.reads).sum())
    others = int((~kinds.reads & ~kinds.writes).sum())
    parts = [f"{writes} of pulses"] if writes else []
    parts += [f"{others} of other kinds"] if others else []
    return (
        f"read rows are those where {kinds.said}: {int(kinds.reads.sum())} of "
        f"{len(table.lines)}; left out are {' and '.join(parts) or 'none'}"
    )


def _with_pulses(
    table: Table,
    reads: Table,
    named: Table,
    kinds: Kinds,
    kept: NDArray[np.intp],
    pulses: NDArray[np.int64],
) -> Table:
    """Rows with two more columns: how many pulses came before, and the amplitude of the last."""
    headings = read_headings(named)
    more: dict[str, tuple[str, ...]] = {}
    if not any(h.role == "pulse" and _counts(table, c, kept) for c, h in enumerate(headings)):
        more["pulse number"] = tuple(str(n) for n in pulses[kept])
    last = np.maximum.accumulate(np.where(kinds.writes, np.arange(pulses.size), -1))[kept]
    volts = only(headings, "amplitude")
    if volts is not None and (state := _voltage_of_reads(table, volts, kinds)) is not None:
        column = table.columns[volts]
        cells = tuple(column[k] if k >= 0 else "0" for k in last)
        if state == "none":
            columns = (*reads.columns[:volts], cells, *reads.columns[volts + 1 :])
            reads = replace(reads, columns=columns)
        else:
            unit = headings[volts].unit
            more[f"pulse amplitude ({unit.symbol if unit else 'V'})"] = cells
    elif (branches := _branch_cells(table, last)) is not None:
        more["branch"] = branches
    width = len(table.headings)
    return replace(
        reads,
        headings=(*table.headings, *more),
        columns=(*reads.columns, *more.values()),
        n_fields=tuple(width + len(more) if n >= width else n for n in reads.n_fields),
    )


def _counts(table: Table, column: int, kept: NDArray[np.intp]) -> bool:
    """The column counts pulses over the rows that are kept."""
    values = numbers_of(table, column)
    return values is not None and (counts(values[kept]) or counts_by_steps(values[kept]))


def _voltage_of_reads(table: Table, column: int, kinds: Kinds) -> str | None:
    """What rows of reads hold in the column of pulse voltages: "none", "one" voltage, or None."""
    values = numbers_of(table, column)
    if values is None or not np.any(np.nan_to_num(values[kinds.writes])):
        return None
    if np.any(np.isnan(values[kinds.writes])):
        return None
    at_reads = values[kinds.reads]
    if not np.any(np.nan_to_num(at_reads)):
        return "none"
    is_one = not np.any(np.isnan(at_reads)) and np.ptp(np.abs(at_reads)) == 0
    return "one" if is_one else None


def _branch_cells(table: Table, last: NDArray[np.int64]) -> tuple[str, ...] | None:
    """Branch of each read, where the words of the pulses before are set and reset."""
    for cells in table.columns:
        words = {cells[k].lower() for k in last if k >= 0}
        branches = {BRANCH_WORDS.get(word) for word in words}
        if None in branches or len(branches) != 2:
            continue
        first = next(cells[k] for k in last if k >= 0)
        return tuple(cells[k] if k >= 0 else first for k in last)
    return None
