"""Fashion-MNIST and MNIST: found on this machine or fetched, and checked before use.

Places tried, in this order: the Debian package's folder, the cache, torchvision's mirrors and
`apt-get download`; a folder named by the user replaces them all.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from experiments.data.cache import cache_folder, expand, held, staging
from experiments.data.fetching import fetch_with_apt, fetch_with_torchvision
from experiments.data.idx import read_idx
from experiments.data.image_set import DataError, ImageData, ImageSet

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


class _FilesMissing(DataError):
    """A place does not hold the four files: not worth a warning, unlike a damaged file."""


Fetcher = Callable[[Path], Path]
"""Puts the .gz files below a folder and returns where; raises DataError or OSError."""


@dataclass(frozen=True)
class Published:
    """A data set of four idx files and where it is found.

    `sha256`: of each file's decompressed bytes. `content_sha256`: `ImageData.sha256` of the set,
    None for the one that stored runs were trained on before others could be.
    """

    title: str
    folder_name: str
    classes: tuple[str, ...]
    sha256: dict[str, str]
    content_sha256: str | None
    system_folders: tuple[Path, ...]
    torchvision: str
    fetchers: dict[str, Fetcher]
    hint: str = ""
    shape: tuple[int, int, int] = (1, 28, 28)


_PACKAGE = "dataset-fashion-mnist"
_INSIDE = Path("usr/share/datasets/fashion-mnist")

PUBLISHED = {
    "fashion_mnist": Published(
        title="Fashion-MNIST",
        folder_name="fashion-mnist",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        sha256={
            TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        content_sha256=None,
        system_folders=(Path("/") / _INSIDE,),
        torchvision="FashionMNIST",
        fetchers={
            "torchvision": partial(fetch_with_torchvision, dataset="FashionMNIST"),
            f"apt-get download {_PACKAGE}": partial(
                fetch_with_apt, package=_PACKAGE, inside=_INSIDE
            ),
        },
        hint=f", or install the Debian package {_PACKAGE}",
    ),
    "mnist": Published(
        title="MNIST",
        folder_name="mnist",
        classes=tuple("0123456789"),
        sha256={
            TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        content_sha256="1e35582d42a90940c55b956deb61875c020b567ed20e3c5b174f52bf7809ed9b",
        system_folders=(),
        torchvision="MNIST",
        fetchers={"torchvision": partial(fetch_with_torchvision, dataset="MNIST")},
    ),
}


def load_published(
    name: str,
    *,
    folder: str | Path | None = None,
    cache: str | Path | None = None,
    download: bool = True,
    verify: bool = True,
) -> ImageData:
    """`fashion_mnist` or `mnist`, 60,000 training and 10,000 test images, wholly in memory.

    `folder`: look only here. `cache`: folder for fetched files, see `cache_folder`.
    `download=False`: never fetch. `verify=False`: with `folder`, take other data in such files.
    Errors: DataError naming the file and its fault, or every place tried with the reason.
    """
    what = PUBLISHED[name]
    if folder is not None:
        return _read_folder(what, expand(folder), verify)
    if not verify:
        raise DataError("verify=False needs data.folder=...: other places are always verified")
    reasons: list[str] = []
    found = _find(what, cache, download, reasons)
    if found is None:
        raise DataError(
            f"{what.title} not found ({'; '.join(reasons)}): name a folder with data.folder=... "
            f"holding {_file_names(what)}{what.hint}"
        )
    return found


def _file_names(what: Published) -> str:
    return ", ".join(f"{name}.gz" for name in what.sha256)


def _read_folder(what: Published, folder: Path, verify: bool = True, source: str = "") -> ImageData:
    """All four files of one folder; DataError at the first that is missing or wrong."""
    try:
        paths = {name: _locate(what, folder, name) for name in what.sha256}
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    missing = [f"{name}.gz" for name, path in paths.items() if path is None]
    if missing:
        state = f"lacks {', '.join(missing)}" if folder.is_dir() else "is no folder"
        raise _FilesMissing(f"{folder} {state}; it must hold {_file_names(what)} (or without .gz)")
    arrays = {
        name: read_idx(path, 3 if "images" in name else 1, what.sha256[name] if verify else None)
        for name, path in paths.items()
        if path
    }
    try:
        return ImageData(
            ImageSet(arrays[TRAIN_IMAGES].unsqueeze(1), arrays[TRAIN_LABELS].to(torch.int64)),
            ImageSet(arrays[TEST_IMAGES].unsqueeze(1), arrays[TEST_LABELS].to(torch.int64)),
            what.classes,
            source or str(folder),
        )
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None


def _locate(what: Published, folder: Path, name: str) -> Path | None:
    """The file in `folder` or in torchvision's layout below it, compressed or not."""
    for place in (folder, folder / what.torchvision / "raw"):
        for path in (place / f"{name}.gz", place / name):
            if path.is_file():
                return path
    return None


def _find(
    what: Published, cache: str | Path | None, download: bool, reasons: list[str]
) -> ImageData | None:
    """The data from the first place that has them right; None with every reason added."""
    for place in what.system_folders:
        if (found := _try_folder(what, place, reasons)) is not None:
            return found
    try:
        folder = cache_folder(cache, what.folder_name)
        if (found := _try_folder(what, folder, reasons)) is not None:
            return found
        if download:
            return _fetch(what, folder, reasons)
        reasons.append("download is off")
    except (DataError, OSError) as error:
        reasons.append(f"cache cannot be used: {error}")
    return None


def _try_folder(what: Published, folder: Path, reasons: list[str]) -> ImageData | None:
    """The data of `folder`, or None with a reason added; damaged files are warned about."""
    try:
        return _read_folder(what, folder)
    except _FilesMissing:
        reasons.append(f"{folder}: {'lacks files' if folder.is_dir() else 'no such folder'}")
    except DataError as error:
        reasons.append(str(error))
        warnings.warn(f"{what.title} in {folder} is not used: {error}", stacklevel=4)
    return None


def _fetch(what: Published, cache: Path, reasons: list[str]) -> ImageData | None:
    """Fill the cache from the first fetcher whose files are right; None with reasons added."""
    with held(cache):
        with contextlib.suppress(DataError):
            return _read_folder(what, cache)  # another process filled it while this one waited
        for name, fetch in what.fetchers.items():
            try:
                return _fetch_with(what, fetch, cache, name)
            except (DataError, OSError) as error:
                reasons.append(f"{name}: {error}")
    return None


def _fetch_with(what: Published, fetch: Fetcher, cache: Path, name: str) -> ImageData:
    """Fetch into a temporary folder, check there, then move the files into the cache."""
    with staging(cache) as temporary:
        fetched = fetch(temporary)
        data = _read_folder(what, fetched, source=f"{name}, kept in {cache}")
        for file_name in what.sha256:
            (fetched / f"{file_name}.gz").replace(cache / f"{file_name}.gz")
    return data
