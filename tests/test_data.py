"""Fashion-MNIST: damaged files, the order of places, fetching, balanced choice of images."""

from __future__ import annotations

import errno
import fcntl
import functools
import gzip
import hashlib
import http.server
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.data import fetch
from experiments.data import images as data
from experiments.data.fetch import FetchError
from experiments.data.images import DataError, IdxFile, ImageSet, load_fashion_mnist

N_TRAIN, N_TEST = 40, 20


def small_files() -> tuple[dict[str, IdxFile], dict[str, bytes]]:
    """A table like `data.FILES` for 40 and 20 random images, and the contents that fit it."""
    generator = torch.Generator().manual_seed(0)
    table, contents = {}, {}
    for name, original in data.FILES.items():
        shape = (N_TRAIN if name.startswith("train") else N_TEST, *original.shape[1:])
        if len(shape) == 1:
            values = torch.arange(shape[0]) % 10
        else:
            values = torch.randint(0, 256, shape, generator=generator)
        content = IdxFile(shape, "").header + bytes(values.flatten().tolist())
        table[name] = IdxFile(shape, hashlib.sha256(content).hexdigest())
        contents[name] = content
    return table, contents


TABLE, CONTENTS = small_files()


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
    """The places that `load_fashion_mnist` looks at, all empty and within a temporary folder."""

    root: Path
    system: Path
    cache: Path
    fetched_by: list[str]

    def fetcher(self, name: str, fails: str = "") -> Callable[[Path], Path]:
        def fetch_here(folder: Path, _names: object = ()) -> Path:
            self.fetched_by.append(name)
            if fails:
                (folder / f"{data.TRAIN_IMAGES}.gz").write_bytes(b"half")
                raise DataError(fails)
            return fill(folder / "inner")

        return fetch_here

    def cached_names(self) -> set[str]:
        return {path.name for path in self.cache.iterdir()} if self.cache.exists() else set()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(data, "FILES", TABLE)
    monkeypatch.setattr(data, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(data, "FETCHERS", {})
    monkeypatch.setenv("FIELDCROSSBAR_CACHE", str(tmp_path / "cache"))
    return Places(tmp_path, tmp_path / "system", tmp_path / "cache" / "fashion-mnist", [])


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises((DataError, FetchError)) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def assert_is_small_set(loaded: data.FashionMNIST) -> None:
    for part, images, labels in (
        (loaded.train, data.TRAIN_IMAGES, data.TRAIN_LABELS),
        (loaded.test, data.TEST_IMAGES, data.TEST_LABELS),
    ):
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.images.shape == (len(part), 1, 28, 28)
        assert bytes(part.images.flatten().tolist()) == CONTENTS[images][16:]
        assert bytes(part.labels.tolist()) == CONTENTS[labels][8:]


FINAL_NAMES = {f"{name}.gz" for name in TABLE}


# --- a named folder -------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_named_folder_is_read_in_every_layout(
    places: Places, compressed: bool, layout: str
) -> None:
    fill(places.root / "mine" / layout, compressed)
    loaded = load_fashion_mnist(places.root / "mine")
    assert_is_small_set(loaded)
    assert loaded.source == str(places.root / "mine")
    assert loaded.classes[9] == "Ankle boot"
    assert len(loaded.classes) == 10


