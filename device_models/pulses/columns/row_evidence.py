"""What tells the rows of reads in a log from those of pulses: words, or voltages that come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.counting import numbers_of
from device_models.pulses.columns.given import read_headings
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import squeeze, words_in
from device_models.pulses.table import Table, is_number
from device_models.pulses.types import FloatArray, PulseDataError, show

Rows = NDArray[np.bool_]

READ_WORDS = words_in(
    "read reads reading readout readpulse r measure measured measurement meas sense verify sampling"
)
WRITE_WORDS = words_in(
    "write writes writing w program programming prog pulse pulses set reset erase stress apply "
    "potentiation depression pot dep ltp ltd update stimulus stimulation spike"
)
# The voltage of the pulses is at least this many times that of the reads.
SMALLER = 2.0
FEWEST_READS = 3


@dataclass(frozen=True, eq=False)
class Kinds:
    """Which rows are reads and which are pulses, shape (rows,), and the words that say so."""

    reads: Rows
    writes: Rows
    said: str


def columns_of_words(table: Table) -> Iterator[NDArray[np.str_]]:
    """Columns that do not start with a number and are not left out, squeezed."""
    for c, cells in enumerate(table.columns):
        if cells and not is_number(cells[0], table.decimal) and table.headings[c] != "comment":
            yield np.array([squeeze(cell) for cell in cells], dtype=str)


def find_kinds(table: Table) -> Kinds | None:
    """Kinds by a column of words, by the cells that are there, or by a voltage that comes back."""
    for words in columns_of_words(table):
        reads, writes = (np.isin(words, list(known)) for known in (READ_WORDS, WRITE_WORDS))
        if np.any(writes) and reads.sum() >= FEWEST_READS:
            return Kinds(reads, writes, f"the kind is {show(str(words[reads][0]))}")
    try:
        headings = read_headings(table)
    except PulseDataError:
        return None
    return _by_voltage(table, headings)


def _by_voltage(table: Table, headings: Sequence[Heading]) -> Kinds | None:
    """Rows at a read voltage or, where none is, at the one small voltage after every pulse."""
    volts, reading = (only(headings, role) for role in ("amplitude", "value"))
    if volts is None or reading is None:
        return None
    values, readings = numbers_of(table, volts), numbers_of(table, reading)
    if values is None or readings is None:
        return None
    size = np.abs(np.nan_to_num(values))
    at_read = _read_voltages(table, headings)
    if at_read is not None:
        reads = at_read & ~np.isnan(readings)
        name = table.column_name(
            next(c for c, h in enumerate(headings) if h.role == "read_voltage")
        )
        said = f"{name} is not 0"
    elif np.any(np.isnan(readings)):
        reads = ~np.isnan(readings) & (size == 0)
        said = f"{table.column_name(reading)} is there and {table.column_name(volts)} is not"
    elif headings[reading].measures == "current" and np.any(size > 0):
        smallest = size[size > 0].min()
        reads = np.isclose(size, smallest, rtol=1e-6)
        writes = (size > 0) & ~reads
        if not np.any(writes) or size[writes].min() < SMALLER * smallest:
            return None
        said = f"{table.column_name(volts)} is {values[reads][0]:g}"
    else:
        return None
    writes = (size > 0) & ~reads
    return Kinds(reads, writes, said) if _alternate(np.nan_to_num(values), reads, writes) else None


def only(headings: Sequence[Heading], role: str) -> int | None:
    """The column with this role, None where there is none or more than one."""
    found = [c for c, h in enumerate(headings) if h.role == role]
    return found[0] if len(found) == 1 else None


def _read_voltages(table: Table, headings: Sequence[Heading]) -> Rows | None:
    """Rows that have a read voltage, where only some have one."""
    column = only(headings, "read_voltage")
    values = None if column is None else numbers_of(table, column)
    if values is None:
        return None
    there = np.nan_to_num(values) != 0
    return there if np.any(there) and not np.all(there) else None


def _alternate(values: FloatArray, reads: Rows, writes: Rows) -> bool:
    """Pulses of one voltage each are followed by a read, again and again."""
    kinds = np.where(reads, 1, np.where(writes, 2, 0))
    busy = kinds > 0
    order, volts = kinds[busy], values[busy]
    if order.size == 0:
        return False
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(order))])
    runs = np.split(np.arange(order.size), starts[1:])
    pulses = [run for run in runs if order[run[0]] == 2]
    n_reads = sum(order[run[0]] == 1 for run in runs)
    even = all(np.ptp(volts[run]) == 0 for run in pulses)
    return min(len(pulses), n_reads) >= FEWEST_READS and even
