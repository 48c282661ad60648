"""Device cards: one JSON file that says how a device responds to pulses, and how we know.

A card holds the fitted LTP and LTD curves at one or several fields, their units, the conditions
they were taken under, where they come from (measured, digitised or reconstructed) and how good
the fit is. Cards come from strangers: they are size-limited JSON, checked on reading, and every
complaint is one line that names the file and the place in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card.field import FieldModel, FieldTable
from device_models.curves import LAWS, Law, Response, blend
from device_models.errors import FieldCrossbarError
from device_models.files import write_atomically
from device_models.plain_text import message

if TYPE_CHECKING:
    from device_models.plotting import Figure

FloatArray = NDArray[np.float64]

SCHEMA = "fieldcrossbar.device_card"
SCHEMA_VERSION = 1
MAX_CARD_BYTES = 8 * 2**20
MAX_CURVES = 1024
BRANCHES = ("LTP", "LTD")
KINDS = ("measured", "digitised", "reconstructed")
UNITS = {"resistance": ("ohm",), "conductance": ("S", "1")}
COVARIANCES = ("fit", "d2d")
MAX_SPREAD = 1e4
"""Largest spread a card may state; noisy devices have steps far below their noise."""
MAY_BE_UNKNOWN = ("range_c2c", "upper_share")
"""Parts of a spread that a card may lack."""
NUMBERS = re.compile(r"\[\n\s*(-?\d[-\d.eE+,\s]*)\]")
"""A list of numbers over several lines; texts hold no line end in JSON and stay as they are."""


class CardError(FieldCrossbarError, ValueError):
    """A card that cannot be used; the message is one line naming the file and the place in it."""

    def __init__(self, text: str):
        super().__init__(message(text))


@dataclass(frozen=True)
class Curve:
    """Fitted response of one branch (LTP or LTD) at one field [G]; `fit` holds its quality.

    `n_pulses`: pulses it was measured over, None for all those of the card [1].
    """

    branch: str
    field_G: float
    law: Law
    fit: Mapping[str, Any] = field(default_factory=dict)
    n_pulses: float | None = None


@dataclass(frozen=True)
class Spread:
    """Relative variability the card states; zero where nothing was measured.

    `step_c2c`: std of a step at fixed state over the mean step, cycle to cycle, the part that
    stays [1];
    `write_noise`: std of what is read after a pulse around the state it left, the part that is
    drawn anew with every pulse, over half the conductance range [1];
    `step_d2d`: std of the step size over its mean, device to device [1];
    `range_d2d`: std of the ends of the range over half the range, device to device [1];
    `range_c2c`: std of the ends of the range over half the range, cycle to cycle of one device,
    beyond what single pulses do [1], None where it was not measured; tiles do not have it;
    `upper_share`: share of the two ends' variances, of which `range_d2d` is the root mean, that
    the upper end has, 0 to 1; None for ends that differ alike.

    Raises CardError for one that is no number from 0 to `MAX_SPREAD`.
    """

    step_c2c: float = 0.0
    write_noise: float = 0.0
    step_d2d: float = 0.0
    range_d2d: float = 0.0
    note: str = ""
    range_c2c: float | None = None
    upper_share: float | None = None

    def __post_init__(self) -> None:
        for name in (
            "step_c2c",
            "write_noise",
            "step_d2d",
            "range_d2d",
            "range_c2c",
            "upper_share",
        ):
            value = getattr(self, name)
            if value is None and name in MAY_BE_UNKNOWN:
                continue
            number = isinstance(value, Real) and not isinstance(value, bool)
            highest = 1.0 if name == "upper_share" else MAX_SPREAD
            if not number or not 0 <= value <= highest:
                raise CardError(
                    f"spread.{name} must be a number from 0 to {highest:g}, got {value!r:.40}"
                )
            if not isinstance(value, int | float):  # a numpy float32, which JSON does not know
                object.__setattr__(self, name, float(value))

    @property
    def ends_d2d(self) -> tuple[float, float]:
        """Std of the lower and of the upper end, device to device [half the range]."""
        share = 0.5 if self.upper_share is None else self.upper_share
        return self.range_d2d * math.sqrt(2 - 2 * share), self.range_d2d * math.sqrt(2 * share)

    def to_dict(self) -> dict[str, Any]:
        """The spreads as they are stored, without one that was not measured."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Uncertainty:
    """Covariances of the curves' coordinates, all curves of the card one after the other.

    `parameters` names the coordinates (`DeviceCard.parameters`); `fit` says how well the fit
    knows them, `d2d` how they differ from device to device; None where it is not known.
    """

    parameters: tuple[str, ...]
    fit: tuple[tuple[float, ...], ...] | None = None
    d2d: tuple[tuple[float, ...], ...] | None = None

    def standard_errors(self) -> FloatArray:
        """Standard error of the fit of every coordinate, NaN where it is not known."""
        if self.fit is None:
            return np.full(len(self.parameters), np.nan)
        return np.sqrt(np.diag(np.array(self.fit)))


