"""Magnetization of the two electrodes against the field, and the antiparallel fraction p_AP.

Ledger section 6, row 5: each layer is a hysteretic tanh loop. The field never moves the
electrical state; it only enters the resistance through p_AP = (1 - m_LSMO * m_Co) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One ferromagnetic electrode: coercive field and width of its switching [G]."""

    coercivity_G: float
    width_G: float


LSMO = Layer(coercivity_G=90.0, width_G=40.0)
"""Coercivity stated (M2: LSMO switches at 90 G), width assumed (ledger section 6)."""

CO = Layer(coercivity_G=300.0, width_G=80.0)
"""Both assumed: the paper only says Co switches after LSMO (M3)."""


def sweep_magnetization(field_G: ArrayLike, layer: Layer, direction: int = +1) -> FloatArray:
    """Reduced magnetization (-1 to 1) on a major loop branch at `field_G` [G], same shape.

    `direction` +1: field rising from negative saturation (the paper's -2 kG initialisation),
    -1: falling from positive saturation.
    """
    if direction not in (+1, -1):
        raise ValueError(f"direction must be +1 (rising) or -1 (falling), got {direction!r}")
    field = np.asarray(field_G, dtype=float)
    return np.tanh((field - direction * layer.coercivity_G) / layer.width_G)


def antiparallel_fraction(
    field_G: ArrayLike, direction: int = +1, lsmo: Layer = LSMO, co: Layer = CO
) -> FloatArray:
    """p_AP = (1 - m_LSMO * m_Co) / 2, from 0 (parallel) to 1 (antiparallel), at `field_G` [G]."""
    m_lsmo = sweep_magnetization(field_G, lsmo, direction)
    m_co = sweep_magnetization(field_G, co, direction)
    return (1 - m_lsmo * m_co) / 2
