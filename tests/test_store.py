"""Run store: identity, locking, overwriting and checkpoints that may come from anyone."""

from __future__ import annotations

import os

import pytest
import torch

from experiments.store import Run, StoreError, list_runs, open_run, run_folder


def config(store, **changes):
    base = {
        "name": "set2",
        "schedule": "quick",
        "seed": 0,
        "store": str(store),
        "resume": False,
        "overwrite": False,
        "threads": None,
        "accelerator": "auto",
        "data": {"folder": None, "cache": None, "download": True, "verify": True, "held_out": 0},
        "optimizer": {"lr": 1e-3},
    }
    return {**base, **changes}


def test_the_folder_tells_what_makes_a_run(tmp_path):
    """What does not change the result does not change the folder; everything else does."""
    own = run_folder(config(tmp_path))
    images = config(tmp_path)["data"]
    same = [
        {"resume": True},
        {"overwrite": True},
        {"threads": 1},
        {"accelerator": "cpu"},
        {"data": {**images, "folder": "elsewhere"}},
    ]
    other = [
        {"seed": 1},
        {"optimizer": {"lr": 2e-3}},
        {"name": "set1"},
        {"data": {**images, "held_out": 5}},
        {"data": {**images, "folder": "elsewhere", "verify": False}},
    ]
    assert {run_folder(config(tmp_path, **change)) for change in same} == {own}
    folders = {run_folder(config(tmp_path, **change)) for change in other}
    assert len(folders) == len(other)
    assert own not in folders


def test_a_run_is_open_once(tmp_path):
    with (
        open_run(config(tmp_path)),
        pytest.raises(StoreError, match="in use by another process"),
        open_run(config(tmp_path, resume=True)),
    ):
        pass
    with open_run(config(tmp_path, resume=True)) as run:
        assert run.folder.is_dir()


def test_overwriting_leaves_nothing_of_the_old_run(tmp_path):
    with open_run(config(tmp_path)) as run:
        run.write_result({"status": "finished"})
        run.write_history([{"epoch": 1.0}])
        run.save_checkpoint(run.last, {"epoch": 1})
    with pytest.raises(StoreError, match=r"\(finished\): resume=true"), open_run(config(tmp_path)):
        pass
    assert run.result() == {"status": "finished"}
    with open_run(config(tmp_path, overwrite=True)) as again:
        left = {path.name for path in again.folder.iterdir()}
    assert left == {"config.yaml", ".lock"}


def test_resuming_keeps_the_configuration_as_it_was(tmp_path):
    with open_run(config(tmp_path, threads=2)):
        pass
    with open_run(config(tmp_path, threads=1, resume=True)) as run:
        assert run.config()["threads"] == 2


def test_only_runs_with_a_result_are_listed(tmp_path):
    with open_run(config(tmp_path)):
        pass
    assert list_runs(tmp_path) == []
    with open_run(config(tmp_path, seed=1)) as run:
        run.write_result({"status": "finished"})
    assert list_runs(tmp_path) == [run]


class Mischief:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    run = Run(tmp_path)
    torch.save({"model": Mischief(tmp_path / "harm")}, run.last)
    with pytest.raises(StoreError, match=r"last\.pt: not a checkpoint") as caught:
        run.load_checkpoint(run.last)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_a_failed_write_keeps_the_checkpoint(tmp_path, monkeypatch):
    run = Run(tmp_path)
    run.save_checkpoint(run.last, {"epoch": 1})

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        run.save_checkpoint(run.last, {"epoch": 2})
    assert run.load_checkpoint(run.last) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
