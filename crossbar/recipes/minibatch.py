"""Inputs and gradients of a minibatch on one tile: what a recipe learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan

import torch
from torch import Tensor

from crossbar.finite import NonFiniteError, all_finite, check_finite
from crossbar.kernels.contract import check_shape
from crossbar.reads.converters import check_kind
from crossbar.reads.window import Window, unfold, weight_gradient

UNCHANGED = "no pulse was fired and nothing was accumulated"
"""What every refusal of a minibatch ends with."""


@dataclass(frozen=True)
class Minibatch:
    """Inputs x (... x in) and gradients d at the outputs (... x out) of all images.

    With a `window` both are images (n x channels x rows x columns) of a convolution, and the
    gradients are `gain` times d.
    """

    x: Tensor
    d: Tensor
    window: Window | None = None
    gain: Tensor | float = 1.0

    def check_fits(self, weight: Tensor) -> None:
        """Raise RuntimeError where shape, dtype or device are not those of `weight` (out x in)."""
        out_size, in_size = weight.shape
        for values in (self.x, self.d):
            check_kind(weight, values)
        if self.window:
            shape = self.window.output_shape(weight.shape, self.x.shape)
        else:
            check_shape("inputs", self.x, *self.x.shape[:-1], in_size)
            shape = (*self.x.shape[:-1], out_size)
        check_shape("gradients", self.d, *shape)

    def check_finite(self) -> None:
        """Raise NonFiniteError, naming the tensor, where an input or a gradient is not finite."""
        if isfinite((self.x.sum() + self.d.sum() * self.gain).item()):
            return
        check_finite("inputs x", self.x, UNCHANGED)
        check_finite("gradients d", self.d * self.gain, UNCHANGED)

    def check_pulses(self, pulses: Tensor) -> None:
        """The same from the `pulses` of the gradient, out x in, which are fewer numbers."""
        if not all_finite(pulses):
            self.check_finite()
            raise NonFiniteError(f"the gradient of a minibatch overflows; {UNCHANGED}")

    def gradient(self) -> Tensor:
        """d^T x summed over images and positions, out x in."""
        if self.window:
            return weight_gradient(self.x, self.d, self.window).mul_(self.gain)
        if self.x.dim() == 3:
            return torch.bmm(self.d.transpose(1, 2), self.x).sum(0)
        return _rows(self.d).t() @ _rows(self.x)

    def add_gradient_(self, total: Tensor, rate: float) -> None:
        """Add `rate` times the gradient to `total` (out x in), in place."""
        x, d, factor = self.x, self.d, rate * float(self.gain)
        if self.window:
            total.add_(weight_gradient(x, d, self.window), alpha=factor)
        else:
            total.addmm_(_rows(d).t(), _rows(x), alpha=factor)

    def bound(self) -> float:
        """What no entry of the gradient is larger than, however it is summed; maybe not finite."""
        products = self.d.numel() // max(1, self.d.shape[1 if self.window else -1])
        return largest(self.x) * largest(self.d) * products * abs(float(self.gain))

    def magnitude(self) -> Tensor:
        """Mean over all devices of |d| |x|, summed over images and positions, float64."""
        axis = 1 if self.window else -1
        x, d = (values.abs().mean(axis, dtype=torch.float64) for values in (self.x, self.d))
        if self.window:
            x, d = unfold(x[:, None], self.window).mean(1), d.flatten(1)
        return (d * x).sum() * self.gain

    def chunks(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and gradients as columns, (n x in x positions) and (n x out x positions).

        In up to `number` parts, with the images in their order; without the `gain`.
        """
        parts = (torch.atleast_2d(values).chunk(number) for values in (self.x, self.d))
        for x, d in zip(*parts, strict=True):
            if self.window:
                yield unfold(x, self.window), d.flatten(2)
            else:
                yield _rows(x).t()[None], _rows(d).t()[None]


def largest(values: Tensor) -> float:
    """Largest size of the entries, 0 where there are none; NaN where one is."""
    if values.numel() == 0:
        return 0.0
    low, high = values.aminmax()
    return max(abs(low.item()), abs(high.item())) if not low.isnan() else nan


def _rows(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1])
