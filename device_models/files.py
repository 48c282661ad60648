"""Files: read with a limit, written whole or not at all, only ever regular ones.

Names of files come from the command line and from strangers. A name may lead to a fifo that never
answers, to a device without an end, or through a link to somebody else's file; and a disk may be
full, or the process killed, in the middle of a write.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from io import FileIO
from pathlib import Path

from device_models.errors import FieldCrossbarError
from device_models.plain_text import message

TEMPORARY = ".writing-"
"""Start of the names of files that are being written; a killed process leaves some behind."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileError(FieldCrossbarError, OSError):
    """A file that is not read or written as asked; its text is one line that starts with it."""

    def __str__(self) -> str:
        return message(f"{self.filename}: {self.strerror}")


def refused(path: str | Path, reason: str) -> FileError:
    """The error that says why `path` is not touched."""
    return FileError(errno.EINVAL, reason, str(path))


def read_limited(path: str | Path, limit: int) -> bytes:
    """Content of a regular file of at most `limit` bytes.

    Raises FileError for anything else, such as a folder, a fifo or a device, and OSError where
    the file cannot be read. Links are followed.
    """
    with os.fdopen(_open_regular(path, os.O_RDONLY), "rb") as file:
        # As much as the file claims to hold: a read takes the memory it is asked for beforehand.
        claimed = min(os.fstat(file.fileno()).st_size, limit)
        data = file.read(claimed + 1) or b""
        if claimed < len(data) <= limit:
            data += file.read(limit + 1 - len(data)) or b""
    if len(data) > limit:
        raise refused(path, f"more than the {limit} bytes that are read of such a file")
    return data


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` so that `path` holds either what it held before or all of the new."""
    write_together({path: content})


def write_together(
    files: Mapping[Path, str | bytes],
    *,
    overwrite: bool = True,
    inputs: Collection[str | Path] = (),
) -> None:
    """Write all of `files` or none: where one fails the others are as they were before.

    Folders are made where needed. Raises what `check_outputs` raises, before anything is written,
    and OSError naming the file.
    """
    check_outputs(files, overwrite=overwrite, inputs=inputs)
    made: list[Path] = []
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in files.items():
            with _naming(path):
                made += _make_folder(path.parent)
            staged.append((path, _write_temporary(path, content)))
        _replace_all(staged)
    except BaseException:
        for _, temporary in staged:
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def check_outputs(
    paths: Collection[Path], *, overwrite: bool = True, inputs: Collection[str | Path] = ()
) -> None:
    """Raise FileError naming the first of `paths` that must not be written.

    That is what is no regular file (a link is none), one of the `inputs` whatever `overwrite`
    says, one that exists unless `overwrite`, and one that is named twice.
    """
    read = {_identity(path) for path in inputs} - {None}
    real = [os.path.realpath(path) for path in paths]
    for path, target in zip(paths, real, strict=True):
        if real.count(target) > 1:
            raise refused(path, "is named for two outputs; choose another name")
        mode = _mode(path)
        if mode is None:
            continue
        _check_regular(path, mode)
        if _identity(path) in read:
            raise refused(path, "is read by this command and never overwritten; choose another")
        if not overwrite:
            raise refused(path, "exists already; choose another name or --overwrite")


def open_lock(path: Path) -> FileIO:
    """The lock file at `path`, made where needed; never through a link and never emptied.

    Raises FileError where `path` is no regular file.
    """
    try:
        number = _open_regular(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refused(path, "is a link and cannot be a lock") from None
        raise
    return os.fdopen(number, "r+b", buffering=0)


def remove_leftovers(folder: Path, older_than_s: float = 0.0) -> None:
    """Remove what killed processes left half written in `folder`; none may be at work there now.

    `older_than_s` [s] spares younger files, for folders that are not locked.
    """
    for path in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime >= older_than_s:
                path.unlink()


def _open_regular(path: str | Path, flags: int) -> int:
    """Number of the opened file; FileError, at once, where it is no regular one."""
    try:
        number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except ValueError as error:  # a null character in the name
        raise refused(path, str(error)) from None
    try:
        _check_regular(path, os.fstat(number).st_mode)
    except FileError:
        os.close(number)
        raise
    return number


def _mode(path: Path) -> int | None:
    """Kind and rights of what stands at `path` itself, a link too; None where there is nothing."""
    with _naming(path):
        try:
            return os.lstat(path).st_mode
        except FileNotFoundError:
            return None


def _check_regular(path: str | Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise refused(path, f"is {_KINDS.get(stat.S_IFMT(mode), 'no file')}, not a regular file")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What the file is, whatever it is called; None where there is none."""
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _make_folder(folder: Path) -> list[Path]:
    """Make `folder`; the folders that were not there before, from the top."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _write_temporary(path: Path, content: str | bytes) -> Path:
    """Write `content` beside `path`, down to the disk; the file's path."""
    data = content.encode() if isinstance(content, str) else content
    with _naming(path):
        number, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
        temporary = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(number)
            temporary.chmod(0o644)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _replace_all(staged: list[tuple[Path, Path]]) -> None:
    """Move each temporary file to its path; where one fails those before it are moved back."""
    moved: list[tuple[Path, Path | None]] = []
    backup: Path | None = None
    try:
        for path, temporary in staged:
            with _naming(path):
                backup = _second_name(path) if len(staged) > 1 else None
                temporary.replace(path)
            moved.append((path, backup))
            backup = None
    except BaseException:
        for path, old in moved:
            if old is None:
                path.unlink(missing_ok=True)
            else:
                old.replace(path)
        if backup is not None:
            backup.unlink(missing_ok=True)
        raise
    for _, old in moved:
        if old is not None:
            old.unlink(missing_ok=True)
    for folder in {path.parent for path, _ in staged}:
        _sync(folder)


def _second_name(path: Path) -> Path | None:
    """Another file with what `path` holds: a hard link where there can be one; None for no file."""
    if not path.exists():
        return None
    number, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
    os.close(number)
    second = Path(name)
    try:
        second.unlink()
        second.hardlink_to(path)
    except OSError:
        shutil.copy2(path, second)
    return second


def _sync(folder: Path) -> None:
    """Let a rename in `folder` survive a loss of power, where the file system can do so."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the file system name `path`, not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise FileError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from None
