"""Units of pulse measurements: what a unit measures and its factor to ohm, S, A, V, s or G."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

PREFIXES = {
    "": 1.0,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
}
SPELLED = str.maketrans(
    {"\u03bc": "u", "\u03a9": "ohm", "\u2127": "mho", "\u2212": "-", "\u2013": "-", "\u00b7": "*"}
)
# Spellings, what they measure, the factor to the base unit, and the prefixes beyond the usual ones.
SPELLINGS: tuple[tuple[tuple[str, ...], str, float, dict[str, float]], ...] = (
    (("ohm", "ohms", "Ohm", "Ohms", "OHM", "OHMS"), "resistance", 1.0, {"G": 1e9, "T": 1e12}),
    (
        ("S", "siemens", "Siemens", "mho", "Mho", "1/ohm", "1/Ohm", "ohm-1", "ohm^-1"),
        "conductance",
        1.0,
        {},
    ),
    (("A", "amp", "Amp", "ampere", "Ampere"), "current", 1.0, {}),
    (("V", "volt", "Volt", "volts", "Volts"), "voltage", 1.0, {}),
    (("s", "sec", "second", "seconds"), "time", 1.0, {}),
    # In air 1 Oe is 1 G; Gs is a common spelling of gauss.
    (("G", "Gs", "gauss", "Gauss", "Oe"), "field", 1.0, {}),
    (("T", "tesla", "Tesla"), "field", 1e4, {}),
)
ARBITRARY = {
    *("1", "-", "%", "a.u.", "a.u", "au", "arb", "arb.", "arb. units", "arb. unit", "arb.u."),
    *("arbitrary", "arbitrary units", "norm", "norm.", "normalized", "normalised"),
    *("g0", "r0", "gmax", "gmin", "rmax", "rmin", "dimensionless", "unitless", "rel.", "relative"),
}
# Per width or per area: nA/um, S/m, A/cm^2, uA mm-1.
PER_SIZE = re.compile(
    r"(.+?)\s*(?:(?:/|\bper\b)\s*([munck]?m)(?:\^?[12])?|[ .*]([munck]?m)\^?-[12])"
)
POWER = re.compile(
    r"[x*\u00d7]?\s*(?:10\s*(?:\^\s*\(?([+-]?\d{1,2})\)?|([+-]\d{1,2}))|1[eE]([+-]?\d{1,2}))[\s*]*(\D.*)"
)
LONG_PREFIXES = {
    **{"femto": "f", "pico": "p", "nano": "n", "micro": "u", "milli": "m", "kilo": "k"},
    **{"mega": "M", "giga": "G", "tera": "T"},
}
LONG = re.compile(rf"({'|'.join(LONG_PREFIXES)})[\s-]?([a-z]{{3,}}|[SAV])", re.IGNORECASE)
# Units of what else a device may be read under; they measure no reading.
CONDITION_UNIT = re.compile(
    r"K|(?:\u00b0|deg\.? ?)C|\u00b0|degrees?|[munc]m|\u00c5|%(?: ?(?:RH|strain))?|RH"
    r"|[mu]?W(?:(?:/| )[munc]?m\^?-?2)?"
    r"|lux|lx|ppm|ppb|[kMh]?Pa|[mu]?bar|m?[Tt]orr|e?V/nm|eV|rpm|wt ?%|at ?%|sccm|[kM]?Hz"
)
EXPECTED = {
    "resistance": "ohm, kOhm, MOhm, GOhm",
    "conductance": "S, mS, uS, nS, or a.u.",
    "current": "A, mA, uA, nA, pA",
    "voltage": "V, mV",
    "time": "s, ms, us, ns",
    "field": "G, kG, Oe, T, mT",
}


@dataclass(frozen=True)
class Unit:
    """A unit as written, what it measures ("arbitrary" for a.u.), its factor to the base unit.

    `per_size` is what is given per width or area, "" where nothing is.
    """

    symbol: str
    measures: str
    factor: float
    per_size: str = ""


def normalise(text: str) -> str:
    """`text` with one spelling of micro (u) and of ohm, and no line breaks or quotes."""
    text = unicodedata.normalize("NFKC", text).translate(SPELLED)
    return " ".join(text.replace('"', " ").split())


def _table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for spellings, measures, factor, more in SPELLINGS:
        for spelling in spellings:
            for prefix, power in {**PREFIXES, **more}.items():
                # Prefixed words and kiloseconds are typing errors more often than units.
                word = len(spelling) > 2 and spelling.lower() not in ("ohm", "ohms", "mho", "sec")
                if prefix and (word or (measures == "time" and power > 1)):
                    continue
                units.setdefault(
                    prefix + spelling, Unit(prefix + spelling, measures, factor * power)
                )
    return units


UNITS = _table()


def convert(number: float, unit: Unit | None) -> float:
    """Number in the base unit, to 12 digits: 0.035 T and 350 G have to be the same field."""
    return float(f"{number * (unit.factor if unit else 1.0):.12g}")


def find_unit(text: str) -> Unit | None:
    """The unit that `text` spells, or None; case matters (mOhm and MOhm, s and S)."""
    text = normalise(text).strip()
    if text.lower() in ARBITRARY:
        return Unit(text, "arbitrary", 1.0)
    found = UNITS.get(text) or UNITS.get(text.replace(" ", ""))
    if found is not None or len(text) > 40:
        return found
    return _scaled(text) or _spelled_out(text) or _per_size(text)


def _scaled(text: str) -> Unit | None:
    """Unit with a power of ten in front: "10^-6 S", "x1e-9 A"."""
    match = POWER.fullmatch(text)
    unit = UNITS.get(match[4].strip()) if match else None
    if match is None or unit is None:
        return None
    return Unit(
        text, unit.measures, unit.factor * float(f"1e{int(match[1] or match[2] or match[3])}")
    )


def _spelled_out(text: str) -> Unit | None:
    """Unit whose prefix is a word: "microsiemens", "kilo-ohms"."""
    match = LONG.fullmatch(text)
    if match is None:
        return None
    factor = (
        PREFIXES.get(LONG_PREFIXES[match[1].lower()], 0.0)
        or {"g": 1e9, "t": 1e12}[match[1][0].lower()]
    )
    base = UNITS.get(match[2]) or UNITS.get(match[2].lower())
    return None if base is None else Unit(text, base.measures, base.factor * factor)


def _per_size(text: str) -> Unit | None:
    """A current, conductance or resistance per width or area: arbitrary, kept in words."""
    match = PER_SIZE.fullmatch(text)
    unit = UNITS.get(match[1].strip()) if match else None
    if unit is None or unit.measures not in ("current", "conductance"):
        return None
    return Unit(text, "arbitrary", 1.0, unit.measures)


def find_condition_unit(text: str) -> str | None:
    """The unit of a condition that `text` spells (K, mm, %, mW/cm2), or None."""
    text = normalise(text).strip()
    return text if CONDITION_UNIT.fullmatch(text) else None
