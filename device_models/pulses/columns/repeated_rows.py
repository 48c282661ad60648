"""Several rows that read the same state: they are averaged, their scatter is read noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from device_models.pulses.columns.counting import numbers_of
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.repeats import SCATTER
from device_models.pulses.columns.zero_rows import rows_of
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray

# States that have to be read several times before that is taken for a protocol.
FEWEST_STATES = 4
# Reads that scatter by less than this share are copies, not reads.
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class AveragedTable(Table):
    """A table whose rows are means; `scatter` is the std of one read, by column, as written."""

    scatter: Mapping[int, float] = field(default_factory=dict)


def average_states(
    table: Table, headings: Sequence[Heading], states: NDArray[np.int64]
) -> tuple[Table, str] | None:
    """Table with one row for each of `states`, shape (rows,), and a note; None where they differ.

    Rows of one state follow each other. They are reads of it where they scatter far less than the
    readings move from state to state.
    """
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(states))])
    n = np.diff([*starts, states.size])
    columns = [c for c, h in enumerate(headings) if h.role == "value"]
    if n.size < FEWEST_STATES or n.max() == 1 or not columns:
        return None
    means, scatter = {}, {}
    for c in columns:
        values = numbers_of(table, c)
        found = None if values is None else _mean(values, starts, n)
        if found is None:
            return None
        means[c], scatter[c] = found
    kept = rows_of(table, starts + n - 1)
    cells = {c: tuple(f"{v:.15g}".replace(".", kept.decimal) for v in means[c]) for c in means}
    columns_now = tuple(cells.get(c, column) for c, column in enumerate(kept.columns))
    same = {f.name: getattr(kept, f.name) for f in fields(Table)} | {"columns": columns_now}
    note = (
        f"{len(table.lines)} rows are reads of {n.size} states, up to {n.max()} of each: "
        f"averaged, their scatter is the read noise"
    )
    return AveragedTable(**same, scatter=scatter), note


def _mean(
    values: FloatArray, starts: NDArray[np.int64], n: NDArray[np.int64]
) -> tuple[FloatArray, float] | None:
    """Means of the rows of each state and the std of one read; None where they are no reads."""
    if np.any(np.isnan(values)):
        return None
    means = np.add.reduceat(values, starts) / n
    off = values - np.repeat(means, n)
    scatter = float(np.sqrt((off**2).sum() / (n - 1).sum()))
    return (means, scatter) if EQUAL * np.ptp(means) < scatter < SCATTER * np.ptp(means) else None


def repeated_states(table: Table, headings: Sequence[Heading]) -> NDArray[np.int64] | None:
    """Number of the state that each row reads, where pulse numbers stay for several rows.

    None where they do not, and where another column tells the rows of one number apart.
    """
    pulses = [c for c, h in enumerate(headings) if h.role == "pulse"]
    if len(pulses) != 1 or any(h.role == "cycle" for h in headings):
        return None
    numbers = numbers_of(table, pulses[0])
    if numbers is None or np.any(np.isnan(numbers)):
        return None
    new = np.diff(numbers) != 0
    labels = [c for c, h in enumerate(headings) if h.role in ("branch", "device", "condition")]
    for c in labels:
        cells = np.array(table.columns[c], dtype=str)
        new |= cells[1:] != cells[:-1]
    runs = np.diff([0, *(1 + np.flatnonzero(new)), numbers.size])
    most = int(runs.max())
    # A state that two branches share may stand twice; reads come in equal numbers.
    if most < 2 or np.mean(runs == most) < 0.9:
        return None
    return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)