@dataclass(frozen=True)
class DeviceCard:
    """A device as data. `quantity` and `unit` say what the curves give (resistance in ohm, ...)."""

    name: str
    title: str
    kind: str
    caveat: str
    quantity: str
    unit: str
    n_pulses: int
    curves: tuple[Curve, ...]
    spread: Spread = Spread()
    conditions: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Uncertainty | None = None
    path: str = ""

    @property
    def fields_G(self) -> tuple[float, ...]:
        """Fields the device was measured (or reconstructed) at, rising [G]."""
        return tuple(sorted({c.field_G for c in self.curves}))

    @property
    def conductance_unit(self) -> str:
        """Unit of `conductance`: S, or 1 for a card in arbitrary units."""
        return "S" if self.quantity == "resistance" else self.unit

    @property
    def sha256(self) -> str:
        """Hash of the card's content; equal for equal cards wherever they are stored."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the coordinates of all curves: branch, field and the law's own name."""
        return tuple(
            f"{c.branch} {c.field_G:g} G {name}" for c in self.curves for name in c.law.theta_names
        )

    def law(self, branch: str, field_G: float = 0.0) -> Response:
        """Curve of `branch` at any field [G] in range, linear between the measured fields.

        Raises ValueError for an unknown branch or a field outside the measured range.
        """
        if branch not in BRANCHES:
            raise ValueError(f"branch must be LTP or LTD, got {branch!r}")
        fields = self.fields_G
        if not fields[0] <= field_G <= fields[-1]:
            raise ValueError(
                f"card {self.name!r} is known from {fields[0]:g} to {fields[-1]:g} G, "
                f"asked at field_G={field_G:g}"
            )
        upper = next(i for i, f in enumerate(fields) if f >= field_G)
        above = self._curve(branch, fields[upper]).law
        if fields[upper] == field_G:
            return above
        below = self._curve(branch, fields[upper - 1]).law
        share = (field_G - fields[upper - 1]) / (fields[upper] - fields[upper - 1])
        return blend(below, above, share)

    def response(self, branch: str, pulses: ArrayLike, field_G: float = 0.0) -> FloatArray:
        """Value after `pulses` pulses of `branch` in the card's own quantity and unit."""
        return self.law(branch, field_G)(pulses)

    def conductance(self, branch: str, pulses: ArrayLike, field_G: float = 0.0) -> FloatArray:
        """Conductance after `pulses` pulses of `branch` [S, or 1 for arbitrary units]."""
        value = self.response(branch, pulses, field_G)
        return 1.0 / value if self.quantity == "resistance" else value

    @property
    def field_model(self) -> FieldModel:
        """Which parts of the card are read at a field, and in what shares."""
        return FieldTable(self.fields_G)

    def part_conductance(self, branch: str, pulses: ArrayLike) -> FloatArray:
        """Conductance after `pulses` pulses of `branch` in each part, n_parts x shape of `pulses`.

        Mixed as `field_model` says they are the conductance at a field.
        """
        return np.stack([self.conductance(branch, pulses, f) for f in self.fields_G])

    def measured_pulses(self, branch: str, field_G: float = 0.0) -> float:
        """Pulses that `branch` was measured over at `field_G` [G]: its curve goes no further.

        Between two fields the smaller number of both. Raises ValueError as `law` does.
        """
        self.law(branch, field_G)
        below = max(f for f in self.fields_G if f <= field_G)
        above = min(f for f in self.fields_G if f >= field_G)
        return min(self._last_pulse(self._curve(branch, f)) for f in (below, above))

    def conductance_range(self, field_G: float = 0.0) -> tuple[float, float]:
        """Smallest and largest conductance of both branches at `field_G` [G], as measured."""
        ends = [
            self.conductance(b, [0, self.measured_pulses(b, field_G)], field_G) for b in BRANCHES
        ]
        return float(np.min(ends)), float(np.max(ends))

    def sample(
        self, n: int, seed: int, vary: Sequence[str] | None = None
    ) -> tuple[DeviceCard, ...]:
        """`n` devices drawn from the card's covariances, each a card of its own.

        `vary`: "fit" (how well the curves are known), "d2d" (how devices differ) or both; all that
        the card holds by default. A drawn device has no device-to-device spread left in it. Its
        responses stay within 3.5 standard deviations of the card's, and positive where those are;
        the mean response of devices is the card's.
        Raises CardError where the card lacks a covariance asked for, or where draws do not keep
        the shape of a response.
        """
        from device_models.card.drawing import draw_devices  # draws cards, so it needs this file

        return draw_devices(self, n, seed, vary)

    def to_dict(self) -> dict[str, Any]:
        """The card as the JSON object that is stored."""
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "caveat": self.caveat,
            "source": dict(self.source),
            "conditions": dict(self.conditions),
            "quantity": self.quantity,
            "unit": self.unit,
            "n_pulses": self.n_pulses,
            "spread": self.spread.to_dict(),
            "curves": [
                {
                    "branch": c.branch,
                    "field_G": c.field_G,
                    "law": c.law.name,
                    **_law_to_dict(c.law, self.unit),
                    **({} if c.n_pulses is None else {"n_pulses": c.n_pulses}),
                    "fit": dict(c.fit),
                }
                for c in self.curves
            ],
        }
        if self.uncertainty is not None:
            content["uncertainty"] = {
                "parameters": list(self.uncertainty.parameters),
                **{
                    # The lower triangle: the matrix is symmetric, and large for many fields.
                    f"{name}_covariance": [list(row[: i + 1]) for i, row in enumerate(matrix)]
                    for name in COVARIANCES
                    if (matrix := getattr(self.uncertainty, name)) is not None
                },
            }
        return content

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the card as JSON, whole or not at all; refuses an existing file."""
        path = Path(path)
        if path.exists() and not overwrite:
            raise CardError(f"{path}: exists already; choose another name or overwrite=True")
        write_atomically(path, self.to_json())
        return path

    def to_json(self) -> bytes:
        """Content of the card's file, UTF-8."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # Halves of surrogate pairs, as in names of files, have no UTF-8 but an escape in JSON.
        return NUMBERS.sub(_on_one_line, text).encode("utf-8", "backslashreplace")

    def plot(self, quantity: str = "conductance") -> Figure:
        """Matplotlib figure of the card's LTP and LTD curves against the pulse number.

        `quantity`: "conductance" or "resistance". Raises ValueError for another one, and where a
        conductance of 0 or below has no resistance.
        """
        from device_models.plotting import draw_card  # few users of cards need it

        return draw_card(self, quantity)

    def _curve(self, branch: str, field_G: float) -> Curve:
        return next(c for c in self.curves if c.branch == branch and c.field_G == field_G)

    def _last_pulse(self, curve: Curve) -> float:
        return float(self.n_pulses if curve.n_pulses is None else curve.n_pulses)


