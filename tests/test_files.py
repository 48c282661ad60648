"""Files of strangers and files for them: regular, limited, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from device_models.files import (
    TEMPORARY,
    FileError,
    check_outputs,
    open_lock,
    read_limited,
    remove_leftovers,
    write_atomically,
    write_together,
)


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_regular_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_limited(path, 5) == b"12345"
    with pytest.raises(FileError, match=r"a: more than the 4 bytes"):
        read_limited(path, 4)


@pytest.mark.parametrize("kind", ["fifo", "endless", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind):
    """In a process of its own: the old fault was to wait, or to read, without an end."""
    path = tmp_path / "a"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    code = f"from device_models.files import *; read_limited({str(path)!r}, 10**12)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert "not a regular file" in done.stderr or "is a folder" in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_limited(tmp_path / "nothing", 10)


def test_writing_replaces_all_or_nothing(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    write_together({first: "1", second: b"2"})
    assert content(tmp_path) == {"first": b"1", "second": b"2"}

    replace = Path.replace

    def full(self, target):
        if Path(target) == second and self.read_bytes() == b"two":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    new = tmp_path / "new"
    with pytest.raises(OSError, match=r"second: No space left on device"):
        write_together({first: "one", new: "three", second: "two"})
    assert content(tmp_path) == {"first": b"1", "second": b"2"}


def test_a_failed_first_write_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"b/c: No space"):
        write_atomically(tmp_path / "a" / "b" / "c", "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", ["data.csv/out", "data.csv/a/out", "x" * 300, "/proc/no/out"])
def test_an_output_that_cannot_be_is_named(tmp_path, output):
    """Also where its folder is what cannot be made."""
    (tmp_path / "data.csv").write_text("1")
    path = tmp_path / output
    with pytest.raises(FileError) as caught:
        write_together({tmp_path / "a": "1", path: "2"})
    assert str(caught.value).startswith(f"{path}: ")
    assert content(tmp_path) == {"data.csv": b"1"}


def test_errors_are_one_line_whatever_the_file_is_called(tmp_path):
    path = tmp_path / "a\nb\x1b[31m\udcff"
    path.mkdir()
    with pytest.raises(FileError) as caught:
        read_limited(path, 10)
    assert str(caught.value) == f"{tmp_path}/a b\\x1b[31m\\udcff: is a folder, not a regular file"
    with pytest.raises(FileError, match="null"):
        read_limited("a\0b", 10)


def test_an_input_is_never_an_output(tmp_path):
    data = tmp_path / "dev.txt"
    data.write_text("measured")
    (tmp_path / "again").hardlink_to(data)
    for output in (data, tmp_path / "again", tmp_path / ".." / tmp_path.name / "dev.txt"):
        with pytest.raises(FileError, match="read by this command") as caught:
            write_together({output: "report"}, overwrite=True, inputs=[data])
        assert "overwrite" not in str(caught.value).replace("overwritten", "")
    assert data.read_text() == "measured"


def test_existing_files_need_overwrite_and_names_one_output(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(FileError, match="a: exists already"):
        write_together({tmp_path / "b": "x", path: "new"}, overwrite=False)
    with pytest.raises(FileError, match="two outputs"):
        check_outputs([path, tmp_path / "." / "a"])
    assert content(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "device"])
def test_outputs_are_regular_files(tmp_path, kind):
    path = tmp_path / "out"
    if kind == "link":
        (tmp_path / "target").write_text("kept")
        path.symlink_to(tmp_path / "target")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path(os.devnull)
    with pytest.raises(FileError, match=f"is a {kind}, not a regular file"):
        write_atomically(path, "text")
    if kind == "link":
        assert (tmp_path / "target").read_text() == "kept"


def test_a_lock_is_never_a_link_and_never_emptied(tmp_path):
    lock = tmp_path / ".lock"
    with open_lock(lock):
        assert lock.is_file()
    lock.write_text("somebody's")
    with open_lock(lock):
        pass
    assert lock.read_text() == "somebody's"
    lock.unlink()
    (tmp_path / "precious").write_text("data")
    lock.symlink_to(tmp_path / "precious")
    with pytest.raises(FileError, match="cannot be a lock"):
        open_lock(lock)
    assert (tmp_path / "precious").read_text() == "data"
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(FileError, match="is a fifo"):
        open_lock(lock)


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    left, other = tmp_path / f"{TEMPORARY}abc", tmp_path / ".hidden"
    left.write_text("half")
    other.write_text("mine")
    remove_leftovers(tmp_path, older_than_s=3600)
    assert left.exists()
    remove_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".hidden"]
