"""What a line of an export is: numbers, text, a title, a summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_models.pulses.table import NUMBER, Source, is_missing
from device_models.pulses.tables.head_labels import LABELS, is_label, read

Row = Sequence[str]

SECTION = re.compile(r"\[[^\]]+\]")
SUMMARY = re.compile(
    r"(?:mean|average|avg|median|std|stdev|sd|min|max|minimum|maximum|total|sum|count|ratio|range"
    r"|on/off|g ?max|g ?min|r ?max|r ?min|result|summary|remark|note|comment)s?\b",
    re.IGNORECASE,
)
# Headings know devices by number; a title may give any code.
DEVICE = re.compile(
    r"\W*(?:device|dev|cell|dut|sample|chip|die)\b[\s#.]*(?:id|name|no|number)?[\s#.]+"
    r"(\w[\w.-]{0,39})\W*",
    re.IGNORECASE,
)


def has_numbers(row: Row, source: Source) -> bool:
    """Any cell is a number."""
    return any(source.is_number(cell) for cell in row if cell)


def is_text(row: Row, source: Source) -> bool:
    """The row holds words and no numbers but conditions such as "1.2 V"."""
    # Most rows of a file are numbers: the first or last cell of those says so at once.
    if NUMBER[source.decimal].fullmatch(row[0]) or NUMBER[source.decimal].fullmatch(row[-1]):
        return False
    cells = [cell for cell in row if cell and not is_missing(cell)]
    return bool(cells) and not any(
        source.is_number(c) and not source.is_condition(c) for c in cells
    )


def starts_like_number(row: Row) -> bool:
    """The first cell is a number or begins like one, is blank, or stands for no reading."""
    return is_missing(row[0]) or re.match(r"[+-]?[.,]?\d", row[0]) is not None


def is_summary(row: Row, source: Source) -> bool:
    """A name with a value, as summaries have them: "Gmax = 3e-5 S", "mean, 2.3"."""
    first = next((cell for cell in row if cell), "")
    if source.is_number(first) or is_missing(first) or is_label(first):
        return False
    is_assigned = re.match(r"[^\W\d][^:=]*[:=]", first) is not None
    return bool(is_assigned or SUMMARY.match(first) or SECTION.fullmatch(first))


def is_title(row: Row) -> bool:
    """A line of labels above a table: "Cycle 2", "Device: A7", "LTP"."""
    cells = [cell for cell in row if cell]
    if not cells or (re.match(r"[+-]?[\d.]", cells[0]) and len(cells) > 1):
        return False
    name = read(cells[0].rstrip(":= "))
    is_named = cells[0][-1] in ":=" or (name is not None and name.role in LABELS)
    return (len(cells) == 1 or (len(cells) < 5 and is_named)) and bool(labels_in(" ".join(cells)))


def title_of(text: str) -> dict[str, str]:
    """Labels of a line between traces; a code in brackets at its start is a device."""
    if code := re.match(r"\W*[(\[](\w[\w.,-]{0,19})[)\]]", text):
        return {"device": code[1]}
    return labels_in(text)


def labels_in(text: str) -> dict[str, str]:
    """Labels that a text gives: cells by the heading of the column they would stand in."""
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
