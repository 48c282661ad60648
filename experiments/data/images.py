"""Fashion-MNIST as tensors in memory: found on this machine or fetched, and checked before use.

Places tried, in this order: the Debian package's folder, the cache, torchvision's mirrors and
`apt-get download`; a folder named by the user replaces them all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from device_models.errors import FieldCrossbarError
from device_models.files import open_lock
from experiments.data.fetch import FETCHERS, PACKAGE, PACKAGE_FOLDER, Fetcher, FetchError

PIXELS = 28
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SYSTEM_FOLDER = Path("/") / PACKAGE_FOLDER


class DataError(FieldCrossbarError, RuntimeError):
    """The data set is missing, damaged or asked for wrongly; the message is always one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class _FilesMissing(DataError):
    """A place does not hold the four files: not worth a warning, unlike a damaged file."""


@dataclass(frozen=True)
class IdxFile:
    """What one idx file must be: `shape` of its array, `sha256` of its decompressed bytes."""

    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """Magic number (0, 0, 8 = unsigned byte, dimensions), then the big-endian sizes."""
        return struct.pack(f">4B{len(self.shape)}I", 0, 0, 8, len(self.shape), *self.shape)

    @property
    def n_bytes(self) -> int:
        return len(self.header) + torch.Size(self.shape).numel()


TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

