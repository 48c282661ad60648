"""Rows of several kinds in one log: reads count, writes become the pulses before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.counting import counts, counts_by_steps, numbers_of
from device_models.pulses.headings import Heading
from device_models.pulses.names import BRANCH_WORDS, squeeze
from device_models.pulses.roles import given_columns, read_headings, renamed
from device_models.pulses.tables import Table
from device_models.pulses.types import FloatArray, PulseDataError, show

Rows = NDArray[np.bool_]

READ_WORDS = frozenset(
    "read reads reading readout readpulse r measure measured measurement meas sense verify "
    "sampling".split()
)
WRITE_WORDS = frozenset(
    "write writes writing w program programming prog pulse pulses set reset erase stress apply "
    "potentiation depression pot dep ltp ltd update stimulus stimulation spike".split()
)
# A read voltage is this much smaller than that of the pulses, in size.
SMALLER = 0.67
FEWEST_READS = 3


@dataclass(frozen=True, eq=False)
class Kinds:
    """Which rows are reads and which are pulses, shape (rows,), and the words that say so."""

    reads: Rows
    writes: Rows
    said: str


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
    given = given_columns(table, columns or {})
    kinds = _chosen(table, where) if where else _found(renamed(table, columns or {}), given)
    if kinds is None:
        return _without_zeros(table)
    return _reads_only(table, kinds)


def _chosen(table: Table, where: Mapping[str | int, str]) -> Kinds:
    """Rows whose cells are those that the option names; all others may hold pulses."""
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
    return Kinds(reads, _writes_by_words(table) & ~reads, said)


def _column(table: Table, key: str | int) -> int:
    texts = [str(h) for h in table.headings]
    found = [i for i, h in enumerate(texts) if key == h or str(key) == str(i + 1)]
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


def _writes_by_words(table: Table) -> Rows:
    """Rows of pulses: those that a column of words calls so, else all."""
    for cells in table.columns:
        words = [squeeze(cell) for cell in cells]
        if set(words) & WRITE_WORDS and set(words) & READ_WORDS:
            return np.array([word in WRITE_WORDS for word in words])
    return np.ones(len(table.lines), dtype=bool)


def _found(table: Table, given: Sequence[int]) -> Kinds | None:
    """Kinds by a column of words, else by a voltage that comes up in every other row."""
    for c, cells in enumerate(table.columns):
        if c in given and table.headings[c] == "comment":
            continue
        words = np.array([squeeze(cell) for cell in cells])
        kinds = set(words.tolist())
        if kinds & READ_WORDS and len(kinds) > 1 and not kinds <= {"r", "w", "p", "d"} - {"w"}:
            reads = np.isin(words, list(READ_WORDS))
            writes = np.isin(words, list(WRITE_WORDS))
            if np.any(writes) and reads.sum() >= FEWEST_READS:
                read_word = next(cell for cell, is_read in zip(cells, reads, strict=True) if is_read)
                return Kinds(reads, writes, f"{table.column_name(c)} is {show(read_word)}")
    return _by_voltage(table)


def _by_voltage(table: Table) -> Kinds | None:
    """Rows at the one small voltage that follows every pulse."""
    try:
        headings = read_headings(table)
    except PulseDataError:
        return None
    voltages = [c for c, h in enumerate(headings) if h.role == "amplitude"]
    if len(voltages) != 1 or not any(_is_reading(h) for h in headings):
        return None
    column = voltages[0]
    values = numbers_of(table, column)
    if values is None or np.any(np.isnan(values)) or not np.any(values):
        return None
    size = np.abs(values)
    smallest = size[size > 0].min()
    reads = np.isclose(size, smallest, rtol=1e-6)
    writes = (size > 0) & ~reads
    if not _alternate(values, reads, writes) or size[writes].min() * SMALLER < smallest:
        return None
    return Kinds(reads, writes, f"{table.column_name(column)} is {values[reads][0]:g}")


def _is_reading(heading: Heading) -> bool:
    return heading.role == "value"


def _alternate(values: FloatArray, reads: Rows, writes: Rows) -> bool:
    """Pulses of one voltage each are followed by a read, again and again."""
    kinds = np.where(reads, 1, np.where(writes, 2, 0))
    busy = kinds > 0
    order, volts = kinds[busy], values[busy]
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(order))])
    runs = np.split(np.arange(order.size), starts[1:])
    pulses = [run for run in runs if order[run[0]] == 2]
    n_reads = sum(order[run[0]] == 1 for run in runs)
    even = all(np.ptp(volts[run]) == 0 for run in pulses)
    return min(len(pulses), n_reads) >= FEWEST_READS and even


def _reads_only(table: Table, kinds: Kinds) -> tuple[Table, list[str]]:
    """Rows of reads, the last of several after the same pulse, with the pulses before them."""
    pulses = np.cumsum(kinds.writes)
    rows = np.flatnonzero(kinds.reads)
    is_last = np.ones(rows.size, dtype=bool)
    if np.any(kinds.writes):
        is_last[:-1] = np.diff(pulses[rows]) > 0
    kept = rows[is_last]
    notes = [_left_out(table, kinds)]
    if (again := int((~is_last).sum())) > 0:
        notes.append(f"{again} rows left out: reads before another one of the same state")
    if not np.any(kinds.writes):
        return _at(table, kept), notes
    return _with_pulses(table, kinds, kept, pulses), notes


def _left_out(table: Table, kinds: Kinds) -> str:
    writes = int((kinds.writes & ~kinds.reads).sum())
    others = int((~kinds.reads & ~kinds.writes).sum())
    parts = [f"{writes} of pulses"] if writes else []
    parts += [f"{others} of other kinds"] if others else []
    return (
        f"read rows are those where {kinds.said}: {int(kinds.reads.sum())} of "
        f"{len(table.lines)}; left out are {' and '.join(parts) or 'none'}"
    )


def _at(table: Table, rows: NDArray[np.intp]) -> Table:
    def pick(items: Sequence) -> tuple:
        return tuple(items[row] for row in rows)

    return replace(
        table,
        columns=tuple(pick(cells) for cells in table.columns),
        lines=pick(table.lines),
        n_fields=pick(table.n_fields),
    )


def _with_pulses(
    table: Table, kinds: Kinds, kept: NDArray[np.intp], pulses: NDArray[np.int64]
) -> Table:
    """Rows with two more columns: how many pulses came before, and the amplitude of the last."""
    headings = read_headings(table) if any(table.headings) else []
    cells = {}
    if not any(h.role == "pulse" and _counts(table, c, kept) for c, h in enumerate(headings)):
        cells["pulses before the read number"] = [str(n) for n in pulses[kept]]
    last = np.maximum.accumulate(np.where(kinds.writes, np.arange(pulses.size), -1))[kept]
    for c, heading in enumerate(headings):
        if heading.role == "amplitude" and _is_of_pulses(table, c, kinds):
            unit = heading.unit.symbol if heading.unit else "V"
            column = table.columns[c]
            cells[f"pulse amplitude ({unit})"] = [column[k] if k >= 0 else "0" for k in last]
            break
    branches = _branch_cells(table, last)
    if branches is not None and not any("amplitude" in name for name in cells):
        cells["branch"] = branches
    reads = _at(table, kept)
    n = len(cells)
    return replace(
        reads,
        headings=(*table.headings, *cells),
        columns=(*reads.columns, *(tuple(column) for column in cells.values())),
        n_fields=tuple(len(table.headings) + n if k >= len(table.headings) else k + n
                       for k in reads.n_fields),
    )


def _counts(table: Table, column: int, kept: NDArray[np.intp]) -> bool:
    """The column counts pulses over the rows that are kept."""
    values = numbers_of(table, column)
    return values is not None and (counts(values[kept]) or counts_by_steps(values[kept]))


def _is_of_pulses(table: Table, column: int, kinds: Kinds) -> bool:
    """The voltage of the reads differs from that of the pulses."""
    values = numbers_of(table, column)
    if values is None or np.any(np.isnan(values[kinds.reads | kinds.writes])):
        return False
    return bool(np.ptp(np.abs(values[kinds.reads])) == 0 and np.any(values[kinds.writes] != 0))


def _branch_cells(table: Table, last: NDArray[np.int64]) -> list[str] | None:
    """Branch of each read, where the words of the pulses before are set and reset."""
    for cells in table.columns:
        words = {squeeze(cells[k]) for k in last if k >= 0}
        branches = {BRANCH_WORDS.get(word) for word in words}
        if None in branches or len(branches) != 2:
            continue
        first = next(cells[k] for k in last if k >= 0)
        return [cells[k] if k >= 0 else first for k in last]
    return None


def _without_zeros(table: Table) -> tuple[Table, list[str]]:
    """Table without a first row of zeros, which is no reading where all others are far from 0."""
    arrays = {c: numbers_of(table, c) for c in range(len(table.headings))}
    readings = [v for v in arrays.values() if v is not None and not counts(v) and v.size > 3]
    if len(readings) < 2 or any(not _starts_at_zero(v) for v in readings):
        return table, []
    if any(v is None and any(table.columns[c]) for c, v in arrays.items()):
        return table, []
    note = f"line {table.lines[0]} is left out: 0 in all columns, and no reading comes near it"
    return _at(table, np.arange(1, len(table.lines))), [note]


def _starts_at_zero(values: FloatArray) -> bool:
    """0 first, then readings a leap away, which are not relative to the largest."""
    rest = values[1:]
    if values[0] != 0 or np.any(np.isnan(rest)) or np.any(rest == 0):
        return False
    size = np.abs(rest)
    is_relative = size.max() in (1.0, 100.0)
    leap = size[0] > 2 * np.abs(np.diff(rest)).max()
    return bool(not is_relative and leap and size.min() > 0.25 * size.max())
