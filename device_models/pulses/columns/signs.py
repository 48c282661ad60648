"""Readings that are negative throughout: their size counts, and LTP stays LTP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_models.pulses.columns.counting import is_below_zero
from device_models.pulses.columns.headings import Heading
from device_models.pulses.table import Table
from device_models.pulses.types import FloatArray, PulseDataError

# Currents in A and conductances in S are smaller than this, logarithms and weights are not.
SI_SIZED = 1e-2


def turn_upright(
    table: Table,
    columns: Sequence[tuple[int, Heading]],
    values: Sequence[FloatArray],
    measured: str | None,
    knows_branches: bool,
) -> tuple[list[FloatArray], list[str]]:
    """Readings with the other sign where all are negative, and a warning that says so.

    `knows_branches` says that the file names LTP and LTD. Raises PulseDataError where only some
    columns are negative, or where the sizes could be those of logarithms.
    """
    below = [is_below_zero(v) for v in values]
    if not any(below):
        return list(values), []
    line = table.header_line or table.lines[0]
    if not all(below):
        if knows_branches:
            return list(values), []
        c, other = columns[below.index(True)][0], columns[below.index(False)][0]
        raise PulseDataError(
            f"{table.place(line, c)}: negative throughout beside {table.column_name(other)}, which "
            f"is not; columns={{{c + 1}: None}} leaves it out"
        )
    place = table.place(line, columns[0][0])
    if any(h.is_change for _, h in columns):
        raise PulseDataError(f"{place}: changes that are negative throughout; expected values")
    if measured is None and max(float(np.nanmax(np.abs(v))) for v in values) >= SI_SIZED:
        if knows_branches:
            return list(values), []
        raise PulseDataError(
            f"{place}: negative throughout; quantity='conductance' says that their size counts, "
            f"logarithms and changes have to be written as values"
        )
    return [-v for v in values], [_warning(measured)]


def _warning(measured: str | None) -> str:
    if measured == "current":
        return "the currents over their read voltage are negative throughout: their size counts"
    if measured is None:
        return (
            "the readings are negative throughout: their size counts; if they are currents, "
            "quantity='current', read_voltage_V=-0.1 says so, with the read voltage"
        )
    return f"the {measured} is negative throughout: its size counts"
