"""Mixtures of exponentials: what relaxes with a few time constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from device_models.curves.response import FloatArray, check_finite, log_sizes
from device_models.errors import InputError


@dataclass(frozen=True)
class ExponentialMixture:
    """y(n) = offset + sum_k amplitudes[k] * exp(-n / tau_pulses[k]).

    The law the paper fits its LTP and LTD curves with (ledger 3.3). With one term
    and a conductance it is the soft-bounds device (the step shrinks linearly towards the bound
    `offset`) and the form NeuroSim fits, G = B (1 - exp(-P / A)) + G_min. `offset` and
    `amplitudes` share the unit of the response, `tau_pulses` counts pulses [1].
    """

    offset: float
    amplitudes: tuple[float, ...]
    tau_pulses: tuple[float, ...]

    name: ClassVar[str] = "exponential_mixture"
    in_unit: ClassVar[tuple[str, ...]] = ("offset", "amplitudes")

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplitudes", tuple(float(a) for a in self.amplitudes))
        object.__setattr__(self, "tau_pulses", tuple(float(t) for t in self.tau_pulses))
        if len(self.amplitudes) != len(self.tau_pulses) or not self.amplitudes:
            raise InputError(
                f"an exponential mixture needs as many amplitudes as time constants, at least one "
                f"of each: got {len(self.amplitudes)} and {len(self.tau_pulses)}"
            )
        check_finite(self.name, self.offset, *self.amplitudes, *self.tau_pulses)
        if min(self.tau_pulses) <= 0:
            raise InputError(f"tau_pulses must be positive, got {min(self.tau_pulses):g}")

    def __call__(self, pulses: ArrayLike) -> FloatArray:
        """Response after `pulses` pulses (any shape, real numbers allowed), same shape out."""
        n = np.asarray(pulses, dtype=float)[..., None]
        result: FloatArray = self.offset + np.exp(-n / np.array(self.tau_pulses)) @ np.array(
            self.amplitudes
        )
        return result

    def derivative(self, pulses: ArrayLike) -> FloatArray:
        """Change of the response per pulse, dy/dn, at `pulses` (any shape)."""
        n = np.asarray(pulses, dtype=float)[..., None]
        tau = np.array(self.tau_pulses)
        result: FloatArray = -np.exp(-n / tau) @ (np.array(self.amplitudes) / tau)
        return result

    def mixed_with(self, other: ExponentialMixture, share: float) -> ExponentialMixture:
        """(1 - share) * self + share * other, again an exponential mixture.

        Of as many terms where both have the same time constants.
        """
        if self.tau_pulses == other.tau_pulses:
            pairs = zip(self.amplitudes, other.amplitudes, strict=True)
            amplitudes = tuple((1 - share) * a + share * b for a, b in pairs)
            offset = (1 - share) * self.offset + share * other.offset
            return ExponentialMixture(offset, amplitudes, self.tau_pulses)
        return ExponentialMixture(
            (1 - share) * self.offset + share * other.offset,
            tuple((1 - share) * a for a in self.amplitudes)
            + tuple(share * a for a in other.amplitudes),
            self.tau_pulses + other.tau_pulses,
        )

    @property
    def theta_names(self) -> tuple[str, ...]:
        order = range(1, len(self.amplitudes) + 1)
        pairs = ((f"log_amplitude_{k}", f"log_tau_{k}") for k in order)
        return ("start", *(name for pair in pairs for name in pair))

    @property
    def theta(self) -> FloatArray:
        pairs = np.stack([log_sizes(self.amplitudes), np.log(self.tau_pulses)], axis=1)
        return np.concatenate([[self.offset + sum(self.amplitudes)], pairs.ravel()])

    def with_theta(self, theta: ArrayLike) -> ExponentialMixture:
        start, *rest = np.asarray(theta, dtype=float)
        amplitudes = self._signs * np.exp(rest[0::2])
        return ExponentialMixture(
            float(start - amplitudes.sum()), tuple(amplitudes), tuple(np.exp(rest[1::2]))
        )

    def jacobian(self, pulses: ArrayLike) -> FloatArray:
        n = np.asarray(pulses, dtype=float)[:, None]
        amplitudes, tau = np.array(self.amplitudes), np.array(self.tau_pulses)
        decay = np.exp(-n / tau)
        columns = np.empty((len(n), 1 + 2 * len(tau)))
        columns[:, 0] = 1
        columns[:, 1::2] = amplitudes * (decay - 1)
        columns[:, 2::2] = amplitudes * decay * n / tau
        return columns

    @property
    def _signs(self) -> FloatArray:
        direction = -1.0 if sum(self.amplitudes) < 0 else 1.0
        return np.where(np.array(self.amplitudes) == 0, direction, np.sign(self.amplitudes))
