"""What a column heading says: its role, quantity, unit, and labels such as branch or cycle."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from device_models.errors import FieldCrossbarError
from device_models.pulses.columns.labels import DEVICE, is_condition, take_labels
from device_models.pulses.columns.names import (
    ARGUMENTS,
    DERIVED,
    FILLERS,
    LABEL_ROLES,
    MEASURES,
    NUMBER,
    QUANTITIES,
    SPREAD,
    role_of,
    squeeze,
)
from device_models.pulses.types import Labels
from device_models.pulses.units import (
    EXPECTED,
    UNITS,
    Unit,
    find_condition_unit,
    find_unit,
    normalise,
)

MAX_HEADING = 200
BRACKET = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")
# A name such as W11, #3, dev-2, 3b; not 10^-6, x10 or E-6.
LABEL = re.compile(r"(?![xX*]\d|[eE]-?\d)(?:[A-Za-z]{0,12}[\s_#.-]*\d{1,6}[A-Za-z]?|#\d+)")

CHANGE = re.compile(r"[\u0394\u2206]|\bdelta(?![a-z])|\bchange\b|^d[RGI]\b")
SIZE_OF = re.compile(r"\babs\s*\(([^()]*)\)", re.IGNORECASE)
LOGARITHM = re.compile(r"\s*(?:log10|log|ln|lg)(?![a-z])", re.IGNORECASE)
IDLE_REMARK = re.compile(
    r"(?:mean|avg|average|measured|meas|exp|experiment|raw|data|n\s*=\s*\d+)\.?", re.IGNORECASE
)
KNOWN_UNITS = tuple({unit.lower() for unit in UNITS})


class HeadingError(FieldCrossbarError, ValueError):
    """A heading that cannot be understood; the caller adds the place."""


@dataclass(frozen=True)
class Heading(Labels):
    """A column as its heading describes it; `role` is a key of NAMES or "unknown".

    `number` is one the heading has but does not explain ("LTP_1", "R3", "2"); `is_derived` says
    that the values were computed from others (moving averages, fits), `is_change` that they are
    changes (a difference of G); `condition_unit` is that of a column of conditions.
    """

    text: str
    role: str = "unknown"
    quantity: str | None = None
    unit: Unit | None = None
    read_voltage_V: float | None = None
    number: str | None = None
    is_derived: bool = False
    is_change: bool = False
    condition_unit: str = ""

    @property
    def measures(self) -> str | None:
        """Quantity by the name or else by the unit; None for arbitrary units."""
        by_unit = (self.unit.per_size or self.unit.measures) if self.unit else None
        return self.quantity or (by_unit if by_unit in QUANTITIES else None)


@lru_cache(maxsize=8192)
def read_heading(text: str, named_brackets: bool = False) -> Heading:
    """Heading from its text; HeadingError for a unit that is unknown or measures something else.

    With `named_brackets` what stands in brackets is a name, as in "G (left)" beside "G (right)".
    """
    words = SIZE_OF.sub(r"\1", normalise(text[:MAX_HEADING]))
    spaced = words.replace("_", " ")
    heading = Heading(text, is_change=CHANGE.search(words) is not None)
    whole = role_of(words)
    if whole is not None and BRACKET.search(words) is None and "/" not in words:
        return _with_role(heading, whole)
    if SPREAD.search(spaced) or LOGARITHM.match(spaced):
        return replace(heading, role="ignored")
    if DERIVED.search(spaced):
        heading, words = replace(heading, is_derived=True), DERIVED.sub(" ", words).strip(" _")
    rest, unit, remark = _split_unit(words, named_brackets)
    remark = "" if remark in ARGUMENTS or IDLE_REMARK.fullmatch(remark) else remark
    if (condition := _condition_column(heading, rest, unit, remark)) is not None:
        return condition
    heading = replace(heading, unit=unit)
    heading, name = take_labels(heading, f"{rest} {remark}".replace("_", " "))
    heading, name, remark = _take_name(heading, name, remark, named_brackets)
    return _with_name(heading, name, rest, remark)


def _with_name(heading: Heading, name: str, rest: str, remark: str) -> Heading:
    """Heading with its role: `name` is what labels left of `rest`, `remark` a bracket not read."""
    name = FILLERS.sub(" ", name).strip() if heading.branch else name
    role = role_of(name) or role_of(rest)
    # The B of "LTP B" is a name, and no magnetic field.
    role = None if heading.branch and role == "field" and heading.unit is None else role
    if heading.branch and heading.device is None and role is None and squeeze(name):
        heading = replace(heading, device=name[:40])
    if role is None and remark and not heading.labelled:
        raise HeadingError(f"unknown unit {remark!r}; known are {_known_units(None)}")
    heading = _with_role(heading, role or _role_without_name(heading, name))
    _check_unit(heading, remark if remark and role_of(rest) else "", name)
    return heading


def _condition_column(
    heading: Heading, rest: str, unit: Unit | None, remark: str
) -> Heading | None:
    """A column of conditions, by its name or by a unit that no reading has: "T (K)", "x (mm)"."""
    stem, _, last = rest.replace("_", " ").rpartition(" ")
    is_split = role_of(rest) is None and role_of(stem) == "condition"
    name, symbol = (stem, last) if is_split else (rest, remark or (unit.symbol if unit else ""))
    role = role_of(name)
    by_unit = find_condition_unit(symbol) is not None and unit is None
    if role == "condition" or (by_unit and not is_split and role in (None, "ignored")):
        return replace(heading, role="condition", condition_unit=symbol)
    return None


def _take_name(
    heading: Heading, name: str, remark: str, named_brackets: bool
) -> tuple[Heading, str, str]:
    """Heading whose bracket is the name of a device or a condition, "Conductance (W11)"."""
    if not remark or squeeze(remark) not in squeeze(name):
        return heading, name, "" if remark and remark == heading.number else remark
    letters = re.sub(r"[^a-z]", "", remark.lower())
    # One letter with a number is a name ("A7"), whatever the letter measures.
    is_letter = len(letters) < 2 and letters != remark.lower()
    if (not is_letter and _is_near_unit(letters)) or not (
        named_brackets or LABEL.fullmatch(remark) or is_condition(remark)
    ):
        return heading, name, remark
    if is_condition(remark):
        heading = replace(heading, condition=heading.condition or remark)
    else:
        heading = replace(heading, device=heading.device or remark[:40])
    return heading, _without_text(name, remark), ""


@lru_cache(maxsize=1024)
def _is_near_unit(letters: str) -> bool:
    """A unit, or one that is mistyped."""
    return bool(get_close_matches(letters, KNOWN_UNITS, cutoff=0.75))


def _without_text(name: str, remark: str) -> str:
    """`name` without the letters and digits of `remark` at its end."""
    left = len(squeeze(name)) - len(squeeze(remark))
    for end in range(len(name) + 1):
        if len(squeeze(name[:end])) == left:
            return name[:end].strip()
    return name


def is_known(text: str) -> bool:
    """The heading has a name, unit or label that is understood."""
    try:
        heading = read_heading(text)
    except HeadingError:
        return True
    return heading.role != "unknown"


def _split_unit(words: str, named_brackets: bool) -> tuple[str, Unit | None, str]:
    """Name, unit and a bracket that is no unit: "R (kOhm)", "R/kOhm", "R_kOhm", "R in kOhm"."""
    bracket = BRACKET.search(words)
    if bracket is not None:
        rest = f"{words[: bracket.start()]} {words[bracket.end() :]}".strip()
        unit = None if named_brackets else find_unit(bracket[1])
        return (rest, unit, "") if unit else (*_split_suffix(rest), bracket[1].strip())
    name, slash, last = words.rpartition("/")
    if slash and name and find_unit(last) is not None:
        return name.strip(), find_unit(last), ""
    if slash and role_of(name) and role_of(words) is None:
        return name.strip(), None, last.strip()
    return *_split_suffix(words), ""


def _split_suffix(words: str) -> tuple[str, Unit | None]:
    """Name and unit of "conductance_uS"; words that only look like units ("V_G") stay names."""
    parts = re.split(r"[\s_]+", words)
    if len(parts) > 2 and (unit := find_unit("/".join(parts[-2:]))) and unit.per_size:
        return " ".join(parts[:-2]), unit
    unit = find_unit(parts[-1])
    if unit is None or re.fullmatch(NUMBER, parts[-1]) or parts[-1] == "-":
        return words, None
    if len(parts) == 1:
        return ("", unit) if len(parts[0]) > 1 else (words, None)
    rest = " ".join(parts[:-1]).removesuffix(" in")
    role = role_of(rest)
    if role == "ignored" and unit.measures == "time":
        return rest, unit
    if role is not None:
        return (rest, unit) if _fits(role, unit) else (words, None)
    is_label = re.search(rf"(?:^|[\s=]){NUMBER}$", rest) or DEVICE.search(words)
    return (words, None) if is_label else (rest, unit)


def _fits(role: str, unit: Unit) -> bool:
    if role in LABEL_ROLES:
        return False
    if role == "value":
        return unit.measures in (*QUANTITIES, "arbitrary")
    return unit.measures == MEASURES.get(role, role) or (
        unit.measures == "arbitrary" and role in QUANTITIES
    )


def _with_role(heading: Heading, role: str) -> Heading:
    if role == "current" and "read" in heading.text.lower() and heading.amplitude_V is not None:
        heading = replace(heading, read_voltage_V=heading.amplitude_V, amplitude_V=None)
    if role in QUANTITIES:
        return replace(heading, role="value", quantity=role)
    measures = heading.unit.measures if heading.unit else None
    if role == "pulse" and measures in ("voltage", "time"):
        return replace(heading, role="amplitude" if measures == "voltage" else "width")
    if role == "value" and measures in QUANTITIES:
        return replace(heading, role="value", quantity=measures)
    return replace(heading, role=role)


def _role_without_name(heading: Heading, name: str) -> str:
    """Role of a heading whose name is not known: from its unit, else from its labels."""
    if heading.unit is not None:
        by_unit = {"field": "field", "voltage": "amplitude", "time": "ignored"}
        return by_unit.get(heading.unit.measures, "value")
    is_value = heading.branch or (heading.labelled and not squeeze(name))
    return "value" if is_value else "unknown"


def _check_unit(heading: Heading, remark: str, name: str) -> None:
    role = heading.quantity or heading.role
    if role in LABEL_ROLES or role == "unknown":
        return
    expected = _known_units(MEASURES.get(role, role))
    if remark and not (heading.labelled or heading.read_voltage_V is not None):
        raise HeadingError(f"unknown unit {remark!r}; expected {expected}")
    if heading.unit is not None and not _fits(role, heading.unit):
        raise HeadingError(
            f"unit {heading.unit.symbol!r} does not measure {name.strip() or role}; "
            f"expected {expected}"
        )


def _known_units(measures: str | None) -> str:
    if measures in EXPECTED:
        return EXPECTED[measures]
    return "; ".join(EXPECTED.values())
