"""What stands around a table: kept as remarks, and read for the settings it states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from device_models.pulses.table import Table
from device_models.pulses.tables.settings import read_settings

# Line, fields and whole text of a comment line.
Comment = tuple[int, Sequence[str], str]


def with_remarks(
    table: Table, around: Sequence[Sequence[str]], comments: Sequence[Comment]
) -> Table:
    """The table with the rows and comments around it, and with the settings they state."""
    texts = [text for _, _, text in comments if text]
    return replace(
        table,
        remarks=(*(" ".join(row) for row in around), *texts),
        settings=read_settings([*around, *([text] for text in texts)], table.decimal),
    )
