"""What a compiled kernel may be handed. It gets bare addresses and reads whatever lies there."""

from __future__ import annotations

import torch
from torch import Tensor


def plain(values: Tensor) -> Tensor:
    """`values` one after the other in memory, with their signs."""
    return values.resolve_neg().contiguous()


def address(name: str, tensor: Tensor, *shape: int, dtype: torch.dtype = torch.float32) -> int:
    """Address of a contiguous CPU tensor of exactly this shape and dtype.

    Raises RuntimeError, naming what was expected and what came, for any other.
    """
    is_plain = tensor.is_contiguous() and not tensor.is_neg()
    if not (is_plain and tensor.is_cpu and tensor.dtype is dtype):
        kind = "contiguous" if is_plain else "strided"
        raise RuntimeError(
            f"{name} must be contiguous {dtype} numbers on the CPU, "
            f"got {kind} {tensor.dtype} on {tensor.device}"
        )
    check_shape(name, tensor, *shape)
    return tensor.data_ptr()


def check_shape(name: str, tensor: Tensor, *shape: int) -> None:
    """Raise RuntimeError, naming both shapes, where that of `tensor` is another one."""
    if tensor.shape != shape:
        raise RuntimeError(f"{name} must have the shape {shape}, got {tuple(tensor.shape)}")
