"""Numbers that are none: what a NaN or an infinity among them is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from torch import Tensor

from device_models.errors import FieldCrossbarError


class NonFiniteError(FieldCrossbarError, ValueError):
    """Numbers that would leave weights or accumulators without a finite value; one line."""


def all_finite(values: Tensor) -> bool:
    """Whether every entry is a finite number.

    A sum that is finite says so in one pass; one that is not may only be too large.
    """
    return isfinite(values.sum().item()) or bool(values.isfinite().all())


def check_finite(name: str, values: Tensor, consequence: str) -> None:
    """Raise NonFiniteError, naming how many entries of `values` are not finite, where any is."""
    if not all_finite(values):
        count = int((~values.isfinite()).sum())
        raise NonFiniteError(
            f"{name}: {count} of {values.numel()} entries are not finite; {consequence}"
        )


def check_state(state: Mapping[str, Any]) -> None:
    """Raise NonFiniteError, naming it, where a tensor of `state`, nested or not, is not finite."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            check_state(value)
        elif isinstance(value, Tensor):
            check_finite(f"stored {name}", value, "no device was restored")
