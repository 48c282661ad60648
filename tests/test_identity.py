"""What makes a run: content of files, not their paths; the threads that change its bits."""

from __future__ import annotations

import pytest
from test_settings import EM, changed

from experiments.runs.identity import identity, run_folder
from experiments.training.settings import read_settings

SPREADS = ("step_c2c", "write_noise", "step_d2d", "range_d2d")
WHERE = {"card_sha256": "c", "images_sha256": None, "computed_on": "cpu, 1 thread"}


def folder(config: dict, **where: object):
    settings = read_settings(config)
    return run_folder(settings, identity(settings, **(WHERE | where)))


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
    ],
)
def test_what_does_not_change_the_result_does_not_change_the_folder(key, value):
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
        folder(EM, images_sha256="e"),
        folder(EM, computed_on="cpu, 2 threads"),
    ]
    assert len({*others, folder(EM)}) == len(others) + 1


def test_the_folder_lies_below_the_store(tmp_path):
    own = folder(changed(EM, "store", str(tmp_path)))
    assert own.parent == tmp_path / "a"
    assert own.name.startswith("b-seed0-")
