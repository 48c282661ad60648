"""Reference for the memristor tile: stochastic pulses sample by sample and pulse by pulse.

Slow and plain: every pulse of every train is drawn, every coincidence is one step of the card at
the device's present weight. The closed forms of `crossbar` are measured against it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crossbar import CardDevice
from device_models import load_card
from device_models.steps import step_size

FloatArray = NDArray[np.float64]

N_NODES = 2001


class SequentialArray:
    """Devices without spread (out x in) that take one pulse at a time."""

    def __init__(self, device: CardDevice, weight: FloatArray):
        card, scale = load_card(device.card), device.scale
        self.device, self.weight = device, weight.astype(float)
        self.nodes = np.linspace(device.w_min, device.w_max, N_NODES)
        conductance = scale.conductance(self.nodes)
        self.steps = {
            branch: step_size(card, branch, conductance, device.field_G) / scale.half_range
            for branch in ("LTP", "LTD")
        }

    def pulse(self, up: NDArray[np.bool_], down: NDArray[np.bool_]) -> None:
        """One LTP pulse where `up` and one LTD pulse where `down` (out x in)."""
        for hit, branch in ((up, "LTP"), (down, "LTD")):
            step = np.interp(self.weight[hit], self.nodes, self.steps[branch])
            moved = self.weight[hit] + step
            self.weight[hit] = np.clip(moved, self.device.w_min, self.device.w_max)

    def stochastic_update(
        self, x: FloatArray, d: FloatArray, rate: float, desired_bl: int, rng: np.random.Generator
    ) -> None:
        """Plain analog SGD of inputs x (rows x in) and gradients d (rows x out), row by row.

        aihwkit's StochasticCompressed trains with update management, `rate` as learning rate.
        """
        for x_row, d_row in zip(x, d, strict=True):
            x_max, d_max = np.abs(x_row).max(), np.abs(d_row).max()
            pulses = rate * x_max * d_max / self.device.dw_min
            if pulses == 0:
                continue
            length = min(math.ceil(pulses), desired_bl)
            scale = math.sqrt(rate / (self.device.dw_min * length))
            d_size = d_max * min(1.0, desired_bl / pulses)
            x_line = np.abs(x_row) * scale * math.sqrt(d_size / x_max)
            d_line = np.abs(d_row) * scale * math.sqrt(x_max / d_size)
            lower = np.outer(np.sign(d_row), np.sign(x_row)) > 0
            for _ in range(length):
                met = np.outer(rng.random(len(d_line)) < d_line, rng.random(len(x_line)) < x_line)
                self.pulse(met & ~lower, met & lower)