def test_named_folder_replaces_all_other_places(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(places.system)
    fill(places.cache)
    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web")})
    message = error_of(lambda: load_fashion_mnist(places.root / "nowhere"))
    assert str(places.root / "nowhere") in message
    assert all(f"{name}.gz" in message for name in TABLE)
    assert places.fetched_by == []


def test_missing_file_is_named(places: Places) -> None:
    folder = fill(places.root / "mine")
    (folder / f"{data.TEST_LABELS}.gz").unlink()
    message = error_of(lambda: load_fashion_mnist(folder))
    assert f"{folder} lacks {data.TEST_LABELS}.gz;" in message


def test_tilde_is_the_home_folder(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(places.root))
    fill(places.root / "mine")
    assert_is_small_set(load_fashion_mnist("~/mine"))


def test_error_is_one_line_for_a_folder_name_of_two(places: Places) -> None:
    assert "two lines" in error_of(lambda: load_fashion_mnist(places.root / "two\nlines"))


def test_other_data_of_the_same_shape_needs_verify_false(places: Places) -> None:
    folder = fill(places.root / "mine")
    content = bytearray(CONTENTS[data.TEST_IMAGES])
    content[-1] ^= 255
    (folder / f"{data.TEST_IMAGES}.gz").write_bytes(gzip.compress(content))
    message = error_of(lambda: load_fashion_mnist(folder))
    assert f"{data.TEST_IMAGES}.gz: wrong checksum" in message
    loaded = load_fashion_mnist(folder, verify=False)
    assert loaded.test.images.flatten()[-1] == content[-1]


def test_verify_false_is_refused_without_a_folder(places: Places) -> None:
    fill(places.system)
    assert "data.folder" in error_of(lambda: load_fashion_mnist(verify=False))


# --- damaged files --------------------------------------------------------------------------

LABELS, IMAGES = data.TRAIN_LABELS, data.TRAIN_IMAGES


def with_bytes(name: str, at: int, new: bytes) -> bytes:
    content = CONTENTS[name]
    return content[:at] + new + content[at + len(new) :]


DAMAGED = {
    "not gzip": (IMAGES, b"<html>", "not a gzip file"),
    "empty": (IMAGES, b"", "truncated: an empty file"),
    "gzip cut": (IMAGES, gzip.compress(CONTENTS[IMAGES])[:-9], "truncated: its gzip stream"),
    "gzip checksum": (LABELS, gzip.compress(CONTENTS[LABELS])[:-8] + bytes(8), "damaged gzip"),
    "second stream": (LABELS, gzip.compress(CONTENTS[LABELS]) * 2, "bytes too many after"),
    "padded": (LABELS, gzip.compress(CONTENTS[LABELS]) + bytes(9000), "too long: over"),
    "header cut": (LABELS, gzip.compress(CONTENTS[LABELS][:7]), "truncated: it ends within"),
    "content cut": (LABELS, gzip.compress(CONTENTS[LABELS][:-1]), "truncated: 47 of 48 bytes"),
    "one too many": (LABELS, gzip.compress(CONTENTS[LABELS] + b"\0"), "longer than its 48 bytes"),
    "magic": (LABELS, gzip.compress(with_bytes(LABELS, 2, b"\x09")), "wrong magic number 00000901"),
    "labels for images": (IMAGES, gzip.compress(CONTENTS[LABELS]), "wrong magic number 00000801"),
    "test for train": (
        IMAGES,
        gzip.compress(CONTENTS[data.TEST_IMAGES]),
        "holds 20 x 28 x 28 values, expected 40 x 28 x 28",
    ),
    "27 rows": (IMAGES, gzip.compress(with_bytes(IMAGES, 11, b"\x1b")), "holds 40 x 27 x 28"),
    "label 10": (LABELS, gzip.compress(with_bytes(LABELS, 9, b"\x0a")), "label 10 out of range"),
    "label swapped": (LABELS, gzip.compress(with_bytes(LABELS, 9, b"\x00")), "wrong checksum"),
}


@pytest.mark.parametrize(("name", "content", "fault"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_file_is_named_with_its_fault(
    places: Places, name: str, content: bytes, fault: str
) -> None:
    path = fill(places.root / "mine") / f"{name}.gz"
    path.write_bytes(content)
    message = error_of(lambda: load_fashion_mnist(path.parent))
    assert message.startswith(f"{path}: ")
    assert fault in message


@pytest.mark.parametrize("fault", ["wrong magic", "wrong count", "label 10", "cut", "too long"])
def test_verify_false_still_checks_the_format(places: Places, fault: str) -> None:
    content = {
        "wrong magic": with_bytes(LABELS, 2, b"\x09"),
        "wrong count": with_bytes(LABELS, 7, b"\x29"),
        "label 10": with_bytes(LABELS, 9, b"\x0a"),
        "cut": CONTENTS[LABELS][:-1],
        "too long": CONTENTS[LABELS] + b"\0",
    }[fault]
    folder = fill(places.root / "mine", compressed=False)
    (folder / LABELS).write_bytes(content)
    assert LABELS in error_of(lambda: load_fashion_mnist(folder, verify=False))


def test_unreadable_file_is_named(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    folder = fill(places.root / "mine")
    monkeypatch.setattr(data.Path, "open", refuse)
    message = error_of(lambda: load_fashion_mnist(folder))
    assert message == f"{folder / data.TRAIN_IMAGES}.gz: Permission denied"


def test_folder_that_may_not_be_entered(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(data.Path, "is_file", refuse)
    message = error_of(lambda: load_fashion_mnist(places.root / "mine"))
    assert message == f"{places.root / 'mine'}: Permission denied"


def is_still_gzip_of(packed: bytes, content: bytes) -> bool:
    try:
        return gzip.decompress(packed) == content
    except (OSError, EOFError, zlib.error):
        return False


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 10**6), change=st.integers(1, 255), packed=st.booleans())
def test_a_changed_byte_is_never_read_as_data(position: int, change: int, packed: bool) -> None:
    original = gzip.compress(CONTENTS[LABELS]) if packed else CONTENTS[LABELS]
    content = bytearray(original)
    content[position % len(content)] ^= change
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("labels.gz" if packed else "labels")
        path.write_bytes(content)
        read = functools.partial(data._read_idx, path, TABLE[LABELS], verify=True)
        # A few bits of a gzip file say nothing: its time stamp, the padding of the last byte.
        if packed and is_still_gzip_of(bytes(content), CONTENTS[LABELS]):
            assert bytes(read().tolist()) == CONTENTS[LABELS][8:]
        else:
            assert error_of(read).startswith(f"{path}: ")


def test_bomb_is_not_inflated(tmp_path: Path) -> None:
    expected = IdxFile((1_000_000,), "")
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(expected.header) + packer.compress(bytes(2**26)) + packer.flush()
    assert len(packed) < expected.n_bytes
    path = tmp_path / "bomb.gz"
    path.write_bytes(packed)
    tracemalloc.start()
    try:
        message = error_of(lambda: data._read_idx(path, expected, verify=False))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "longer than its 1000008 bytes" in message
    assert peak < 2**23


# --- the order of places --------------------------------------------------------------------


def test_places_are_tried_in_order(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    fetchers = {
        "broken": places.fetcher("broken", fails="no route"),
        "web": places.fetcher("web"),
        "last": places.fetcher("last"),
    }
    monkeypatch.setattr(data, "FETCHERS", fetchers)
    first = load_fashion_mnist()
    assert_is_small_set(first)
    assert first.source == f"web, kept in {places.cache}"
    assert places.fetched_by == ["broken", "web"]
    assert places.cached_names() == FINAL_NAMES | {".lock"}

    assert load_fashion_mnist(download=False).source == str(places.cache)
    fill(places.system)
    assert load_fashion_mnist().source == str(places.system)
    assert places.fetched_by == ["broken", "web"]


def test_nothing_reachable_is_one_line_with_every_reason(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetchers = {
        "web": places.fetcher("web", fails="no route"),
        "package": places.fetcher("package", fails="none\nfound"),
    }
    monkeypatch.setattr(data, "FETCHERS", fetchers)
    message = error_of(load_fashion_mnist)
    for part in (
        f"{places.system}: no such folder",
        f"{places.cache}: no such folder",
        "web: no route",
        "package: none found",
        "data.folder=",
        "dataset-fashion-mnist",
        *FINAL_NAMES,
    ):
        assert part in message
    assert places.cached_names() == {".lock"}


def test_download_false_fetches_and_writes_nothing(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web")})
    assert "download is off" in error_of(lambda: load_fashion_mnist(download=False))
    assert places.fetched_by == []
    assert not places.cache.exists()


@pytest.mark.parametrize(
    ("argument", "variables", "expected"),
    [
        ("arg", {"FIELDCROSSBAR_CACHE": "own", "XDG_CACHE_HOME": "xdg"}, "arg"),
        (None, {"FIELDCROSSBAR_CACHE": "own", "XDG_CACHE_HOME": "xdg"}, "own"),
        (None, {"FIELDCROSSBAR_CACHE": "", "XDG_CACHE_HOME": "xdg"}, "xdg/fieldcrossbar"),
        (None, {"XDG_CACHE_HOME": ""}, "home/.cache/fieldcrossbar"),
    ],
)
def test_cache_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    variables: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIELDCROSSBAR_CACHE", raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert data._cache_folder(argument) == tmp_path / expected / "fashion-mnist"


def test_machine_without_a_home_folder(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError("no home folder")

    monkeypatch.setattr(data.Path, "expanduser", homeless)
    assert "cache cannot be used: " in error_of(load_fashion_mnist)
    fill(places.system)
    assert_is_small_set(load_fashion_mnist())


def test_cache_that_cannot_be_made(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web")})
    blocker = places.root / "a file"
    blocker.write_text("kept")
    message = error_of(lambda: load_fashion_mnist(cache=blocker))
    assert "cache cannot be used: " in message
    assert str(blocker) in message
    assert blocker.read_text() == "kept"


# --- the cache ------------------------------------------------------------------------------


def test_damaged_cache_is_told_and_replaced(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(places.cache) / f"{data.TEST_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web")})
    with path.open("rb") as reader:
        with pytest.warns(UserWarning, match="truncated") as told:
            loaded = load_fashion_mnist()
        # Replaced, not rewritten: who reads at this moment never meets half of a file.
        assert len(reader.read()) == 100
    assert_is_small_set(loaded)
    assert [str(path) in str(warning.message) for warning in told] == [True]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_fashion_mnist().source == str(places.cache)


def test_damaged_cache_stays_an_error_when_nothing_replaces_it(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(places.cache) / f"{data.TEST_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web", fails="no route")})
    with pytest.warns(UserWarning, match="not used"):
        message = error_of(load_fashion_mnist)
    assert f"{path}: truncated" in message
    assert "web: no route" in message


def test_fetched_files_are_checked_before_they_reach_the_cache(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def login_page(folder: Path, _names: object) -> Path:
        fill(folder)
        (folder / f"{LABELS}.gz").write_bytes(b"<html>please log in</html>")
        return folder

    monkeypatch.setattr(data, "FETCHERS", {"web": login_page})
    assert "not a gzip file" in error_of(load_fashion_mnist)
    assert places.cached_names() == {".lock"}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interrupted_fetch_leaves_nothing(
    places: Places, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(folder: Path, _names: object) -> Path:
        (folder / f"{IMAGES}.gz").write_bytes(b"half")
        raise interruption

    monkeypatch.setattr(data, "FETCHERS", {"web": interrupted})
    with pytest.raises(interruption):
        load_fashion_mnist()
    assert places.cached_names() == {".lock"}


def test_full_disk_is_a_reason_and_the_next_place_is_tried(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path, _names: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data, "FETCHERS", {"web": full})
    assert "web: [Errno 28] No space left on device" in error_of(load_fashion_mnist)
    monkeypatch.setattr(data, "FETCHERS", {"web": full, "package": places.fetcher("package")})
    assert_is_small_set(load_fashion_mnist())


KILLED_SCRIPT = """
import sys, time
from experiments.data import images as data

def half(folder, names):
    for name in data.FILES:
        (folder / f"{name}.gz").write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)

data.SYSTEM_FOLDER = data.Path(sys.argv[1])
data.FETCHERS = {"web": half}
data.load_fashion_mnist(cache=sys.argv[2])
"""


def test_killed_fetch_leaves_no_file_and_no_lock(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(places.system), str(places.cache.parent)]
    repository = Path(data.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_SCRIPT, *arguments], stdout=subprocess.PIPE, cwd=repository
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert not places.cached_names() & FINAL_NAMES
    assert any(name.startswith(".fetch-") for name in places.cached_names())

    monkeypatch.setattr(data, "FETCHERS", {"web": places.fetcher("web")})
    assert_is_small_set(load_fashion_mnist())
    assert places.cached_names() == FINAL_NAMES | {".lock"}


def load_at_once(n: int) -> list[data.FashionMNIST]:
    loaded: list[data.FashionMNIST] = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load_fashion_mnist())) for _ in range(n)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return loaded


@pytest.mark.parametrize("has_locks", [True, False])
def test_fetching_at_once(places: Places, monkeypatch: pytest.MonkeyPatch, has_locks: bool) -> None:
    fetch_once = places.fetcher("web")

    def slow(folder: Path, names: object) -> Path:
        filled = fetch_once(folder, names)
        time.sleep(0.3)
        return filled

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(data, "FETCHERS", {"web": slow})
    if not has_locks:
        monkeypatch.setattr(data.fcntl, "flock", no_locks)
    loaded = load_at_once(4)
    assert len(loaded) == 4
    for each in loaded:
        assert_is_small_set(each)
    assert places.cached_names() == FINAL_NAMES | {".lock"}
    assert (len(places.fetched_by) == 1) == has_locks


# --- torchvision's mirrors ------------------------------------------------------------------


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
        monkeypatch.setattr(data, "FETCHERS", {"web": fetch.fetch_from_mirrors})
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()


def test_mirrors_are_tried_in_turn_and_silently(
    places: Places, web: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(web)
    assert_is_small_set(load_fashion_mnist())
    assert places.cached_names() == FINAL_NAMES | {".lock"}
    assert capfd.readouterr() == ("", "")


def test_mirror_without_the_files_is_a_reason(places: Places, web: Path) -> None:
    message = error_of(load_fashion_mnist)
    assert "Connection refused" in message
    assert "404" in message
    assert places.cached_names() == {".lock"}


def test_mirror_that_sends_too_much_is_left(
    places: Places, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FETCH_LIMIT_BYTES", 10_000)
    script = fetch._DOWNLOAD_SCRIPT + "\nimport time; time.sleep(600)"
    monkeypatch.setattr(fetch, "_DOWNLOAD_SCRIPT", script)
    fill(web)
    assert "sent more than 10000 bytes" in error_of(load_fashion_mnist)


def test_mirror_that_never_answers_is_left(
    places: Places, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(fetch, "CONNECT_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(FashionMNIST, "mirrors", [address])
        assert "timed out" in error_of(load_fashion_mnist)


def test_machine_without_torchvision(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    monkeypatch.setattr(data, "FETCHERS", {"web": fetch.fetch_from_mirrors})
    assert "torchvision cannot be imported" in error_of(load_fashion_mnist)


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
    message = error_of(lambda: fetch._run(command, tmp_path, stall_s=2.0))
    assert message == "nothing arrived for 2 s"
    assert can_be_locked(tmp_path / "held", within_s=10)


def test_command_may_last_while_its_folder_grows(tmp_path: Path) -> None:
    script = """
import time
with open("growing", "wb", buffering=0) as file:
    for _ in range(12):
        file.write(b"x")
        time.sleep(0.25)
"""
    fetch._run([sys.executable, "-c", script], tmp_path, stall_s=2.0)
    assert (tmp_path / "growing").stat().st_size == 12


# --- apt-get --------------------------------------------------------------------------------


@pytest.fixture
def tools(places: Places, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a Python script as a command onto an otherwise empty PATH."""
    folder = places.root / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(data, "FETCHERS", {"apt": fetch.fetch_with_apt})

    def add(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!{sys.executable} -I\nimport shutil, sys\n{script}\n")
        path.chmod(0o755)

    return add


DOWNLOADS = "assert sys.argv[-2:] == ['download', 'dataset-fashion-mnist']; open('it.deb', 'w')"


def test_package_is_fetched_and_unpacked(places: Places, tools: Callable[[str, str], None]) -> None:
    payload = fill(places.root / "payload")
    unpacked = f"sys.argv[3] + '/{fetch.PACKAGE_FOLDER}'"
    tools("apt-get", DOWNLOADS)
    tools(
        "dpkg",
        f"assert sys.argv[1:3] == ['-x', 'it.deb']\nshutil.copytree({str(payload)!r}, {unpacked})",
    )
    assert_is_small_set(load_fashion_mnist())
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
    tools("dpkg", f"shutil.copytree({str(payload)!r}, sys.argv[3] + '/{fetch.PACKAGE_FOLDER}')")
    assert_is_small_set(load_fashion_mnist())
    assert places.cached_names() == FINAL_NAMES | {".lock"}


def test_missing_tool_is_named(places: Places, tools: Callable[[str, str], None]) -> None:
    assert "apt: apt-get is not on this machine" in error_of(load_fashion_mnist)
    tools("apt-get", DOWNLOADS)
    assert "apt: dpkg is not on this machine" in error_of(load_fashion_mnist)


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
    assert reason in error_of(load_fashion_mnist)
    assert places.cached_names() == {".lock"}


# --- tensors --------------------------------------------------------------------------------


def test_normalise_is_torchvisions() -> None:
    from torchvision import transforms

    images = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    theirs = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    expected = theirs(images.permute(1, 2, 0).numpy())
    ours = data.normalise(images)
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-7)
    assert ours.dtype == torch.float32
    assert ours.min() == -1
    assert ours.max() == 1
    assert images.flatten()[255] == 255


def test_normalise_twice_is_an_error() -> None:
    once = data.normalise(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    assert "float32" in error_of(lambda: data.normalise(once))


def image_set(labels: list[int]) -> ImageSet:
    """Images that carry their own index in their first two pixels."""
    images = torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8)
    numbers = torch.arange(len(labels))
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers // 256, numbers % 256
    return ImageSet(images, torch.tensor(labels))


def indices(images: ImageSet) -> list[int]:
    pixels = images.images[:, 0, 0, :2].long()
    return (pixels[:, 0] * 256 + pixels[:, 1]).tolist()


def assert_balanced(chosen: ImageSet, rest: ImageSet) -> None:
    """No class of which images were left over has two fewer than another class."""
    counts = chosen.labels.bincount(minlength=10)
    left_over = rest.labels.bincount(minlength=10) > 0
    if left_over.any():
        assert counts[left_over].min() >= counts.max() - 1


labels_and_n = st.lists(st.integers(0, 9), min_size=2, max_size=300).flatmap(
    lambda labels: st.tuples(st.just(labels), st.integers(1, len(labels) - 1))
)


@settings(deadline=None)
@given(labels_and_n, st.integers(0, 2**31))
def test_split_is_disjoint_complete_and_balanced(case: tuple[list[int], int], seed: int) -> None:
    labels, n = case
    rest, held_out = data.split(image_set(labels), n, seed)
    assert len(held_out) == n
    assert sorted(indices(rest) + indices(held_out)) == list(range(len(labels)))
    for part in (rest, held_out):
        assert indices(part) == sorted(indices(part))
        assert part.labels.tolist() == [labels[i] for i in indices(part)]
    assert_balanced(held_out, rest)


def test_split_and_subset_follow_the_seed() -> None:
    whole = image_set([i % 10 for i in range(200)])
    for choose in (
        lambda seed: indices(data.split(whole, 50, seed)[1]),
        lambda seed: indices(data.subset(whole, 50, seed)),
    ):
        torch.manual_seed(1)
        first = choose(3)
        torch.manual_seed(2)
        assert choose(3) == first
        assert choose(4) != first


@settings(deadline=None)
@given(labels_and_n, st.integers(0, 2**31))
def test_smaller_subset_lies_within_larger(case: tuple[list[int], int], seed: int) -> None:
    labels, n = case
    whole = image_set(labels)
    small, large = data.subset(whole, n, seed), data.subset(whole, (n + len(labels)) // 2, seed)
    assert len(small) == n
    assert set(indices(small)) <= set(indices(large))


def test_whole_subset_is_the_set_itself() -> None:
    whole = image_set([3, 1, 2])
    assert data.subset(whole, None, 0) is whole
    assert data.subset(whole, 3, 0) is whole


@pytest.mark.parametrize("n", [0, -1, 21, 2.5, "5"])
def test_subset_size_out_of_range(n: int) -> None:
    whole = image_set([i % 10 for i in range(20)])
    assert f"n = {n!r} must be a whole number from 1 to 20" in error_of(
        lambda: data.subset(whole, n, 0)
    )


@pytest.mark.parametrize("n", [0, -1, 20, 2.5])
def test_split_size_out_of_range(n: int) -> None:
    whole = image_set([i % 10 for i in range(20)])
    message = error_of(lambda: data.split(whole, n, 0))
    assert f"n_held_out = {n!r} must be a whole number from 1 to 19" in message


def test_images_and_labels_must_be_as_many() -> None:
    whole = image_set([1, 2, 3])
    assert "3 images with 2 labels" in error_of(lambda: replace(whole, labels=whole.labels[:2]))


# --- the real data --------------------------------------------------------------------------


def test_real_data() -> None:
    try:
        loaded = load_fashion_mnist()
    except DataError as error:
        if "wrong checksum" in str(error):
            raise
        pytest.skip(str(error))
    assert loaded.train.images.shape == (60_000, 1, 28, 28)
    assert loaded.test.images.shape == (10_000, 1, 28, 28)
    assert loaded.train.labels.bincount().tolist() == [6000] * 10
    assert loaded.test.labels.bincount().tolist() == [1000] * 10
    assert loaded.train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    # The statistics that are commonly given for the training images.
    pixels = loaded.train.images.double() / 255
    assert pixels.mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3530, abs=5e-5)
