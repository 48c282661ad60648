"""Every setting is read by the run: one that stands in the configuration and does nothing fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from test_own_data_and_model import folder as folder
from test_settings import config, leaves

from experiments.train import train
from experiments.training.settings import Settings, read_settings

pytestmark = pytest.mark.usefixtures("fashion_mnist")

TINY = (
    *("trainer.epochs=1", "trainer.batch_size=16", "trainer.train_images=16"),
    *("trainer.test_images=4", "threads=1"),
)
RELU = {"field.activation_G"}
DIGITAL = {
    *("device.step_c2c", "device.write_noise", "device.step_d2d", "device.range_d2d"),
    "field.weights_G",
}
"""What a run without an EM activation, or without crossbars, has no use for."""

RUNS = {
    "arrays and a network of one's own": (
        ["data=arrays", "data.file=my.npz", "model=custom", "model.target=mynets.Net"],
        RELU | DIGITAL,
    ),
    "pictures": (
        ["data=image_folder", "data.folder=pictures", "model=residual_cnn"],
        RELU | DIGITAL,
    ),
    "EM activation": (["experiment=set2"], DIGITAL),
    "SGD": (["optimizer=sgd"], RELU | DIGITAL),
    "MLP": (["model=mlp"], RELU | DIGITAL),
    "residual CNN": (["model=residual_cnn"], RELU | DIGITAL),
    "aihwkit's tiles": (["experiment=crossbar", "crossbar=aihwkit"], RELU),
    # That a recipe reads each of its settings, which it is given together: test_recipe_settings.
    "mixed precision": (["experiment=crossbar"], RELU),
    "pairs of devices": (["experiment=crossbar", "crossbar.cells=pair"], RELU),
    "analog SGD": (["experiment=crossbar", "crossbar/recipe=sgd"], RELU),
    "Tiki-Taka": (["experiment=crossbar_tiki_taka"], RELU),
    "fields of layers": (["experiment=field_programmed"], set()),
}
"""Words of a run and settings that it need not read."""


def groups(settings: BaseModel, place: str = "") -> Iterator[tuple[BaseModel, str]]:
    """Each group of settings below `settings` and where it stands on the command line."""
    yield settings, place
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from groups(value, f"{place}{name}.")


def read_in_a_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Settings that are looked at, alone or with the whole of their group, while a run trains.

    What stores or names the run reads all of them at once, which does not count.
    """
    places = {id(group): place for group, place in groups(settings)}
    get, dump, read = BaseModel.__getattribute__, BaseModel.model_dump, set()

    def watched_get(group: BaseModel, name: str) -> Any:
        if id(group) in places and name in type(group).model_fields:
            read.add(f"{places[id(group)]}{name}")
        return get(group, name)

    def watched_dump(group: BaseModel, **choices: Any) -> dict[str, Any]:
        if places.get(id(group)):
            left_out = choices.get("exclude") or ()
            names = [n for n in type(group).model_fields if n not in left_out]
            read.update(f"{places[id(group)]}{name}" for name in names)
        return dump(group, **choices)

    with monkeypatch.context() as patch:
        patch.setattr(BaseModel, "__getattribute__", watched_get)
        patch.setattr(BaseModel, "model_dump", watched_dump)
        train(settings)
    return read


@pytest.mark.parametrize(("words", "useless"), RUNS.values(), ids=RUNS)
def test_a_run_reads_every_setting(words, useless, tmp_path, monkeypatch):
    whole = config(*TINY, f"store={tmp_path}", *words)
    read = read_in_a_run(read_settings(whole), monkeypatch)
    assert set(leaves(whole)) - useless <= read
