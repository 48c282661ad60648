"""Run store: one folder per run, named after what makes the run what it is.

`runs/set2/quick-seed0-3f9a1c2b/` holds `config.yaml`, `history.csv`, `result.json`, and the
checkpoints `last.pt`, `previous.pt` and `best.pt`. The last part of the name is a hash of the run's
identity: the same run finds the same folder, which is what makes resuming and refusing to
overwrite possible. Every file is written whole or not at all, and none is trusted:
stores are copied, edited and sent around.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_models.errors import FieldCrossbarError
from device_models.files import (
    TEMPORARY,
    check_outputs,
    open_lock,
    read_limited,
    remove_leftovers,
    write_atomically,
)
from device_models.plain_text import message
from experiments.command.shown import warn
from experiments.command.yaml_text import read_yaml, write_yaml
from experiments.runs.checkpoints import CHECKPOINT_BYTES, Checkpoint, decode, encode
from experiments.runs.result import check_result

FILES = ("result.json", "last.pt", "previous.pt", "best.pt", "history.csv", "config.yaml")
"""Files of a run, in the order in which they are removed: half a run looks unfinished."""

CONFIG_BYTES, RESULT_BYTES, HISTORY_BYTES = 2**16, 2**20, 2**24
"""Most that is read of `config.yaml`, `result.json` and `history.csv`."""


class StoreError(FieldCrossbarError, RuntimeError):
    """A run folder that cannot be used as asked; one line."""


@dataclass(frozen=True)
class Run:
    """One run's folder and the files in it."""

    folder: Path

    @property
    def last(self) -> Path:
        return self.folder / "last.pt"

    @property
    def previous(self) -> Path:
        return self.folder / "previous.pt"

    @property
    def best(self) -> Path:
        return self.folder / "best.pt"

    def config(self) -> dict[str, Any]:
        """The resolved configuration of the run. Raises StoreError."""
        path = self.folder / "config.yaml"
        try:
            config = read_yaml(_text(path, CONFIG_BYTES))
        except ValueError as error:
            raise StoreError(f"{path}: not YAML: {message(error)}") from None
        if not isinstance(config, dict):
            raise StoreError(f"{path}: no settings")
        return config

    def result(self) -> dict[str, Any] | None:
        """Content of `result.json`, None where the run has none yet. Raises StoreError."""
        path = self.folder / "result.json"
        if not os.path.lexists(path):
            return None
        try:
            result = json.loads(_text(path, RESULT_BYTES))
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{path}: not JSON: {message(error)}") from None
        if not isinstance(result, dict):
            raise StoreError(f"{path}: no result")
        return result

    def finished_result(self) -> dict[str, Any] | None:
        """The result if the run came to its end, else None; a damaged one counts as none."""
        try:
            result = self.result()
            if result is None or result.get("status") != "finished":
                return None
            check_result(result)
        except (StoreError, ValueError) as error:
            reason = str(error).removeprefix(f"{self.folder}/")
            warn(f"{self.folder}: its result is damaged and made again: {reason}")
            return None
        return result

    def history(self) -> list[dict[str, float]]:
        """Rows of `history.csv`, one per epoch. Raises StoreError."""
        path = self.folder / "history.csv"
        table = csv.DictReader(io.StringIO(_text(path, HISTORY_BYTES)), strict=True)
        try:
            return [{k: float(v) for k, v in row.items()} for row in table]
        except (TypeError, ValueError, csv.Error):
            raise StoreError(f"{path}: line {table.line_num} is no row of numbers") from None

    def write_result(self, result: Mapping[str, Any]) -> None:
        write_atomically(self.folder / "result.json", json.dumps(result, indent=2) + "\n")

    def write_history(self, rows: list[dict[str, float]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.folder / "history.csv", text.getvalue())

    def save_checkpoint(self, path: Path, state: Checkpoint) -> None:
        """Write tensors, numbers and names to `path` in one move."""
        write_atomically(path, encode(state))

    def save_last(self, state: Checkpoint) -> None:
        """Make `state` the last checkpoint; the one before it stays as `previous.pt`.

        The new one is on the disk before an old one is touched, so that there is a good one always.
        """
        new = self.folder / f"{TEMPORARY}{self.last.name}"
        self.save_checkpoint(new, state)
        if self.last.exists():
            self.last.replace(self.previous)
        new.replace(self.last)

    def load_checkpoint(self, path: Path) -> Checkpoint:
        """Checkpoint at `path`, every byte of it checked; no code in it is ever run.

        Raises FileNotFoundError, and StoreError for what is no checkpoint or a damaged one.
        """
        try:
            return decode(read_limited(path, CHECKPOINT_BYTES))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise StoreError(f"{path}: not a checkpoint of this program ({error})") from None

    def newest_checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, the one before where that is damaged, None for a run without any.

        Going back is told in one line. Raises StoreError where all that are there are damaged.
        """
        damaged: list[str] = []
        for path in (self.last, self.previous):
            try:
                state = self.load_checkpoint(path)
            except FileNotFoundError:
                continue
            except StoreError as error:
                damaged.append(str(error))
                continue
            if damaged:
                epoch = len(state["history"])
                warn(f"{damaged[0]}; going back to epoch {epoch} in {path.name}")
            return state
        if damaged:
            raise StoreError(f"{'; '.join(damaged)}; overwrite=true trains this run again")
        return None


def _text(path: Path, limit: int) -> str:
    """Text of a regular file of at most `limit` bytes. Raises StoreError."""
    try:
        return read_limited(path, limit).decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None


@contextmanager
def open_run(
    folder: Path, config: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
) -> Iterator[Run]:
    """The run in `folder`, made where needed, locked against other processes while it is open.

    Raises StoreError where a run is there already and neither `resume` nor `overwrite` is set,
    or where another process is working in it; FileError where a file of it is no regular file.
    """
    run = Run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _check_free(run, resume=resume, overwrite=overwrite)
        remove_leftovers(folder)
        if not resume:
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
        if not (folder / "config.yaml").exists():
            write_atomically(folder / "config.yaml", write_yaml(dict(config)))
        yield run


def _check_free(run: Run, *, resume: bool, overwrite: bool) -> None:
    """Raise StoreError or FileError where the run must not be trained as asked."""
    begun = any(os.path.lexists(run.folder / name) for name in FILES)
    if begun and not (resume or overwrite):
        raise StoreError(
            f"{run.folder} holds this run already ({_status(run)}): "
            f"resume=true continues or shows it, overwrite=true trains it again"
        )
    check_outputs([run.folder / name for name in FILES])


def _status(run: Run) -> str:
    try:
        return message((run.result() or {}).get("status", "unfinished"))
    except StoreError:
        return "its result is damaged"


def list_runs(store: str | Path) -> list[Run]:
    """Runs in the store that have a result, ordered by folder name: only two levels deep."""
    folders = sorted(Path(store).glob("*/*"))
    return [Run(folder) for folder in folders if os.path.lexists(folder / "result.json")]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it with the process, also after kill -9."""
    with open_lock(folder / ".lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{folder} is in use by another process") from None
        yield
