"""Typed look-ups in the JSON of strangers: every complaint names the key and what it must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card.errors import CardError

FloatArray = NDArray[np.float64]

MAX_NUMBERS = 64
"""Numbers in a list: parameters of a law."""


class Lookup:
    """Typed look-ups in a JSON object; every complaint names the key."""

    def __init__(self, content: Any, where: str):
        if not isinstance(content, dict):
            raise CardError(f"{where} must be a JSON object, got {type(content).__name__}")
        self.content, self.where = content, where

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def value(self, key: str) -> Any:
        """Whatever stands at the key."""
        if key not in self.content:
            raise CardError(f"{self.where}: key {key!r} is missing")
        return self.content[key]

    def text(self, key: str) -> str:
        """Text at the key."""
        value = self.value(key)
        if not isinstance(value, str):
            raise CardError(f"{self.where}.{key} must be text, got {value!r:.40}")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of several texts."""
        value = self.text(key)
        if value not in choices:
            raise CardError(f"{self.where}.{key} must be one of {choices}, got {value!r:.40}")
        return value

    def number(
        self,
        key: str,
        low: float = -math.inf,
        high: float = math.inf,
        default: float | None = None,
    ) -> float:
        """A finite number from `low` to `high`."""
        if default is not None and key not in self:
            return default
        return self._checked(self.value(key), key, low, high)

    def numbers(self, key: str, low: int = 1, high: int = MAX_NUMBERS) -> tuple[float, ...]:
        """A list of `low` to `high` finite numbers."""
        values = self.value(key)
        if not isinstance(values, list) or not low <= len(values) <= high:
            size = f"{low}" if low == high else f"{low} to {high}"
            raise CardError(f"{self.where}.{key} must be a list of {size} numbers")
        return tuple(
            self._checked(v, f"{key}[{i}]", -math.inf, math.inf) for i, v in enumerate(values)
        )

    def matrix(self, key: str, size: int) -> FloatArray:
        """Symmetric matrix from the rows of its lower triangle."""
        rows = self.value(key)
        if not isinstance(rows, list) or [len(r) for r in rows if isinstance(r, list)] != (
            list(range(1, size + 1))
        ):
            raise CardError(
                f"{self.where}.{key} must be the lower triangle of a matrix: rows of 1 to {size} "
                f"numbers"
            )
        matrix = np.zeros((size, size))
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                number = self._checked(value, f"{key}[{i}][{j}]", -math.inf, math.inf)
                matrix[i, j] = matrix[j, i] = number
        return matrix

    def integer(self, key: str, low: int, high: int = 2**31) -> int:
        """A whole number from `low` to `high`."""
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise CardError(
                f"{self.where}.{key} must be an integer from {low} to {high}, got {value!r:.40}"
            )
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """A JSON object at the key."""
        value = self.value(key)
        if not isinstance(value, dict):
            raise CardError(f"{self.where}.{key} must be a JSON object")
        return value

    def _checked(self, value: Any, key: str, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CardError(f"{self.where}.{key} must be a number, got {value!r:.40}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or not low <= number <= high:
            raise CardError(f"{self.where}.{key} is out of range: {value!r:.40}")
        return number
