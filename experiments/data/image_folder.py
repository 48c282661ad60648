"""A user's own pictures, a folder for each class, as torchvision's `ImageFolder` reads them.

my_images/train/cat/1.png ...   my_images/test/cat/7.png ...   (or val/ in place of test/)
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError

from device_models.files import FileError, read_limited
from experiments.data.cache import expand
from experiments.data.choosing import split_share
from experiments.data.image_set import MAX_CLASSES, DataError, ImageData, ImageSet

COLOURS = {"grey": "L", "rgb": "RGB"}
TEST_FOLDERS = ("test", "val")

PICTURE_BYTES = 2**27
"""Largest picture file that is read."""

MEMORY_BYTES = 2**33
"""Most that all pictures of a set may take in memory, 8 GiB."""


def load_image_folder(
    folder: str | Path, *, size: int = 28, colour: str = "grey", test_share: float = 0.2
) -> ImageData:
    """Pictures below `folder`/train/<class>/ and `folder`/test/<class>/ (or val/), in memory.

    Each is squeezed to `size` x `size` pixels, `colour` grey or rgb. Without test/ and val/, or
    with the classes right in `folder`, `test_share` of the pictures become the test images,
    balanced by class and always the same ones; a warning says so.
    Errors: DataError naming the folder or the picture.
    """
    root = expand(folder)
    if not root.is_dir():
        raise DataError(f"data.folder={root} is no folder")
    train_folder = root / "train" if (root / "train").is_dir() else root
    test_folder = next((root / name for name in TEST_FOLDERS if (root / name).is_dir()), None)
    if test_folder is None:
        images, classes = _read(train_folder, size, colour)
        train, test = split_share(images, test_share)
        warnings.warn(
            f"{root} has no test/ or val/ folder: {len(test)} of its {len(images)} images are held "
            f"out as test images (data.test_share={test_share:g})",
            stacklevel=2,
        )
        return ImageData(train, test, classes, str(root))
    if train_folder == root:
        raise DataError(f"{root} has a folder {test_folder.name}/ but no train/")
    train, classes = _read(train_folder, size, colour)
    test, test_classes = _read(test_folder, size, colour)
    if test_classes != classes:
        odd = sorted(set(classes) ^ set(test_classes))
        raise DataError(f"{train_folder} and {test_folder} differ in classes: {', '.join(odd)}")
    return ImageData(train, test, classes, str(root))


def _read(folder: Path, size: int, colour: str) -> tuple[ImageSet, tuple[str, ...]]:
    """All pictures of one part, uint8, and its classes in the order of their labels."""
    # Here, as torchvision takes a second to import and no other data set needs it.
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    squeeze = transforms.Compose([transforms.Resize((size, size)), transforms.PILToTensor()])
    try:
        found = ImageFolder(str(folder), squeeze, loader=lambda path: _open(path, colour))
    except OSError as error:
        raise DataError(str(error)) from None
    channels = len(COLOURS[colour])
    n_bytes = len(found) * channels * size**2
    if n_bytes > MEMORY_BYTES or len(found.classes) > MAX_CLASSES:
        raise DataError(
            f"{folder}: {len(found)} pictures in {len(found.classes)} classes need {n_bytes} bytes "
            f"at data.size={size}; at most {MEMORY_BYTES} bytes and {MAX_CLASSES} classes are read"
        )
    images = torch.empty(len(found), channels, size, size, dtype=torch.uint8)
    for i in range(len(found)):
        images[i] = found[i][0]
    return ImageSet(images, torch.tensor(found.targets)), tuple(found.classes)


def _open(path: str, colour: str) -> Image.Image:
    """One picture. Errors: DataError naming it; a bomb of pixels is one too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(read_limited(path, PICTURE_BYTES))).convert(
                COLOURS[colour]
            )
    except FileError as error:
        raise DataError(str(error)) from None
    # Damaged bytes reach any part of a picture's decoder.
    except Exception as error:
        reason = "no picture" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(f"{path}: cannot be read: {reason}") from None