def card_from_dict(content: Any, path: str = "") -> DeviceCard:
    """Checked card from its JSON object; CardError names the key and what was expected."""
    top = _Reader(content, "card")
    if top.text("schema") != SCHEMA:
        raise CardError(f"schema must be {SCHEMA!r}, got {top.text('schema')!r}")
    version = top.integer("schema_version", 1)
    if version > SCHEMA_VERSION:
        raise CardError(f"schema_version {version} is newer than this program ({SCHEMA_VERSION})")
    quantity = top.choice("quantity", tuple(UNITS))
    unit = top.choice("unit", UNITS[quantity])
    n_pulses = top.integer("n_pulses", 2, 10_000_000)
    spread = _Reader(top.value("spread"), "spread")
    card = DeviceCard(
        name=top.text("name"),
        title=top.text("title"),
        kind=top.choice("kind", KINDS),
        caveat=top.text("caveat"),
        quantity=quantity,
        unit=unit,
        n_pulses=n_pulses,
        curves=tuple(
            _curve(c, f"curves[{i}]", unit, n_pulses) for i, c in enumerate(_curve_list(top))
        ),
        spread=Spread(
            step_c2c=spread.number("step_c2c", 0.0, MAX_SPREAD),
            write_noise=spread.number("write_noise", 0.0, MAX_SPREAD, default=0.0),
            step_d2d=spread.number("step_d2d", 0.0, MAX_SPREAD),
            range_d2d=spread.number("range_d2d", 0.0, MAX_SPREAD),
            note=spread.text("note"),
            **{name: spread.number(name) for name in MAY_BE_UNKNOWN if name in spread},
        ),
        conditions=top.mapping("conditions"),
        source=top.mapping("source"),
        path=path,
    )
    _check_complete(card)
    check_shape(card)
    if "uncertainty" in top:
        card = replace(card, uncertainty=_uncertainty(top, card.parameters))
    return card


