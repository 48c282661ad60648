"""The product of float32 matrices of a BLAS, callable from compiled parts on torch's threads.

Inside torch's OpenMP team its BLAS takes one thread, so a unit of work gives the same bits whoever
does it. Room for the matrices starts at a whole cache line, as torch's tensors do: where numbers
lie in a line may change the order in which a BLAS adds them up.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

from crossbar.kernels.threads import compiled

LINE = 16
"""float32 numbers in a cache line."""


@cache
def sgemm_address() -> int:
    """Address of Fortran's `sgemm`: that of torch, of scipy where torch's cannot be seen."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            function = ctypes.CDLL(str(path)).sgemm_
        except (AttributeError, OSError):
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return int(get_cython_function_address("scipy.linalg.cython_blas", "sgemm"))


@intrinsic
def _sgemm(typing_context: Any, address: Any, flip: Any, sizes: Any, factor: Any, arrays: Any):
    """flip: two bytes, sizes: m, n, k and three row lengths (int32), arrays: a, b and c."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def places(i: int) -> list[Any]:
            values = cgutils.unpack_tuple(builder, arguments[i])
            return [cgutils.alloca_once_value(builder, value) for value in values]

        def matrices() -> list[Any]:
            values = cgutils.unpack_tuple(builder, arguments[4])
            kinds = signature.args[4]
            return [
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(kinds, values, strict=True)
            ]

        flips, (m, n, k, lda, ldb, ldc), (a, b, c) = places(1), places(2), matrices()
        alpha = cgutils.alloca_once_value(builder, arguments[3])
        beta = cgutils.alloca_once_value(builder, ir.Constant(ir.FloatType(), 0.0))
        given = (*flips, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte] * len(given))
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(function, [builder.bitcast(pointer, byte) for pointer in given])
        return context.get_dummy_value()

    return types.void(address, flip, sizes, factor, arrays), generate


@compiled(njit)
def multiply(address, a, flip_a, b, flip_b, out, factor):
    """out (m x n) = factor * a @ b; `flip`: the matrix is given as its transpose.

    All are row by row in memory, rows may be apart. Fortran sees the transposes of all three.
    """
    rows, columns = out.shape
    inner = a.shape[0] if flip_a else a.shape[1]
    flips = (np.uint8(84) if flip_b else np.uint8(78), np.uint8(84) if flip_a else np.uint8(78))
    sizes = (
        *(np.int32(columns), np.int32(rows), np.int32(inner)),
        *(np.int32(_length(b)), np.int32(_length(a)), np.int32(_length(out))),
    )
    _sgemm(address, flips, sizes, np.float32(factor), (b, a, out))


@compiled(njit)
def _length(matrix):
    """Distance of the rows of a float32 matrix; one of one row has any."""
    return max(matrix.strides[0] // 4, matrix.shape[1], 1)


@compiled(njit)
def room(rows, columns):
    """Room for a float32 matrix whose rows start at whole cache lines."""
    length = columns + -columns % LINE
    flat = np.empty(rows * length + LINE, np.float32)
    first = -(flat.ctypes.data // 4) % LINE
    return flat[first : first + rows * length].reshape(rows, length)
