"""Traces that stand in rows, as the long table the rest of the reader knows.

Every reading becomes a row with the labels of its trace and its pulse number, and keeps the line
and the field it stands in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from device_models.pulses.columns.headings import Heading
from device_models.pulses.segments import direction, noise_of
from device_models.pulses.table import Source, Table, is_missing, to_number
from device_models.pulses.types import FloatArray

CERTAIN = 6.0
"""Change of a trace over its standard error from which on it has a direction."""

STRAIGHT = 0.6
"""Share of its steps that a trace keeps as change, where it is short."""

LARGEST = 1e100
"""Numbers above this are damaged, and their squares no numbers any more."""

FEWEST = 4
"""Readings of a trace that can show a direction."""


SMOOTH = 0.15
"""Noise of single readings, as a share of their range, that a response has at most."""

SMOOTH_READINGS = 8


@dataclass(frozen=True, eq=False)
class Trace:
    """One row of readings: their cells, the field of each in the line, and the labels by column."""

    line: int
    cells: tuple[str, ...]
    fields: tuple[int, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    heading: Heading | None = None

    @property
    def branch(self) -> str:
        """ "LTP", "LTD", or "" where the row does not say."""
        return self.labels.get("branch", "")


def trimmed(trace: Trace) -> Trace:
    """The trace without the cells at its end that hold no reading."""
    end = len(trace.cells)
    while end and is_missing(trace.cells[end - 1]):
        end -= 1
    return replace(trace, cells=trace.cells[:end], fields=trace.fields[:end])


def with_cycles(traces: Sequence[Trace]) -> list[Trace]:
    """Traces with cycles where rows with the same labels follow; as they are without branches."""
    if not all(trace.branch for trace in traces) or any("cycle" in t.labels for t in traces):
        return list(traces)
    seen: Counter[tuple[tuple[str, str], ...]] = Counter()
    numbered = []
    for trace in traces:
        key = tuple(sorted(trace.labels.items()))
        seen[key] += 1
        numbered.append(replace(trace, labels={**trace.labels, "cycle": str(seen[key])}))
    return numbered if max(seen.values()) > 1 else list(traces)


def with_titles(traces: Sequence[Trace], titles: dict[int, dict[str, str]]) -> list[Trace]:
    """Traces with the labels that the title above them gives, by line of the title."""
    labelled = []
    for trace in traces:
        above = max((at for at in titles if at < trace.line), default=0)
        labels = {**titles.get(above, {}), **trace.labels}
        labelled.append(replace(trace, labels=labels))
    return labelled


def check_labels(source: Source, traces: Sequence[Trace]) -> None:
    """Raise PulseDataError for a trace that lacks a kind of label that others have."""
    for trace in traces[1:]:
        missing = set(traces[0].labels) ^ set(trace.labels)
        if missing:
            name = sorted(missing)[0]
            lacking = trace if name in traces[0].labels else traces[0]
            raise source.error(
                lacking.line, f"nothing says the {name} of this row, as other rows do"
            )


def respond(traces: Iterable[Trace], source: Source) -> bool:
    """All traces go somewhere: those of one branch one way, those of the other the other way.

    Without branches there are several, which rise and fall by turns.
    """
    signs: dict[str, set[int]] = {}
    turns: list[int] = []
    for trace in traces:
        sign = direction_of(trace.cells, source)
        if sign == 0:
            return False
        signs.setdefault(trace.branch, set()).add(sign)
        turns.append(sign)
    if "" in signs:
        by_turns = all(a != b for a, b in pairwise(turns))
        return len(turns) > 1 and by_turns
    return all(len(sign) == 1 for sign in signs.values()) and len(set(turns)) == len(signs)


def goes_somewhere(cells: Sequence[str], source: Source) -> bool:
    """The trace rises or falls, and that for certain."""
    return direction_of(cells, source) != 0


def direction_of(cells: Sequence[str], source: Source) -> int:
    """+1 for a trace that rises, -1 for one that falls, 0 where neither is certain."""
    values = numbers(cells, source)
    values = values[~np.isnan(values)]
    if values.size < FEWEST or np.abs(values).max() > LARGEST or np.ptp(values) == 0:
        return 0
    change, steps = values[-1] - values[0], float(np.abs(np.diff(values)).sum())
    if values.size < 10:
        return int(np.sign(change)) if abs(change) >= STRAIGHT * steps else 0
    certain = direction(values)
    return int(np.sign(certain)) if abs(certain) >= CERTAIN else 0


def starts_with_count(cells: Sequence[str]) -> bool:
    """A whole number in front of numbers with decimals, which may count rows and be no reading."""
    rest = [cell for cell in cells[1:] if not is_missing(cell)]
    return re.fullmatch(r"\d{1,4}", cells[0]) is not None and all(
        re.search(r"[.,eE]", cell) for cell in rest
    )


def is_smooth(trace: Trace, source: Source) -> bool:
    """The trace has readings enough to see that they follow each other and do not just scatter."""
    values = numbers(trace.cells, source)
    values = values[~np.isnan(values)]
    if values.size < SMOOTH_READINGS or np.abs(values).max() > LARGEST or np.ptp(values) == 0:
        return False
    return noise_of(values) < SMOOTH * float(np.ptp(values))


def numbers(cells: Sequence[str], source: Source) -> FloatArray:
    """Cells as numbers, shape (cells,), NaN where there is none."""
    return np.array([to_number(cell, source.decimal) for cell in cells])


def long_table(
    base: Table,
    traces: Sequence[Trace],
    value: str,
    pulses: Sequence[str] | None = None,
    beside: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Long table with a row a reading; `value` heads the readings, `base` gives all the rest.

    `pulses` are the pulse numbers of a whole row, counted from 0 where None; `beside` other cells
    by heading that all traces share.
    """
    names = list(dict.fromkeys(name for trace in traces for name in trace.labels))
    columns: dict[str, list[str]] = {name: [] for name in (*names, *(beside or {}), "pulse")}
    cells: list[str] = []
    lines: list[int] = []
    fields: list[int] = []
    for trace in traces:
        n = len(trace.cells)
        for name in names:
            columns[name] += [trace.labels.get(name, "")] * n
        for name, shared in (beside or {}).items():
            columns[name] += [*shared, *[""] * n][:n]
        columns["pulse"] += [*pulses, *[""] * n][:n] if pulses else [str(i) for i in range(n)]
        cells += trace.cells
        lines += [trace.line] * n
        fields += trace.fields
    return replace(
        base,
        headings=(*columns, value),
        columns=(*(tuple(column) for column in columns.values()), tuple(cells)),
        lines=tuple(lines),
        n_fields=(len(columns) + 1,) * len(cells),
        turned=tuple(fields),
    )
