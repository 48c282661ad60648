"""Training and test images of a run."""

from __future__ import annotations

import torch

from experiments.data import ImageData, split, subset
from experiments.training.loop import Images
from experiments.training.settings import Settings


def split_images(
    settings: Settings, data: ImageData, device: torch.device
) -> tuple[Images, Images]:
    """Training and test images; with data.held_out the latter come from the training images."""
    trainer, train_images, test_images = settings.trainer, data.train, data.test
    if settings.data.held_out:
        train_images, test_images = split(data.train, settings.data.held_out, seed=0)
    train_images = subset(train_images, trainer.train_images, seed=0)
    test_images = subset(test_images, trainer.test_images, seed=0)
    return Images(train_images, device), Images(test_images, device)
