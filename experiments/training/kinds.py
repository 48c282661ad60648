"""Kinds of settings: text, numbers and their ranges, groups that take nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from device_models.card import MAX_SPREAD
from device_models.errors import InputError

MAX_WIDTH = 16_384
"""Units or channels of a layer: more do not fit into the memory of a workstation."""

MAX_FIELDS = 1024
MAX_LAYERS = 64


def one_of(choices: Iterable[str]) -> AfterValidator:
    """Validator that accepts the names in `choices` only."""
    names = tuple(choices)

    def check(value: str) -> str:
        if value not in names:
            raise InputError(f"must be one of {', '.join(names)}")
        return value

    return AfterValidator(check)


def _given(value: str) -> str:
    if value == "???":
        raise InputError("must be given")
    return value


Text = Annotated[str, Field(min_length=1, max_length=4096)]
Given = Annotated[Text, AfterValidator(_given)]
"""Text without a default: hydra calls it ??? until the command line gives one."""

Positive = Annotated[float, Field(gt=0)]
FromZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Widths = Annotated[list[Width], Field(max_length=MAX_LAYERS)]
Fields = Annotated[list[float], Field(min_length=1, max_length=MAX_FIELDS)]
Spread = Annotated[float, Field(ge=0, le=MAX_SPREAD)] | None


class Group(BaseModel):
    """Strict: no text for numbers, no numbers for truth values, no NaN, no unknown key."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
