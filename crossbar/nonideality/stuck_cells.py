"""Stuck cells: devices that read the same whatever their state is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crossbar.choices import check_choice
from crossbar.nonideality.base import Cells, Nonideality
from device_models.errors import InputError

PLACES = ("low", "high", "open")


@dataclass(frozen=True)
class StuckCells(Nonideality):
    """A share `amplitude` of the devices [1] is stuck, at the lower or upper end of its own range
    at the present field, or open at 0 S.

    Reads only see it: pulses go on moving the state behind.
    """

    at: str = "low"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("at", self.at, PLACES)
        if self.amplitude > 1:
            raise InputError(f"amplitude of StuckCells is a share up to 1, got {self.amplitude!r}")

    def apply(self, reading: Tensor, cells: Cells) -> Tensor:
        stuck = (cells.uniform(self) < self.amplitude).to(reading.device)
        return torch.where(stuck, self._reading(reading, cells), reading)

    def _reading(self, reading: Tensor, cells: Cells) -> Tensor:
        if self.at == "open":
            return cells.reading(torch.zeros_like(reading, dtype=torch.float64))
        return cells.ends()[PLACES.index(self.at)]
