"""Published sets: their files, damaged ones, the order of places, the cache."""

from __future__ import annotations

import errno
import functools
import gzip
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_images import (
    CONTENTS,
    FINAL_NAMES,
    SHA256,
    Places,
    assert_is_small_set,
    error_of,
    fill,
    idx,
    load,
)

from experiments.data import DataError, ImageData, cache, known_identity, load_data, published
from experiments.data.idx import read_idx
from experiments.data.published import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS

# --- a named folder -------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_named_folder_is_read_in_every_layout(
    places: Places, compressed: bool, layout: str
) -> None:
    fill(places.root / "mine" / layout, compressed)
    loaded = load(places.root / "mine")
    assert_is_small_set(loaded)
    assert loaded.source == str(places.root / "mine")
    assert loaded.classes[9] == "Ankle boot"
    assert len(loaded.classes) == 10


def test_named_folder_replaces_all_other_places(places: Places) -> None:
    fill(places.system)
    fill(places.cache)
    places.fetchers(web=places.fetcher("web"))
    message = error_of(lambda: load(places.root / "nowhere"))
    assert str(places.root / "nowhere") in message
    assert all(f"{name}.gz" in message for name in CONTENTS)
    assert places.fetched_by == []


def test_missing_file_is_named(places: Places) -> None:
    folder = fill(places.root / "mine")
    (folder / f"{TEST_LABELS}.gz").unlink()
    message = error_of(lambda: load(folder))
    assert f"{folder} lacks {TEST_LABELS}.gz;" in message


def test_tilde_is_the_home_folder(places: Places) -> None:
    places.patch.setenv("HOME", str(places.root))
    fill(places.root / "mine")
    assert_is_small_set(load("~/mine"))


def test_error_is_one_line_for_a_folder_name_of_two(places: Places) -> None:
    assert "two lines" in error_of(lambda: load(places.root / "two\nlines"))


def test_other_data_of_the_same_shape_needs_verify_false(places: Places) -> None:
    folder = fill(places.root / "mine")
    content = bytearray(CONTENTS[TEST_IMAGES])
    content[-1] ^= 255
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(content))
    message = error_of(lambda: load(folder))
    assert f"{TEST_IMAGES}.gz: wrong checksum" in message
    loaded = load(folder, verify=False)
    assert loaded.test.images.flatten()[-1] == content[-1]


def test_verify_false_is_refused_without_a_folder(places: Places) -> None:
    fill(places.system)
    assert "data.folder" in error_of(lambda: load(verify=False))


# --- damaged files --------------------------------------------------------------------------

LABELS, IMAGES = TRAIN_LABELS, TRAIN_IMAGES


def with_bytes(name: str, at: int, new: bytes) -> bytes:
    content = CONTENTS[name]
    return content[:at] + new + content[at + len(new) :]


DAMAGED = {
    "not gzip": (IMAGES, b"<html>", "damaged (Not a gzipped file"),
    "empty": (IMAGES, b"", "truncated: it ends within"),
    "gzip cut": (IMAGES, gzip.compress(CONTENTS[IMAGES])[:-9], "truncated (Compressed file"),
    "gzip checksum": (
        LABELS,
        gzip.compress(CONTENTS[LABELS])[:-8] + bytes(8),
        "damaged (CRC",
    ),
    "second stream": (LABELS, gzip.compress(CONTENTS[LABELS]) * 2, "longer than its 40 bytes"),
    "text behind": (LABELS, gzip.compress(CONTENTS[LABELS]) + b"text", "damaged (Not a gzipped"),
    "header cut": (LABELS, gzip.compress(CONTENTS[LABELS][:7]), "truncated: it ends within"),
    "content cut": (LABELS, gzip.compress(CONTENTS[LABELS][:-1]), "truncated: 39 of 40 bytes"),
    "one too many": (LABELS, gzip.compress(CONTENTS[LABELS] + b"\0"), "longer than its 40 bytes"),
    "magic": (LABELS, gzip.compress(with_bytes(LABELS, 2, b"\x09")), "wrong magic number 00000901"),
    "labels for images": (IMAGES, gzip.compress(CONTENTS[LABELS]), "wrong magic number 00000801"),
    "test for train": (
        IMAGES,
        gzip.compress(CONTENTS[TEST_IMAGES]),
        "wrong checksum",
    ),
    "27 rows": (
        IMAGES,
        gzip.compress(with_bytes(IMAGES, 11, b"\x1b")),
        "longer than its",
    ),
    "label 10": (LABELS, gzip.compress(with_bytes(LABELS, 9, b"\x0a")), "wrong checksum"),
    "label swapped": (LABELS, gzip.compress(with_bytes(LABELS, 9, b"\x00")), "wrong checksum"),
}


