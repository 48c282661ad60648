"""Labels in the text of a heading: branch, device, cycle, field, voltages, widths, conditions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from device_models.pulses.columns.names import (
    BRANCH_WORDS,
    CONDITION_WORDS,
    NUMBER,
    role_of,
    squeeze,
)
from device_models.pulses.units import convert, find_unit

if TYPE_CHECKING:
    from device_models.pulses.columns.headings import Heading

COVARIATE = re.compile(
    rf"(?:(@|\bat|\bread|\bvread\s*=|\bv read\s*=)\s*|\b[a-z]+\s*=\s*)?(?<![\w.])({NUMBER})"
    r"\s*([a-z]+)(?![a-z0-9])",
    re.IGNORECASE,
)
BRANCH = re.compile(
    r"(?<![a-z])(ltp|ltd|potentiation|depression|pot|dep|up|down|set|reset)(?![a-z])", re.IGNORECASE
)
CYCLE = re.compile(
    r"(?<![a-z])(?:cycle|cyc|run|loop|rep|repeat|sweep|c)[\s#.:=-]*(\d{1,9})(?!\w)", re.IGNORECASE
)
DEVICE = re.compile(
    r"(?<![a-z])(?:device|dev|cell|dut|sample|chip|d)[\s#.:=-]*(\d+[a-z]?|[a-z]\d+)(?!\w)"
    r"|(?<![a-z])(?:device|dev|cell|dut|sample|chip)[\s#.:=-]+([a-z])(?!\w)",
    re.IGNORECASE,
)
# "300 K", "T = 77 K", "at 450 nm", "strain 0.5 %"; a bare per cent needs its word.
CONDITION = re.compile(
    rf"(?:(?:@|\b(?i:at))\s*)?(?:\b((?i:t|temp|temperature|strain|rh|humidity|radius|wavelength|lambda"
    rf"|power|thickness|oxygen|o2))\s*=?\s*)?(?<![\w.])({NUMBER})\s*"
    r"((?:\u00b0|deg ?)C|K|[mn]m|%(?: ?RH)?|mW/cm\^?2|uW/cm\^?2|mW|uW|lux|ppm|eV)(?![A-Za-z0-9/])"
)
LETTER_BRANCH = re.compile(r"\b([GRI])(?=(?:ltp|ltd|pot|dep|up|down|set|reset)\b)", re.IGNORECASE)


def take_labels(heading: Heading, text: str) -> tuple[Heading, str]:
    """Heading with the branch, device, cycle and conditions found in `text`, and what is left."""
    if (condition := CONDITION.search(text)) is not None and (
        condition[1] or not condition[3].startswith("%")
    ):
        word = f"{condition[1]} " if condition[3].startswith("%") else ""
        label = f"{word}{float(condition[2]):g} {condition[3]}"
        heading, text = replace(heading, condition=label), _without(text, condition)
    text = LETTER_BRANCH.sub(r"\1 ", text)
    text = re.sub(
        r"(?<=[a-z])(?<!mu)(?<!\de)(?=\d)|(?<=\d)(?=[a-z]{2})", " ", text, flags=re.IGNORECASE
    )
    if (cycle := CYCLE.search(text)) is not None:
        heading, text = replace(heading, cycle=int(cycle[1])), _without(text, cycle)
    if (device := DEVICE.search(text)) is not None:
        label = (device[1] or device[2]).upper() if device[2] else device[1]
        heading, text = replace(heading, device=label), _without(text, device)
    for match in list(COVARIATE.finditer(text)):
        unit = find_unit(match[3])
        if unit is not None and unit.measures in ("field", "voltage", "time"):
            value = convert(float(match[2]), unit)
            heading = _with_condition(heading, unit.measures, value, bool(match[1]))
            text = text.replace(match[0], " ", 1)
    if (branch := BRANCH.search(text)) is not None:
        word = BRANCH_WORDS[branch[1].lower()]
        heading, text = replace(heading, branch=word), _without(text, branch)
    number = re.search(r"(?<![\w.])\d{1,9}(?![\w.])", text)
    if number is not None and role_of(text) is None:
        rest = _without(text, number)
        if not squeeze(rest) or role_of(rest) is not None:
            heading, text = replace(heading, number=number[0]), rest
    return _take_condition_word(heading, text)


def _take_condition_word(heading: Heading, text: str) -> tuple[Heading, str]:
    """Heading with a condition such as "red" or "bent" beside a name that is known."""
    found = [w for w in text.split() if is_condition(w)]
    rest = " ".join(w for w in text.split() if not is_condition(w))
    if len(found) != 1 or heading.condition is not None or role_of(text) is not None:
        return heading, text
    if role_of(rest) is None and not (heading.branch and not squeeze(rest)):
        return heading, text
    return replace(heading, condition=found[0]), rest


def _with_condition(heading: Heading, measures: str, value: float, is_read: bool) -> Heading:
    if measures == "field":
        return replace(heading, field_G=value)
    if measures == "time":
        return replace(heading, width_s=value)
    if is_read:
        return replace(heading, read_voltage_V=value)
    return replace(heading, amplitude_V=value)


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


def is_condition(text: str) -> bool:
    """The text is one word for what a device was read under, such as "dark" or "bent"."""
    return squeeze(text) in CONDITION_WORDS
