"""Images with their classes: the one form in which every data set reaches the training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from device_models.errors import FieldCrossbarError

MAX_CLASSES = 16_384
"""Classes of a data set: each is a column of the last layer."""


class DataError(FieldCrossbarError, RuntimeError):
    """The data set is missing, damaged or asked for wrongly; the message is always one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@dataclass(frozen=True)
class ImagesIdentity:
    """What images are, wherever they lie: `sha256` of their content and `shape` of one.

    `sha256` None: the published Fashion-MNIST, which stored runs knew before there was other data.
    """

    sha256: str | None
    shape: tuple[int, int, int]


# eq=False: comparing tensors with == gives no truth value.
@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and their classes.

    `images`: n x channels x rows x columns, uint8 [0..255] or float32, used as they are.
    `labels`: int64, n. Errors: DataError where the two do not fit each other.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype not in (torch.uint8, torch.float32):
            raise DataError(
                f"images must be n x channels x rows x columns of uint8 or float32, "
                f"got {by(self.images.shape)} of {self.images.dtype}"
            )
        if len(self.images) != len(self.labels):
            raise DataError(f"{len(self.images)} images with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set: training and test images, names of the classes 0, 1, ..., where it came from.

    Errors: DataError for parts of unequal shape, an empty part or a label without a class.
    """

    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        train, test = self.train.images, self.test.images
        if train.shape[1:] != test.shape[1:]:
            raise DataError(
                f"training images are {by(train.shape[1:])}, test images {by(test.shape[1:])}"
            )
        for name, part in (("training", self.train), ("test", self.test)):
            if len(part) == 0 or part.images.numel() == 0:
                raise DataError(f"there are no {name} images in {self.source}")
            low, high = int(part.labels.min()), int(part.labels.max())
            if low < 0 or high >= len(self.classes):
                wrong = low if low < 0 else high
                raise DataError(f"{name} label {wrong} out of range 0..{len(self.classes) - 1}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of an image."""
        channels, rows, columns = self.train.images.shape[1:]
        return channels, rows, columns

    @property
    def identity(self) -> ImagesIdentity:
        """What these images are, wherever they lie."""
        return ImagesIdentity(self.sha256, self.shape)

    @property
    def n_classes(self) -> int:
        """Number of classes, whether or not each has an image."""
        return len(self.classes)

    @property
    def sha256(self) -> str:
        """Hash of all images and labels, in their order."""
        digest = hashlib.sha256()
        for tensor in (self.train.images, self.train.labels, self.test.images, self.test.labels):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def normalise(images: Tensor) -> Tensor:
    """Images as a network reads them, float32, of any shape.

    uint8 pixels become [-1..1], as ToTensor and Normalize((0.5,), (0.5,)) do it; float32 images
    are normalised by whoever made them and stay as they are.
    """
    if images.dtype == torch.float32:
        return images
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def by(sizes: tuple[int, ...] | torch.Size) -> str:
    """`60000 x 28 x 28`."""
    return " x ".join(map(str, sizes))
