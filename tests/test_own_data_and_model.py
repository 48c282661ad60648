"""A user's own images and network through the real command line: trained, stored, resumed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from test_train import only_run, same_state, train

from experiments.runs.store import list_runs
from experiments.training.loop import train_epoch

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, n_classes, width=6):
        super().__init__()
        conv = nn.Conv2d(input_shape[0], width, 3)
        self.body = nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, n_classes)

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))
"""

EPOCHS = "trainer.epochs=3"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder with pictures of two colours, the same as arrays, and a network."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 60, (60, 3, 8, 10), dtype=np.uint8)
    labels = np.arange(60) % 2
    pixels[labels == 1, 0] += 120
    for i in range(60):
        part = tmp_path / "pictures" / ("train" if i < 40 else "test") / "xy"[labels[i]]
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i].transpose(1, 2, 0)).save(part / f"{i}.png")
    np.savez(
        tmp_path / "my.npz",
        x_train=pixels[:40],
        y_train=labels[:40],
        x_test=pixels[40:],
        y_test=labels[40:],
    )
    (tmp_path / "mynets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("mynets", None)


WHOLE = ("trainer.train_images=null", "trainer.test_images=null", "trainer.batch_size=8", EPOCHS)
ARRAYS = ("data=arrays", "data.file=my.npz", *WHOLE)
PICTURES = (
    *("data=image_folder", "data.folder=pictures", "data.size=9", "data.colour=rgb"),
    *WHOLE,
)
CUSTOM = ("model=custom", "model.target=mynets.Net")


@pytest.mark.parametrize("data", [ARRAYS, PICTURES], ids=["arrays", "pictures"])
@pytest.mark.parametrize("model", ["mlp", "residual_cnn", "custom"])
def test_every_network_learns_to_tell_two_colours(folder, data, model):
    words = CUSTOM if model == "custom" else (f"model={model}",)
    done = train(folder / "store", *data, *words, "optimizer.lr=0.02", "trainer.epochs=6")
    assert (done.returncode, done.stderr) == (0, "")
    result = only_run(folder / "store").result()
    assert result["test_accuracy_batch_statistics"] > 0.9
    assert result["classes"] == 2
    assert result["image_shape"] == ([3, 8, 10] if data is ARRAYS else [3, 9, 9])
    assert result["train_images"] == 40


def interrupt(monkeypatch, after: int) -> None:
    """Ctrl-C in the epoch after `after` of them."""
    epochs = iter(range(after))

    def cut(*arguments):
        if next(epochs, None) is None:
            raise KeyboardInterrupt
        return train_epoch(*arguments)

    monkeypatch.setattr("experiments.train.train_epoch", cut)


CROSSBAR = "crossbar=memristor"


@pytest.mark.parametrize("em", [False, True], ids=["relu", "em"])
@pytest.mark.parametrize("crossbar", ["crossbar=digital", CROSSBAR])
def test_own_network_resumes_to_the_identical_result(folder, monkeypatch, em, crossbar):
    """Trained, put on crossbars, with its rectifiers replaced; cut off and taken up again."""
    words = (*ARRAYS, *CUSTOM, crossbar, "model.arguments={width:4}", *["activation=em"] * em)
    assert train(folder / "whole", *words).returncode == 0
    with monkeypatch.context() as patch:
        interrupt(patch, after=1)
        assert train(folder / "cut", *words).returncode == 130
    assert train(folder / "cut", *words, "resume=true").returncode == 0
    whole, cut = only_run(folder / "whole"), only_run(folder / "cut")
    assert whole.folder.name == cut.folder.name
    states = [torch.load(run.last, weights_only=True) for run in (whole, cut)]
    assert same_state(states[0]["model"], states[1]["model"])
    assert same_state(states[0]["optimizer"], states[1]["optimizer"])
    result = whole.result()
    assert result["crossbar_weights"] == (4 * 3 * 9 + 4 * 2 if crossbar == CROSSBAR else 0)
    assert result["activation"] == ("em" if em else "relu")


def test_another_source_or_other_pixels_make_another_run(folder):
    words = (*ARRAYS, *CUSTOM, "trainer.epochs=1")
    store = folder / "store"
    assert train(store, *words).returncode == 0
    assert "resume=true" in train(store, *words).stderr
    (folder / "mynets.py").write_text(NET + "# changed\n")
    assert train(store, *words).returncode == 0
    stored = dict(np.load(folder / "my.npz"))
    stored["x_train"][0, 0, 0, 0] ^= 1
    np.savez(folder / "elsewhere.npz", **stored)
    assert train(store, *words, "data.file=elsewhere.npz").returncode == 0
    assert len(list_runs(store)) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=arrays"], "data.file must be given"),
        (["data=image_folder"], "data.folder must be given"),
        (["model=custom"], "model.target must be given"),
        (["data=arrays", "data.file=nowhere.npz"], "nowhere.npz: No such file or directory"),
        (
            ["data=arrays", "data.file=my.npz", "trainer.train_images=41"],
            "trainer.train_images=41: 40 images are there, null takes them all",
        ),
        (
            [*ARRAYS, "data.held_out=40"],
            "data.held_out=40: 39 images can be held out, one has to stay",
        ),
        (["data=image_folder", "data.folder=nowhere"], "data.folder=nowhere is no folder"),
        (["data=image_folder", "data.folder=pictures", "data.colour=red"], "one of grey, rgb"),
        ([*ARRAYS, "model.kernel_size=9"], "do not fit a 3 x 8 x 10 image"),
        ([*ARRAYS, "model.kernel_size=3", "model.in_channels=2"], "choose in_channels=3"),
        ([*ARRAYS, "model=custom", "model.target=mynets.Nett"], "its networks: Net"),
        ([*ARRAYS, *CUSTOM, "model.arguments={wide:3}"], "unexpected keyword argument 'wide'"),
        (
            [*ARRAYS, *CUSTOM, "model.arguments=3"],
            "must be a group of settings, got 3",
        ),
        (["data=mnist", "data.folder=nowhere"], "nowhere is no folder"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(folder, words, message):
    done = train(folder / "store", *WHOLE, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((folder / "store").glob("*/*/*"))
