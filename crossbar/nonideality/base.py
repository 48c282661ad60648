"""What every nonideality is: an amplitude, a draw, and a change of what is read of an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isfinite
from numbers import Real
from typing import Any, Self
from zlib import crc32

import torch
from torch import Generator, Tensor

from crossbar.random import derived_seed
from crossbar.scale import WeightScale
from device_models.errors import InputError


@dataclass
class Cells:
    """The devices of one array, for effects: their seed, size (out, in), scale and ends.

    `scale` turns readings into siemens (the card's unit) and back; `ends` gives the readings of
    every device at the lower and upper end of its range at the present field, out x in each.
    """

    seed: int
    size: tuple[int, int]
    scale: WeightScale
    ends: Callable[[], tuple[Tensor, Tensor]]
    _drawn: dict[str, tuple[int, Tensor]] = field(default_factory=dict, repr=False)

    def siemens(self, reading: Tensor) -> Tensor:
        """Conductance of readings in the card's unit, float64: exact effects compute there."""
        return self.scale.zero + self.scale.half_range * reading.double()

    def reading(self, siemens: Tensor) -> Tensor:
        """Readings [weight] of conductances in the card's unit, float32."""
        return ((siemens - self.scale.zero) / self.scale.half_range).float()

    def uniform(self, effect: Nonideality) -> Tensor:
        """A number from 0 to 1 for every device, out x in: the same for a draw of an effect.

        It depends on the seed of the tile, the draw and the effect's name only: not on the
        amplitude, on other effects or on what was drawn before.
        """
        return self._draw(effect, "uniform", torch.rand)

    def normal(self, effect: Nonideality) -> Tensor:
        """A standard Gaussian number for every device, out x in, fixed as `uniform` is."""
        return self._draw(effect, "normal", torch.randn)

    def forget(self) -> None:
        """Drop numbers that are kept between reads."""
        self._drawn.clear()

    def _draw(self, effect: Nonideality, kind: str, make: Callable[..., Tensor]) -> Tensor:
        name = f"{type(effect).__name__} {kind}"
        draw, numbers = self._drawn.get(name, (-1, None))
        if draw != effect.draw or numbers is None:
            seed = derived_seed(self.seed, 4, effect.draw, crc32(name.encode()))
            numbers = make(self.size, generator=Generator().manual_seed(seed))
            self._drawn[name] = effect.draw, numbers
        return numbers


@dataclass(frozen=True)
class Nonideality:
    """Base: what is read of an array differs from what its states alone would give.

    `amplitude`: how large the effect is, from 0, which changes not a bit; `draw`: number of the
    draw of its random part, from 0: draw k is the same devices in every configuration, and a
    larger amplitude does more of the same to them.
    """

    amplitude: float
    draw: int = 0

    def __post_init__(self) -> None:
        name = type(self).__name__
        number = isinstance(self.amplitude, Real) and not isinstance(self.amplitude, bool)
        if not number or not isfinite(self.amplitude) or self.amplitude < 0:
            raise InputError(f"amplitude of {name} must be a number from 0, got {self.amplitude!r}")
        if type(self.draw) is not int or not 0 <= self.draw < 2**32:
            raise InputError(f"draw of {name} must be a whole number from 0, got {self.draw!r}")

    def with_draw(self, draw: int) -> Self:
        """The same effect in its draw number `draw`."""
        return replace(self, draw=draw)

    def apply(self, reading: Tensor, cells: Cells) -> Tensor:
        """What is read instead of `reading` (out x in) [weight], as a new tensor.

        Called for an amplitude above 0 only; must not write to `reading`.
        """
        raise NotImplementedError


def checked_effects(effects: Any) -> tuple[Nonideality, ...]:
    """Effects in their order; ValueError, naming it, for what is none or comes twice."""
    effects = (effects,) if isinstance(effects, Nonideality) else tuple(effects)
    kinds = [type(effect).__name__ for effect in effects]
    for effect, kind in zip(effects, kinds, strict=True):
        if not isinstance(effect, Nonideality):
            raise InputError(f"a nonideality is one of crossbar.nonideality, got {effect!r:.60}")
        if kinds.count(kind) > 1:
            raise InputError(f"{kind} is given {kinds.count(kind)} times: draws go by its name")
    return effects
