"""Seeded random numbers of one tile, with a state that can be stored and restored."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

LIST_SIZE = 2**20
"""Gaussian numbers in the list that large tensors on a CPU take theirs from."""

LONG = 2**12
"""Tensors on a CPU with more numbers than this take their noise from the list."""


class RandomStream:
    """Random numbers from a seed, on any device.

    Drawing Gaussians one by one would take longer than everything else a tile does to an image.
    Large noise on a CPU is therefore a stretch, from a random place on, of one list of 2^20
    Gaussian numbers; aihwkit's CPU generator draws from a list too, of 2^15.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._generator = Generator().manual_seed(derived_seed(seed, 0))

    def add_normal_(self, values: Tensor, std: float) -> Tensor:
        """Add Gaussian noise of `std` to `values` (contiguous, any shape) in place."""
        if values.device.type != "cpu" or values.numel() <= LONG:
            return values.add_(self.normal(values), alpha=std)
        (numbers, place), flat, start = self.list_and_place(), values.view(-1), 0
        while start < len(flat):
            stretch = flat[start : start + LIST_SIZE - place]
            stretch.add_(numbers[place : place + len(stretch)], alpha=std)
            start, place = start + len(stretch), 0
        return values

    def list_and_place(self) -> tuple[Tensor, int]:
        """Gaussian numbers on the CPU, always the same, and a random place among them."""
        numbers = _gaussian_list()
        generator = self._on(numbers)
        return numbers, int(torch.randint(len(numbers), (1,), generator=generator))

    def normal(self, like: Tensor) -> Tensor:
        """Standard Gaussian numbers in the shape of `like`."""
        return torch.empty_like(like).normal_(generator=self._on(like))

    def uniform(self, like: Tensor) -> Tensor:
        """Numbers from 0 to 1 in the shape of `like`."""
        return torch.empty_like(like).uniform_(generator=self._on(like))

    def poisson(self, mean: Tensor) -> Tensor:
        """Poisson numbers of each `mean`, any shape."""
        return torch.poisson(mean, generator=self._on(mean))

    def state(self) -> dict[str, Any]:
        """Seed, kind of device and state of the generator: plain values."""
        return {
            "seed": self.seed,
            "device": self._generator.device.type,
            "generator": self._generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; needs a device of the same kind."""
        self.seed = state["seed"]
        self._generator = Generator(state["device"])
        self._generator.set_state(state["generator"].cpu())

    def _on(self, tensor: Tensor) -> Generator:
        """The generator on the device of `tensor`; a move to another kind of device reseeds."""
        if self._generator.device.type != tensor.device.type:
            self._generator = Generator(tensor.device).manual_seed(derived_seed(self.seed, 0))
        return self._generator

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.restore(state)


def derived_seed(*key: int) -> int:
    """Seed of 32 bits, all that torch's CPU generator reads, for a key of whole numbers."""
    return int(np.random.SeedSequence(key).generate_state(1)[0])


@cache
def _gaussian_list() -> Tensor:
    generator = Generator().manual_seed(0)
    return torch.randn(LIST_SIZE, generator=generator, dtype=torch.float32)