FILES = {
    TRAIN_IMAGES: IdxFile(
        (60_000, PIXELS, PIXELS),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    TRAIN_LABELS: IdxFile(
        (60_000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    TEST_IMAGES: IdxFile(
        (10_000, PIXELS, PIXELS),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    TEST_LABELS: IdxFile(
        (10_000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}


# eq=False: comparing tensors with == gives no truth value.
@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their classes: `images` uint8, n x 1 x 28 x 28 [0..255]; `labels` int64, n."""

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(f"{len(self.images)} images with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Both parts of the data set, the place they were read from, the names of the classes 0..9."""

    train: ImageSet
    test: ImageSet
    source: str
    classes: tuple[str, ...] = CLASSES

    @property
    def sha256(self) -> str:
        """Hash of all images and labels, in their order."""
        digest = hashlib.sha256()
        for tensor in (self.train.images, self.train.labels, self.test.images, self.test.labels):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


# --- the public functions -------------------------------------------------------------------


def load_fashion_mnist(
    folder: str | Path | None = None,
    *,
    cache: str | Path | None = None,
    download: bool = True,
    verify: bool = True,
) -> FashionMNIST:
    """Fashion-MNIST, 60,000 training and 10,000 test images, wholly in memory.

    `folder`: look only here. `cache`: folder instead of $FIELDCROSSBAR_CACHE, else
    $XDG_CACHE_HOME/fieldcrossbar, else ~/.cache/fieldcrossbar. `download=False`: never fetch.
    `verify=False`: with `folder`, take other data of the same shape.
    Errors: DataError naming the file and its fault, or every place tried with the reason.
    """
    if folder is not None:
        return _read_folder(_expand(folder), verify)
    if not verify:
        raise DataError("verify=False needs data.folder=...: other places are always verified")
    reasons: list[str] = []
    found = _find(cache, download, reasons)
    if found is None:
        raise DataError(
            f"Fashion-MNIST not found ({'; '.join(reasons)}): name a folder with data.folder=... "
            f"holding {_file_names()}, or install the Debian package {PACKAGE}"
        )
    return found


def normalise(images: Tensor) -> Tensor:
    """Pixels as ToTensor and Normalize((0.5,), (0.5,)) give them: uint8 -> float32 [-1..1].

    Any shape. Errors: DataError when `images` is not uint8 (already normalised).
    """
    if images.dtype != torch.uint8:
        raise DataError(f"normalise takes uint8 images, got {images.dtype}")
    return images.to(torch.float32).div_(127.5).sub_(1.0)


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


# --- choosing images ------------------------------------------------------------------------


def _check_count(name: str, n: int, largest: int) -> None:
    if not isinstance(n, int) or not 1 <= n <= largest:
        raise DataError(f"{name} = {n!r} must be a whole number from 1 to {largest}")


def _balanced_order(labels: Tensor, seed: int) -> Tensor:
    """Indices of all images, shuffled, such that every head of the list is class-balanced."""
    labels = labels.cpu()
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    rank_in_class = torch.empty_like(labels)
    for label in labels.unique():
        members = labels[shuffled] == label
        rank_in_class[members] = torch.arange(int(members.sum()))
    return shuffled[rank_in_class.argsort(stable=True)]


def _take(images: ImageSet, indices: Tensor) -> ImageSet:
    indices = indices.sort().values.to(images.labels.device)
    return ImageSet(images.images[indices], images.labels[indices])


# --- reading and checking files -------------------------------------------------------------


def _file_names() -> str:
    return ", ".join(f"{name}.gz" for name in FILES)


def _expand(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"{path}: {error}") from error


def _read_folder(folder: Path, verify: bool = True, source: str = "") -> FashionMNIST:
    """All four files of one folder; DataError at the first that is missing or wrong."""
    try:
        paths = {name: _locate(folder, name) for name in FILES}
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    missing = [f"{name}.gz" for name, path in paths.items() if path is None]
    if missing:
        state = f"lacks {', '.join(missing)}" if folder.is_dir() else "is no folder"
        raise _FilesMissing(f"{folder} {state}; it must hold {_file_names()} (or without .gz)")
    arrays = {name: _read_idx(path, FILES[name], verify) for name, path in paths.items() if path}
    return FashionMNIST(
        train=_image_set(arrays[TRAIN_IMAGES], arrays[TRAIN_LABELS]),
        test=_image_set(arrays[TEST_IMAGES], arrays[TEST_LABELS]),
        source=source or str(folder),
    )


def _image_set(images: Tensor, labels: Tensor) -> ImageSet:
    return ImageSet(images.unsqueeze(1), labels.to(torch.int64))


def _locate(folder: Path, name: str) -> Path | None:
    """The file in `folder` or in torchvision's layout below it, compressed or not."""
    for place in (folder, folder / "FashionMNIST" / "raw"):
        for path in (place / f"{name}.gz", place / name):
            if path.is_file():
                return path
    return None


def _read_idx(path: Path, expected: IdxFile, verify: bool) -> Tensor:
    """The uint8 array of one idx file, checked against `expected`; DataError names the fault."""
    try:
        content = _read_bytes(path, expected.n_bytes)
        _check_idx(content, expected, verify)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    # A bytearray, as torch warns about tensors over memory that cannot be written.
    flat = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=len(expected.header))
    return flat.reshape(expected.shape)


def _read_bytes(path: Path, n_bytes: int) -> bytes:
    """The content, decompressed; holds at most one byte more than `n_bytes`."""
    if path.suffix != ".gz":
        with path.open("rb") as file:
            return file.read(n_bytes + 1)
    # gzip adds well under 1 % to what it cannot compress.
    limit = n_bytes + n_bytes // 100 + 1024
    with path.open("rb") as file:
        packed = file.read(limit + 1)
    if len(packed) > limit:
        raise DataError(f"too long: over {limit} bytes for {n_bytes} decompressed ones")
    return _gunzip(packed, n_bytes)


def _gunzip(packed: bytes, n_bytes: int) -> bytes:
    """One gzip stream with its checksum; inflates at most one byte more than `n_bytes`."""
    if packed[:2] != b"\x1f\x8b":
        raise DataError("not a gzip file" if packed else "truncated: an empty file")
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = stream.decompress(packed, n_bytes + 1)
    except zlib.error as error:
        raise DataError(f"damaged gzip file ({error})") from error
    if len(content) <= n_bytes and not stream.eof:
        raise DataError(f"truncated: its gzip stream breaks off after {len(content)} bytes")
    if stream.unused_data:
        raise DataError(f"{len(stream.unused_data)} bytes too many after its gzip stream")
    return content


def _check_idx(content: bytes, expected: IdxFile, verify: bool) -> None:
    header = expected.header
    if len(content) < len(header):
        raise DataError("truncated: it ends within its header")
    if content[:4] != header[:4]:
        raise DataError(f"wrong magic number {content[:4].hex()}, expected {header[:4].hex()}")
    shape = struct.unpack_from(f">{len(expected.shape)}I", content, 4)
    if shape != expected.shape:
        raise DataError(f"holds {_by(shape)} values, expected {_by(expected.shape)}")
    if len(content) < expected.n_bytes:
        raise DataError(f"truncated: {len(content)} of {expected.n_bytes} bytes")
    if len(content) > expected.n_bytes:
        raise DataError(f"longer than its {expected.n_bytes} bytes")
    if len(expected.shape) == 1 and max(content[len(header) :]) >= len(CLASSES):
        raise DataError(f"label {max(content[len(header) :])} out of range 0..{len(CLASSES) - 1}")
    if verify and hashlib.sha256(content).hexdigest() != expected.sha256:
        raise DataError(
            "wrong checksum: not the published Fashion-MNIST (verify=False takes other data)"
        )


def _by(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


# --- the places, in their order -------------------------------------------------------------


def _try_folder(folder: Path, reasons: list[str]) -> FashionMNIST | None:
    """The data of `folder`, or None with a reason added; damaged files are warned about."""
    try:
        return _read_folder(folder)
    except _FilesMissing:
        reasons.append(f"{folder}: {'lacks files' if folder.is_dir() else 'no such folder'}")
    except DataError as error:
        reasons.append(str(error))
        warnings.warn(f"Fashion-MNIST in {folder} is not used: {error}", stacklevel=4)
    return None


def _cache_folder(cache: str | Path | None) -> Path:
    base = cache or os.environ.get("FIELDCROSSBAR_CACHE")
    if not base:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "fieldcrossbar"
    return _expand(base).absolute() / "fashion-mnist"


def _find(cache: str | Path | None, download: bool, reasons: list[str]) -> FashionMNIST | None:
    """The data from the first place that has them right; None with every reason added."""
    try:
        found = _try_folder(SYSTEM_FOLDER, reasons)
        if found is None:
            cache_folder = _cache_folder(cache)
            found = _try_folder(cache_folder, reasons)
        if found is None and download:
            found = _fetch(cache_folder, reasons)
        elif found is None:
            reasons.append("download is off")
        return found
    except (DataError, OSError) as error:
        reasons.append(f"cache cannot be used: {error}")
        return None


def _fetch(cache: Path, reasons: list[str]) -> FashionMNIST | None:
    """Fill the cache from the first fetcher whose files are right; None with reasons added."""
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache) as alone:
        with contextlib.suppress(DataError):
            return _read_folder(cache)  # another process filled it while this one waited
        if alone:
            _remove_leftovers(cache)
        for name, fetch in FETCHERS.items():
            try:
                return _fetch_with(fetch, cache, name)
            except (DataError, FetchError, OSError) as error:
                reasons.append(f"{name}: {error}")
    return None


def _fetch_with(fetch: Fetcher, cache: Path, name: str) -> FashionMNIST:
    """Fetch into a temporary folder, check there, then move the files into the cache."""
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temporary:
        fetched = fetch(Path(temporary), tuple(FILES))
        data = _read_folder(fetched, source=f"{name}, kept in {cache}")
        for file_name in FILES:
            (fetched / f"{file_name}.gz").replace(cache / f"{file_name}.gz")
    return data


@contextlib.contextmanager
def _locked(cache: Path) -> Iterator[bool]:
    """Hold the cache against other processes; False where the file system knows no locks.

    The kernel frees the lock of a killed process, so it never has to be removed by hand.
    """
    with open_lock(cache / ".lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True


def _remove_leftovers(cache: Path) -> None:
    """Temporary folders of killed processes; call with the lock held, so none is in use."""
    for folder in cache.glob(".fetch-*"):
        shutil.rmtree(folder, ignore_errors=True)