def _curve_list(top: _Reader) -> list[Any]:
    curves = top.value("curves")
    if not isinstance(curves, list) or not 2 <= len(curves) <= MAX_CURVES:
        raise CardError(f"curves must be a list of 2 to {MAX_CURVES} curves")
    return curves


def _curve(content: Any, where: str, unit: str, n_pulses: int) -> Curve:
    reader = _Reader(content, where)
    form = LAWS[reader.choice("law", tuple(LAWS))]
    hints = get_type_hints(form)
    parameters = {}
    for item in fields(form):  # type: ignore[arg-type]
        key = _law_key(form, item.name, unit)
        parameters[item.name] = (
            reader.number(key) if hints[item.name] is float else reader.numbers(key)
        )
    try:
        law = form(**parameters)
    except ValueError as error:
        raise CardError(f"{where}: {error}") from None
    return Curve(
        branch=reader.choice("branch", BRANCHES),
        field_G=reader.number("field_G"),
        law=law,
        fit=reader.mapping("fit"),
        n_pulses=reader.number("n_pulses", 1, n_pulses) if "n_pulses" in reader else None,
    )


def _law_key(form: type[Law], name: str, unit: str) -> str:
    """Key of a law's parameter in the card: the unit stands at its end."""
    return name + _key_suffix(unit) if name in form.in_unit else name


def _law_to_dict(law: Law, unit: str) -> dict[str, Any]:
    content = {}
    for item in fields(law):  # type: ignore[arg-type]
        value = getattr(law, item.name)
        content[_law_key(type(law), item.name, unit)] = (
            list(value) if isinstance(value, tuple) else value
        )
    return content


def _uncertainty(top: _Reader, parameters: tuple[str, ...]) -> Uncertainty:
    """Covariances checked against the names of the card's own coordinates."""
    reader = _Reader(top.value("uncertainty"), "uncertainty")
    if reader.value("parameters") != list(parameters):
        raise CardError(
            f"uncertainty.parameters must name the {len(parameters)} coordinates of the curves, "
            f"from {parameters[0]!r} to {parameters[-1]!r}"
        )
    matrices = {}
    for name in COVARIANCES:
        key = f"{name}_covariance"
        if key in reader:
            matrix = reader.matrix(key, len(parameters))
            scale = np.sqrt(np.clip(np.diag(matrix), 0, None))
            # An eigenvalue below 0 by rounding is a zero; one by more is no covariance.
            unit = matrix / np.outer(scale, scale).clip(np.finfo(float).tiny)
            if np.linalg.eigvalsh(unit)[0] < -1e-6 * len(parameters):
                raise CardError(f"uncertainty.{key} must be a covariance: no negative eigenvalue")
            matrices[name] = tuple(tuple(float(v) for v in row) for row in matrix)
    return Uncertainty(parameters, matrices.get("fit"), matrices.get("d2d"))


