"""What makes a run the run it is.

Files count by their content, not by their path: a card that was fitted again under its old name
is another device, and one card in two folders is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossbar.networks import GREY, source_sha256
from experiments.data import ImagesIdentity
from experiments.runs.first_version import ADAM_MOMENTUM, MEMRISTOR, UPDATE
from experiments.runs.identity import run_folder
from experiments.training.settings import Settings

NOT_IDENTITY = frozenset({"store", "resume", "overwrite", "threads", "accelerator"})
"""Settings that do not change what a run computes; `computed_on` says where it is computed."""


def run_identity(
    settings: Settings, *, card_sha256: str, images: ImagesIdentity, computed_on: str
) -> dict[str, Any]:
    """Everything that decides a run's numbers, as plain containers.

    `computed_on`: device and, where sums depend on it, the number of threads.
    A setting that stands at a default written in its class is left out, so that a setting added
    later does not make the stored runs strangers.
    """
    chosen = settings.model_dump(exclude=set(NOT_IDENTITY), exclude_defaults=True)
    chosen["device"]["card"] = card_sha256
    chosen["data"] = _data_identity(settings.data.held_out, images)
    _name_network(chosen["model"], images)
    _name_crossbar_as_stored(chosen["crossbar"])
    if settings.optimizer.name == "adam":
        chosen["optimizer"]["momentum"] = ADAM_MOMENTUM
    return chosen | {"computed_on": computed_on}


def folder_of(settings: Settings, identity: dict[str, Any]) -> Path:
    """Folder of a run: `runs/set2/quick-seed0-3f9a1c2b`."""
    place = Path(settings.store) / settings.name
    return run_folder(place, f"{settings.schedule}-seed{settings.seed}", identity)


def _data_identity(held_out: int, images: ImagesIdentity) -> dict[str, Any]:
    """The images; their shape only where it is not the one that all stored runs had."""
    shape = {} if images.shape == GREY else {"shape": list(images.shape)}
    return {"held_out": held_out, "images_sha256": images.sha256, **shape}


def _name_network(model: dict[str, Any], images: ImagesIdentity) -> None:
    """Write out what the settings leave to the images or to a file of the user's."""
    if model.get("in_channels", 0) is None:
        model["in_channels"] = images.shape[0]
    if model["name"] == "custom":
        model["source_sha256"] = source_sha256(model["target"])


def _name_crossbar_as_stored(crossbar: dict[str, Any]) -> None:
    """Names of before, so that runs stored under them are found: a recipe's own settings count."""
    if crossbar["name"] == "memristor":
        crossbar["name"] = MEMRISTOR
        crossbar["update"] = UPDATE | crossbar.get("update", {})
