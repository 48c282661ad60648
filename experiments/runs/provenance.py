"""Where a result comes from: its command, card, versions, machine and state of the sources."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("aihwkit", "torch", "torchvision", "numpy", "scipy", "hydra-core")


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
