"""A user's own tensors from an .npz file."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from device_models.files import FileError, read_limited
from experiments.data.cache import expand
from experiments.data.choosing import split_share
from experiments.data.image_set import MAX_CLASSES, DataError, ImageData, ImageSet, by

MAX_BYTES = 2**33
"""Most that is read of a file, and most that its arrays may take in memory, 8 GiB."""

KEYS = {
    "x_train": ("x_train", "X_train", "train_images", "images_train", "train_x"),
    "y_train": ("y_train", "Y_train", "train_labels", "labels_train", "train_y"),
    "x_test": ("x_test", "X_test", "test_images", "images_test", "test_x"),
    "y_test": ("y_test", "Y_test", "test_labels", "labels_test", "test_y"),
}
"""Names under which each array is looked for."""

CHANNELS = (1, 3)


def load_arrays(file: str | Path, *, test_share: float = 0.2) -> ImageData:
    """Images and labels of an .npz file with x_train, y_train, x_test, y_test (or see `KEYS`).

    Images: n x rows x columns, n x channels x rows x columns, or channels last where only that
    axis has 1 or 3; whole numbers 0 to 255 are pixels, floats are used as they are. Labels: n
    whole numbers from 0. Without x_test and y_test, `test_share` of the images become the test
    images; a warning says so. Errors: DataError naming the file, the array and its fault.
    """
    path = expand(file)
    arrays = _read(path)
    try:
        train = _image_set(arrays, "x_train", "y_train")
        if "x_test" in arrays or "y_test" in arrays:
            test = _image_set(arrays, "x_test", "y_test")
        else:
            n_images = len(train)
            train, test = split_share(train, test_share)
            warnings.warn(
                f"{path} has no x_test: {len(test)} of its {n_images} images are held out as test "
                f"images (data.test_share={test_share:g})",
                stacklevel=2,
            )
        n_classes = int(max(train.labels.max(), test.labels.max())) + 1
        return ImageData(train, test, tuple(map(str, range(n_classes))), str(path))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays that are used, by their first name in `KEYS`; no pickle is ever opened."""
    try:
        content = read_limited(path, MAX_BYTES)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            total = sum(member.file_size for member in archive.infolist())
        if total > MAX_BYTES:
            raise DataError(f"{path}: its arrays take {total} bytes, more than {MAX_BYTES}")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {
                key: np.asarray(stored[name])
                for key, names in KEYS.items()
                for name in names
                if name in stored.files
            }
    except FileError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except zipfile.BadZipFile:
        raise DataError(f"{path}: no .npz file, or a damaged one") from None
    except DataError:
        raise
    # Damaged bytes reach any part of zipfile and numpy.
    except Exception as error:
        raise DataError(f"{path}: cannot be read: {error}") from None


def _image_set(arrays: dict[str, NDArray[np.generic]], x: str, y: str) -> ImageSet:
    for key in (x, y):
        if key not in arrays:
            raise DataError(f"holds no {key} (nor {', '.join(KEYS[key][1:])})")
    images, labels = _images(x, arrays[x]), _labels(y, arrays[y])
    if len(images) != len(labels):
        raise DataError(f"{x} has {len(images)} images, {y} {len(labels)} labels")
    if len(images) == 0 or images.numel() == 0:
        raise DataError(f"{x} is empty")
    return ImageSet(images, labels)


def _images(name: str, array: NDArray[np.generic]) -> Tensor:
    """uint8 or float32, n x channels x rows x columns."""
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4:
        raise DataError(f"{name} is {by(array.shape)}: images need 3 or 4 axes")
    if array.shape[1] not in CHANNELS and array.shape[3] in CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.dtype.kind in "iu":
        if array.size and not (array.min() >= 0 and array.max() <= 255):
            raise DataError(f"{name} holds whole numbers outside 0..255")
        array = array.astype(np.uint8)
    elif array.dtype.kind == "f":
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise DataError(f"{name} holds numbers that are not finite")
    else:
        raise DataError(f"{name} holds {array.dtype}, not numbers")
    return torch.from_numpy(np.ascontiguousarray(array))


def _labels(name: str, array: NDArray[np.generic]) -> Tensor:
    """int64, n."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"{name} is {by(array.shape) or 'one value'} of {array.dtype}: labels are whole "
            f"numbers, one an image"
        )
    if array.size and not (array.min() >= 0 and array.max() < MAX_CLASSES):
        raise DataError(f"{name} holds labels outside 0..{MAX_CLASSES - 1}")
    return torch.from_numpy(array.astype(np.int64))
