"""Choosing images: class-balanced parts of a set, the same ones for the same seed."""

from __future__ import annotations

import torch
from torch import Tensor

from experiments.data.image_set import DataError, ImageSet


def split(images: ImageSet, n_held_out: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """Disjoint (rest, held out), the held-out classes as equal in number as they can be.

    Both keep the order of `images`. Errors: DataError unless 1 <= n_held_out < len(images).
    """
    _check_count("n_held_out", n_held_out, len(images) - 1)
    order = _balanced_order(images.labels, seed)
    return _take(images, order[n_held_out:]), _take(images, order[:n_held_out])


def subset(images: ImageSet, n: int | None, seed: int) -> ImageSet:
    """`n` images, classes as equal in number as they can be; None or len(images): all of them.

    Keeps the order; with one seed a smaller subset lies within a larger one.
    Errors: DataError unless 1 <= n <= len(images).
    """
    if n is None:
        return images
    _check_count("n", n, len(images))
    if n == len(images):
        return images
    return _take(images, _balanced_order(images.labels, seed)[:n])


def split_share(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """(training images, test images) where a data set has no test images of its own.

    `share` (0 to 1) of the images, at least one, become the test images: the same ones always.
    """
    if len(images) < 2:
        raise DataError(f"{len(images)} image, at least 2 are needed to hold one out as test image")
    return split(images, min(max(round(share * len(images)), 1), len(images) - 1), seed=0)


def _check_count(name: str, n: int, largest: int) -> None:
    if not isinstance(n, int) or not 1 <= n <= largest:
        raise DataError(f"{name} = {n!r} must be a whole number from 1 to {largest}")


def _balanced_order(labels: Tensor, seed: int) -> Tensor:
    """Indices of all images, shuffled, such that every head of the list is class-balanced."""
    labels = labels.cpu()
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    rank_in_class = torch.empty_like(labels)
    for label in labels.bincount().nonzero().flatten():
        members = labels[shuffled] == label
        rank_in_class[members] = torch.arange(int(members.sum()))
    return shuffled[rank_in_class.argsort(stable=True)]


def _take(images: ImageSet, indices: Tensor) -> ImageSet:
    indices = indices.sort().values.to(images.labels.device)
    return ImageSet(images.images[indices], images.labels[indices])