def _check_complete(card: DeviceCard) -> None:
    """Every field has exactly one LTP and one LTD curve."""
    seen = [(c.branch, c.field_G) for c in card.curves]
    for branch in BRANCHES:
        for field_G in card.fields_G:
            if seen.count((branch, field_G)) != 1:
                raise CardError(
                    f"curves: {seen.count((branch, field_G))} {branch} curves at {field_G:g} G, "
                    f"one expected"
                )


def check_shape(card: DeviceCard) -> None:
    """Responses are finite and monotone over the pulses: LTP raises the conductance, LTD lowers."""
    for i, curve in enumerate(card.curves):
        pulses = np.linspace(0, card.measured_pulses(curve.branch, curve.field_G), 257)
        with np.errstate(all="ignore"):
            value = curve.law(pulses)
            if card.quantity == "resistance" and not np.all(value > 0):
                raise CardError(f"curves[{i}]: resistance must stay positive over the pulses")
            conductance = 1 / value if card.quantity == "resistance" else value
        if not np.all(np.isfinite(conductance)):
            raise CardError(f"curves[{i}]: the response is not finite over the pulses")
        rising = curve.branch == "LTP"
        steps = np.diff(conductance) if rising else -np.diff(conductance)
        if steps.sum() <= 0 or steps.min() < -1e-6 * np.ptp(conductance):
            verb = "rise" if rising else "fall"
            raise CardError(f"curves[{i}]: conductance must {verb} along {curve.branch} pulses")


class _Reader:
    """Typed look-ups in a JSON object; every complaint names the key."""

    def __init__(self, content: Any, where: str):
        if not isinstance(content, dict):
            raise CardError(f"{where} must be a JSON object, got {type(content).__name__}")
        self.content, self.where = content, where

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def value(self, key: str) -> Any:
        if key not in self.content:
            raise CardError(f"{self.where}: key {key!r} is missing")
        return self.content[key]

    def text(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str):
            raise CardError(f"{self.where}.{key} must be text, got {value!r:.40}")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise CardError(f"{self.where}.{key} must be one of {choices}, got {value!r:.40}")
        return value

    def number(
        self,
        key: str,
        low: float = -math.inf,
        high: float = math.inf,
        default: float | None = None,
    ) -> float:
        if default is not None and key not in self:
            return default
        return self._checked(self.value(key), key, low, high)

    def numbers(self, key: str) -> tuple[float, ...]:
        values = self.value(key)
        if not isinstance(values, list) or not 1 <= len(values) <= 64:
            raise CardError(f"{self.where}.{key} must be a list of 1 to 64 numbers")
        return tuple(
            self._checked(v, f"{key}[{i}]", -math.inf, math.inf) for i, v in enumerate(values)
        )

    def matrix(self, key: str, size: int) -> FloatArray:
        """Symmetric matrix from the rows of its lower triangle."""
        rows = self.value(key)
        if not isinstance(rows, list) or [len(r) for r in rows if isinstance(r, list)] != (
            list(range(1, size + 1))
        ):
            raise CardError(
                f"{self.where}.{key} must be the lower triangle of a matrix: rows of 1 to {size} "
                f"numbers"
            )
        matrix = np.zeros((size, size))
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                number = self._checked(value, f"{key}[{i}][{j}]", -math.inf, math.inf)
                matrix[i, j] = matrix[j, i] = number
        return matrix

    def integer(self, key: str, low: int, high: int = 2**31) -> int:
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise CardError(
                f"{self.where}.{key} must be an integer from {low} to {high}, got {value!r:.40}"
            )
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.value(key)
        if not isinstance(value, dict):
            raise CardError(f"{self.where}.{key} must be a JSON object")
        return value

    def _checked(self, value: Any, key: str, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CardError(f"{self.where}.{key} must be a number, got {value!r:.40}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or not low <= number <= high:
            raise CardError(f"{self.where}.{key} is out of range: {value!r:.40}")
        return number


def _on_one_line(numbers: re.Match[str]) -> str:
    """A JSON list of numbers that was spread over many lines."""
    return f"[{', '.join(numbers[1].replace(',', ' ').split())}]"


def _key_suffix(unit: str) -> str:
    """Unit as the ending of a key: `offset_ohm`, `offset_S`; none for arbitrary units."""
    return "" if unit == "1" else f"_{unit}"
