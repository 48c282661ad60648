"""Write noise: what is read after a pulse lies around what the state alone would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from crossbar.nonideality.base import Cells, Nonideality


@dataclass(frozen=True)
class WriteNoise(Nonideality):
    """Gaussian noise of std `amplitude` [half ranges at the reference field] on every reading.

    Drawn anew with every pulse from the stream of the tile and kept until the next one
    (aihwkit's `write_noise_std`); it does not add up, and the field does not change it. Devices
    that get no pulses have the noise of `draw`. A `CardDevice` brings its own; this one is
    instead of it.
    """

    def drawn(self, cells: Cells) -> Tensor:
        """Noise of the draw, out x in [weight]."""
        return self.amplitude * cells.normal(self)


def split_write_noise(
    effects: Sequence[Nonideality], usual: WriteNoise
) -> tuple[WriteNoise, tuple[Nonideality, ...]]:
    """The write noise among `effects`, or the `usual` one, and the others in their order."""
    noise = [effect for effect in effects if isinstance(effect, WriteNoise)]
    others = tuple(effect for effect in effects if not isinstance(effect, WriteNoise))
    return (noise[0] if noise else usual), others
