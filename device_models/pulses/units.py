"""Units of pulse measurements: what a unit measures and its factor to ohm, S, A, V, s or G."""

from __future__ import annotations

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
# Spellings, what they measure, the factor to the base unit, and the prefixes beyond the usual ones.
SPELLINGS: tuple[tuple[tuple[str, ...], str, float, dict[str, float]], ...] = (
    (("ohm", "ohms", "Ohm", "Ohms", "OHM", "OHMS"), "resistance", 1.0, {"G": 1e9, "T": 1e12}),
    (
        ("S", "siemens", "Siemens", "mho", "1/ohm", "1/Ohm", "ohm-1", "ohm^-1"),
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
    """A unit as written, what it measures ("arbitrary" for a.u.), its factor to the base unit."""

    symbol: str
    measures: str
    factor: float


def normalise(text: str) -> str:
    """`text` with one spelling of micro (u) and of ohm, and no line breaks or quotes."""
    text = unicodedata.normalize("NFKC", text).replace("\u03bc", "u").replace("\u03a9", "ohm")
    return " ".join(text.replace("\u2212", "-").replace('"', " ").split())


def _table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for spellings, measures, factor, more in SPELLINGS:
        for spelling in spellings:
            for prefix, power in {**PREFIXES, **more}.items():
                # Prefixed words and kiloseconds are typing errors more often than units.
                word = len(spelling) > 2 and spelling.lower() not in ("ohm", "ohms", "sec")
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
    return UNITS.get(text) or UNITS.get(text.replace(" ", ""))
