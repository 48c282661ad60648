"""Headings of a table, with those that the caller gives in place of the file's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from device_models.pulses.columns.headings import Heading, HeadingError, read_heading
from device_models.pulses.table import Table
from device_models.pulses.types import PulseDataError, show

# Words that are written into a bracket for a name: "G (left)" beside "G (right)".
FEWEST_NAMED = 2


def as_named(table: Table, headings: list[Heading], given: frozenset[int]) -> list[Heading]:
    """A column that is called a condition keeps the unit that the file gives it."""
    for c in given:
        if headings[c].role == "condition" and table.headings[c]:
            try:
                unit = read_heading(table.headings[c]).condition_unit
            except HeadingError:
                unit = ""
            same = headings[c].condition_unit or unit
            headings[c] = replace(headings[c], text=table.headings[c], condition_unit=same)
    return headings


def given_columns(table: Table, columns: Mapping[str | int, str | None]) -> list[int]:
    """Numbers from 0 of the columns that the option names; PulseDataError for one unknown."""
    found = []
    for key in columns:
        matches = [i for i, h in enumerate(table.headings) if key in (h, i + 1)]
        if len(matches) != 1:
            known = ", ".join(show(h) for h in table.headings[:20] if h) or "numbers from 1"
            many = "more than one column is called" if matches else "no column is called"
            raise PulseDataError(
                f"{table.path}: option columns: {many} {show(str(key))}; columns are {known}"
            )
        found.append(matches[0])
    return found


def renamed(table: Table, columns: Mapping[str | int, str | None]) -> Table:
    """Table with other headings for some columns; None makes a comment of one."""
    headings = list(table.headings)
    for column, name in zip(given_columns(table, columns), columns.values(), strict=True):
        headings[column] = "comment" if name is None else str(name)
    return replace(table, headings=tuple(headings))


def read_headings(table: Table) -> list[Heading]:
    """What each heading says; one in brackets is a name where several differ in nothing else."""
    texts = [t.replace(",", ".") if table.decimal == "," else t for t in table.headings]
    stems = [re.sub(r"[(\[][^)\]]*[)\]]", "", t).strip().lower() for t in texts]
    lettered = _lettered(texts)
    groups: dict[str, set[str]] = {}
    for text, stem in zip(texts, stems, strict=True):
        groups.setdefault(stem, set()).add(text)
    headings = []
    for c, text in enumerate(texts):
        try:
            found = _read_heading(lettered.get(c, text), len(groups[stems[c]]) >= FEWEST_NAMED)
            headings.append(replace(found, text=text))
        except HeadingError as error:
            raise PulseDataError(f"{header_place(table, c)}: {error}") from None
    return headings


def _lettered(texts: Sequence[str]) -> dict[int, str]:
    """ "LTP device A" for "LTP A" beside "LTP B": the letters are names, not amperes and gauss."""
    found: dict[str, dict[int, str]] = {}
    for c, text in enumerate(texts):
        if (match := re.fullmatch(r"(.*[^\W_])[\s_-]+([A-Z])", text.strip())) is not None:
            found.setdefault(match[1], {})[c] = match[2]
    return {
        c: f"{stem} device {letter}"
        for stem, letters in found.items()
        if {"A", "B"} <= set(letters.values())
        for c, letter in letters.items()
    }


def _read_heading(text: str, several: bool) -> Heading:
    """What one heading says; `several` differ in their brackets alone."""
    if not text:
        return Heading("", role="unknown")
    in_brackets = re.findall(r"[(\[]([^)\]]*)[)\]]", text)
    if several and in_brackets and in_brackets[0].strip().isdigit():
        return read_heading(text, named_brackets=True)
    try:
        return read_heading(text)
    except HeadingError:
        if not several or not in_brackets:
            raise
        return read_heading(text, named_brackets=True)


def header_place(table: Table, column: int | None = None) -> str:
    """Place of a heading as errors name it; `column` counts from 0."""
    return table.place(table.header_line or table.lines[0], column)
