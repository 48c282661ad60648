"""Rows tagged as programming and erasing: their readings tell which of the two raises G.

Programming may mean either branch, so the words alone say nothing. All rows of a tag go one way,
and those of the other tag the other way, or the words cannot be understood.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from device_models.pulses.columns.counting import is_below_zero
from device_models.pulses.table import Source
from device_models.pulses.tables.row_traces import direction_of, numbers
from device_models.pulses.tables.tag_lines import Line, heading_of
from device_models.pulses.types import PulseDataError, show

PROGRAM = r"prog(?:ram(?:m(?:ing|ed))?)?"
ERASE = r"eras(?:e|ing|ed)"
WORD = re.compile(
    rf"(?<![A-Za-z])(?:(?P<letter>[GRI])[_ \-]?)?(?:(?P<program>{PROGRAM})|{ERASE})(?![A-Za-z])",
    re.IGNORECASE,
)
# The same words in the names of settings: "tprog", "V_erase", "program time".
NAMED = re.compile(
    rf"(?<![A-Za-z])(?P<kind>[tTvV]?[_ ]?)(?:(?P<program>{PROGRAM})|{ERASE})(?![A-Za-z])",
    re.IGNORECASE,
)
FEWEST = 5
"""Readings of every row where tags name no quantity."""

WAYS = {1: "rise", -1: "fall"}

Tagged = Sequence[tuple[Line, re.Match[str]]]


@dataclass(frozen=True, eq=False)
class Told:
    """Lines with the branches that the readings tell, the branch by word, and what to say.

    `error` is raised where the lines turn out to be traces and nothing tells their branches;
    `bare` is a tag that names no quantity, and was told as if it were a conductance.
    """

    lines: Sequence[Line | None]
    branches: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    error: PulseDataError | None = None
    bare: str = ""


def tell_branches(lines: Sequence[Line | None], source: Source) -> Told:
    """The lines with LTP and LTD in place of programming and erasing in their tags."""
    tagged = [(line, match) for line in lines if line and (match := WORD.search(line.tag))]
    if not tagged:
        return Told(lines)
    ways = _ways(tagged, source)
    bare = next((match[0] for _, match in tagged if not match["letter"]), "")
    error = _contradiction(ways, source)
    if bare and (error or len(ways) < 2 or not _all_certain(tagged, source)):
        return Told(lines)
    if error or not ways:
        return Told(lines, error=error)
    branches = {word: _branch(word, ways, tagged) for word in ways}
    told = [_with_branch(line, branches) for line in lines]
    return Told(told, branches, _note(tagged, ways, branches), bare=bare)


def _ways(tagged: Tagged, source: Source) -> dict[str, dict[int, Line]]:
    """The first line that rises (+1) or falls (-1) by word; none for a word that goes nowhere."""
    ways: dict[str, dict[int, Line]] = defaultdict(dict)
    # Of readings that are negative throughout the size counts.
    values = np.concatenate([numbers(line.cells, source) for line, _ in tagged])
    upright = -1 if is_below_zero(values) else 1
    for line, match in tagged:
        if way := upright * direction_of(line.cells, source):
            ways[_word(match)].setdefault(way, line)
    return ways


def _all_certain(tagged: Tagged, source: Source) -> bool:
    """Every line holds readings enough to be a trace, and goes somewhere."""
    enough = all(len(line.cells) >= FEWEST for line, _ in tagged)
    return enough and all(direction_of(line.cells, source) for line, _ in tagged)


def _branch(word: str, ways: Mapping[str, Mapping[int, Line]], tagged: Tagged) -> str:
    letter = next(match["letter"] or "" for _, match in tagged if _word(match) == word)
    rises = -1 if letter.upper() == "R" else 1
    return "LTP" if next(iter(ways[word])) == rises else "LTD"


def _word(match: re.Match[str]) -> str:
    return "program" if match["program"] else "erase"


def _contradiction(ways: Mapping[str, Mapping[int, Line]], source: Source) -> PulseDataError | None:
    """Rows of one tag that go both ways, or rows of both tags that go the same way."""
    for found in ways.values():
        if len(found) == 2:
            first, second = sorted(found.values(), key=lambda line: line.line)
            way = next(WAYS[w] for w, line in found.items() if line is second)
            return source.error(
                second.line,
                f"the readings of {show(second.tag)} {way} here and not in line {first.line}; "
                f"rows of one tag have to go one way, or be called LTP and LTD",
            )
    if len(ways) == 2 and len({way for found in ways.values() for way in found}) == 1:
        first, second = (line for found in ways.values() for line in found.values())
        way = WAYS[next(iter(next(iter(ways.values()))))]
        return source.error(
            second.line,
            f"the readings of {show(second.tag)} {way} as those of {show(first.tag)} "
            f"in line {first.line} do; call the rows LTP and LTD",
        )
    return None


def _with_branch(line: Line | None, branches: Mapping[str, str]) -> Line | None:
    """The line with its branch in the heading of its tag."""
    match = WORD.search(line.tag) if line else None
    if line is None or match is None or _word(match) not in branches:
        return line
    named = f"{match['letter'] or ''} {branches[_word(match)]}".strip()
    heading = heading_of(line.tag[: match.start()] + named + line.tag[match.end() :])
    said = tuple(named_branches(text, branches) for text in line.settings)
    return replace(line, heading=heading, settings=said)


def _note(
    tagged: Tagged,
    ways: Mapping[str, Mapping[int, Line]],
    branches: Mapping[str, str],
) -> str:
    said = {}
    for _, match in tagged:
        word = _word(match)
        if word in branches and word not in said:
            way = WAYS[next(iter(ways[word]))]
            said[word] = f"{show(match[0])} {way} and are {branches[word]}"
    return f"the readings tell the branches: those of {', those of '.join(said.values())}"


def named_branches(text: str, branches: Mapping[str, str]) -> str:
    """The text with LTP and LTD in place of the words: "tLTD: 0.0002" for "tprog: 0.0002"."""

    def branch(match: re.Match[str]) -> str:
        known = branches.get(_word(match))
        return f"{match['kind']}{known}" if known else match[0]

    return NAMED.sub(branch, text)
