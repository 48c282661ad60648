"""The polynomial and its gradients on the CPU: compiled by numba, on the threads of torch.

A block of elements stays in the first-level cache while the kernel goes over it, eight
coefficients at a time. Sums are kept per block and added in the order of the blocks, so the
result is the same bit for bit whatever the number of threads and whoever of them was first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import carray, cfunc, njit
from numpy.typing import NDArray
from torch import Tensor

from crossbar.activation.grid import PulseGrid
from crossbar.kernels.contract import address, check_shape
from crossbar.kernels.threads import PART, compiled, run_on_threads, take

FloatArray = NDArray[Any]

BLOCK = 512
"""Elements in a block: seven rows of float32 in 14 kB."""

CHUNK = 32 * BLOCK
"""Elements a thread takes at a time: 10 to 20 microseconds of work."""


def forward(
    x: Tensor, basis: Tensor, weight: Tensor, bias: Tensor, grid: PulseGrid
) -> tuple[Tensor, FloatArray]:
    """bias + sum_i weight[i] curve_i(x), shape of `x`, and its coefficients on `grid`, float64.

    x: float32 or float64, contiguous; the others as in `interpolation.interpolate`. Raises
    RuntimeError where they do not fit each other.
    """
    out, constants = torch.empty_like(x), _constants(grid, x)
    check_shape("basis", basis, grid.n_nodes, weight.numel())
    coefficients = _weighted(_array(basis), _array(weight).reshape(-1), bias.item())
    a = coefficients.astype(constants.dtype)
    outputs = address("outputs", out, *x.shape, dtype=x.dtype)
    _run(_forward_part, x, grid, a.ctypes.data, constants.ctypes.data, outputs)
    return out, coefficients


def backward(
    x: Tensor, grad: Tensor, basis: Tensor, coefficients: FloatArray, grid: PulseGrid
) -> tuple[Tensor, FloatArray, FloatArray]:
    """Gradients by `x`, by the coefficients and by the weight, from the gradient of the output.

    Outside the bounds of the encoding the gradient is 0 exactly, on both of them it is the one
    of the inside. x and grad: contiguous, of one shape and dtype, else RuntimeError.
    """
    grad_x, constants = torch.empty_like(x), _constants(grid, x)
    b = (grid.slopes_from_coefficients @ coefficients).astype(constants.dtype)
    sums = np.empty((-(-x.numel() // BLOCK), grid.n_nodes))
    _run(
        _backward_part,
        x,
        grid,
        b.ctypes.data,
        constants.ctypes.data,
        address("gradients of inputs", grad_x, *x.shape, dtype=x.dtype),
        address("gradients of outputs", grad, *x.shape, dtype=x.dtype),
        sums.ctypes.data,
    )
    by_coefficients = sums.sum(0)
    return grad_x, by_coefficients, by_coefficients @ _array(basis)


DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def _constants(grid: PulseGrid, x: Tensor) -> FloatArray:
    """Constants of `grid` in the precision of `x`."""
    if x.dtype not in DTYPES:
        raise RuntimeError(f"inputs must be {' or '.join(DTYPES.values())}, got {x.dtype}")
    return grid.constants[DTYPES[x.dtype]]


def _array(tensor: Tensor) -> FloatArray:
    return tensor.detach().numpy()


def _run(part: Callable[[str], Any], x: Tensor, grid: PulseGrid, *addresses: int) -> None:
    """Run the compiled `part` over `x`, a chunk of it at a time."""
    function, chunks = part(DTYPES[x.dtype]), -(-x.numel() // CHUNK)
    inputs = address("inputs", x, *x.shape, dtype=x.dtype)
    run_on_threads(function, chunks, (x.numel(), grid.n_nodes), inputs, *addresses)


@cache
def _forward_part(dtype_name: str) -> Any:
    dtype = np.dtype(dtype_name)

    @compiled(cfunc, PART)
    def part(pointers):
        sizes = carray(pointers[0], 3, np.int64)
        size, nodes = sizes[1], sizes[2]
        x, out = carray(pointers[1], size, dtype), carray(pointers[4], size, dtype)
        a, constants = carray(pointers[2], nodes, dtype), carray(pointers[3], 5, dtype)
        start = take(sizes) * CHUNK
        while start < size:
            stop = min(start + CHUNK, size)
            _forward(x[start:stop], a, constants, out[start:stop])
            start = take(sizes) * CHUNK

    return part


@cache
def _backward_part(dtype_name: str) -> Any:
    dtype = np.dtype(dtype_name)

    @compiled(cfunc, PART)
    def part(pointers):
        sizes = carray(pointers[0], 3, np.int64)
        size, nodes = sizes[1], sizes[2]
        x, grad_x = carray(pointers[1], size, dtype), carray(pointers[4], size, dtype)
        b, constants = carray(pointers[2], nodes, dtype), carray(pointers[3], 5, dtype)
        grad = carray(pointers[5], size, dtype)
        sums = carray(pointers[6], (-(-size // BLOCK), nodes), np.float64)
        start = take(sizes) * CHUNK
        while start < size:
            stop = min(start + CHUNK, size)
            _backward(
                x[start:stop],
                grad[start:stop],
                b,
                constants,
                grad_x[start:stop],
                sums[start // BLOCK :],
            )
            start = take(sizes) * CHUNK

    return part


@compiled(njit)
def _weighted(basis, weight, bias):
    """Coefficients on the grid: basis @ weight, plus `bias` on the constant term."""
    coefficients = np.zeros(basis.shape[0])
    coefficients[0] = bias
    for k in range(basis.shape[0]):
        for i in range(basis.shape[1]):
            coefficients[k] += basis[k, i] * weight[i]
    return coefficients


@compiled(njit)
def _forward(x, a, constants, out):
    """`out` = p(z(x)); x and out: (n,), a: (n_nodes,), all of one dtype."""
    pole, gain, shift, low, high = constants
    one, two, sixteen = x.dtype.type(1), x.dtype.type(2), x.dtype.type(16)
    z = np.empty(BLOCK, x.dtype)
    twice_t4, before = np.empty_like(z), np.empty_like(z)
    for start in range(0, x.size, BLOCK):
        values, sums = x[start : start + BLOCK], out[start : start + BLOCK]
        for i in range(values.size):
            v = low if values[i] < low else values[i]
            v = high if v > high else v
            t = pole - one / (gain * v + shift)
            t2 = t * t
            z[i], twice_t4[i] = t, sixteen * t2 * (t2 - one) + two
            sums[i] = before[i] = 0
        # Clenshaw's recurrence over T_4j, two steps at a time.
        for k in range(a.size - 8, -1, -8):
            a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
            a4, a5, a6, a7 = a[k + 4], a[k + 5], a[k + 6], a[k + 7]
            for i in range(values.size):
                t, w, y = z[i], twice_t4[i], sums[i]
                upper = (((a7 * t + a6) * t + a5) * t + a4) + (w * y - before[i])
                sums[i] = (((a3 * t + a2) * t + a1) * t + a0) + (w * upper - y)
                before[i] = upper
        for i in range(values.size):
            sums[i] -= twice_t4[i] / two * before[i]


@compiled(njit)
def _backward(x, grad, b, constants, grad_x, block_sums):
    """`grad_x` from the slopes b (n_nodes,); gradients by a of each block into `block_sums`."""
    pole, gain, shift, low, high = constants
    zero, one = x.dtype.type(0), x.dtype.type(1)
    two, sixteen = x.dtype.type(2), x.dtype.type(16)
    z = np.empty(BLOCK, x.dtype)
    twice_t4, now, before = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    for start in range(0, x.size, BLOCK):
        values, sums = x[start : start + BLOCK], grad_x[start : start + BLOCK]
        incoming, totals = grad[start : start + BLOCK], block_sums[start // BLOCK]
        for i in range(values.size):
            v = low if values[i] < low else values[i]
            v = high if v > high else v
            t = pole - one / (gain * v + shift)
            t2 = t * t
            w = sixteen * t2 * (t2 - one) + two
            z[i], twice_t4[i] = t, w
            now[i], before[i] = incoming[i], incoming[i] * w / two
            sums[i] = 0
        # p and q run through the incoming gradient times T_4j, two steps at a time.
        for k in range(0, b.size, 8):
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            b4, b5, b6, b7 = b[k + 4], b[k + 5], b[k + 6], b[k + 7]
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
            for i in range(values.size):
                t, w, p = z[i], twice_t4[i], now[i]
                t2 = t * t
                t3 = t2 * t
                q = w * p - before[i]
                s0 += p
                s1 += p * t
                s2 += p * t2
                s3 += p * t3
                s4 += q
                s5 += q * t
                s6 += q * t2
                s7 += q * t3
                sums[i] += p * (((b3 * t + b2) * t + b1) * t + b0)
                sums[i] += q * (((b7 * t + b6) * t + b5) * t + b4)
                before[i] = q
                now[i] = w * q - p
            totals[k], totals[k + 1], totals[k + 2], totals[k + 3] = s0, s1, s2, s3
            totals[k + 4], totals[k + 5], totals[k + 6], totals[k + 7] = s4, s5, s6, s7
        for i in range(values.size):
            slope = gain * (pole - z[i]) * (pole - z[i])
            inside = values[i] >= low and values[i] <= high
            sums[i] = sums[i] * slope if inside else zero
