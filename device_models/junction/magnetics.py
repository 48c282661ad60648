"""Magnetization of the two electrodes against the field, and the antiparallel fraction p_AP.

Each layer is a magnet held back by pinning, the scalar case of A. Bergqvist's dry-friction model
(Physica B 233, 342, 1997): the field that the magnet feels follows the applied one with a play of
plus or minus the coercivity, m = tanh(felt / width). After saturation this is the tanh loop of
ledger section 6, row 5, exactly; before it, one number per layer carries the whole history, which
gives minor loops, return-point memory and a remanence that depends on the sweep.

The field never moves the electrical state: it only enters the resistance through p_AP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from device_models.errors import InputError
from device_models.junction.checks import FloatArray

INIT_FIELD_G = -2000.0
"""Magnetic initialisation of the paper (E9, M8)."""


@dataclass(frozen=True)
class Layer:
    """One ferromagnetic electrode: coercive field and width of its switching [G].

    Both may be arrays, one value a device.
    """

    coercivity_G: float | FloatArray
    width_G: float | FloatArray

    def __post_init__(self) -> None:
        if np.any(np.asarray(self.coercivity_G) < 0):
            raise InputError(f"coercivity_G must not be negative, got {self.coercivity_G!r}")
        if np.any(np.asarray(self.width_G) <= 0):
            raise InputError(f"width_G must be positive, got {self.width_G!r}")

    def scaled(self, factor: float | FloatArray) -> Layer:
        """The same layer with its coercivity times `factor` [1]."""
        return replace(self, coercivity_G=self.coercivity_G * factor)


LSMO = Layer(coercivity_G=90.0, width_G=20.0)
"""Coercivity stated (M2: LSMO switches at 90 G), width assumed.

The widths of both layers are half of those of ledger section 6: with 40 and 80 G no field between
the coercivities is fully antiparallel, and the sweep of Fig. 1e would dip to -41.5 % instead of
the stated -43.9 % (M1).
"""

CO = Layer(coercivity_G=300.0, width_G=40.0)
"""Both assumed: the paper only says Co switches after LSMO (M3)."""


def sweep_magnetization(field_G: ArrayLike, layer: Layer, direction: int = +1) -> FloatArray:
    """Reduced magnetization (-1 to 1) on a major loop branch at `field_G` [G], same shape.

    `direction` +1: field rising from negative saturation (the paper's -2 kG initialisation),
    -1: falling from positive saturation.
    """
    if direction not in (+1, -1):
        raise InputError(f"direction must be +1 (rising) or -1 (falling), got {direction!r}")
    field = np.asarray(field_G, dtype=float)
    return np.tanh((field - direction * layer.coercivity_G) / layer.width_G)


def antiparallel_fraction(
    field_G: ArrayLike, direction: int = +1, lsmo: Layer = LSMO, co: Layer = CO
) -> FloatArray:
    """p_AP = (1 - m_LSMO * m_Co) / 2, from 0 (parallel) to 1 (antiparallel), at `field_G` [G]."""
    return _opposed(*(sweep_magnetization(field_G, layer, direction) for layer in (lsmo, co)))


class Hysteresis:
    """Magnetization of one layer with memory of the fields it has seen; starts demagnetised.

    Fields and coercivities broadcast, so one object serves any number of devices.
    """

    def __init__(self, layer: Layer):
        self.layer = layer
        self.felt_G = np.asarray(0.0)

    def apply(self, field_G: ArrayLike) -> FloatArray:
        """Take the field to `field_G` [G] on a straight path; the magnetization there."""
        field = np.asarray(field_G, dtype=float)
        if not np.all(np.isfinite(field)):
            raise InputError(f"field_G must be finite, got {field_G!r}")
        play = self.layer.coercivity_G
        self.felt_G = np.asarray(np.clip(self.felt_G, field - play, field + play))
        return self.magnetization

    @property
    def magnetization(self) -> FloatArray:
        """Reduced magnetization, -1 to 1."""
        return np.tanh(self.felt_G / self.layer.width_G)


class Electrodes:
    """LSMO and Co of one device or many, with the history of the field they share.

    They start as after the paper's initialisation: -2 kG, then 0 G (E9, M8). Pass
    `init_field_G=None` to start demagnetised.
    """

    def __init__(
        self,
        lsmo: Layer = LSMO,
        co: Layer = CO,
        init_field_G: float | None = INIT_FIELD_G,
    ):
        self.lsmo, self.co = Hysteresis(lsmo), Hysteresis(co)
        self.field_G = np.asarray(0.0)
        if init_field_G is not None:
            self.apply(init_field_G)
            self.apply(0.0)

    def apply(self, field_G: ArrayLike) -> FloatArray:
        """Take the field to `field_G` [G], one value or one per device; p_AP there."""
        self.lsmo.apply(field_G)
        self.co.apply(field_G)
        self.field_G = np.asarray(field_G, dtype=float)
        return self.antiparallel_fraction

    def sweep(self, fields_G: ArrayLike) -> FloatArray:
        """Apply the fields along the first axis one after the other; p_AP after each."""
        return np.array([self.apply(field_G) for field_G in np.asarray(fields_G, dtype=float)])

    @property
    def antiparallel_fraction(self) -> FloatArray:
        """p_AP at the present field and history, 0 (parallel) to 1 (antiparallel)."""
        return _opposed(self.lsmo.magnetization, self.co.magnetization)


def _opposed(m_lsmo: FloatArray, m_co: FloatArray) -> FloatArray:
    return (1 - m_lsmo * m_co) / 2
