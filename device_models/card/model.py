"""Device cards: one JSON file that says how a device responds to pulses, and how we know.

A card holds the fitted LTP and LTD curves, what a magnetic field makes of them, their units, the
conditions they were taken under, where they come from (measured, digitised or reconstructed) and
how good the fit is. Cards come from strangers: they are size-limited JSON, checked on reading, and
every complaint is one line that names the file and the place in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card.conditions import Conditions
from device_models.card.curve import ALIGNMENTS, BRANCHES, Curve
from device_models.card.errors import CardError
from device_models.card.field import FieldModel, FieldTable, TwoLayers
from device_models.card.spread import NUMBERS, Spread, Uncertainty
from device_models.card.writing import SCHEMA, card_to_dict, to_json
from device_models.curves import Inverse, Law, Response, blend
from device_models.errors import InputError
from device_models.files import write_atomically
from device_models.plain_text import one_line

if TYPE_CHECKING:
    from device_models.plotting import Figure

__all__ = ["KINDS", "SCHEMA", "SCHEMA_VERSION", "UNITS", "DeviceCard"]

FloatArray = NDArray[np.float64]

SCHEMA_VERSION = 2
KINDS = ("measured", "digitised", "reconstructed")
UNITS = {"resistance": ("ohm",), "conductance": ("S", "1")}


@dataclass(frozen=True)
class DeviceCard:
    """A device as data. `quantity` and `unit` say what the curves give (resistance in ohm, ...).

    With `layers` the curves are one in parallel and one in antiparallel alignment a branch, and
    the layers say how much of each is read at a field; without, one a field and branch.
    """

    name: str
    title: str
    kind: str
    caveat: str
    quantity: str
    unit: str
    n_pulses: int
    curves: tuple[Curve, ...]
    spread: Spread = field(default_factory=Spread)
    conditions: Conditions = field(default_factory=Conditions)
    source: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Uncertainty | None = None
    path: str = ""
    layers: TwoLayers | None = None
    schema_version: int = SCHEMA_VERSION

    @cached_property
    def field_model(self) -> FieldModel:
        """Which parts of the card are read at a field, and in what shares."""
        if self.layers is not None:
            return self.layers
        return FieldTable(tuple(sorted({c.field_G for c in self.curves if c.field_G is not None})))

    @property
    def fields_G(self) -> tuple[float, ...]:
        """Fields the device was measured (or reconstructed) at, rising [G]."""
        return self.field_model.fields_G

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
        """Names of the coordinates of all curves, then of the layers: what an uncertainty is of."""
        of_curves = (f"{c.name} {name}" for c in self.curves for name in c.law.theta_names)
        of_layers = self.layers.theta_names if self.layers else ()
        return (*of_curves, *(f"field {name}" for name in of_layers))

    @property
    def schema_note(self) -> str:
        """What a card of an older schema is, in one line; "" for one of today's."""
        if self.schema_version == SCHEMA_VERSION:
            return ""
        return (
            f"schema {self.schema_version} (older): read as a table of "
            f"{len(self.fields_G)} fields, without a field model"
        )

    @cached_property
    def interpolation_error(self) -> float | None:
        """Largest error of a field that is left out and interpolated, over the range there [1].

        An estimate of what is wrong between the fields of a table, whose steps are half as wide.
        None for fewer than three fields, and for a card with a model.
        """
        fields = self.fields_G
        if self.layers is not None or len(fields) < 3:
            return None
        found = np.array([self._conductance_of_parts(b, self._least_pulses) for b in BRANCHES])
        with np.errstate(all="ignore"):  # numbers at the ends of their range: not known, then
            share = np.diff(fields)[:-1] / (np.array(fields[2:]) - fields[:-2])
            between = found[:, :-2] + share[:, None] * (found[:, 2:] - found[:, :-2])
            ranges = np.ptp(found[:, 1:-1], axis=(0, 2))
            error = float(np.max(np.abs(between - found[:, 1:-1]) / ranges[:, None]))
        return error if np.isfinite(error) else None

    def law(self, branch: str, field_G: float = 0.0) -> Response:
        """Curve of `branch` at any field [G] in range: a mixture, in conductance, of its parts.

        Raises InputError for an unknown branch or a field outside the range.
        """
        first, second, share = self._parts_at(branch, field_G)
        if share == 0 or second is None:
            return first.law
        if share == 1:
            return second.law
        if self.quantity == "conductance":
            return blend(first.law, second.law, share)
        return Inverse(blend(Inverse(first.law), Inverse(second.law), share))

    def response(self, branch: str, pulses: ArrayLike, field_G: float = 0.0) -> FloatArray:
        """Value after `pulses` pulses of `branch` in the card's own quantity and unit."""
        return self.law(branch, field_G)(pulses)

    def conductance(self, branch: str, pulses: ArrayLike, field_G: float = 0.0) -> FloatArray:
        """Conductance after `pulses` pulses of `branch` [S, or 1 for arbitrary units]."""
        value = self.response(branch, pulses, field_G)
        return 1.0 / value if self.quantity == "resistance" else value

    def part_law(self, branch: str, part: int) -> Law:
        """Curve of `branch` in part number `part`, in the card's own quantity and unit."""
        return self._parts[branch][part].law

    def part_conductance(self, branch: str, pulses: ArrayLike) -> FloatArray:
        """Conductance after `pulses` pulses of `branch` in each part, n_parts x shape of `pulses`.

        Mixed as `field_model` says they are the conductance at a field. Raises InputError for an
        unknown branch.
        """
        _check_branch(branch)
        return self._conductance_of_parts(branch, pulses)

    def measured_pulses(self, branch: str, field_G: float = 0.0) -> float:
        """Pulses that `branch` was measured over at `field_G` [G]: its curve goes no further.

        Of two parts that are mixed the smaller number. Raises InputError as `law` does.
        """
        first, second, share = self._parts_at(branch, field_G)
        read = [c for c, of in ((first, 1 - share), (second, share)) if c is not None and of > 0]
        return min(self.last_pulse(c) for c in read)

    def conductance_range(self, field_G: float = 0.0) -> tuple[float, float]:
        """Smallest and largest conductance of both branches at `field_G` [G], as measured."""
        ends = [
            self.conductance(b, [0, self.measured_pulses(b, field_G)], field_G) for b in BRANCHES
        ]
        return float(np.min(ends)), float(np.max(ends))

    def not_known_at(self, field_G: float) -> InputError:
        """The error for a field [G] outside of the card's range, which names both."""
        low, high = self.field_model.range_G
        return InputError(
            f"card {one_line(self.name)!r:.80} is known from {low:g} to {high:g} G, "
            f"asked at field_G={field_G:g}"
        )

    def last_pulse(self, curve: Curve) -> float:
        """Pulses that a curve of the card was measured over [1]."""
        return float(self.n_pulses if curve.n_pulses is None else curve.n_pulses)

    def with_spread(self, **spreads: float | None) -> DeviceCard:
        """The card with other relative spreads [1], by name as in `Spread`; None keeps its own.

        Raises CardError for a name that is none, and for a value out of range.
        """
        if wrong := [name for name in spreads if name not in NUMBERS]:
            raise CardError(f"no spread {wrong[0]!r}; spreads are {', '.join(NUMBERS)}")
        given: dict[str, Any] = {name: v for name, v in spreads.items() if v is not None}
        return replace(self, spread=replace(self.spread, **given)) if given else self

    def sample(
        self, n: int, seed: int, vary: Sequence[str] | None = None
    ) -> tuple[DeviceCard, ...]:
        """`n` devices drawn from the card's covariances, each a card of its own.

        `vary`: "fit" (how well curves and layers are known), "d2d" (how devices differ) or both;
        all that the card holds by default. A drawn device has no device-to-device spread left in
        it. Its responses stay within 3.5 standard deviations of the card's, and positive where
        those are; the mean response of devices is the card's.
        Raises CardError where the card lacks a covariance asked for, or where draws do not keep
        the shape of a response.
        """
        from device_models.card.drawing import draw_devices  # draws cards, so it needs this file

        return draw_devices(self, n, seed, vary)

    def to_dict(self) -> dict[str, Any]:
        """The card as the JSON object that is stored; one of schema 1 as it was read."""
        return card_to_dict(self)

    def to_json(self) -> bytes:
        """Content of the card's file, UTF-8."""
        return to_json(self.to_dict())

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the card as JSON, whole or not at all; refuses an existing file."""
        path = Path(path)
        if path.exists() and not overwrite:
            raise CardError(f"{path}: exists already; choose another name or overwrite=True")
        write_atomically(path, self.to_json())
        return path

    def plot(self, quantity: str = "conductance") -> Figure:
        """Matplotlib figure of the card's LTP and LTD curves against the pulse number.

        `quantity`: "conductance" or "resistance". Raises InputError for another one, and where a
        conductance of 0 or below has no resistance.
        """
        from device_models.plotting import draw_card  # few users of cards need it

        return draw_card(self, quantity)

    @cached_property
    def _parts(self) -> dict[str, tuple[Curve, ...]]:
        """Curves of each branch in the order of the parts of the field model."""
        if self.layers is not None:
            order = {c.name: c for c in self.curves}
            return {b: tuple(order[f"{b} {a}"] for a in ALIGNMENTS) for b in BRANCHES}
        rising = sorted(self.curves, key=lambda c: c.field_G or 0.0)
        return {b: tuple(c for c in rising if c.branch == b) for b in BRANCHES}

    @property
    def _least_pulses(self) -> FloatArray:
        """Pulse numbers that all curves of the card were measured over."""
        return np.linspace(0, min(self.last_pulse(c) for c in self.curves), 65)

    def _parts_at(self, branch: str, field_G: float) -> tuple[Curve, Curve | None, float]:
        """The parts read at a field [G], None for no second one, and the share of the second."""
        _check_branch(branch)
        low, high = self.field_model.range_G
        if not low <= field_G <= high:
            raise self.not_known_at(field_G)
        k, share = self.field_model.place_one(field_G)
        parts = self._parts[branch]
        return parts[k], parts[k + 1] if k + 1 < len(parts) else None, share

    def _conductance_of_parts(self, branch: str, pulses: ArrayLike) -> FloatArray:
        values = np.stack([c.law(pulses) for c in self._parts[branch]])
        return 1.0 / values if self.quantity == "resistance" else values


def _check_branch(branch: str) -> None:
    if branch not in BRANCHES:
        raise InputError(f"branch must be LTP or LTD, got {branch!r}")
