"""Names of a face that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["names_on_first_use"]


def names_on_first_use(
    face: str, files: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of the package `face`; `files` in it, each with its names.

    The first raises AttributeError for any other name.
    """
    homes = {name: file for file, names in files.items() for name in names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        value = getattr(import_module(f"{face}.{homes[name]}"), name)
        setattr(sys.modules[face], name, value)  # the next look-up does not come here
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[face]), *homes})

    return get, listed
