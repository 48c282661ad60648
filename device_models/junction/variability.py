"""Spreads from device to device and from cycle to cycle."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from device_models.junction.checks import FloatArray, check_at_least


@dataclass(frozen=True)
class Variability:
    """Spreads, all 0 by default: the paper states none (E19).

    Device to device: `r_low`, `r_high`, `coercivity_lsmo`, `coercivity_co` are standard deviations
    of the logarithm [1], `v_ltp_V` and `v_ltd_V` of all of a device's thresholds together [V].
    Cycle to cycle: `rate_c2c`, standard deviation of the logarithm of the rate of one pulse [1];
    the rate's mean stays 1, so that a long train has the speed of the noise-free one.
    """

    r_low: float = 0.0
    r_high: float = 0.0
    v_ltp_V: float = 0.0
    v_ltd_V: float = 0.0
    coercivity_lsmo: float = 0.0
    coercivity_co: float = 0.0
    rate_c2c: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(self, 0.0, *(f.name for f in fields(self)))

    def draw_devices(
        self, shape: tuple[int, ...], rng: np.random.Generator
    ) -> dict[str, float | FloatArray]:
        """Deviation of every device from the mean, per spread; 0 where the spread is 0.

        One spread's draws do not depend on which others are switched on.
        """
        names = [f.name for f in fields(self) if f.name != "rate_c2c"]
        streams = rng.spawn(len(names))
        return {
            name: getattr(self, name) * stream.standard_normal(shape)
            if getattr(self, name)
            else 0.0
            for name, stream in zip(names, streams, strict=True)
        }

    def draw_pulses(
        self, count: int, shape: tuple[int, ...], rng: np.random.Generator
    ) -> float | FloatArray:
        """Sum over `count` pulses of each device's factor on the rate; `count` without noise."""
        if self.rate_c2c == 0:
            return count
        total = np.zeros(shape)
        for _ in range(count):
            total += np.exp(self.rate_c2c * rng.standard_normal(shape) - self.rate_c2c**2 / 2)
        return total
