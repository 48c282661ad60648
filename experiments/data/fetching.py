"""Fetch a published data set: torchvision's downloader, then a Debian package.

Each works silently in a folder that the caller throws away, in a process of its own: no timeout
of Python's bounds a name look-up whose packets are dropped.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.data.image_set import DataError

FETCH_LIMIT_S = 300.0
FILE_LIMIT_BYTES = 2**28
CONNECT_TIMEOUT_S = 5


class FetchError(DataError):
    """A place did not give the files; one line."""


# Arguments: class of torchvision.datasets, its attributes as JSON, timeout [s], bytes a file.
_DOWNLOAD_SCRIPT = """
import json, resource, socket, sys
from torchvision import datasets
name, attributes, timeout, limit = sys.argv[1:]
socket.setdefaulttimeout(float(timeout))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit),) * 2)
kind = getattr(datasets, name)
for key, value in json.loads(attributes).items():
    setattr(kind, key, value)
try:
    kind(".", download=True)
except Exception as error:
    sys.exit(" ".join(str(error).split()))
"""


def fetch_with_torchvision(folder: Path, dataset: str) -> Path:
    """The files of `torchvision.datasets.<dataset>`, from the first mirror that gives them."""
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:
        raise FetchError(f"torchvision cannot be imported ({error})") from error
    kind = getattr(datasets, dataset)
    attributes = json.dumps({"mirrors": kind.mirrors, "resources": kind.resources})
    limits = (str(CONNECT_TIMEOUT_S), str(FILE_LIMIT_BYTES))
    run_fetcher(
        [sys.executable, "-I", "-c", _DOWNLOAD_SCRIPT, dataset, attributes, *limits], folder
    )
    return folder / dataset / "raw"


def fetch_with_apt(folder: Path, package: str, inside: Path) -> Path:
    """The folder `inside` of a Debian package, unpacked without being installed: needs no root."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} is not on this machine")
    options = ["-o", f"Acquire::http::Timeout={CONNECT_TIMEOUT_S}", "-o", "Acquire::Retries=0"]
    try:
        run_fetcher(["apt-get", *options, "download", package], folder)
    except FetchError:
        # A fresh machine has no package lists: fetch them into this folder, not the system's.
        options += _private_lists(folder)
        run_fetcher(["apt-get", *options, "update"], folder)
        run_fetcher(["apt-get", *options, "download", package], folder)
    packages = sorted(folder.glob("*.deb"))
    if not packages:
        raise FetchError(f"apt-get left no package {package}")
    run_fetcher(["dpkg", "-x", packages[0].name, "unpacked"], folder)
    return folder / "unpacked" / inside


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


def run_fetcher(command: Sequence[str], folder: Path, limit_s: float | None = None) -> None:
    """Run `command` silently within `folder`; FetchError when it fails or does not end [s]."""
    limit_s = FETCH_LIMIT_S if limit_s is None else limit_s
    # Its own session, so that helpers it starts can be ended with it.
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise FetchError(f"not done after {limit_s:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        raise FetchError(_last_line(errors) or f"exit {process.returncode}")


def _last_line(output: bytes, longest: int = 300) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:longest] if lines else ""
