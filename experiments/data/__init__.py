"""Images to train on: published sets, a user's own pictures or arrays, checked before use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossbar.choices import check_choice
from experiments.data.arrays import load_arrays
from experiments.data.choosing import split, subset
from experiments.data.fetching import FetchError
from experiments.data.image_folder import COLOURS, load_image_folder
from experiments.data.image_set import DataError, ImageData, ImageSet, ImagesIdentity, normalise
from experiments.data.published import PUBLISHED, load_published

LOADERS: dict[str, Callable[..., ImageData]] = {
    "image_folder": load_image_folder,
    "arrays": load_arrays,
}


def load_data(name: str = "fashion_mnist", **choices: Any) -> ImageData:
    """The data set `name`: fashion_mnist, mnist (see `load_published`), image_folder or arrays.

    Errors: DataError, one line, for files that are missing or damaged.
    """
    if name in PUBLISHED:
        return load_published(name, **choices)
    check_choice("data", name, (*PUBLISHED, *LOADERS))
    return LOADERS[name](**choices)


def known_identity(name: str, verify: bool = True, **_: Any) -> ImagesIdentity | None:
    """What a checked published set is, without reading it; None for images that must be read."""
    if name not in PUBLISHED or not verify:
        return None
    return ImagesIdentity(PUBLISHED[name].content_sha256, PUBLISHED[name].shape)


__all__ = [
    "COLOURS",
    "LOADERS",
    "PUBLISHED",
    "DataError",
    "FetchError",
    "ImageData",
    "ImageSet",
    "ImagesIdentity",
    "known_identity",
    "load_arrays",
    "load_data",
    "load_image_folder",
    "load_published",
    "normalise",
    "split",
    "subset",
]
