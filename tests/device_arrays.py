"""Synthetic arrays of devices whose differences are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_models.pulses import PulseData, Segment

N = 40
LOW, SIZE = 1.0, 1.0
TAU_UP, TAU_DOWN = 12.0, 9.0


@dataclass(frozen=True)
class Array:
    """Devices that differ by an offset [half range], a gain and time constants (both lognormal).

    `common`: one number moves all three of a device; `cycle`: offset from cycle to cycle, and
    `noise` of every reading, both in half ranges.
    """

    devices: int = 1
    cycles: int = 1
    offset: float = 0.0
    gain: float = 0.0
    tau: float = 0.0
    common: bool = False
    cycle: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def measured(self, unit: float = 1.0) -> tuple[PulseData, dict[str, np.ndarray]]:
        """The readings, in S and multiplied by `unit`, and the responses (devices, N + 1)."""
        rng, n, segments = np.random.default_rng(self.seed), np.arange(N + 1.0), []
        truth: dict[str, list[np.ndarray]] = {"LTP": [], "LTD": []}
        for device in range(self.devices):
            z = np.full(3, rng.standard_normal()) if self.common else rng.standard_normal(3)
            own = responses(
                n, self.offset * SIZE / 2 * z[0], *np.exp([self.gain, self.tau] * z[1:])
            )
            for branch in truth:
                truth[branch].append(own[branch])
            for cycle in range(1, self.cycles + 1):
                moved = self.cycle * SIZE / 2 * rng.standard_normal()
                for branch, values in own.items():
                    noise = self.noise * SIZE / 2 * rng.standard_normal(N + 1)
                    readings = unit * (values + moved + noise)
                    segments.append(Segment(branch, n, readings, f"d{device}", cycle))
        data = PulseData("conductance", "S", tuple(segments), "array.csv", "0" * 64)
        return data, {branch: np.array(values) for branch, values in truth.items()}


def responses(n: np.ndarray, offset: float, gain: float, tau: float) -> dict[str, np.ndarray]:
    """LTP and LTD of one device at pulse numbers `n`: LTD starts where its LTP ends."""
    low, height = LOW + offset, gain * SIZE / (1 - np.exp(-N / TAU_UP))
    up = low + height * (1 - np.exp(-n / (TAU_UP * tau)))
    top = low + height * (1 - np.exp(-N / (TAU_UP * tau)))
    fall = (1 - np.exp(-n / (TAU_DOWN * tau))) / (1 - np.exp(-N / TAU_DOWN))
    return {"LTP": up, "LTD": top - (top - low) * fall}


def ends_std(truth: dict[str, np.ndarray]) -> float:
    """Std of the ends of the range between the devices [half of the range]."""
    low = [truth["LTP"][:, 0], truth["LTD"][:, -1]]
    high = [truth["LTP"][:, -1], truth["LTD"][:, 0]]
    variances = [np.mean([np.var(v, ddof=1) for v in own]) for own in (low, high)]
    return float(np.sqrt(np.mean(variances)) / (SIZE / 2))
