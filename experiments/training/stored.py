"""A network as a stored run left it, with the images it is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from crossbar import load_plain_state
from device_models import load_card
from experiments.data import load_data
from experiments.runs.first_version import without_unread
from experiments.runs.store import Run, StoreError
from experiments.training.images import split_images
from experiments.training.keeping import must_fit
from experiments.training.loop import Images
from experiments.training.machine import prepare_torch
from experiments.training.network import make_network
from experiments.training.settings import Settings, read_settings


@dataclass(frozen=True)
class StoredNetwork:
    """`model` holds the newest checkpoint of a run, `test` the images its accuracy is taken on.

    `restore` takes the model back there, random numbers of its tiles included.
    """

    settings: Settings
    model: nn.Module
    test: Images
    state: dict[str, Any]

    def restore(self) -> None:
        """Take the model back to the checkpoint: weights, fields and random numbers."""
        load_plain_state(self.model, self.state)


def stored_network(run: Run) -> StoredNetwork:
    """The network of a run, from its configuration and its newest checkpoint.

    Raises StoreError, one line, for a run without a checkpoint, with another card than the one of
    that name now, or with a state that does not fit; what else is wrong as when it was trained.
    """
    settings = read_settings(without_unread(run.config()))
    result, card = run.result() or {}, load_card(settings.device.card)
    if result.get("card_sha256") not in (None, card.sha256):
        raise StoreError(f"{run.folder}: trained with another card than {card.name} is now")
    checkpoint = run.newest_checkpoint()
    if checkpoint is None:
        raise StoreError(f"{run.folder}: no checkpoint; `overwrite=true` trains the run again")
    device = prepare_torch(settings)
    data = load_data(**settings.data.model_dump(exclude={"held_out"}))
    _, test = split_images(settings, data, device)
    model = make_network(settings, card, data.shape, data.n_classes).to(device)
    with must_fit(run):
        load_plain_state(model, checkpoint["model"])
    return StoredNetwork(settings, model, test, checkpoint["model"])
