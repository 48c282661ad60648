"""What a card's curves were taken under: the pulses of each branch, the read, the sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar

from device_models.card.curve import BRANCHES
from device_models.card.errors import CardError

POSITIVE = ("ltp_pulse_width_s", "ltd_pulse_width_s", "temperature_K", "area_m2")
PAIRS = ("ltp_amplitudes_V", "ltd_amplitudes_V")
TEXTS = ("condition",)
SCHEMA_1 = {
    "pulse_width_s": ("ltp_pulse_width_s", "ltd_pulse_width_s"),
    "ltp_width_s": ("ltp_pulse_width_s",),
    "ltd_width_s": ("ltd_pulse_width_s",),
    "junction_area_m2": ("area_m2",),
}
"""Keys of older cards that have other names now."""


@dataclass(frozen=True)
class Conditions:
    """Conditions of a measurement or reconstruction, None where they are not stated.

    `..._amplitude_V`: of every pulse of a branch, or `..._amplitudes_V` of the first and the last
    of a stepped train [V]; `..._pulse_width_s` [s]; `..._first_pulse`: pulses that had come before
    the first reading [1]; `read_voltage_V` [V]; `temperature_K` [K]; `magnetic_init_G`: field that
    the layers were saturated in before [G]; `area_m2`: of the junction [m^2]; `condition`: what the
    file calls them. `notes`: what else a card says, as it says it.

    Raises CardError for a value of another type, or out of range.
    """

    ltp_amplitude_V: float | None = None
    ltd_amplitude_V: float | None = None
    ltp_amplitudes_V: tuple[float, float] | None = None
    ltd_amplitudes_V: tuple[float, float] | None = None
    ltp_pulse_width_s: float | None = None
    ltd_pulse_width_s: float | None = None
    ltp_first_pulse: float | None = None
    ltd_first_pulse: float | None = None
    read_voltage_V: float | None = None
    temperature_K: float | None = None
    magnetic_init_G: float | None = None
    area_m2: float | None = None
    condition: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    as_stated: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    NAMES: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for name in self.NAMES:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _checked(name, value))

    def amplitude_V(self, branch: str) -> float | None:
        """Amplitude of every pulse of `branch` [V]; None for a stepped train, or not stated."""
        value: float | None = getattr(self, f"{branch.lower()}_amplitude_V")
        return value

    def pulse_width_s(self, branch: str) -> float | None:
        """Width of the pulses of `branch` [s]."""
        value: float | None = getattr(self, f"{branch.lower()}_pulse_width_s")
        return value

    def words(self) -> str:
        """Pulses, read voltage and temperature as one line; "" where none is stated."""
        parts = []
        for branch in BRANCHES:
            amplitude, width = self.amplitude_V(branch), self.pulse_width_s(branch)
            own = [f"{amplitude:g} V"] if amplitude is not None else []
            own += [f"{width:g} s"] if width is not None else []
            parts += [f"{branch} {', '.join(own)}"] if own else []
        parts += [f"read at {self.read_voltage_V:g} V"] if self.read_voltage_V is not None else []
        parts += [f"{self.temperature_K:g} K"] if self.temperature_K is not None else []
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """What is stated, as a card of schema 2 holds it."""
        stated = {n: v for n in self.NAMES if (v := getattr(self, n)) is not None}
        content = {n: list(v) if isinstance(v, tuple) else v for n, v in stated.items()}
        return content | ({"notes": dict(self.notes)} if self.notes else {})

    def to_schema_1(self) -> dict[str, Any]:
        """What is stated, as a card of schema 1 holds it: as it was read, where nothing changed."""
        if self.as_stated is not None and conditions_of_schema_1(self.as_stated) == self:
            return dict(self.as_stated)
        old = {new[0]: key for key, new in SCHEMA_1.items() if len(new) == 1}
        content = self.to_dict()
        notes = content.pop("notes", {})
        return dict(notes) | {old.get(name, name): value for name, value in content.items()}


Conditions.NAMES = tuple(f.name for f in fields(Conditions) if f.name not in ("notes", "as_stated"))


def conditions_of_schema_2(content: Mapping[str, Any]) -> Conditions:
    """Conditions from the JSON object of a card; keys that are not ours are kept as notes."""
    own = {n: v for n, v in content.items() if n in Conditions.NAMES and v is not None}
    notes = content.get("notes", {})
    if not isinstance(notes, dict):
        raise CardError("conditions.notes must be a JSON object")
    others = {n: v for n, v in content.items() if n not in (*Conditions.NAMES, "notes")}
    return Conditions(**own, notes={**notes, **others})


def conditions_of_schema_1(content: Mapping[str, Any]) -> Conditions:
    """Conditions from the free mapping of an older card; what does not fit is kept as a note."""
    own: dict[str, Any] = {}
    notes = {}
    for key, value in content.items():
        names = SCHEMA_1.get(key, (key,) if key in Conditions.NAMES else ())
        try:
            found = {name: _checked(name, value) for name in names}
        except CardError:
            found = {}
        # A width of one branch counts for more than that of both.
        own = found | own if len(names) > 1 else own | found
        if not found:
            notes[key] = value
    return Conditions(**own, notes=notes, as_stated=dict(content))


def _checked(name: str, value: Any) -> Any:
    """The value as it is held; CardError for one of another type, or out of range."""
    if name in TEXTS:
        if not isinstance(value, str):
            raise CardError(f"conditions.{name} must be text, got {value!r:.40}")
        return value
    if name in PAIRS:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise CardError(f"conditions.{name} must be two numbers, got {value!r:.40}")
        return tuple(_number(name, v) for v in value)
    return _number(name, value)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        number = math.inf
    if isinstance(value, bool) or not math.isfinite(number):
        raise CardError(f"conditions.{name} must be a finite number, got {value!r:.40}")
    if name in POSITIVE and number <= 0:
        raise CardError(f"conditions.{name} must be positive, got {number:g}")
    return number
