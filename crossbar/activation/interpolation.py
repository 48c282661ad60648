"""A sum of curves of one variable, interpolated: the autograd function behind the EM activation."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from crossbar.activation import interpolation_torch
from crossbar.activation.grid import PulseGrid
from crossbar.kernels.contract import plain


def interpolate(x: Tensor, basis: Tensor, weight: Tensor, bias: Tensor, grid: PulseGrid) -> Tensor:
    """bias + sum_i weight[i] curve_i(pulses(x)), element by element, shape and dtype of `x`.

    x: float32 or float64, any shape. basis: float64, n_nodes x n_curves, the curves as
    coefficients on `grid` (`grid.coefficients_from_values @ responses(grid.pulses)`).
    weight: n_curves elements; bias: one. Gradients reach x, basis, weight and bias; a second
    derivative raises RuntimeError.
    """
    if weight.dtype not in (torch.float32, torch.float64):
        weight, bias = weight.float(), bias.float()
    return _Interpolate.apply(x, basis, weight, bias, grid)


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, basis: Tensor, weight: Tensor, bias: Tensor, grid: PulseGrid
    ) -> Tensor:
        x = plain(x)
        out, coefficients = _kernels(x).forward(x, basis, weight, bias, grid)
        ctx.save_for_backward(x, basis, weight, bias)
        ctx.coefficients, ctx.grid = coefficients, grid
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the EM activation's table has no second derivative (create_graph=True); "
                "EMActivation(form='exact') has"
            )
        x, basis, weight, bias = ctx.saved_tensors
        by_x, by_coefficients, by_weight = _kernels(x).backward(
            x, plain(grad), basis, ctx.coefficients, ctx.grid
        )
        by_basis = None
        if ctx.needs_input_grad[1]:
            by_basis = torch.outer(torch.as_tensor(by_coefficients), weight.view(-1))
        by_weight = torch.as_tensor(by_weight, dtype=weight.dtype).view(weight.shape)
        by_bias = torch.as_tensor(by_coefficients[0], dtype=bias.dtype).view(bias.shape)
        return by_x, by_basis, by_weight, by_bias, None


def _kernels(x: Tensor) -> ModuleType:
    """Module with `forward` and `backward` for the device of `x`."""
    if x.device.type != "cpu":
        return interpolation_torch
    from crossbar.activation import interpolation_cpu  # numba takes a while to import

    return interpolation_cpu
