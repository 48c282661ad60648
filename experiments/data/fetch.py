"""Fetch Fashion-MNIST onto this machine: torchvision's mirrors, then the Debian package.

Both are tried with short time limits, silently, in a folder that the caller throws away.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from device_models.errors import FieldCrossbarError

PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("usr/share/datasets/fashion-mnist")

FETCH_LIMIT_S = 600.0
FETCH_LIMIT_BYTES = 2**28
CONNECT_TIMEOUT_S = 5
MIRROR_STALL_S = 8.0
APT_STALL_S = 20.0


class FetchError(FieldCrossbarError, RuntimeError):
    """A place did not give the files; one line."""


# Run by a fresh interpreter: arguments are the timeout [s], then pairs of address and file.
_DOWNLOAD_SCRIPT = """
import shutil, sys, urllib.request
for url, name in zip(sys.argv[2::2], sys.argv[3::2]):
    with urllib.request.urlopen(url, timeout=float(sys.argv[1])) as reply, open(name, "wb") as out:
        shutil.copyfileobj(reply, out)
"""


def fetch_from_mirrors(folder: Path, names: Sequence[str]) -> Path:
    """The .gz files of `names` from the first of torchvision's mirrors that gives them all."""
    try:
        from torchvision.datasets import FashionMNIST as Published
    except (ImportError, RuntimeError) as error:
        raise FetchError(f"torchvision cannot be imported ({error})") from error
    reasons = []
    for mirror in Published.mirrors:
        pairs = [part for name in names for part in (f"{mirror}{name}.gz", f"{name}.gz")]
        # Another process: no timeout of Python's bounds a name look-up whose packets are dropped.
        command = [sys.executable, "-I", "-c", _DOWNLOAD_SCRIPT, str(CONNECT_TIMEOUT_S), *pairs]
        try:
            _run(command, folder, MIRROR_STALL_S)
            return folder
        except FetchError as error:
            reasons.append(str(error))
    raise FetchError(", ".join(reasons))


def fetch_with_apt(folder: Path, names: Sequence[str]) -> Path:
    """The package's files, downloaded and unpacked without being installed: needs no root."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} is not on this machine")
    options = ["-o", f"Acquire::http::Timeout={CONNECT_TIMEOUT_S}", "-o", "Acquire::Retries=0"]
    try:
        _run(["apt-get", *options, "download", PACKAGE], folder, APT_STALL_S)
    except FetchError:
        # A fresh machine has no package lists: fetch them into this folder, not the system's.
        options += _private_lists(folder)
        _run(["apt-get", *options, "update"], folder, APT_STALL_S)
        _run(["apt-get", *options, "download", PACKAGE], folder, APT_STALL_S)
    packages = sorted(folder.glob("*.deb"))
    if not packages:
        raise FetchError(f"apt-get left no package {PACKAGE}")
    _run(["dpkg", "-x", packages[0].name, "unpacked"], folder, APT_STALL_S)
    return folder / "unpacked" / PACKAGE_FOLDER


def _private_lists(folder: Path) -> list[str]:
    """apt-get options that keep its package lists below `folder`."""
    lists, cache = folder / "apt" / "lists", folder / "apt" / "cache"
    for needed in (lists / "partial", cache / "archives" / "partial"):
        needed.mkdir(parents=True)
    return [
        *("-o", f"Dir::State::lists={lists}"),
        *("-o", f"Dir::Cache={cache}"),
        *("-o", f"APT::Sandbox::User={getpass.getuser()}"),
    ]


Fetcher = Callable[[Path, Sequence[str]], Path]
"""Puts the .gz files of the names below a folder and returns where; raises FetchError."""

FETCHERS: dict[str, Fetcher] = {
    "torchvision's mirrors": fetch_from_mirrors,
    f"apt-get download {PACKAGE}": fetch_with_apt,
}


def _run(command: Sequence[str], folder: Path, stall_s: float) -> None:
    """Run `command` silently within `folder`; FetchError when it fails or stops making progress."""
    with tempfile.TemporaryFile() as errors:
        # Its own session, so that helpers it starts can be ended with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _watch(process, folder, stall_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            errors.seek(0)
            raise FetchError(_last_line(errors.read(2**16)) or f"exit {process.returncode}")


def _watch(process: subprocess.Popen[bytes], folder: Path, stall_s: float) -> None:
    """Wait for the end; FetchError when `folder` has not grown for `stall_s` or grows too far."""
    start = last_growth = time.monotonic()
    size = 0
    while process.poll() is None:
        time.sleep(0.05)
        now, new_size = time.monotonic(), _folder_bytes(folder)
        if new_size > size:
            size, last_growth = new_size, now
        if now - last_growth > stall_s:
            raise FetchError(f"nothing arrived for {stall_s:g} s")
        if now - start > FETCH_LIMIT_S:
            raise FetchError(f"not done after {FETCH_LIMIT_S:g} s")
        if size > FETCH_LIMIT_BYTES:
            raise FetchError(f"sent more than {FETCH_LIMIT_BYTES} bytes")


def _folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`; files may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _last_line(output: bytes, longest: int = 160) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:longest] if lines else ""
