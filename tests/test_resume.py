"""Resuming from what a kill or a bad disk left, through the real command line."""

from __future__ import annotations

import pytest
import torch
from test_train import only_run, same_state, train
from torch import nn

from crossbar import to_crossbar
from experiments.runs.store import Run, StoreError
from experiments.training.keeping import keep
from experiments.training.keeping import resume as take_up

pytestmark = pytest.mark.usefixtures("fashion_mnist")

EPOCHS = ("experiment=set2", "trainer.epochs=3")


@pytest.fixture
def run(tmp_path):
    """A run of three epochs that ended before it wrote its result."""
    assert train(tmp_path, *EPOCHS).returncode == 0
    run = only_run(tmp_path)
    (run.folder / "result.json").unlink()
    return run


def resume(run):
    return train(run.folder.parents[1], *EPOCHS, "resume=true")


def without_time(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.mark.parametrize("rows", [None, 0, 1, 2])
def test_the_history_is_rebuilt_from_the_checkpoint(run, rows):
    """Killed between the two files, so that the last row is missing, or the whole file."""
    path = run.folder / "history.csv"
    whole = path.read_bytes()
    path.unlink()
    if rows is not None:
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[: rows + 1]))
    assert resume(run).returncode == 0
    assert path.read_bytes() == whole
    assert run.result()["epochs"] == 3


def test_a_damaged_checkpoint_costs_one_epoch_and_no_bit(run):
    whole, history = torch.load(run.last, weights_only=True), run.history()
    data = bytearray(run.last.read_bytes())
    data[data.index(whole["model"]["features.0.weight"].numpy().tobytes())] ^= 1
    run.last.write_bytes(data)
    done = resume(run)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"warning: {run.last}: ")
    assert line.endswith("going back to epoch 2 in previous.pt")
    again = torch.load(run.last, weights_only=True)
    assert same_state(again["model"], whole["model"])
    assert same_state(again["optimizer"], whole["optimizer"])
    assert without_time(run.history()) == without_time(history)


def test_two_damaged_checkpoints_end_in_one_line_and_stay(run):
    for path in (run.last, run.previous):
        path.write_bytes(b"")
    done = resume(run)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(run.last) in line
    assert str(run.previous) in line
    assert "overwrite=true" in line
    assert run.last.read_bytes() == run.previous.read_bytes() == b""
    assert run.result() is None
    assert train(run.folder.parents[1], *EPOCHS, "overwrite=true").returncode == 0
    assert run.result()["status"] == "finished"


def test_a_damaged_result_is_made_again(run):
    (run.folder / "result.json").write_text("{")
    done = resume(run)
    assert done.returncode == 0
    assert "its result is damaged and made again" in done.stderr
    assert run.result()["status"] == "finished"


def test_a_checkpoint_of_another_network_is_one_line(run, tmp_path):
    other = tmp_path / "other"
    assert (
        train(other, "experiment=set2", "trainer.epochs=1", "model.channels=[6,8]").returncode == 0
    )
    run.last.write_bytes(only_run(other).last.read_bytes())
    done = resume(run)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "last.pt: does not fit this run" in line


def test_a_checkpoint_of_layers_of_several_tiles_is_one_line(tmp_path):
    """A layer larger than a tile was several tiles before."""
    model = to_crossbar(nn.Sequential(nn.Linear(3, 2)), "lsmo_pvdf_co")
    optimizer = torch.optim.Adam(model.parameters())
    folder = Run(tmp_path)
    keep(folder, model, optimizer, [{"epoch": 1, "test_accuracy": 0.5}])
    checkpoint = folder.newest_checkpoint()
    name = "0.analog_module."
    checkpoint["model"] = {
        key.replace(name, f"{name}array.0.0."): value for key, value in checkpoint["model"].items()
    }
    folder.save_last(checkpoint)
    with pytest.raises(StoreError, match=r"last\.pt: does not fit this run: 0\.analog_m") as caught:
        take_up(folder, model, optimizer)
    assert "it is one now" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tiles", ["aihwkit", "memristor"])
def test_checkpoints_of_tiles_are_read(tmp_path, tiles):
    words = ("experiment=set1_crossbar", f"crossbar={tiles}", "trainer.train_images=64")
    assert train(tmp_path, *words).returncode == 0
    run = only_run(tmp_path)
    (run.folder / "result.json").unlink()
    done = train(tmp_path, *words, "resume=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert run.result()["status"] == "finished"
