"""What the settings of all recipes share: what they may be, and how a wrong one is refused.

Each recipe has a class of settings in its own file, with the fields that it reads and no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from aihwkit.simulator.parameters.helpers import _PrintableMixin

from device_models.errors import InputError

Check = Callable[[str, Any], None]


def whole_number(default: int, least: int) -> Any:
    """Field of a dataclass for a whole number from `least`."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name} must be a whole number from {least}, got {value!r:.40}")

    return field(default=default, metadata={"check": check})


def from_zero(default: float) -> Any:
    """Field of a dataclass for a finite number from 0."""

    def check(name: str, value: Any) -> None:
        if not _is_number(value) or not 0 <= value < math.inf:
            raise InputError(f"{name} must be a number from 0, got {value!r:.40}")

    return field(default=default, metadata={"check": check})


def share(default: float) -> Any:
    """Field of a dataclass for a number from 0 to below 1."""

    def check(name: str, value: Any) -> None:
        if not _is_number(value) or not 0 <= value < 1:
            raise InputError(f"{name} must lie from 0 to below 1, got {value!r:.40}")

    return field(default=default, metadata={"check": check})


@dataclass
class RecipeSettings(_PrintableMixin):
    """Base: the settings that every training recipe reads.

    Raises InputError, naming the setting, for a value out of its range, also when it is set later.
    """

    recipe: ClassVar[str]
    """Name of the recipe that reads these settings, as in `crossbar.recipes.RECIPES`."""

    granularity: float = from_zero(0.0)
    """Weight change that counts as one pulse [weight]; 0 takes the device's `dw_min`."""

    def __setattr__(self, name: str, value: Any) -> None:
        known = type(self).__dataclass_fields__.get(name)  # aihwkit's plots set others
        check: Check | None = known.metadata.get("check") if known else None
        if check:
            check(name, value)
        super().__setattr__(name, value)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Settings that the recipe reads."""
        return tuple(setting.name for setting in fields(cls))

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Settings with the values `given`; InputError for a name that the recipe does not read."""
        if unread := [name for name in given if name not in cls.names()]:
            raise not_read(unread, cls.recipe, cls.names())
        return cls(**given)

    def _refuse_unless_default(self, names: Iterable[str], reader: str) -> None:
        """InputError for those of `names` that were chosen although the `reader` has no use."""
        names = tuple(names)
        defaults = {setting.name: setting.default for setting in fields(self)}
        if unread := [name for name in names if getattr(self, name) != defaults[name]]:
            raise not_read(unread, reader, [name for name in self.names() if name not in names])


def not_read(names: Iterable[str], reader: str, read: Iterable[str]) -> InputError:
    """The complaint about settings `names` that a recipe has no use for."""
    names = tuple(names)
    verb = "are" if len(names) > 1 else "is"
    return InputError(f"{', '.join(names)} {verb} not read by {reader}; it reads {', '.join(read)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
