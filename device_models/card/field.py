"""What the magnetic field does to a card: how much of which of its curves is read at a field.

A card holds a few curves a branch, its *parts*; at every field the conductance is a mixture of two
neighbours among them, G(n, H) = (1 - share) G_k(n) + share G_{k+1}(n). The field never moves the
state: pulses act on the state, the field acts on the reading (ledger 3.4).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card.errors import CardError
from device_models.errors import InputError
from device_models.junction.magnetics import Layer, antiparallel_fraction

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HISTORY = "rising field after negative saturation"
"""The one history that a card is read under: initialise, then go to the field (ledger M8)."""

LAYER_KEYS = ("coercivity_soft_G", "coercivity_hard_G", "width_soft_G", "width_hard_G")


class FieldModel(Protocol):
    """Which parts of a card are read at a field, and in what shares."""

    kind: ClassVar[str]

    @property
    def fields_G(self) -> tuple[float, ...]:
        """Fields the device was measured or reconstructed at, rising [G]."""

    @property
    def range_G(self) -> tuple[float, float]:
        """Lowest and highest field that the card is known at [G]."""

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        """Number k of the first part read, and share of part k + 1 [1], in the shape of `field_G`.

        Raises InputError for a field [G] outside of `range_G`.
        """

    def place_one(self, field_G: float) -> tuple[int, float]:
        """`place` of a single field [G], which is not checked: in plain numbers, and fast."""


@dataclass(frozen=True)
class TwoLayers:
    """Two magnetic layers that switch one after the other: part 0 parallel, part 1 antiparallel.

    The share is p_AP = (1 - m_soft m_hard) / 2 on the rising side of the loops, after an
    initialisation in negative saturation (`HISTORY`, `junction.magnetics`; ledger M8 and section
    6, row 5). `coercivity_...`, `width_...`: of the layers' loops [G]; `fields_G`: fields that were
    measured or reconstructed [G]; `standard_errors_G`: of the four numbers in the order of
    `LAYER_KEYS` [G], None where they are no estimates.

    Raises CardError for coercivities below 0 or not in order, and for widths that are not above 0.
    """

    coercivity_soft_G: float
    coercivity_hard_G: float
    width_soft_G: float
    width_hard_G: float
    range_G: tuple[float, float]
    fields_G: tuple[float, ...] = ()
    standard_errors_G: tuple[float, ...] | None = None

    kind: ClassVar[str] = "two_layers"
    theta_names: ClassVar[tuple[str, ...]] = (
        *("coercivity_soft_G", "coercivity_hard_G"),
        *("log_width_soft_G", "log_width_hard_G"),
    )

    def __post_init__(self) -> None:
        soft, hard = self.coercivity_soft_G, self.coercivity_hard_G
        if not 0 <= soft <= hard < math.inf:
            raise CardError(
                f"field_model: coercivities must rise from 0 G up, got {soft:g} (soft) and "
                f"{hard:g} G (hard)"
            )
        for name in LAYER_KEYS[2:]:
            if not 0 < getattr(self, name) < math.inf:
                raise CardError(f"field_model.{name} must be positive, got {getattr(self, name):g}")
        low, high = self.range_G
        if not low <= high or any(not low <= f <= high for f in self.fields_G):
            raise CardError(
                f"field_model: range_G must rise and hold fields_G, got {low:g} to {high:g} G"
            )

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        field = _checked(field_G, self.range_G)
        return np.zeros(field.shape, np.int64), self.antiparallel_fraction(field)

    def place_one(self, field_G: float) -> tuple[int, float]:
        soft = math.tanh((field_G - self.coercivity_soft_G) / self.width_soft_G)
        hard = math.tanh((field_G - self.coercivity_hard_G) / self.width_hard_G)
        return 0, (1 - soft * hard) / 2

    def antiparallel_fraction(self, field_G: ArrayLike) -> FloatArray:
        """p_AP [1] at `field_G` [G], any shape, same shape out; also outside of `range_G`."""
        soft = Layer(self.coercivity_soft_G, self.width_soft_G)
        hard = Layer(self.coercivity_hard_G, self.width_hard_G)
        return antiparallel_fraction(field_G, +1, soft, hard)

    @property
    def theta(self) -> FloatArray:
        """The four numbers as free coordinates, in the order of `theta_names`."""
        widths = np.log([self.width_soft_G, self.width_hard_G])
        return np.array([self.coercivity_soft_G, self.coercivity_hard_G, *widths])

    def with_theta(self, theta: ArrayLike) -> TwoLayers:
        """The layers at other coordinates. Raises CardError where there are none such."""
        soft, hard, *logs = (float(t) for t in np.asarray(theta))
        widths = [math.exp(min(log, 700.0)) for log in logs]
        return replace(
            self,
            coercivity_soft_G=soft,
            coercivity_hard_G=hard,
            width_soft_G=widths[0],
            width_hard_G=widths[1],
            standard_errors_G=None,
        )

    def jacobian(self, field_G: float) -> FloatArray:
        """Derivative of p_AP at `field_G` [G] by `theta`, (4,)."""
        place = [
            (field_G - self.coercivity_soft_G) / self.width_soft_G,
            (field_G - self.coercivity_hard_G) / self.width_hard_G,
        ]
        m = np.tanh(place)
        by_place = -(1 - m**2) * m[::-1] / 2
        by_coercivity = -by_place / [self.width_soft_G, self.width_hard_G]
        return np.concatenate([by_coercivity, -by_place * place])


@dataclass(frozen=True)
class FieldTable:
    """Fields that were measured, without a model: one part each, straight lines between them.

    The lines are straight in conductance, whatever quantity the card is stored in.
    """

    fields_G: tuple[float, ...]

    kind: ClassVar[str] = "table"

    @property
    def range_G(self) -> tuple[float, float]:
        return self.fields_G[0], self.fields_G[-1]

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        field, fields = _checked(field_G, self.range_G), np.asarray(self.fields_G)
        if len(fields) == 1:
            return np.zeros(field.shape, np.int64), np.zeros(field.shape)
        first = np.clip(np.searchsorted(fields, field, side="right") - 1, 0, len(fields) - 2)
        return first, (field - fields[first]) / np.diff(fields)[first]

    def place_one(self, field_G: float) -> tuple[int, float]:
        fields = self.fields_G
        if len(fields) == 1:
            return 0, 0.0
        first = min(max(bisect_right(fields, field_G) - 1, 0), len(fields) - 2)
        return first, (field_G - fields[first]) / (fields[first + 1] - fields[first])


def _checked(field_G: ArrayLike, range_G: tuple[float, float]) -> FloatArray:
    field = np.asarray(field_G, dtype=float)
    outside = ~((field >= range_G[0]) & (field <= range_G[1]))
    if outside.any():
        raise InputError(
            f"known from {range_G[0]:g} to {range_G[1]:g} G, "
            f"asked at field_G={field[outside].flat[0]:g}"
        )
    return field
