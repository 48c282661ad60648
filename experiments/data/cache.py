"""The cache of fetched files: filled by one process at a time, a file only ever whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from device_models.files import open_lock
from experiments.data.image_set import DataError


def expand(path: str | Path) -> Path:
    """The path with ~ as the home folder. Errors: DataError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"{path}: {error}") from error


def cache_folder(cache: str | Path | None, name: str) -> Path:
    """Folder of the data set `name` in `cache`.

    None: $FIELDCROSSBAR_CACHE, else $XDG_CACHE_HOME/fieldcrossbar, else ~/.cache/fieldcrossbar.
    """
    base = cache or os.environ.get("FIELDCROSSBAR_CACHE")
    if not base:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "fieldcrossbar"
    return expand(base).absolute() / name


@contextlib.contextmanager
def held(cache: Path) -> Iterator[None]:
    """Hold the cache against other processes, without leftovers of killed ones.

    The kernel frees the lock of a killed process, so it never has to be removed by hand. Where
    the file system knows no locks, several may fetch at once: each moves whole files in.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with open_lock(cache / ".lock") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
            for folder in cache.glob(".fetch-*"):
                shutil.rmtree(folder, ignore_errors=True)
        yield


@contextlib.contextmanager
def staging(cache: Path) -> Iterator[Path]:
    """A folder within the cache, on one disk with it, that goes whatever happens."""
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        yield Path(folder)
