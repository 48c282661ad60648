"""Settings of the images, one group a source of `experiments.data`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from device_models.errors import InputError
from experiments.data import COLOURS
from experiments.training.kinds import MAX_WIDTH, Given, Group, Text, one_of

TestShare = Annotated[float, Field(gt=0, lt=1)]


class _Images(Group):
    held_out: Annotated[int, Field(ge=0)]


class PublishedImages(_Images):
    """Settings of a published set, see `experiments.data.load_published`."""

    name: Literal["fashion_mnist", "mnist"]
    folder: Text | None
    cache: Text | None
    download: bool
    verify: bool

    @model_validator(mode="after")
    def _other_images_lie_in_a_folder(self) -> Self:
        if not self.verify and self.folder is None:
            raise InputError("data.verify=false takes other images, from data.folder=...")
        return self


class Pictures(_Images):
    """Settings of a user's own pictures, see `experiments.data.load_image_folder`."""

    name: Literal["image_folder"]
    folder: Given
    size: Annotated[int, Field(ge=1, le=MAX_WIDTH)]
    colour: Annotated[str, one_of(COLOURS)]
    test_share: TestShare


class Arrays(_Images):
    """Settings of a user's own tensors, see `experiments.data.load_arrays`."""

    name: Literal["arrays"]
    file: Given
    test_share: TestShare


Data = Annotated[PublishedImages | Pictures | Arrays, Field(discriminator="name")]
