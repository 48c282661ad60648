"""What the magnetic field does to a card: how much of which of its curves is read at a field.

A card holds a few curves a branch, its *parts*; at every field the conductance is a mixture of two
neighbours among them, G(n, H) = (1 - share) G_k(n) + share G_{k+1}(n). The field never moves the
state: pulses act on the state, the field acts on the reading (ledger 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.junction.magnetics import Layer, antiparallel_fraction

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class FieldModel(Protocol):
    """Which parts of a card are read at a field, and in what shares."""

    @property
    def range_G(self) -> tuple[float, float]:
        """Lowest and highest field that the card is known at [G]."""

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        """Number k of the first part read, and share of part k + 1 [1], in the shape of `field_G`.

        Raises ValueError for a field [G] outside of `range_G`.
        """


@dataclass(frozen=True)
class TwoLayers:
    """Two magnetic layers that switch one after the other: part 0 parallel, part 1 antiparallel.

    The share is p_AP = (1 - m_soft m_hard) / 2 on the rising side of the loops, after an
    initialisation in negative saturation (`junction.magnetics`; ledger M8 and section 6, row 5).
    """

    coercivity_soft_G: float
    coercivity_hard_G: float
    width_soft_G: float
    width_hard_G: float
    range_G: tuple[float, float]

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        field = _checked(field_G, self.range_G)
        soft = Layer(self.coercivity_soft_G, self.width_soft_G)
        hard = Layer(self.coercivity_hard_G, self.width_hard_G)
        return np.zeros(field.shape, np.int64), antiparallel_fraction(field, +1, soft, hard)


@dataclass(frozen=True)
class FieldTable:
    """Fields that were measured, without a model: one part each, straight lines between them."""

    fields_G: tuple[float, ...]

    @property
    def range_G(self) -> tuple[float, float]:
        return self.fields_G[0], self.fields_G[-1]

    def place(self, field_G: ArrayLike) -> tuple[IntArray, FloatArray]:
        field, fields = _checked(field_G, self.range_G), np.asarray(self.fields_G)
        if len(fields) == 1:
            return np.zeros(field.shape, np.int64), np.zeros(field.shape)
        first = np.clip(np.searchsorted(fields, field, side="right") - 1, 0, len(fields) - 2)
        return first, (field - fields[first]) / np.diff(fields)[first]


def _checked(field_G: ArrayLike, range_G: tuple[float, float]) -> FloatArray:
    field = np.asarray(field_G, dtype=float)
    outside = ~((field >= range_G[0]) & (field <= range_G[1]))
    if outside.any():
        raise ValueError(
            f"known from {range_G[0]:g} to {range_G[1]:g} G, "
            f"asked at field_G={field[outside].flat[0]:g}"
        )
    return field
