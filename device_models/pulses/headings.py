"""What a column heading says: its role, quantity, unit, and labels such as branch or cycle."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from device_models.pulses.types import Labels
from device_models.pulses.units import EXPECTED, Unit, convert, find_unit, normalise

BRANCH_WORDS = {
    **dict.fromkeys(
        (
            "ltp",
            "p",
            "pot",
            "pot.",
            "potentiation",
            "potentiate",
            "up",
            "set",
            "+1",
            "1",
            "+",
            "1.0",
        ),
        "LTP",
    ),
    **dict.fromkeys(
        ("ltd", "d", "dep", "dep.", "depression", "depress", "down", "reset", "-1", "-", "-1.0"),
        "LTD",
    ),
}
# Roles by their names, written without case, blanks and punctuation.
NAMES = {
    "resistance": "r res resistance rread readresistance channelresistance devicer rmeas rmem",
    "conductance": "g cond conductance gread readconductance channelconductance gds gmeas gmem",
    "current": "i current iread readcurrent ids idrain draincurrent drainsourcecurrent imeas",
    "value": "value values reading readings y signal response state weight w",
    "pulse": "pulse pulses pulsenumber pulseno pulsenr pulseindex pulsecount pulseid pulse# #pulse "
    "npulse npulses numberofpulses pulsenum n no nr number index idx # count step x pulsesnumber",
    "branch": "branch direction polarity ltpltd pd pulsetype operation process sign kind type",
    "device": "device dev deviceid devid devicename devicenumber deviceno deviceindex dev# "
    "device# dut cell cellid sample sampleid",
    "cycle": "cycle cyc cycles cyclenumber cycleno cyclenr cycleindex cycleid cycle# run "
    "repetition rep repeat loop iteration sweep",
    "field": "field h b magneticfield magfield bfield hfield appliedfield externalfield mu0h",
    "amplitude": "amplitude amp pulseamplitude pulseamp pulsevoltage vpulse voltage v vg "
    "gatevoltage vprog vwrite writevoltage programmingvoltage vamp vp pulseheight",
    "read_voltage": "readvoltage vread readbias vr readv vds drainvoltage vdrain",
    "width": "width pulsewidth pw tpulse pulseduration duration tp tw pulselength",
    "ignored": "time t timestamp date elapsed elapsedtime temperature temp std sd stdev error err "
    "sem uncertainty comment note notes remark",
}
ROLES = {name: role for role, names in NAMES.items() for name in names.split()}
QUANTITIES = ("resistance", "conductance", "current")
MEASURES = {"field": "field", "amplitude": "voltage", "read_voltage": "voltage", "width": "time"}
# A unit in brackets on these is a remark, e.g. "time (s)" or "pulse (#)".
LABEL_ROLES = ("pulse", "branch", "device", "cycle", "ignored")

MAX_HEADING = 200
FILLERS = re.compile(
    r"(?<![a-z])(?:of|the|after|for|in|and|data|curve|branch|mean|average|norm|normali[sz]ed)(?![a-z])",
    re.IGNORECASE,
)
SPREAD = re.compile(r"(?<![a-z])(?:std|sd|stdev|sem|err|error|uncertainty)(?![a-z])", re.IGNORECASE)

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
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
BRACKET = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


class HeadingError(ValueError):
    """A heading that cannot be understood; the caller adds the place."""


@dataclass(frozen=True)
class Heading(Labels):
    """A column as its heading describes it; `role` is a key of NAMES or "unknown".

    `number` is one the heading has but does not explain ("LTP_1", "R3", "2").
    """

    text: str
    role: str = "unknown"
    quantity: str | None = None
    unit: Unit | None = None
    read_voltage_V: float | None = None
    number: str | None = None

    @property
    def measures(self) -> str | None:
        """Quantity by the name or else by the unit; None for arbitrary units."""
        by_unit = self.unit.measures if self.unit else None
        return self.quantity or (by_unit if by_unit in QUANTITIES else None)


def read_heading(text: str) -> Heading:
    """Heading from its text; HeadingError for a unit that is unknown or measures something else."""
    words = normalise(text[:MAX_HEADING])
    whole = ROLES.get(squeeze(words))
    if whole is not None and BRACKET.search(words) is None and "/" not in words:
        return _with_role(Heading(text), whole)
    if SPREAD.search(words.replace("_", " ")):
        return Heading(text, role="ignored")
    rest, unit, remark = _split_unit(words)
    heading, name = _take_labels(Heading(text, unit=unit), f"{rest} {remark}".replace("_", " "))
    name = FILLERS.sub(" ", name).strip() if heading.branch else name
    role = ROLES.get(squeeze(name)) or ROLES.get(squeeze(rest))
    if heading.branch and heading.device is None and role is None and squeeze(name):
        heading = replace(heading, device=name[:40])
    if role is None and remark and not heading.labelled:
        raise HeadingError(f"unknown unit {remark!r}; known are {_known_units(None)}")
    heading = _with_role(heading, role or _role_without_name(heading, name))
    _check_unit(heading, remark if remark and ROLES.get(squeeze(rest)) else "", name)
    return heading


def squeeze(text: str) -> str:
    """`text` in lower case without blanks and punctuation."""
    return re.sub(r"[^a-z0-9#]", "", text.lower())


def is_known(text: str) -> bool:
    """The heading has a name, unit or label that is understood."""
    try:
        heading = read_heading(text)
    except HeadingError:
        return True
    return heading.role != "unknown"


def _split_unit(words: str) -> tuple[str, Unit | None, str]:
    """Name, unit and a bracket that is no unit: "R (kOhm)", "R/kOhm", "R_kOhm", "R in kOhm"."""
    bracket = BRACKET.search(words)
    if bracket is not None:
        rest = f"{words[: bracket.start()]} {words[bracket.end() :]}".strip()
        unit = find_unit(bracket[1])
        return (rest, unit, "") if unit else (*_split_suffix(rest), bracket[1].strip())
    name, slash, last = words.rpartition("/")
    if slash and name and find_unit(last) is not None:
        return name.strip(), find_unit(last), ""
    if slash and ROLES.get(squeeze(name)) and ROLES.get(squeeze(words)) is None:
        return name.strip(), None, last.strip()
    return *_split_suffix(words), ""


def _split_suffix(words: str) -> tuple[str, Unit | None]:
    """Name and unit of "conductance_uS"; words that only look like units ("V_G") stay names."""
    parts = re.split(r"[\s_]+", words)
    unit = find_unit(parts[-1])
    if unit is None or re.fullmatch(NUMBER, parts[-1]) or parts[-1] == "-":
        return words, None
    if len(parts) == 1:
        return ("", unit) if len(parts[0]) > 1 else (words, None)
    rest = " ".join(parts[:-1]).removesuffix(" in")
    role = ROLES.get(squeeze(rest))
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


def _take_labels(heading: Heading, text: str) -> tuple[Heading, str]:
    """Heading with the branch, device, cycle and conditions found in `text`, and what is left."""
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
    if number is not None and squeeze(text) not in ROLES:
        rest = _without(text, number)
        if not squeeze(rest) or squeeze(rest) in ROLES:
            heading, text = replace(heading, number=number[0]), rest
    return heading, text


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


def _with_role(heading: Heading, role: str) -> Heading:
    if role == "current" and "read" in heading.text.lower() and heading.amplitude_V is not None:
        heading = replace(heading, read_voltage_V=heading.amplitude_V, amplitude_V=None)
    if role in QUANTITIES:
        return replace(heading, role="value", quantity=role)
    measures = heading.unit.measures if heading.unit else None
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
