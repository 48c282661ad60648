"""Fetching: torchvision's downloader against a server of this machine, apt-get against scripts."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import http.server
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_images import FINAL_NAMES, Places, assert_is_small_set, error_of, fill, load

from experiments.data import fetching

# --- torchvision's mirrors ------------------------------------------------------------------


TORCHVISION = functools.partial(fetching.fetch_with_torchvision, dataset="FashionMNIST")


def checksums(folder: Path) -> list[tuple[str, str]]:
    return [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in folder.iterdir()]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served on this machine as torchvision's second mirror; the first one is closed."""
    from torchvision.datasets import FashionMNIST

    folder = places.root / "web"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        ports = (closed.getsockname()[1], server.server_port)
        mirrors = [f"http://127.0.0.1:{port}/" for port in ports]
        monkeypatch.setattr(FashionMNIST, "mirrors", mirrors)
        monkeypatch.setattr(FashionMNIST, "resources", checksums(fill(folder)))
        places.fetchers(web=TORCHVISION)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()


def test_mirrors_are_tried_in_turn_and_silently(
    places: Places, web: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert_is_small_set(load())
    assert places.cached_names() == FINAL_NAMES | {".lock"}
    assert capfd.readouterr() == ("", "")


def test_mirror_without_the_files_is_a_reason(places: Places, web: Path) -> None:
    for path in web.iterdir():
        path.unlink()
    message = error_of(load)
    assert "Connection refused" in message
    assert "404" in message
    assert places.cached_names() == {".lock"}


def test_mirror_that_sends_too_much_is_left(
    places: Places, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FILE_LIMIT_BYTES", 10_000)
    assert "File too large" in error_of(load)
    assert places.cached_names() == {".lock"}


def test_a_file_with_another_checksum_is_refused(places: Places, web: Path) -> None:
    next(web.iterdir()).write_bytes(b"<html>please log in</html>")
    assert "corrupted" in error_of(load)
    assert places.cached_names() == {".lock"}


def test_mirror_that_never_answers_is_left(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(fetching, "CONNECT_TIMEOUT_S", 0.2)
    places.fetchers(web=TORCHVISION)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(FashionMNIST, "mirrors", [address])
        assert "timed out" in error_of(load)


def test_machine_without_torchvision(places: Places) -> None:
    places.patch.setitem(sys.modules, "torchvision", None)
    places.fetchers(web=TORCHVISION)
    assert "torchvision cannot be imported" in error_of(load)


def can_be_locked(path: Path, within_s: float) -> bool:
    """False while any process that holds the lock of `path` still lives."""
    deadline = time.monotonic() + within_s
    with path.open() as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                time.sleep(0.05)
    return False


def test_stalled_command_ends_with_its_helpers(tmp_path: Path) -> None:
    script = """
import fcntl, subprocess, sys
file = open("held", "w")
fcntl.flock(file, fcntl.LOCK_EX)
command = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.run(command, pass_fds=[file.fileno()])
"""
    (tmp_path / "held").touch()
    command = [sys.executable, "-c", script]
    message = error_of(lambda: fetching.run_fetcher(command, tmp_path, limit_s=2.0))
    assert message == "not done after 2 s"
    assert can_be_locked(tmp_path / "held", within_s=10)


# --- apt-get --------------------------------------------------------------------------------


@pytest.fixture
def tools(places: Places) -> Callable[[str, str], None]:
    """Put a Python script as a command onto an otherwise empty PATH."""
    folder = places.root / "bin"
    folder.mkdir()
    places.patch.setenv("PATH", str(folder))
    apt = functools.partial(fetching.fetch_with_apt, package="dataset-fashion-mnist", inside=INSIDE)
    places.fetchers(apt=apt)

    def add(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!{sys.executable} -I\nimport shutil, sys\n{script}\n")
        path.chmod(0o755)

    return add


INSIDE = Path("usr/share/somewhere")

DOWNLOADS = "assert sys.argv[-2:] == ['download', 'dataset-fashion-mnist']; open('it.deb', 'w')"


def test_package_is_fetched_and_unpacked(places: Places, tools: Callable[[str, str], None]) -> None:
    payload = fill(places.root / "payload")
    unpacked = f"sys.argv[3] + '/{INSIDE}'"
    tools("apt-get", DOWNLOADS)
    tools(
        "dpkg",
        f"assert sys.argv[1:3] == ['-x', 'it.deb']\nshutil.copytree({str(payload)!r}, {unpacked})",
    )
    assert_is_small_set(load())
    assert places.cached_names() == FINAL_NAMES | {".lock"}


def test_missing_package_lists_are_fetched_for_this_once(
    places: Places, tools: Callable[[str, str], None]
) -> None:
    """A fresh machine knows no package: `update` into a private folder, then once more."""
    payload = fill(places.root / "payload")
    tools(
        "apt-get",
        "import pathlib\nlists = [a.split('=')[1] for a in sys.argv if 'Dir::State::lists' in a]\n"
        "assert not lists or pathlib.Path(lists[0]).is_relative_to(pathlib.Path.cwd())\n"
        "if sys.argv[-1] == 'update': pathlib.Path(lists[0], 'fetched').touch(); sys.exit()\n"
        "if not lists or not pathlib.Path(lists[0], 'fetched').exists(): sys.exit('E: no lists')\n"
        f"{DOWNLOADS}",
    )
    tools("dpkg", f"shutil.copytree({str(payload)!r}, sys.argv[3] + '/{INSIDE}')")
    assert_is_small_set(load())
    assert places.cached_names() == FINAL_NAMES | {".lock"}


def test_missing_tool_is_named(places: Places, tools: Callable[[str, str], None]) -> None:
    assert "apt: apt-get is not on this machine" in error_of(load)
    tools("apt-get", DOWNLOADS)
    assert "apt: dpkg is not on this machine" in error_of(load)


@pytest.mark.parametrize(
    ("apt", "dpkg", "reason"),
    [
        ("sys.exit('W: first\\nE: Unable to locate package')", "", "E: Unable to locate package"),
        ("sys.exit(7)", "", "exit 7"),
        ("", "", "apt-get left no package"),
        (DOWNLOADS, "sys.exit('not a Debian archive')", "not a Debian archive"),
        (DOWNLOADS, "", "is no folder"),
    ],
)
def test_failure_of_a_tool_is_a_reason(
    places: Places, tools: Callable[[str, str], None], apt: str, dpkg: str, reason: str
) -> None:
    tools("apt-get", apt)
    tools("dpkg", dpkg)
    assert reason in error_of(load)
    assert places.cached_names() == {".lock"}
