"""Checkpoints as bytes: what is read is what was written, or it is refused.

torch's files are zip archives that carry a checksum of every member, and torch does not look at
them: it loads a checkpoint in which a bit of a weight has changed.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from device_models.errors import InputError
from device_models.plain_text import message

CHECKPOINT_BYTES = 2**32
"""Largest checkpoint that is read, 4 GiB; that of the paper's network has 0.2 to 1 MB."""

_TYPES = {"model": dict, "optimizer": dict, "random_state": Tensor, "history": list}


class Checkpoint(TypedDict):
    """State of a run after a whole epoch; `history` has one row an epoch."""

    model: dict[str, Any]
    optimizer: dict[str, Any]
    random_state: Tensor
    history: list[dict[str, float]]


def encode(state: Checkpoint) -> bytes:
    """The content of a checkpoint file: tensors, numbers and names."""
    data = io.BytesIO()
    torch.save(dict(state), data)
    return data.getvalue()


def decode(data: bytes) -> Checkpoint:
    """The state in the content of a checkpoint file; no code in it is ever run.

    Raises InputError, one line, where a checksum, the structure or a number is wrong.
    """
    try:
        _check_archive(data)
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        _check_structure(state)
        _check_numbers(state, len(data))
    except Exception as error:  # damaged bytes reach any part of zipfile and torch
        raise InputError(message(error, 100) or type(error).__name__) from None
    return cast(Checkpoint, state)


def _check_archive(data: bytes) -> None:
    """Every member has its checksum and stands in the file as it is, as torch writes it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise InputError("a compressed member")
        if sum(member.file_size for member in members) > len(data):
            raise InputError("members that overlap")
        if (wrong := archive.testzip()) is not None:
            raise InputError(f"{wrong} does not have its checksum")


def _check_structure(state: Any) -> None:
    if not isinstance(state, dict):
        raise InputError("holds no state of a run")
    for key, kind in _TYPES.items():
        if not isinstance(state.get(key), kind):
            raise InputError(f"holds no {key}")
    if not state["history"]:
        raise InputError("its history has no epoch 1")
    for number, row in enumerate(state["history"], start=1):
        if not isinstance(row, dict) or row.get("epoch") != number:
            raise InputError(f"its history has no epoch {number}")


def _check_numbers(state: Any, file_bytes: int) -> None:
    """Numbers are finite, and no tensor claims more memory than the whole file has."""
    for place, value in leaves(state):
        if isinstance(value, Tensor):
            if value.numel() * value.element_size() > file_bytes:
                raise InputError(f"{place} is larger than the file")
            finite = bool(torch.isfinite(value).all())
        else:
            finite = not isinstance(value, float) or math.isfinite(value)
        if not finite:
            raise InputError(f"{place} is not finite")


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Everything below `value` that holds nothing else, with its place."""
    if isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from leaves(item, f"{place}.{key}" if place else str(key))
    else:
        yield place, value
