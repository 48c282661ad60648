"""What the CPU kernels share: compilation by numba, and loops on the threads of torch.

A second pool of threads would wait for cores on which the first one still spins, so the kernels
run in torch's own OpenMP team. Every thread takes units of work until none is left: any number of
threads does the whole work, and each unit gives the same bits whoever does it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

# No `nnan` or `ninf`: a NaN has to come out as one.
FAST_MATH = {"contract", "nsz", "arcp", "reassoc"}

PART = types.void(types.CPointer(types.voidptr))
"""Signature of a part: pointers to its sizes or record, the counter of units first, and data."""


def compiled(compiler: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
    """Decorator: compile by `compiler` (numba's `njit` or `cfunc`), kept on disk where allowed."""

    def decorate(function: Callable[..., Any]) -> Any:
        options: dict[str, Any] = {"error_model": "numpy", "fastmath": FAST_MATH}
        try:
            return compiler(*signature, cache=True, **options)(function)
        except RuntimeError:  # numba found no folder that it may write to
            return compiler(*signature, **options)(function)

    return decorate


def run_on_threads(part: Any, units: int, sizes: Sequence[int], *addresses: int) -> None:
    """Run the compiled `part` until its `units` are taken, on as many threads as torch may use.

    The part finds an int64 array at its first pointer, the counter and then `sizes`, and
    `addresses` behind it. What lies there must live until the call returns.
    """
    numbers = (ctypes.c_int64 * (1 + len(sizes)))(0, *sizes)
    _run(part, units, ctypes.addressof(numbers), addresses)


def run_job(part: Any, units: int, job: NDArray[Any], *addresses: int) -> None:
    """The same for a part that finds one named record at its first pointer, the counter first."""
    job["counter"] = 0
    _run(part, units, job.ctypes.data, addresses)


def _run(part: Any, units: int, first: int, addresses: Sequence[int]) -> None:
    pointers = (ctypes.c_void_p * (1 + len(addresses)))(first, *addresses)
    # One unit too runs in a team of two: inside a team a BLAS takes one thread.
    threads = min(torch.get_num_threads(), max(units, 2))
    if threads > 1 and (team := _openmp()) is not None:
        team(part.address, pointers, threads, 0)
    else:
        part.ctypes(pointers)


@cache
def _openmp() -> Callable[..., None] | None:
    """`GOMP_parallel(function, data, threads, flags)` of the OpenMP library torch has loaded.

    Libraries of GNU, LLVM and Intel have it; without it the kernels run on one thread.
    """
    try:
        function = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    function.restype = None
    return function


@intrinsic
def take(typing_context, sizes):
    """Next unit of work: the first int64 of the array `sizes`, or of a record, raised by 1."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        counter = builder.bitcast(array.data, ir.IntType(64).as_pointer())
        one = ir.Constant(ir.IntType(64), 1)
        return builder.atomic_rmw("add", counter, one, "monotonic")

    return types.int64(sizes), generate


@intrinsic
def nearest(typing_context, value):
    """Nearest whole number of a float, halves to even; unlike numpy's, loops of it vectorise."""

    def generate(context, builder, signature, arguments):
        function = builder.module.declare_intrinsic("llvm.rint", [arguments[0].type])
        return builder.call(function, arguments)

    return value(value), generate


@compiled(njit)
def largest_bits(bits):
    """Bits of the largest size in a vector: sizes of floats are ordered as their bits are."""
    largest = np.int32(0)
    for k in range(bits.size):
        size = bits[k] & np.int32(0x7FFFFFFF)
        largest = size if size > largest else largest
    return largest