@pytest.mark.parametrize(("name", "content", "fault"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_file_is_named_with_its_fault(
    places: Places, name: str, content: bytes, fault: str
) -> None:
    path = fill(places.root / "mine") / f"{name}.gz"
    path.write_bytes(content)
    message = error_of(lambda: load(path.parent))
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
    message = error_of(lambda: load(folder, verify=False))
    assert message.startswith(str(folder))
    assert fault != "label 10" or "training label 10 out of range 0..9" in message


def test_unreadable_file_is_named(places: Places) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    folder = fill(places.root / "mine")
    places.patch.setattr("experiments.data.idx.read_limited", refuse)
    message = error_of(lambda: load(folder))
    assert message == f"{folder / TRAIN_IMAGES}.gz: Permission denied"


def test_folder_that_may_not_be_entered(places: Places) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    places.patch.setattr(Path, "is_file", refuse)
    message = error_of(lambda: load(places.root / "mine"))
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
        read = functools.partial(read_idx, path, 1, SHA256[LABELS])
        # A few bits of a gzip file say nothing: its time stamp, the padding of the last byte.
        if packed and is_still_gzip_of(bytes(content), CONTENTS[LABELS]):
            assert bytes(read().tolist()) == CONTENTS[LABELS][8:]
        else:
            assert error_of(read).startswith(f"{path}: ")


def test_no_more_is_inflated_than_the_header_claims(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    header = idx((1_000_000,), b"")
    packed = packer.compress(header) + packer.compress(bytes(2**26)) + packer.flush()
    path = tmp_path / "bomb.gz"
    path.write_bytes(packed)
    tracemalloc.start()
    try:
        message = error_of(lambda: read_idx(path, 1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "longer than its 1000000 bytes" in message
    assert peak < 2**23


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2**31, 2**31, 2**31), "header claims"), ((0, 28, 28), "holds nothing")],
)
def test_sizes_that_make_no_sense(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx(shape, b""))
    assert message in error_of(lambda: read_idx(path, 3))


def test_images_of_another_size_are_read_unverified(places: Places) -> None:
    """EMNIST, a cropped set: files of this form with any number of rows, columns and images."""
    folder = fill(places.root / "mine")
    for images, labels, n in ((TRAIN_IMAGES, TRAIN_LABELS, 5), (TEST_IMAGES, TEST_LABELS, 3)):
        (folder / f"{images}.gz").write_bytes(gzip.compress(idx((n, 4, 6), bytes(24 * n))))
        (folder / f"{labels}.gz").write_bytes(gzip.compress(idx((n,), bytes(range(n)))))
    loaded = load(folder, verify=False)
    assert loaded.shape == (1, 4, 6)
    assert (len(loaded.train), len(loaded.test)) == (5, 3)
    assert loaded.identity.shape == (1, 4, 6)


# --- the order of places --------------------------------------------------------------------


def test_places_are_tried_in_order(places: Places) -> None:
    fetchers = {
        "broken": places.fetcher("broken", fails="no route"),
        "web": places.fetcher("web"),
        "last": places.fetcher("last"),
    }
    places.fetchers(**fetchers)
    first = load()
    assert_is_small_set(first)
    assert first.source == f"web, kept in {places.cache}"
    assert places.fetched_by == ["broken", "web"]
    assert places.cached_names() == FINAL_NAMES | {".lock"}

    assert load(download=False).source == str(places.cache)
    fill(places.system)
    assert load().source == str(places.system)
    assert places.fetched_by == ["broken", "web"]


def test_nothing_reachable_is_one_line_with_every_reason(places: Places) -> None:
    fetchers = {
        "web": places.fetcher("web", fails="no route"),
        "package": places.fetcher("package", fails="none\nfound"),
    }
    places.fetchers(**fetchers)
    message = error_of(load)
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


def test_download_false_fetches_and_writes_nothing(places: Places) -> None:
    places.fetchers(web=places.fetcher("web"))
    assert "download is off" in error_of(lambda: load(download=False))
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
    assert cache.cache_folder(argument, "mnist") == tmp_path / expected / "mnist"


def test_machine_without_a_home_folder(places: Places) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError("no home folder")

    places.patch.setattr(Path, "expanduser", homeless)
    assert "cache cannot be used: " in error_of(load)
    fill(places.system)
    assert_is_small_set(load())


def test_cache_that_cannot_be_made(places: Places) -> None:
    places.fetchers(web=places.fetcher("web"))
    blocker = places.root / "a file"
    blocker.write_text("kept")
    message = error_of(lambda: load(cache=blocker))
    assert "cache cannot be used: " in message
    assert str(blocker) in message
    assert blocker.read_text() == "kept"


# --- the cache ------------------------------------------------------------------------------


def test_damaged_cache_is_told_and_replaced(places: Places) -> None:
    path = fill(places.cache) / f"{TEST_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:100])
    places.fetchers(web=places.fetcher("web"))
    with path.open("rb") as reader:
        with pytest.warns(UserWarning, match="truncated") as told:
            loaded = load()
        # Replaced, not rewritten: who reads at this moment never meets half of a file.
        assert len(reader.read()) == 100
    assert_is_small_set(loaded)
    assert [str(path) in str(warning.message) for warning in told] == [True]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load().source == str(places.cache)


def test_damaged_cache_stays_an_error_when_nothing_replaces_it(places: Places) -> None:
    path = fill(places.cache) / f"{TEST_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:100])
    places.fetchers(web=places.fetcher("web", fails="no route"))
    with pytest.warns(UserWarning, match="not used"):
        message = error_of(load)
    assert f"{path}: truncated" in message
    assert "web: no route" in message


def test_fetched_files_are_checked_before_they_reach_the_cache(places: Places) -> None:
    def login_page(folder: Path) -> Path:
        fill(folder)
        (folder / f"{LABELS}.gz").write_bytes(b"<html>please log in</html>")
        return folder

    places.fetchers(web=login_page)
    assert "Not a gzipped file" in error_of(load)
    assert places.cached_names() == {".lock"}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interrupted_fetch_leaves_nothing(
    places: Places, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(folder: Path) -> Path:
        (folder / f"{IMAGES}.gz").write_bytes(b"half")
        raise interruption

    places.fetchers(web=interrupted)
    with pytest.raises(interruption):
        load()
    assert places.cached_names() == {".lock"}


def test_full_disk_is_a_reason_and_the_next_place_is_tried(places: Places) -> None:
    def full(_folder: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    places.fetchers(web=full)
    assert "web: [Errno 28] No space left on device" in error_of(load)
    places.fetchers(web=full, package=places.fetcher("package"))
    assert_is_small_set(load())


KILLED_SCRIPT = """
import dataclasses, pathlib, sys, time
from experiments.data import published

def half(folder):
    for name in published.PUBLISHED["fashion_mnist"].sha256:
        (folder / f"{name}.gz").write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)

published.PUBLISHED["fashion_mnist"] = dataclasses.replace(
    published.PUBLISHED["fashion_mnist"],
    system_folders=(pathlib.Path(sys.argv[1]),),
    fetchers={"web": half},
)
published.load_published("fashion_mnist", cache=sys.argv[2])
"""


def test_killed_fetch_leaves_no_file_and_no_lock(places: Places) -> None:
    arguments = [str(places.system), str(places.cache.parent)]
    repository = Path(published.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_SCRIPT, *arguments], stdout=subprocess.PIPE, cwd=repository
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert not places.cached_names() & FINAL_NAMES
    assert any(name.startswith(".fetch-") for name in places.cached_names())

    places.fetchers(web=places.fetcher("web"))
    assert_is_small_set(load())
    assert places.cached_names() == FINAL_NAMES | {".lock"}


def load_at_once(n: int) -> list[ImageData]:
    loaded: list[ImageData] = []
    threads = [threading.Thread(target=lambda: loaded.append(load())) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return loaded


@pytest.mark.parametrize("has_locks", [True, False])
def test_fetching_at_once(places: Places, monkeypatch: pytest.MonkeyPatch, has_locks: bool) -> None:
    fetch_once = places.fetcher("web")

    def slow(folder: Path) -> Path:
        filled = fetch_once(folder)
        time.sleep(0.3)
        return filled

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    places.fetchers(web=slow)
    if not has_locks:
        monkeypatch.setattr(cache.fcntl, "flock", no_locks)
    loaded = load_at_once(4)
    assert len(loaded) == 4
    for each in loaded:
        assert_is_small_set(each)
    assert places.cached_names() == FINAL_NAMES | {".lock"}
    assert (len(places.fetched_by) == 1) == has_locks


# --- the real data --------------------------------------------------------------------------


def test_real_data() -> None:
    try:
        loaded = load_data()
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


def test_real_mnist_is_what_its_identity_says() -> None:
    """Identity of a run on MNIST without reading it: the hash of what would be read."""
    try:
        loaded = load_data("mnist", download=False)
    except DataError as error:
        pytest.skip(str(error))
    assert loaded.identity == known_identity("mnist")
    assert loaded.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_identity_of_published_images_needs_no_file() -> None:
    assert known_identity("fashion_mnist", verify=True, folder="nowhere").sha256 is None
    assert known_identity("fashion_mnist", verify=False, folder="here") is None
    assert known_identity("arrays", file="my.npz") is None
