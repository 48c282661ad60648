"""Training and test images of a run."""

from __future__ import annotations

import torch

from device_models.errors import InputError
from experiments.data import ImageData, ImageSet, split, subset
from experiments.training.loop import Images
from experiments.training.settings import Settings


def split_images(
    settings: Settings, data: ImageData, device: torch.device
) -> tuple[Images, Images]:
    """Training and test images; with data.held_out the latter come from the training images.

    Raises InputError, naming the setting, where more images are asked for than there are.
    """
    train, test, held_out = data.train, data.test, settings.data.held_out
    if held_out:
        _check("data.held_out", held_out, len(train) - 1, "can be held out, one has to stay")
        train, test = split(train, held_out, seed=0)
    return (
        Images(_chosen("trainer.train_images", settings.trainer.train_images, train), device),
        Images(_chosen("trainer.test_images", settings.trainer.test_images, test), device),
    )


def _chosen(key: str, number: int | None, images: ImageSet) -> ImageSet:
    """`number` of the images, the same ones always; all of them for None."""
    if number is not None:
        _check(key, number, len(images), "are there, null takes them all")
    return subset(images, number, seed=0)


def _check(key: str, number: int, most: int, words: str) -> None:
    if number > most:
        raise InputError(f"{key}={number}: {most} images {words}")
