"""Every setting of a run with its type and range, checked once, before anything is done.

`conf/` holds the choices; this file says what a choice may be. Text is never taken for a number or
a truth value, and a number never for another kind: `overwrite=no` is an error, not a yes. What a
part of the project checks itself (`crossbar.recipes.PulseUpdate`, ...) is asked here, so that each
range stands in one place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from crossbar.activation import ENCODINGS, FORMS, NORMALISATIONS, QUANTITIES
from crossbar.device import ZEROS
from crossbar.models import BLOCK_ORDERS, DOWNSAMPLING
from crossbar.periphery import periphery
from crossbar.recipes import RECIPES, PulseUpdate
from device_models.card import MAX_SPREAD
from experiments.data import PIXELS

MAX_SEED = 2_000_000
"""aihwkit's seeds have 31 bits, and every run takes a thousand of them for its layers."""

MAX_WIDTH = 16_384
"""Units or channels of a layer: more do not fit into the memory of a workstation."""

MAX_FIELDS = 1024
MAX_LAYERS = 64
MAX_SHOWN = 60
MAX_COMPLAINTS = 3
"""Characters of a value, and wrong keys, that one line shows."""

_NAME = re.compile(r"\w[\w.,=+@ -]{0,99}")


class SettingsError(ValueError):
    """A setting that does not work; one line that names its key, its value and what may stand."""


def one_of(choices: Iterable[str]) -> AfterValidator:
    """Validator that accepts the names in `choices` only."""
    names = tuple(choices)

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return value

    return AfterValidator(check)


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
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Positive = Annotated[float, Field(gt=0)]
FromZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Widths = Annotated[list[Width], Field(max_length=MAX_LAYERS)]
Fields = Annotated[list[float], Field(min_length=1, max_length=MAX_FIELDS)]
Spread = Annotated[float, Field(ge=0, le=MAX_SPREAD)] | None


class _Group(BaseModel):
    """Strict: no text for numbers, no numbers for truth values, no NaN, no unknown key."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Device(_Group):
    card: Text
    step_c2c: Spread
    write_noise: Spread
    step_d2d: Spread
    range_d2d: Spread


class MagneticField(_Group):
    """Fields [G] of the activation and of the weights: one, or one a layer."""

    activation_G: Fields | Literal["as_weights"]
    weights_G: float | Fields


class ReLU(_Group):
    name: Literal["relu"]


class EM(_Group):
    name: Literal["em"]
    encoding: Annotated[str, one_of(ENCODINGS)]
    normalisation: Annotated[str, one_of(NORMALISATIONS)]
    quantity: Annotated[str, one_of(QUANTITIES)]
    hidden: Annotated[int, Field(ge=0, le=MAX_WIDTH)]
    trainable: bool
    form: Annotated[str, one_of(FORMS)]


class Periphery(_Group):
    perfect: bool
    dac_bits: int
    adc_bits: int
    out_noise: FromZero

    @model_validator(mode="after")
    def _is_a_periphery(self) -> Self:
        periphery(**self.model_dump())
        return self


class Digital(_Group):
    name: Literal["digital"]


class AihwkitTiles(_Group):
    name: Literal["aihwkit"]
    recipe: Annotated[str, one_of(RECIPES)]
    zero: Annotated[str, one_of(ZEROS)]
    periphery: Periphery


def _model_of(kind: type, without: str) -> Any:
    """Group with the fields of a dataclass and their types, but for the field `without`."""
    hints = get_type_hints(kind)
    typed: Any = {f.name: (hints[f.name], ...) for f in fields(kind) if f.name != without}
    return create_model(kind.__name__, __base__=_Group, **typed)


_Update: Any = _model_of(PulseUpdate, without="recipe")


def _pulse_update(settings: _Group) -> _Group:
    PulseUpdate(**settings.model_dump())
    return settings


class MemristorTiles(_Group):
    name: Literal["tile"]
    recipe: Annotated[str, one_of(RECIPES)]
    zero: Annotated[str, one_of(ZEROS)]
    periphery: Periphery
    update: Annotated[_Update, AfterValidator(_pulse_update)]


class PaperCNNModel(_Group):
    name: Literal["paper_cnn"]
    in_channels: Width
    channels: Annotated[Widths, Field(min_length=1)]
    kernel_size: Annotated[int, Field(ge=1, le=PIXELS)]
    downsampling: Annotated[str, one_of(DOWNSAMPLING)]
    hidden: Widths
    block_order: Annotated[str, one_of(BLOCK_ORDERS)]


class MLPModel(_Group):
    name: Literal["mlp"]
    hidden: Widths


class ResidualCNNModel(_Group):
    name: Literal["residual_cnn"]
    in_channels: Width
    widths: Annotated[Widths, Field(min_length=1)]


class Data(_Group):
    folder: Text | None
    cache: Text | None
    download: bool
    verify: bool
    held_out: Annotated[int, Field(ge=0)]


class Optimizer(_Group):
    name: Annotated[str, one_of(("adam", "sgd"))]
    lr: Positive
    crossbar_lr: Positive
    momentum: Share
    weight_decay: FromZero
    decay: Annotated[str, one_of(("cosine", "constant"))]


class Trainer(_Group):
    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=2)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=1)] | None


class Settings(_Group):
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
    model: Annotated[PaperCNNModel | MLPModel | ResidualCNNModel, Field(discriminator="name")]
    data: Data
    optimizer: Optimizer
    trainer: Trainer

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.resume and self.overwrite:
            raise ValueError("resume=true goes on with a run, overwrite=true drops it: choose one")
        if not self.data.verify and self.data.folder is None:
            raise ValueError("data.verify=false takes other images, from data.folder=...")
        return self


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Checked settings of a resolved configuration (plain containers).

    Raises SettingsError, one line that names every key that is wrong.
    """
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaints(error, config)[:MAX_COMPLAINTS])) from None


