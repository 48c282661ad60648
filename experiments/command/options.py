"""Options of the commands: numbers checked as they are read, errors of one line."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from device_models.errors import FieldCrossbarError
from device_models.plain_text import message

USER_ERRORS = (FieldCrossbarError, OSError)
"""What ends a command with one line: all else is a fault of ours and shows its traceback."""

Number = TypeVar("Number", float, int)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of the commands are, without the usage."""

    def __init__(self, description: str | None):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """End with status 1 and `message` on stderr."""
        end(message)


def end(reason: str | Exception) -> NoReturn:
    """End the command with status 1 and one line on stderr; an error of a file starts with it."""
    if isinstance(reason, OSError) and reason.filename and reason.strerror:
        reason = f"{reason.filename}: {reason.strerror}"
    sys.exit(message(f"error: {reason}"))


def number(
    low: float = -math.inf, high: float = math.inf, *, above: bool = False, zero: bool = True
) -> Callable[[str], float]:
    """Type of an option that takes a finite number from `low` to `high`.

    `above`: `low` itself is none of them; `zero`: whether 0 is one. The returned function raises
    ArgumentTypeError, which argparse prints behind the option's name.
    """

    def holds(value: float) -> bool:
        inside = low < value if above else low <= value
        return inside and value <= high and math.isfinite(value) and (zero or value != 0)

    wanted = f"a finite number{_range(low, high, above)}" + ("" if zero else " other than 0")
    return lambda text: _checked(float, text, holds, wanted)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Type of an option that takes a whole number from `low` to `high`; errors as of `number`."""
    wanted = f"a whole number{_range(low, high)}"
    return lambda text: _checked(int, text, lambda value: low <= value <= high, wanted)


def _checked(
    kind: Callable[[str], Number], text: str, holds: Callable[[Number], bool], wanted: str
) -> Number:
    with contextlib.suppress(ValueError):
        if holds(value := kind(text)):
            return value
    raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r:.40}")


def _range(low: float, high: float, above: bool = False) -> str:
    start = "" if math.isinf(low) else f" above {low:.12g}" if above else f" from {low:.12g}"
    return start if math.isinf(high) else f"{start} up to {high:.12g}"
