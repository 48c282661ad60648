"""What makes a run the run it is, and the folder that follows from it.

Two runs with one identity compute the same numbers, bit for bit, so the second is refused or
goes on with the first. Files count by their content, not by their path: a card that was fitted
again under its old name is another device, and one card in two folders is one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from experiments.training.settings import Settings

NOT_IDENTITY = frozenset({"store", "resume", "overwrite", "threads", "accelerator"})
"""Settings that do not change what a run computes; `computed_on` says where it is computed."""


def identity(
    settings: Settings, *, card_sha256: str, images_sha256: str | None, computed_on: str
) -> dict[str, Any]:
    """Everything that decides a run's numbers, as plain containers.

    `images_sha256`: hash of the images where they are not the published ones, else None.
    `computed_on`: device and, where sums depend on it, the number of threads.
    A setting that stands at a default written in `experiments.training.settings` is left out, so
    that a setting added later does not make the stored runs strangers.
    """
    chosen = settings.model_dump(exclude=set(NOT_IDENTITY), exclude_defaults=True)
    chosen["device"]["card"] = card_sha256
    chosen["data"] = {"held_out": settings.data.held_out, "images_sha256": images_sha256}
    return chosen | {"computed_on": computed_on}


def run_folder(settings: Settings, what: dict[str, Any]) -> Path:
    """Folder of the run with the identity `what`: store, name, then schedule, seed and a hash."""
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{settings.schedule}-seed{settings.seed}-{digest}"
    return Path(settings.store).expanduser() / settings.name / name
