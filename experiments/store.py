"""Run store: one folder per run, named after what makes the run what it is.

`runs/set2/quick-seed0-3f9a1c2b/` holds `config.yaml`, `provenance.json`, `history.csv`,
`result.json`, `last.pt` and `best.pt`. The last part of the name is a hash of the resolved
configuration: the same configuration finds the same folder, which is what makes resuming and
refusing to overwrite possible. Every file is written whole or not at all.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml

from device_models.files import write_atomically

PACKAGES = ("aihwkit", "torch", "torchvision", "numpy", "scipy", "hydra-core")


class StoreError(RuntimeError):
    """A run folder that cannot be used as asked; one line."""


@dataclass(frozen=True)
class Run:
    """One run's folder and the files in it."""

    folder: Path

    @property
    def last(self) -> Path:
        return self.folder / "last.pt"

    @property
    def best(self) -> Path:
        return self.folder / "best.pt"

    def config(self) -> dict[str, Any]:
        """The resolved configuration of the run."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def result(self) -> dict[str, Any] | None:
        """Content of `result.json`, None where the run has none yet."""
        try:
            return json.loads((self.folder / "result.json").read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StoreError(f"{self.folder / 'result.json'}: not JSON: {error}") from None

    def finished_result(self) -> dict[str, Any] | None:
        """The result if the run came to its end, else None."""
        result = self.result()
        return result if result and result["status"] == "finished" else None

    def history(self) -> list[dict[str, float]]:
        """Rows of `history.csv`, one per epoch."""
        with (self.folder / "history.csv").open(newline="") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]

    def write_result(self, result: Mapping[str, Any]) -> None:
        write_atomically(self.folder / "result.json", json.dumps(result, indent=2) + "\n")

    def write_history(self, rows: list[dict[str, float]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.folder / "history.csv", text.getvalue())

    def save_checkpoint(self, path: Path, state: Mapping[str, Any]) -> None:
        """Write tensors, numbers and names to `path` in one move."""
        data = io.BytesIO()
        torch.save(dict(state), data)
        write_atomically(path, data.getvalue())

    def load_checkpoint(self, path: Path) -> dict[str, Any]:
        """Checkpoint at `path`; no code in it is ever run."""
        try:
            return torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:
            reason = str(error).splitlines()[0][:100]
            raise StoreError(f"{path}: not a checkpoint of this program ({reason})") from None


@contextmanager
def open_run(
    folder: Path, config: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
) -> Iterator[Run]:
    """The run in `folder`, made where needed, locked against other processes while it is open.

    Raises StoreError where a run is there already and neither `resume` nor `overwrite` is set,
    or where another process is working in it.
    """
    run = Run(folder)
    begun = (run.folder / "config.yaml").exists()
    if begun and not (resume or overwrite):
        status = (run.result() or {}).get("status", "unfinished")
        raise StoreError(
            f"{run.folder} holds this run already ({status}): "
            f"resume=true continues or shows it, overwrite=true trains it again"
        )
    run.folder.mkdir(parents=True, exist_ok=True)
    with _locked(run.folder):
        if begun and not resume:
            for name in ("config.yaml", "history.csv", "result.json", "last.pt", "best.pt"):
                (run.folder / name).unlink(missing_ok=True)
        if not (run.folder / "config.yaml").exists():
            text = yaml.safe_dump(dict(config), sort_keys=False)
            write_atomically(run.folder / "config.yaml", text)
        yield run


def list_runs(store: str | Path) -> list[Run]:
    """Runs in the store that have a result, ordered by folder name."""
    return [Run(path.parent) for path in sorted(Path(store).glob("*/*/result.json"))]


def provenance(card_sha256: str, command: Sequence[str]) -> dict[str, Any]:
    """The run's own command, and versions, machine, card and git state of this process."""
    return {
        "command": list(command),
        **machine(),
        "card_sha256": card_sha256,
        "git": _git_state(),
    }


def machine() -> dict[str, Any]:
    """Versions, cores and threads of this process."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: version(name) for name in PACKAGES},
    }


def _git_state() -> dict[str, Any] | None:
    """Commit of this source tree and whether it was changed since; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it with the process, also after kill -9."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{folder} is in use by another process") from None
        yield
