"""Settings of a measurement as the lines above a table state them: read voltage, pulses.

A statement is a name, its value and a unit on either side of it ("Pulse width (ms): 1",
"V_read = 0.1 V", "Vset, 2.5, V"); values without a unit are in V and s.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from device_models.pulses.columns.names import BRANCH_WORDS, NUMBER
from device_models.pulses.units import convert, find_unit, normalise

MAX_TEXT = 500
UNIT = r"(?:[mukMnp]?V|[munpf]?s|sec|K|\u00b0C|degC|C)(?![A-Za-z0-9_])"
STATEMENT = re.compile(
    rf"(?P<name>[A-Za-z][A-Za-z_.\- ]*?)?\s*(?:[(\[]\s*(?P<before>[^()\[\]]{{1,12}})[)\]])?"
    rf"(?:[\s:=,;/|@]+|(?<=[)\]]))(?P<number>{NUMBER})(?:(?={UNIT})|(?![\w.]|,\d))"
    rf"(?:\s*;?\s*(?P<after>{UNIT}))?",
)
OTHER_UNIT = re.compile(r" ?[A-Za-z%\u00b0/]+(?!\s*[:=\w])")
BRANCH = r"(ltp|ltd|potentiation|depression|pot|dep|set|reset)"
PULSE = r"(?:pulse|write|programming|gate pulse)[_ \-]*"
WIDTH = r"(?:width|duration|length|time)"
HEIGHT = r"(?:voltage|amplitude|height|amp|v)"
# How the name of a setting ends, and what it sets; in brackets the branch it is for.
ENDINGS = (
    (
        "read",
        r"v[_ ]?read(?:ing)?|read(?:ing)?[_ \-]*(?:pulse[_ \-]*)?"
        r"(?:voltage|volt|vol|bias|v|amplitude)",
    ),
    ("read", r"v[_ ]?ds|v[_ ]?drain|drain[_ ]voltage"),
    ("read pulse", r"read(?:ing)?(?:[_ ]?(?:pulse|at))?|reads?[_ ]at"),
    (
        "width",
        rf"t[_ ]?{BRANCH}|{BRANCH}[_ \-]*(?:pulse[_ \-]*)?{WIDTH}|{PULSE}{WIDTH}[_ ]*{BRANCH}",
    ),
    ("width", rf"t[_ ]?(?:pulse|p|w|width)|pw|{PULSE}{WIDTH}"),
    ("amplitude", rf"v[_ ]?{BRANCH}|{BRANCH}[_ \-]*(?:pulse[_ \-]*)?{HEIGHT}"),
    ("amplitude", rf"(?:{PULSE})?(?:voltage|amplitude)[_ ]*(?:of[_ ])?{BRANCH}"),
    ("amplitude", rf"v[_ ]?(?:pulse|p|prog|write|w)|pulse[_ ]v|{PULSE}{HEIGHT}"),
    ("pulse", rf"{BRANCH}(?:[_ \-]*pulses?)?|pulses?(?:[_ \-]*{BRANCH})?"),
    ("temperature", r"temperature|temp"),
)
KINDS = tuple(
    (kind, re.compile(rf"(?:^|.*[\s_.\-])(?:{ending})", re.IGNORECASE)) for kind, ending in ENDINGS
)
# A bare "width" of something else (a channel, a stripe) is no pulse width.
BARE = {"width": "width", "amplitude": "amplitude"}
MEASURES = {"read": "voltage", "amplitude": "voltage", "width": "time"}
FIELDS = {
    "read": "read_voltage_V",
    "temperature": "temperature_K",
    "amplitude": "amplitude_V",
    "width": "width_s",
}


@dataclass(frozen=True)
class Settings:
    """What a file states about its pulses; None where it says nothing, or two different things.

    Voltages in V, widths in s, the temperature in K. `amplitude_V` and `width_s` hold for both
    branches where those of a branch are not stated.
    """

    read_voltage_V: float | None = None
    amplitude_V: float | None = None
    width_s: float | None = None
    ltp_amplitude_V: float | None = None
    ltd_amplitude_V: float | None = None
    ltp_width_s: float | None = None
    ltd_width_s: float | None = None
    temperature_K: float | None = None

    def completed(self, other: Settings) -> Settings:
        """These settings, and those of `other` where these say nothing."""
        own = {name: value for name, value in vars(self).items() if value is not None}
        return replace(other, **own)

    def amplitude_of(self, branch: str) -> float | None:
        """Pulse amplitude of "LTP" or "LTD" [V]."""
        own = self.ltp_amplitude_V if branch == "LTP" else self.ltd_amplitude_V
        return self.amplitude_V if own is None else own

    def width_of(self, branch: str) -> float | None:
        """Pulse width of "LTP" or "LTD" [s]."""
        own = self.ltp_width_s if branch == "LTP" else self.ltd_width_s
        return self.width_s if own is None else own


@dataclass(frozen=True)
class Statement:
    """One value in V, s or K: what it sets, and for which branch, None for both."""

    kind: str
    branch: str | None
    value: float


def read_settings(rows: Iterable[Sequence[str]], decimal: str = ".") -> Settings:
    """Settings from the cells of the lines above a table."""
    found: dict[str, set[float]] = defaultdict(set)
    branches: dict[int, str] = {}
    above: Sequence[str] = ()
    for row in rows:
        if decimal == ",":
            row = [re.sub(r"(?<=\d),(?=\d)", ".", cell) for cell in row]
        if named := _branch_columns(row):
            branches = named
            continue
        stated = _below_branches(row, branches) or _below_names(row, above) or _statements(row)
        above = row
        for said in stated:
            prefix = f"{said.branch.lower()}_" if said.branch else ""
            found[prefix + FIELDS[said.kind]].add(said.value)
    return Settings(**{name: values.pop() for name, values in found.items() if len(values) == 1})


def _branch_columns(row: Sequence[str]) -> dict[int, str]:
    """Branch by column of a line such as "Parameter, Set, Reset"."""
    words = {c: BRANCH_WORDS.get(cell.lower()) for c, cell in enumerate(row) if c and cell}
    found = {c: word for c, word in words.items() if word is not None and row[c].isalpha()}
    return found if len(found) == len(words) and set(found.values()) == {"LTP", "LTD"} else {}


def _below_branches(row: Sequence[str], branches: dict[int, str]) -> list[Statement]:
    """Values below the branches a line above names: "Amplitude (V), 2.5, -2"."""
    found: list[Statement] = []
    for column, branch in branches.items():
        said = list(_statements([row[0], row[column]])) if column < len(row) else []
        if len(said) != 1 or said[0].kind not in ("amplitude", "width"):
            return []
        found.append(Statement(said[0].kind, branch, said[0].value))
    return found


def _below_names(row: Sequence[str], names: Sequence[str]) -> list[Statement]:
    """Values below their names: "pulseWidth, vRead" above "1e-6, 0.2"."""
    numbers = [re.fullmatch(NUMBER, cell) is not None for cell in row]
    named = not any(re.match(r"[+-]?\.?\d", name) for name in names)
    if len(row) != len(names) or len(row) < 2 or 2 * sum(numbers) < len(row) or not named:
        return []
    return [
        said
        for name, cell, is_number in zip(names, row, numbers, strict=True)
        if is_number
        for said in _statements([name, cell])
    ]


def _statements(row: Sequence[str]) -> Iterator[Statement]:
    """Statements of one line; a value without a name belongs to the name before it."""
    text = normalise(" ; ".join(cell for cell in row if cell)[:MAX_TEXT])
    text = re.sub(rf" ; ({UNIT}) ; (?={NUMBER})", r" (\1) : ", text)
    name, unit, end = "", None, 0
    for match in STATEMENT.finditer(text):
        own = (match["name"] or "").strip(" _.-")
        if own:
            name, unit = own, match["before"]
        elif text[end : match.start()].strip(" ,;/"):
            name = ""
        end = match.end()
        foreign = match["after"] is None and OTHER_UNIT.match(text, end) is not None
        said = _statement(name, match["number"], match["after"] or unit) if name else None
        if said is not None and not foreign:
            yield said


def _statement(name: str, number: str, unit_text: str | None) -> Statement | None:
    """What a name, a number and the unit beside it state, if it is a setting."""
    words = name.split(" ")
    if len(words) > 1 and unit_text is None and re.fullmatch(UNIT, words[-1]):
        name, unit_text = " ".join(words[:-1]), words[-1]
    kind, branch = _kind(name)
    if kind == "temperature":
        return _temperature(float(number), unit_text)
    unit = find_unit(unit_text) if unit_text else None
    measures = unit.measures if unit else None
    if kind == "read pulse":
        # Only its voltage is the read voltage: "read: 12" may be anything.
        kind = "read" if measures == "voltage" else ""
    if kind == "pulse":
        kind = {"voltage": "amplitude", "time": "width"}.get(measures or "", "")
    if kind not in MEASURES or (unit_text and measures != MEASURES[kind]):
        return None
    value = convert(float(number), unit)
    return None if kind == "width" and value <= 0 else Statement(kind, branch, value)


def _kind(name: str) -> tuple[str, str | None]:
    """What the name sets ("" for nothing known), and the branch it names."""
    if name.lower() in BARE:
        return BARE[name.lower()], None
    for kind, pattern in KINDS:
        match = pattern.fullmatch(name)
        if match is not None:
            word = next((group for group in match.groups() if group), "")
            # "Read pulse" and "read time" are about the read, and only its voltage counts.
            is_read = kind in ("read", "read pulse") or "read" not in name.lower()
            return (kind if is_read else ""), BRANCH_WORDS.get(word.lower())
    return "", None


def _temperature(number: float, unit: str | None) -> Statement | None:
    """Temperature in K; one without a unit can be either."""
    if unit == "K":
        return Statement("temperature", None, number)
    is_celsius = unit in ("\u00b0C", "degC", "C")
    return Statement("temperature", None, round(number + 273.15, 6)) if is_celsius else None
