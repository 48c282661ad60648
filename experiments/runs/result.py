"""What a run says of itself in `result.json` and `history.csv`, with types and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device_models.errors import InputError
from device_models.plain_text import message

Text = Annotated[str, Field(min_length=1, max_length=150)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Share = Annotated[float, Field(ge=0, le=1)]
Loss = Annotated[float, Field(ge=-1e100, le=1e100)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class _Record(BaseModel):
    """Strict: no text for numbers, no NaN; keys that are not named here are let be."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Provenance(_Record):
    """Where the run was computed: threads of torch, and the GPU in sight."""

    threads: Count | None = None
    cuda: Text | None = None


class Result(_Record):
    """A run of at least one epoch; accuracies are shares, times are in seconds."""

    status: Text
    name: Text
    schedule: Text
    seed: Count
    activation: Text
    card: Text
    card_kind: Text
    card_sha256: Text
    crossbar_weights: Count
    test_is_held_out: bool
    images_sha256: Text | None = None
    source_sha256: Text | None = None
    epochs: Annotated[int, Field(ge=1, le=10**6)]
    test_accuracy: Share
    test_accuracy_batch_statistics: Share
    seconds_per_epoch: Seconds
    provenance: Provenance = Provenance()

    @property
    def uses_card(self) -> bool:
        return self.activation == "em" or self.crossbar_weights > 0


class Epoch(_Record):
    """What is drawn of a row of the history."""

    epoch: float
    train_loss: Loss
    test_accuracy: Share
    test_accuracy_batch_statistics: Share


def check_result(content: Mapping[str, Any]) -> Result:
    """The record in `content`. Raises InputError, one line that names the key."""
    return _checked(Result, content)


def check_history(rows: list[dict[str, float]]) -> None:
    """Raise InputError, one line that names the epoch, for a row that cannot be drawn."""
    for number, row in enumerate(rows, start=1):
        try:
            if _checked(Epoch, row).epoch != number:
                raise InputError(f"its number is {row['epoch']:g}")
        except ValueError as error:
            raise InputError(f"epoch {number}: {error}") from None


def _checked(kind: type[Any], content: Mapping[str, Any]) -> Any:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(message(f"{place}: {first['msg']}")) from None
