"""A line that begins with words: its tag, the numbers after it, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from device_models.pulses.columns.headings import Heading
from device_models.pulses.table import NUMBER, Source, counts, is_missing, rises, width_of
from device_models.pulses.tables.head_labels import read
from device_models.pulses.units import find_unit

Row = Sequence[str]

MAX_TAG = 6
LIST = re.compile(r"\w+\s*[:=]\s*\[")
ENOUGH = 8
"""Numbers without a name that may rise by any steps and still be pulse numbers."""

FEWEST = 3
"""Readings a line has at least."""

# "Gset", "R_LTP", "I pot.": the quantity by its letter, then the branch.
LETTER = re.compile(
    r"(?<![A-Za-z])([GRI])[_ ]?(?=(?:set|reset|ltp|ltd|pot|dep|up|down)(?![A-Za-z]))"
)
# Names of devices in brackets, and what a row states in front of its tag.
OWNER = re.compile(r"[(\[]\s*(\w[\w.,;:/ -]{0,39}?)\s*[)\]]")
SETTING = re.compile(
    r"(?i:[tv]?_?(?:prog|eras)\w*|[tv]_?(?:ltp|ltd|pot|dep|set|reset)\w*)"
    r"\s*=\s*[+-]?[\d.][\w.+-]*(?:\s?[^\W\d]{1,3})?"
)
# Names of devices such as "B2", although a B may be a field; "V1" and "G1" say too much.
CODE = re.compile(r"(?![GRIVP]\d)[A-Z]{1,2}\d{1,3}")


@dataclass(frozen=True, eq=False)
class Line:
    """A line taken apart: its tag as text and as a heading, its cells and their fields.

    `owner` is the name in brackets in front of the tag, `settings` are cells such as "tLTP=1e-3".
    """

    line: int
    tag: str
    heading: Heading | None
    cells: tuple[str, ...]
    fields: tuple[int, ...]
    owner: str = ""
    settings: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """Role of the tag; "pulse" for a line without tag that counts."""
        if not self.tag:
            many = len(self.cells) >= ENOUGH
            return "pulse" if counts(self.cells) or (many and rises(self.cells)) else ""
        return self.heading.role if self.heading else "unknown"


def take_apart(row: Row, line: int, source: Source) -> Line | None:
    """The line as a tag and numbers; None where it is something else."""
    owner, settings, cells = _without_front(row[: width_of(row)], source)
    if not cells or NUMBER[source.decimal].fullmatch(cells[0]):
        return None
    if LIST.match(" ".join(cells[:3])):
        # A list as a program prints it: "LTP = [1.0, 2.0]".
        cells = [cell.replace("[", "").strip("]; ") for cell in cells]
    if split := re.fullmatch(r"([^:=]*[A-Za-z][^:=]*[:=])\s*(\S+)", cells[0]):
        cells[:1] = [split[1], split[2]] if source.is_number(split[2]) else [cells[0]]
    words = [i for i, c in enumerate(cells) if not is_missing(c) and not source.is_number(c)]
    last = words[-1] if words else -1
    if last >= MAX_TAG or (words and words[0] > 0) or (not words and cells[0]):
        return None
    if not all(_is_word(cells, i, source) for i in range(last + 1)):
        return None
    start = max(last + 1, 0 if words else 1)
    readings = tuple(cells[start:])
    if sum(not is_missing(cell) for cell in readings) < FEWEST:
        return None
    tag = " ".join(cells[: last + 1]).strip(" :=,;")
    offset = len(row[: width_of(row)]) - len(cells)
    fields = tuple(start + offset + i for i in range(len(readings)))
    return Line(line, tag, heading_of(tag), readings, fields, owner, settings)


def join_brackets(row: Row) -> list[str]:
    """The row with a name in brackets at its start, such as "(A,3,4)", in one cell again."""
    first = row[0].lstrip()
    if first[:1] not in ("(", "[") or ")" in first or "]" in first:
        return list(row)
    for end, cell in enumerate(row[1:MAX_TAG], 2):
        if ")" in cell or "]" in cell:
            return [",".join(row[:end]), *row[end:]]
    return list(row)


def _without_front(row: Row, source: Source) -> tuple[str, tuple[str, ...], list[str]]:
    """Name in brackets and settings in front of a line, and the cells after them."""
    cells = join_brackets(row)
    owner, settings = "", []
    if len(cells) > 1 and (code := OWNER.fullmatch(cells[0])) and not source.is_number(cells[1]):
        owner, cells = (code[1], cells[1:]) if find_unit(code[1]) is None else ("", cells)
    while len(cells) > 1 and SETTING.fullmatch(cells[0]) and not source.is_number(cells[1]):
        settings.append(cells.pop(0))
    return owner, tuple(settings), cells


def _is_word(cells: Sequence[str], i: int, source: Source) -> bool:
    """The cell may stand in a tag: a word, a whole number, or a number with its unit next to it."""
    if source.is_number(cells[i]):
        return cells[i].isdigit() or find_unit(cells[i + 1]) is not None
    if re.fullmatch(r"\d{1,4}[:=]", cells[i]):
        return i > 0
    return re.match(r"[+-]?[.,]?\d", cells[i]) is None


def heading_of(tag: str) -> Heading | None:
    """What a tag says, read like a heading; None for a code and for what cannot be understood."""
    return None if CODE.fullmatch(tag) else read(LETTER.sub(r"\1 ", tag))
