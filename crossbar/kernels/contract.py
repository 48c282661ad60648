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
    if tensor.device.type != "cpu" or tensor.dtype != dtype or not is_plain:
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


def check_places(name: str, places: Tensor, size: int) -> None:
    """Raise RuntimeError, naming their ends, unless the whole numbers `places` lie below `size`."""
    if len(places) == 0:
        return
    first, last = (int(end) for end in torch.aminmax(places))
    if first < 0 or last >= size:
        raise RuntimeError(f"{name} must lie from 0 to {size - 1}, got {first} to {last}")
