"""Every setting of a run with its type and range, checked once, before anything is done.

`conf/` holds the choices; this file says what a choice may be. Text is never taken for a number or
a truth value, and a number never for another kind: `overwrite=no` is an error, not a yes. What a
part of the project checks itself (`crossbar.recipes.PulseUpdate`, ...) is asked here, so that each
range stands in one place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from crossbar.activation import ENCODINGS, FORMS, NORMALISATIONS, QUANTITIES
from crossbar.device import ZEROS
from crossbar.reads.converters import periphery
from crossbar.recipes import RECIPES, PulseUpdate
from experiments.command.complaints import complaints
from experiments.training.data_settings import Data
from experiments.training.kinds import (
    MAX_WIDTH,
    Fields,
    FromZero,
    Group,
    Positive,
    Share,
    Spread,
    Text,
    one_of,
)
from experiments.training.loop import DECAYS, OPTIMIZERS
from experiments.training.model_settings import Model

MAX_SEED = 2_000_000
"""aihwkit's seeds have 31 bits, and every run takes a thousand of them for its layers."""

MAX_COMPLAINTS = 3
"""Wrong keys that one line names."""

_NAME = re.compile(r"\w[\w.,=+@ -]{0,99}")


class SettingsError(ValueError):
    """A setting that does not work; one line that names its key, its value and what may stand."""


def _folder_name(value: str) -> str:
    """A name that is one folder below the store, whatever the file system."""
    if not _NAME.fullmatch(value) or value.endswith((".", " ")) or len(value.encode()) > 150:
        raise ValueError(
            "must name a folder of the store: up to 100 letters, digits and any of _.,=+@- or "
            "blanks, beginning with a letter or a digit"
        )
    return value


def _cores(value: int) -> int:
    cores = len(os.sched_getaffinity(0))
    if value > cores:
        raise ValueError(f"must be at most {cores}, the cores of this process")
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]


class Device(Group):
    card: Text
    step_c2c: Spread
    write_noise: Spread
    step_d2d: Spread
    range_d2d: Spread


class MagneticField(Group):
    """Fields [G] of the activation and of the weights: one, or one a layer."""

    activation_G: Fields | Literal["as_weights"]
    weights_G: float | Fields


class ReLU(Group):
    name: Literal["relu"]


class EM(Group):
    name: Literal["em"]
    encoding: Annotated[str, one_of(ENCODINGS)]
    normalisation: Annotated[str, one_of(NORMALISATIONS)]
    quantity: Annotated[str, one_of(QUANTITIES)]
    hidden: Annotated[int, Field(ge=0, le=MAX_WIDTH)]
    trainable: bool
    form: Annotated[str, one_of(FORMS)]


class Periphery(Group):
    perfect: bool
    dac_bits: int
    adc_bits: int
    out_noise: FromZero

    @model_validator(mode="after")
    def _is_a_periphery(self) -> Self:
        periphery(**self.model_dump())
        return self


class Digital(Group):
    name: Literal["digital"]


class _Tiles(Group):
    recipe: Annotated[str, one_of(RECIPES)]
    zero: Annotated[str, one_of(ZEROS)]
    periphery: Periphery


class AihwkitTiles(_Tiles):
    name: Literal["aihwkit"]


def _model_of(kind: type, without: str) -> Any:
    """Group with the fields of a dataclass and their types, but for the field `without`."""
    hints = get_type_hints(kind)
    typed: Any = {f.name: (hints[f.name], ...) for f in fields(kind) if f.name != without}
    return create_model(kind.__name__, __base__=Group, **typed)


_Update: Any = _model_of(PulseUpdate, without="recipe")


def _pulse_update(settings: Group) -> Group:
    PulseUpdate(**settings.model_dump())
    return settings


class MemristorTiles(_Tiles):
    name: Literal["tile"]
    update: Annotated[_Update, AfterValidator(_pulse_update)]


class Optimizer(Group):
    name: Annotated[str, one_of(OPTIMIZERS)]
    lr: Positive
    crossbar_lr: Positive
    momentum: Share
    weight_decay: FromZero
    decay: Annotated[str, one_of(DECAYS)]


class Trainer(Group):
    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=2)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=1)] | None


class Settings(Group):
    """The settings of one run, see `conf/config.yaml`."""

    name: FolderName
    schedule: FolderName
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    threads: Annotated[int, Field(ge=1), AfterValidator(_cores)] | None
    accelerator: Annotated[str, one_of(("auto", "cpu", "cuda"))]
    store: Text
    resume: bool
    overwrite: bool
    device: Device
    field: MagneticField
    activation: Annotated[ReLU | EM, Field(discriminator="name")]
    crossbar: Annotated[Digital | AihwkitTiles | MemristorTiles, Field(discriminator="name")]
    model: Model
    data: Data
    optimizer: Optimizer
    trainer: Trainer

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.resume and self.overwrite:
            raise ValueError("resume=true goes on with a run, overwrite=true drops it: choose one")
        return self


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Checked settings of a resolved configuration (plain containers).

    Raises SettingsError, one line that names every key that is wrong.
    """
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        raise SettingsError("; ".join(complaints(error, config)[:MAX_COMPLAINTS])) from None
