"""Loss of retention and of endurance, which the paper did not see."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from device_models.errors import InputError
from device_models.junction.checks import FloatArray, check_positive


@dataclass(frozen=True)
class Ageing:
    """Loss of retention and endurance, off by default (infinite), as the paper saw none (E15-E17).

    `retention_s`: time constant [s] with which every site relaxes to `rest_state` in `wait`;
    `endurance_cycles`: full cycles after which the logarithmic window has shrunk to 1/e, a cycle
    being all mobile fluorine going there and back.
    """

    retention_s: float = math.inf
    rest_state: float = 0.5
    endurance_cycles: float = math.inf

    def __post_init__(self) -> None:
        check_positive(self, "retention_s", "endurance_cycles")
        if not 0 <= self.rest_state <= 1:
            raise InputError(f"rest_state must lie between 0 and 1, got {self.rest_state:g}")

    @property
    def counts_cycles(self) -> bool:
        """The window shrinks with the cycles."""
        return math.isfinite(self.endurance_cycles)

    def relaxed(self, sites: FloatArray, time_s: float) -> FloatArray:
        """Sites after `time_s` [s] without voltage."""
        if not math.isfinite(self.retention_s):
            return sites
        return self.rest_state + (sites - self.rest_state) * math.exp(-time_s / self.retention_s)

    def narrowed(
        self, r_low_ohm: float | FloatArray, ratio: float | FloatArray, cycles: FloatArray
    ) -> tuple[float | FloatArray, float | FloatArray]:
        """Low resistance [ohm] and resistance ratio [1] after `cycles`, about the same middle."""
        if not self.counts_cycles:
            return r_low_ohm, ratio
        window = np.exp(-cycles / self.endurance_cycles)
        return r_low_ohm * ratio ** ((1 - window) / 2), ratio**window
