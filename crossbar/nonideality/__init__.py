"""Nonidealities: what reads see beside the states, one small file an effect.

`state -> reading at the field -> write noise -> effects in order -> scale of the tile`. A further
effect is one file with a frozen dataclass like `StuckCells` and a line here; one that mixes
devices, as line resistance does, gets the whole matrix and may compute in siemens
(`Cells.siemens`, `Cells.reading`).
"""

from crossbar.nonideality.base import Cells, Nonideality, checked_effects
from crossbar.nonideality.stuck_cells import StuckCells
from crossbar.nonideality.write_noise import WriteNoise, split_write_noise

__all__ = [
    "Cells",
    "Nonideality",
    "StuckCells",
    "WriteNoise",
    "checked_effects",
    "split_write_noise",
]
