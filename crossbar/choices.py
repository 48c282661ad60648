"""One way to refuse a name that is not among the choices."""

from __future__ import annotations

from collections.abc import Iterable

from device_models.errors import InputError


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise InputError, naming the choices, when `value` is none of them."""
    choices = tuple(choices)
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
