"""Every setting of a run with its type and range, checked once, before anything is done.

`conf/` holds the choices; this file says what a choice may be. Text is never taken for a number or
a truth value, and a number never for another kind: `overwrite=no` is an error, not a yes. What a
part of the project checks itself (settings of a recipe, ...) is asked here, so that each range
stands in one place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from crossbar import ZEROS, periphery
from crossbar.activation import ENCODINGS, FORMS, NORMALISATIONS, QUANTITIES
from crossbar.recipes import (
    RECIPES,
    SETTINGS,
    AnalogSGDSettings,
    MixedPrecisionSettings,
    RecipeSettings,
    TikiTakaSettings,
    not_read,
)
from device_models.errors import FieldCrossbarError, InputError
from experiments.command.complaints import complaints
from experiments.training.data_settings import Data
from experiments.training.kinds import (
    MAX_WIDTH,
    Fields,
    FromZero,
    Group,
    Spread,
    Text,
    one_of,
)
from experiments.training.model_settings import Model
from experiments.training.optimizer_settings import Optimizer

MAX_SEED = 2_000_000
"""aihwkit's seeds have 31 bits, and every run takes a thousand of them for its layers."""

MAX_COMPLAINTS = 3
"""Wrong keys that one line names."""

_NAME = re.compile(r"\w[\w.,=+@ -]{0,99}")


class SettingsError(FieldCrossbarError, ValueError):
    """A setting that does not work; one line that names its key, its value and what may stand."""


def _folder_name(value: str) -> str:
    """A name that is one folder below the store, whatever the file system."""
    if not _NAME.fullmatch(value) or value.endswith((".", " ")) or len(value.encode()) > 150:
        raise InputError(
            "must name a folder of the store: up to 100 letters, digits and any of _.,=+@- or "
            "blanks, beginning with a letter or a digit"
        )
    return value


def _cores(value: int) -> int:
    cores = len(os.sched_getaffinity(0))
    if value > cores:
        raise InputError(f"must be at most {cores}, the cores of this process")
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]


class Device(Group):
    """The card, and spreads in place of those it states."""

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
    """The baseline's activation."""

    name: Literal["relu"]


class EM(Group):
    """Responses of the card as activation."""

    name: Literal["em"]
    encoding: Annotated[str, one_of(ENCODINGS)]
    normalisation: Annotated[str, one_of(NORMALISATIONS)]
    quantity: Annotated[str, one_of(QUANTITIES)]
    hidden: Annotated[int, Field(ge=0, le=MAX_WIDTH)]
    trainable: bool
    form: Annotated[str, one_of(FORMS)]


class Periphery(Group):
    """Converters at the edges of a tile."""

    perfect: bool
    dac_bits: int
    adc_bits: int
    out_noise: FromZero

    @model_validator(mode="after")
    def _is_a_periphery(self) -> Self:
        periphery(**self.model_dump())
        return self


class Digital(Group):
    """No crossbar: weights stay numbers."""

    name: Literal["digital"]


class _Tiles(Group):
    recipe: Annotated[str, one_of(RECIPES)]
    zero: Annotated[str, one_of(ZEROS)]
    periphery: Periphery


def _no_update(value: Any) -> Any:
    if isinstance(value, Mapping):
        verb = "are" if len(value) > 1 else "is"
        raise InputError(f"{', '.join(value)} {verb} not read by crossbar=aihwkit")
    return value


class AihwkitTiles(_Tiles):
    """aihwkit's recipes have settings of their own, so there are none here."""

    name: Literal["aihwkit"]
    update: Annotated[None, BeforeValidator(_no_update)] = None


def _settings_of(kind: type[RecipeSettings]) -> Any:
    """Group with the settings of a recipe, their types and their ranges."""
    hints = get_type_hints(kind)
    typed: Any = {setting.name: (hints[setting.name], ...) for setting in fields(kind)}
    group = create_model(kind.__name__, __base__=Group, **typed)

    def check(settings: Group) -> Group:
        kind(**settings.model_dump())
        return settings

    return Annotated[group, BeforeValidator(_of_no_other(kind)), AfterValidator(check)]


def _of_no_other(kind: type[RecipeSettings]) -> Callable[[Any], Any]:
    """Check that refuses settings that are those of another recipe, by their names."""
    others = {other.recipe: other.names() for other in SETTINGS.values() if other is not kind}

    def check(value: Any) -> Any:
        given = list(value) if isinstance(value, Mapping) else []
        for recipe, names in others.items():
            if set(given) == set(names):
                raise InputError(
                    f"holds the settings of {recipe}, crossbar/recipe={kind.recipe} brings others"
                )
        known = {name for names in others.values() for name in names} - {*kind.names()}
        if unread := [name for name in given if name in known]:
            raise not_read(unread, kind.recipe, kind.names())
        return value

    return check


_MixedPrecision: Any = _settings_of(MixedPrecisionSettings)
_AnalogSGD: Any = _settings_of(AnalogSGDSettings)
_TikiTaka: Any = _settings_of(TikiTakaSettings)


class _MemristorTiles(_Tiles):
    name: Literal["memristor"]
    cells: Literal["single", "pair"] = "single"


class MixedPrecisionTiles(_MemristorTiles):
    """Tiles that mixed precision trains."""

    recipe: Literal["mixed_precision"]
    update: _MixedPrecision


class AnalogSGDTiles(_MemristorTiles):
    """Tiles that stochastic pulses train."""

    recipe: Literal["sgd"]
    update: _AnalogSGD


class TikiTakaTiles(_MemristorTiles):
    """Tiles that Tiki-Taka v2 trains."""

    recipe: Literal["tiki_taka_v2"]
    update: _TikiTaka


MemristorTiles = Annotated[
    MixedPrecisionTiles | AnalogSGDTiles | TikiTakaTiles, Field(discriminator="recipe")
]


class Trainer(Group):
    """How long, and how many images at a time."""

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
            raise InputError("resume=true goes on with a run, overwrite=true drops it: choose one")
        return self


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Checked settings of a resolved configuration (plain containers).

    Raises SettingsError, one line that names every key that is wrong.
    """
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        raise SettingsError("; ".join(complaints(error, config)[:MAX_COMPLAINTS])) from None