_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "list_type": "must be a list",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "finite_number": "must be finite",
    "greater_than": "must be above {gt:.10g}",
    "greater_than_equal": "must be at least {ge:.10g}",
    "less_than": "must be below {lt:.10g}",
    "less_than_equal": "must be at most {le:.10g}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "model_type": "must be a group of settings",
    "model_attributes_type": "must be a group of settings",
    "value_error": "{error}",
}
"""What pydantic finds, in our words; behind them stands the value."""


def _complaints(error: ValidationError, config: Mapping[str, Any]) -> list[str]:
    """One sentence for each wrong key; kinds of which it could be one are joined by "or"."""
    found: dict[str, list[Any]] = {}
    for item in error.errors(include_url=False):
        key = _key(item["loc"], config)
        if item["type"].startswith("union_tag"):  # the alternatives are told apart by their names
            key, item["input"] = f"{key}.name", item["input"].get("name")
        found.setdefault(key, []).append(item)
    # A list of which one entry is wrong need not be told that it is no number.
    deepest = {k: v for k, v in found.items() if not any(o.startswith(f"{k}[") for o in found)}
    return [_complaint(key, items, config) for key, items in deepest.items()]


def _complaint(key: str, items: list[Any], config: Mapping[str, Any]) -> str:
    kind, value = items[0]["type"], items[0].get("input")
    if kind in ("missing", "union_tag_not_found"):
        return f"{key} is missing"
    if kind == "extra_forbidden":
        return f"{key} is no setting"
    words = " or ".join(dict.fromkeys(_words(item) for item in items)).replace(" or must be", " or")
    if isinstance(value, Mapping):
        return f"{key}: {words}" if key else words
    shown = repr(value)
    return f"{key} {words}, got {shown[:MAX_SHOWN]}{'...' * (len(shown) > MAX_SHOWN)}"


def _words(item: Any) -> str:
    context = dict(item.get("ctx", {}))
    if "expected_tags" in context:
        context["expected_tags"] = context["expected_tags"].replace("'", "")
    return _WORDS.get(item["type"], item["msg"]).format(**context)


def _key(place: tuple[int | str, ...], config: Any) -> str:
    """The key on the command line; names of alternatives in `place` are no part of it."""
    key = ""
    for i, part in enumerate(place):
        if isinstance(config, list) and isinstance(part, int):
            key += f"[{part}]"
            config = config[part]
        elif isinstance(config, Mapping) and (part in config or i == len(place) - 1):
            key += f".{part}" if key else str(part)
            config = config.get(part)
    return key
