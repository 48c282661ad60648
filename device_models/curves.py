"""Curve laws: the response of a device as a function of the number of pulses it received.

A law is a formula with its parameters, nothing else: fitting lives in `fit.py`, the device card
in `card.py`. Values carry the unit of the card that owns them (ohm, siemens or arbitrary).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ExponentialMixture:
    """y(n) = offset + sum_k amplitudes[k] * exp(-n / tau_pulses[k]).

    The law the paper fits its LTP and LTD curves with (main text L114, ledger 3.3). `offset` and
    `amplitudes` share the unit of the response, `tau_pulses` counts pulses [1].
    """

    offset: float
    amplitudes: tuple[float, ...]
    tau_pulses: tuple[float, ...]

    name = "exponential_mixture"

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplitudes", tuple(float(a) for a in self.amplitudes))
        object.__setattr__(self, "tau_pulses", tuple(float(t) for t in self.tau_pulses))
        if len(self.amplitudes) != len(self.tau_pulses) or not self.amplitudes:
            raise ValueError(
                f"an exponential mixture needs as many amplitudes as time constants, at least one "
                f"of each: got {len(self.amplitudes)} and {len(self.tau_pulses)}"
            )
        if not np.all(np.isfinite([self.offset, *self.amplitudes, *self.tau_pulses])):
            raise ValueError("an exponential mixture needs finite parameters")
        if min(self.tau_pulses) <= 0:
            raise ValueError(f"tau_pulses must be positive, got {min(self.tau_pulses):g}")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape, real numbers allowed), same shape out."""
        n = np.asarray(pulses, dtype=float)[..., None]
        return self.offset + np.exp(-n / np.array(self.tau_pulses)) @ np.array(self.amplitudes)

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        n = np.asarray(pulses, dtype=float)[..., None]
        tau = np.array(self.tau_pulses)
        return -np.exp(-n / tau) @ (np.array(self.amplitudes) / tau)

    def mixed_with(self, other: ExponentialMixture, share: float) -> ExponentialMixture:
        """(1 - share) * self + share * other, again an exponential mixture."""
        return ExponentialMixture(
            (1 - share) * self.offset + share * other.offset,
            tuple((1 - share) * a for a in self.amplitudes)
            + tuple(share * a for a in other.amplitudes),
            self.tau_pulses + other.tau_pulses,
        )
