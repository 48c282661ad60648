"""The polynomial and its gradients in plain torch: for GPUs, and to check `cpu.py` against.

Sums only, no scattered writes: the gradients are the same from call to call on a GPU, too.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from crossbar.activation.grid import PulseGrid


def forward(
    x: Tensor, basis: Tensor, weight: Tensor, bias: Tensor, grid: PulseGrid
) -> tuple[Tensor, Tensor]:
    """bias + sum_i weight[i] curve_i(x), shape of `x`, and its coefficients on `grid`, float64."""
    coefficients = torch.mv(basis.detach(), weight.detach().view(-1).double())
    coefficients[:1] += bias.detach()
    z, twice_t4 = _coordinate(x, grid)
    now = before = torch.zeros_like(x)
    for a in coefficients.to(x.dtype).view(-1, 4).flip(0):
        now, before = _cubic(a, z) + twice_t4 * now - before, now
    return now - twice_t4 / 2 * before, coefficients


def backward(
    x: Tensor, grad: Tensor, basis: Tensor, coefficients: Tensor, grid: PulseGrid
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by `x`, by the coefficients and by the weight, from the gradient of the output.

    Outside the bounds of the encoding the gradient is 0 exactly.
    """
    z, twice_t4 = _coordinate(x, grid)
    slopes = grid_matrix(grid, "slopes_from_coefficients", x.device) @ coefficients
    grad_x, sums = torch.zeros_like(x), []
    now, before = grad, twice_t4 / 2 * grad
    for b in slopes.to(x.dtype).view(-1, 4):
        grad_x = torch.addcmul(grad_x, now, _cubic(b, z))
        sums += [now.sum(), (now * z).sum(), (now * z**2).sum(), (now * z**3).sum()]
        now, before = twice_t4 * now - before, now
    pole, gain, _, low, high = grid.constants["float64"].tolist()
    inside = (x >= low) & (x <= high)
    grad_x = torch.where(inside, gain * (pole - z).square() * grad_x, 0.0)
    by_coefficients = torch.stack(sums).double()
    return grad_x, by_coefficients, by_coefficients @ basis


@cache
def grid_matrix(grid: PulseGrid, name: str, device: torch.device) -> Tensor:
    """The array `name` of `grid`, float64, on `device`."""
    return torch.from_numpy(getattr(grid, name)).to(device)


def _coordinate(x: Tensor, grid: PulseGrid) -> tuple[Tensor, Tensor]:
    """z and 2 T_4(z)."""
    pole, gain, shift, low, high = grid.constants["float64"].tolist()
    z = pole - 1 / (gain * x.clamp(low, high) + shift)
    squared = z * z
    return z, 16 * squared * (squared - 1) + 2


def _cubic(a: Tensor, z: Tensor) -> Tensor:
    return ((a[3] * z + a[2]) * z + a[1]) * z + a[0]
