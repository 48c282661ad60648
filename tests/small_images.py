"""Published sets in small: files that fit a table of checksums, and places to look for them."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from experiments.data import DataError, ImageData, load_published, published
from experiments.data.published import (
    PUBLISHED,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
)

N_TRAIN, N_TEST = 40, 20


def idx(shape: tuple[int, ...], values: bytes) -> bytes:
    """An idx file."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + values


def _contents() -> dict[str, bytes]:
    """40 and 20 random images and their labels."""
    generator = torch.Generator().manual_seed(0)
    contents = {}
    for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
        n = N_TRAIN if name.startswith("train") else N_TEST
        shape: tuple[int, ...] = (n, 28, 28) if "images" in name else (n,)
        values = torch.arange(n) % 10
        if len(shape) == 3:
            values = torch.randint(0, 256, shape, generator=generator)
        contents[name] = idx(shape, bytes(values.flatten().tolist()))
    return contents


CONTENTS = _contents()
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
FINAL_NAMES = {f"{name}.gz" for name in CONTENTS}


def fill(folder: Path, compressed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


@dataclass
class Places:
    """The places that `load` looks at, all empty and within a temporary folder."""

    root: Path
    system: Path
    cache: Path
    fetched_by: list[str]
    patch: pytest.MonkeyPatch

    def fetchers(self, **fetchers: Callable[[Path], Path]) -> None:
        what = replace(published.PUBLISHED["fashion_mnist"], fetchers=fetchers)
        self.patch.setitem(published.PUBLISHED, "fashion_mnist", what)

    def fetcher(self, name: str, fails: str = "") -> Callable[[Path], Path]:
        def fetch_here(folder: Path) -> Path:
            self.fetched_by.append(name)
            if fails:
                (folder / f"{TRAIN_IMAGES}.gz").write_bytes(b"half")
                raise DataError(fails)
            return fill(folder / "inner")

        return fetch_here

    def cached_names(self) -> set[str]:
        return {path.name for path in self.cache.iterdir()} if self.cache.exists() else set()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    small = replace(
        PUBLISHED["fashion_mnist"],
        sha256=SHA256,
        system_folders=(tmp_path / "system",),
        fetchers={},
    )
    monkeypatch.setitem(published.PUBLISHED, "fashion_mnist", small)
    monkeypatch.setenv("FIELDCROSSBAR_CACHE", str(tmp_path / "cache"))
    return Places(
        tmp_path, tmp_path / "system", tmp_path / "cache" / "fashion-mnist", [], monkeypatch
    )


def load(folder: str | Path | None = None, **choices: object) -> ImageData:
    return load_published("fashion_mnist", folder=folder, **choices)


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def assert_is_small_set(loaded: ImageData) -> None:
    for part, images, labels in (
        (loaded.train, TRAIN_IMAGES, TRAIN_LABELS),
        (loaded.test, TEST_IMAGES, TEST_LABELS),
    ):
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.images.shape == (len(part), 1, 28, 28)
        assert bytes(part.images.flatten().tolist()) == CONTENTS[images][16:]
        assert bytes(part.labels.tolist()) == CONTENTS[labels][8:]
