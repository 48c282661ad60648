"""What makes a run: content of files, not their paths; the threads that change its bits."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from test_settings import EM, changed, config

import experiments.runs
from experiments.data import ImagesIdentity
from experiments.runs.identity import run_folder
from experiments.training.identity import folder_of, run_identity
from experiments.training.settings import Settings, read_settings

SPREADS = ("step_c2c", "write_noise", "step_d2d", "range_d2d")
PUBLISHED = ImagesIdentity(None, (1, 28, 28))
WHERE = {"card_sha256": "c", "images": PUBLISHED, "computed_on": "cpu, 1 thread"}


def folder(config: dict, **where: object):
    settings = read_settings(config)
    return folder_of(settings, run_identity(settings, **(WHERE | where)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resume", True),
        ("overwrite", True),
        ("threads", 1),
        ("accelerator", "cpu"),
        ("device.card", "elsewhere/card.json"),
        ("data.folder", "elsewhere"),
        ("data.download", False),
        ("data.name", "mnist"),
    ],
)
def test_what_does_not_change_the_result_does_not_change_the_folder(key, value):
    """Where images lie and what they are called: they count by their content."""
    assert folder(changed(EM, key, value)) == folder(EM)


def test_everything_else_makes_another_run():
    others = [
        folder(changed(EM, "seed", 1)),
        folder(changed(EM, "name", "set1")),
        folder(changed(EM, "optimizer.lr", 3e-3)),
        folder(changed(EM, "data.held_out", 5)),
        folder(changed(EM, "crossbar.update.chunks", 9)),
        *(folder(changed(EM, f"device.{name}", 0.1)) for name in SPREADS),
        folder(EM, card_sha256="d"),
        folder(EM, images=ImagesIdentity("e", (1, 28, 28))),
        folder(EM, images=ImagesIdentity("e", (1, 7, 112))),
        folder(EM, computed_on="cpu, 2 threads"),
    ]
    assert len({*others, folder(EM)}) == len(others) + 1


def test_a_setting_younger_than_stored_runs_counts_where_it_is_chosen():
    older = changed(EM, "crossbar.cells", "single")
    del older["crossbar"]["cells"]
    assert folder(older) == folder(EM)
    assert folder(changed(EM, "crossbar.cells", "pair")) != folder(EM)


def test_the_folder_lies_below_the_store(tmp_path):
    own = folder(changed(EM, "store", str(tmp_path)))
    assert own.parent == tmp_path / "a"
    assert own.name.startswith("b-seed0-")


STORED = {
    "experiment=baseline": "d6f269e9",
    "experiment=set2": "08c9ed4c",
    "experiment=set2_crossbar": "6e38ef90",
    "experiment=crossbar_tiki_taka": "6e3c5eb6",
    "experiment=crossbar_sgd": "78052b4c",
    "crossbar=aihwkit": "b9456ebb",
    "optimizer=sgd": "38aa7b98",
    "optimizer=paper": "920efb74",
    "model=mlp": "f23c3967",
    "model=residual_cnn": "d557837c",
    "experiment=field_programmed data.held_out=5": "fc146878",
}
"""Hashes that version 0.1 gave to runs with these settings."""


@pytest.mark.parametrize(("words", "digest"), STORED.items())
def test_runs_stored_by_the_first_version_are_found(words, digest):
    assert folder(config(*words.split())).name == f"b-seed0-{digest}"


def test_adam_counts_as_it_was_stored_with_its_unread_momentum():
    settings = read_settings(config())
    assert "momentum" not in settings.optimizer.model_dump()
    assert run_identity(settings, **WHERE)["optimizer"] == {
        "name": "adam",
        "lr": 2e-3,
        "crossbar_lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "decay": "cosine",
    }
    sgd = [folder(config("optimizer=sgd", f"optimizer.momentum={m}")) for m in (0.0, 0.5, 0.9)]
    assert len({*sgd, folder(config())}) == 4


def test_a_run_on_other_images_of_the_same_form_is_found():
    """`data.verify=false` of the first version."""
    settings = config("data.folder=x", "data.verify=false")
    found = folder(settings, images=ImagesIdentity("e", (1, 28, 28)))
    assert found.name == "b-seed0-00a6afd6"


def test_an_option_added_at_its_default_leaves_stored_runs_where_they_are():
    class Later(Settings):
        brightness: float = 1.0

    def later(config: dict):
        settings = Later.model_validate(config)
        return folder_of(settings, run_identity(settings, **WHERE))

    assert later(EM) == later(EM | {"brightness": 1.0}) == folder(EM)
    assert later(EM | {"brightness": 0.5}) != folder(EM)


def test_channels_that_follow_the_images_are_those_of_the_images():
    follows, says = (
        config("model=residual_cnn"),
        config("model=residual_cnn", "model.in_channels=3"),
    )
    colours = ImagesIdentity("e", (3, 28, 28))
    assert follows["model"]["in_channels"] is None
    assert folder(follows, images=colours) == folder(says, images=colours)
    assert folder(follows) != folder(says)


def test_a_network_of_the_users_own_counts_by_target_arguments_and_source(tmp_path, monkeypatch):
    path = tmp_path / "mynets.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Module): ...\nclass Other(nn.Module): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def custom(target: str, *words: str):
        return folder(config("model=custom", f"model.target={target}", *words))

    try:
        first = custom("mynets.Net")
        assert custom("mynets.Net") == first
        assert custom("mynets.Other") != first
        assert custom("mynets.Net", "model.arguments={width:3}") != first
        assert custom("torch.nn.Flatten") != first
        path.write_text(path.read_text() + "# changed\n")
        assert custom("mynets.Net") != first
    finally:
        sys.modules.pop("mynets", None)


def test_the_store_takes_any_plain_containers(tmp_path):
    first = run_folder(tmp_path, "a", {"x": 1, "y": [1.5, None]})
    assert first == run_folder(tmp_path, "a", {"y": [1.5, None], "x": 1})
    assert first.parent == tmp_path
    assert first != run_folder(tmp_path, "a", {"x": 2, "y": [1.5, None]})


def test_the_store_knows_nothing_of_the_training():
    for path in Path(experiments.runs.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("experiments.train"), path
