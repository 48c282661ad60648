"""A user's own tensors: keys, axes, kinds of numbers, and files that are no such thing."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.data import DataError, arrays, load_data
from experiments.data.arrays import KEYS

RANDOM = np.random.default_rng(0)


def content(shape: tuple[int, ...] = (6, 5), n_train: int = 9, n_test: int = 6) -> dict:
    return {
        "x_train": RANDOM.integers(0, 256, (n_train, *shape), dtype=np.uint8),
        "y_train": np.arange(n_train) % 3,
        "x_test": RANDOM.integers(0, 256, (n_test, *shape), dtype=np.uint8),
        "y_test": np.arange(n_test) % 3,
    }


def write(folder: Path, stored: dict, packed: bool = False) -> Path:
    path = folder / "my.npz"
    (np.savez_compressed if packed else np.savez)(path, **stored)
    return path


def load(path: Path, **choices: object):
    return load_data("arrays", file=path, **choices)


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", range(5))
def test_every_name_of_an_array_is_found(tmp_path, packed, names):
    stored = content()
    path = write(tmp_path, {KEYS[key][names]: value for key, value in stored.items()}, packed)
    loaded = load(path)
    assert torch.equal(loaded.train.images[:, 0], torch.from_numpy(stored["x_train"]))
    assert loaded.test.labels.tolist() == stored["y_test"].tolist()
    assert loaded.classes == ("0", "1", "2")


@settings(max_examples=30, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    rows=st.integers(2, 9),
    columns=st.integers(4, 9),
    last=st.booleans(),
)
def test_channels_come_first_or_last(tmp_path_factory, channels, rows, columns, last):
    if last and rows in (1, 3):
        return  # taken for channels: they stand first
    stored = content((channels, rows, columns))
    given_ = dict(stored)
    if last:
        for key in ("x_train", "x_test"):
            given_[key] = stored[key].transpose(0, 2, 3, 1)
    loaded = load(write(tmp_path_factory.mktemp("x"), given_))
    assert loaded.shape == (channels, rows, columns)
    assert torch.equal(loaded.train.images, torch.from_numpy(stored["x_train"]))


def test_any_number_of_channels_may_stand_first(tmp_path):
    assert load(write(tmp_path, content((12, 8, 7)))).shape == (12, 8, 7)


@pytest.mark.parametrize("kind", [np.int64, np.int16, np.uint16])
def test_whole_numbers_are_pixels(tmp_path, kind):
    stored = content()
    wide = {key: value.astype(kind) for key, value in stored.items()}
    assert load(write(tmp_path, wide)).sha256 == load(write(tmp_path, stored)).sha256


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_floats_are_used_as_they_are(tmp_path, kind):
    stored = content()
    for key in ("x_train", "x_test"):
        stored[key] = RANDOM.normal(size=stored[key].shape).astype(kind)
    images = load(write(tmp_path, stored)).train.images
    assert images.dtype == torch.float32
    assert np.array_equal(images[:, 0].numpy(), stored["x_train"].astype(np.float32))


def test_without_test_arrays_some_are_held_out_and_it_is_said(tmp_path):
    stored = content(n_train=30)
    path = write(tmp_path, {key: stored[key] for key in ("x_train", "y_train")})
    with pytest.warns(UserWarning, match="6 of its 30 images are held out"):
        loaded = load(path)
    assert loaded.test.labels.bincount().tolist() == [2, 2, 2]
    with pytest.warns(UserWarning, match="15 of its 30"):
        assert len(load(path, test_share=0.5).test) == 15


CHANGED = {
    "no labels": ({"y_train": None}, "holds no y_train (nor Y_train, train_labels"),
    "no test images": ({"x_test": None}, "holds no x_test"),
    "too few labels": ({"y_train": np.arange(8)}, "x_train has 9 images, y_train 8 labels"),
    "flat": ({"x_train": np.zeros((9, 30))}, "x_train is 9 x 30: images need 3 or 4 axes"),
    "number": ({"x_train": np.zeros(())}, "images need 3 or 4 axes"),
    "empty": ({"x_test": np.zeros((0, 6, 5)), "y_test": np.arange(0)}, "x_test is empty"),
    "no pixels": ({"x_test": np.zeros((6, 0, 5))}, "x_test is empty"),
    "negative": ({"x_train": np.full((9, 6, 5), -1)}, "x_train holds whole numbers outside 0..255"),
    "large": ({"x_train": np.full((9, 6, 5), 256)}, "outside 0..255"),
    "nan": ({"x_test": np.full((6, 6, 5), np.nan)}, "x_test holds numbers that are not finite"),
    "beyond float32": ({"x_test": np.full((6, 6, 5), 1e300)}, "not finite"),
    "text": ({"x_test": np.full((6, 6, 5), "a")}, "x_test holds <U1, not numbers"),
    "truth": ({"x_test": np.ones((6, 6, 5), bool)}, "x_test holds bool, not numbers"),
    "complex": ({"x_test": np.ones((6, 6, 5), complex)}, "not numbers"),
    "one hot": ({"y_train": np.eye(9)}, "y_train is 9 x 9 of float64: labels are whole numbers"),
    "float labels": ({"y_train": np.arange(9.0)}, "labels are whole numbers"),
    "negative label": ({"y_train": np.arange(9) - 1}, "y_train holds labels outside 0..16383"),
    "huge label": ({"y_train": np.arange(9) + 10**6}, "labels outside"),
    "other size": ({"x_test": np.zeros((6, 6, 4), np.uint8)}, "are 1 x 6 x 5, test images 1 x 6"),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("changes", "fault"), CHANGED.values(), ids=CHANGED.keys())
def test_arrays_that_do_not_fit_are_named(tmp_path, changes, fault):
    stored = {k: v for k, v in (content() | changes).items() if v is not None}
    path = write(tmp_path, stored)
    told = error_of(lambda: load(path))
    assert told.startswith(f"{path}: ")
    assert fault in told


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_no_pickle_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = content() | {"y_train": np.array([Evil()] * 9, dtype=object)}
    told = error_of(lambda: load(write(tmp_path, stored)))
    assert "allow_pickle=False" in told
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Evil()))
    assert "no .npz file" in error_of(lambda: load(tmp_path / "bare.npz"))
    assert not (tmp_path / "evil").exists()


def test_files_that_are_no_npz(tmp_path):
    assert "No such file" in error_of(lambda: load(tmp_path / "nowhere.npz"))
    assert "is a folder" in error_of(lambda: load(tmp_path))
    fifo = tmp_path / "fifo.npz"
    os.mkfifo(fifo)
    assert "is a fifo" in error_of(lambda: load(fifo))
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert "no .npz file" in error_of(lambda: load(tmp_path / "one.npy"))


def test_a_bomb_is_not_inflated(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(2**20))
    monkeypatch.setattr(arrays, "MAX_BYTES", 2**20 - 1)
    assert "its arrays take 1048576 bytes, more than 1048575" in error_of(lambda: load(path))


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_changed_byte_is_told_or_changes_nothing(tmp_path_factory, position, change):
    """Members carry a checksum; bytes that say nothing (a time stamp) may change."""
    folder = tmp_path_factory.mktemp("x")
    path = write(folder, CONTENT)
    original = load(path).sha256
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= change
    path.write_bytes(data)
    try:
        read = load(path).sha256
    except DataError:
        read = original
    assert read == original


CONTENT = content((3, 2), 6, 3)
