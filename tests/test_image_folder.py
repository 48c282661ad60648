"""A user's own pictures: layouts, sizes and colours, and pictures that are none."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data import DataError, image_folder, load_data


def picture(path: Path, value: int | tuple[int, int, int], size: tuple[int, int] = (9, 7)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if isinstance(value, int) else "RGB"
    Image.new(mode, size, value).save(path)


def fill(root: Path, parts: tuple[str, ...] = ("train", "test"), n: int = 3) -> Path:
    """`n` pictures of one grey each in the classes a and b, b brighter."""
    for part in parts:
        for label, name in enumerate("ab"):
            for i in range(n):
                picture(root / part / name / f"{i}.png", 100 * label + 10 * i)
    return root


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def load(root: Path, **choices: object):
    return load_data("image_folder", folder=root, **choices)


@pytest.mark.parametrize("test_folder", ["test", "val"])
def test_pictures_keep_their_greys_and_classes(tmp_path, test_folder):
    loaded = load(fill(tmp_path, ("train", test_folder)), size=5)
    assert loaded.shape == (1, 5, 5)
    assert loaded.classes == ("a", "b")
    for part in (loaded.train, loaded.test):
        assert part.images.dtype == torch.uint8
        assert part.labels.tolist() == [0, 0, 0, 1, 1, 1]
        expected = torch.tensor([0, 10, 20, 100, 110, 120], dtype=torch.uint8)
        assert torch.equal(part.images, expected.view(6, 1, 1, 1).expand(6, 1, 5, 5))


def test_colours_are_kept_as_channels_or_made_grey(tmp_path):
    for part in ("train", "test"):
        picture(tmp_path / part / "a" / "1.png", (200, 100, 50))
        picture(tmp_path / part / "b" / "1.jpg", 7)
    colours = load(tmp_path, size=4, colour="rgb").train.images
    assert colours[0, :, 0, 0].tolist() == [200, 100, 50]
    assert colours[1, :, 0, 0].tolist() == [7, 7, 7]
    # Luma of ITU-R 601: 0.299 R + 0.587 G + 0.114 B.
    grey = load(tmp_path, size=4, colour="grey").train.images
    assert grey[0, 0, 0, 0].item() == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)


def test_a_gradient_keeps_its_direction(tmp_path):
    """Rows stay rows: a picture that is brighter below is brighter in its last rows."""
    rows = np.arange(0, 240, 8, dtype=np.uint8)[:, None].repeat(30, 1)
    for part in ("train", "test"):
        (tmp_path / part / "a").mkdir(parents=True)
        Image.fromarray(rows).save(tmp_path / part / "a" / "1.png")
    image = load(tmp_path, size=10).train.images[0, 0].int()
    assert (image.diff(dim=0) > 0).all()
    assert (image.diff(dim=1) == 0).all()


@pytest.mark.parametrize("layout", ["", "train"])
def test_without_test_folder_some_are_held_out_and_it_is_said(tmp_path, layout):
    fill(tmp_path, (layout,), n=10)
    with pytest.warns(UserWarning, match="4 of its 20 images are held out") as told:
        first = load(tmp_path, size=2)
    assert "data.test_share=0.2" in str(told[0].message)
    assert (len(first.train), len(first.test)) == (16, 4)
    assert first.test.labels.tolist() == [0, 0, 1, 1]
    with pytest.warns(UserWarning, match="10 of its 20"):
        half = load(tmp_path, size=2, test_share=0.5)
    assert len(half.test) == 10
    with pytest.warns(UserWarning, match="held out"):
        assert load(tmp_path, size=2).sha256 == first.sha256 != half.sha256


def test_own_test_folder_is_no_warning(tmp_path):
    fill(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path)


def test_the_hash_is_of_the_content_not_of_the_place(tmp_path):
    first, second = load(fill(tmp_path / "x")), load(fill(tmp_path / "y"))
    assert first.sha256 == second.sha256
    picture(tmp_path / "y" / "train" / "a" / "0.png", 1)
    assert load(tmp_path / "y").sha256 != first.sha256


def test_folders_that_hold_no_data_set(tmp_path):
    assert "data.folder=" in error_of(lambda: load(tmp_path / "nowhere"))
    assert "Couldn't find any class folder" in error_of(lambda: load(tmp_path))
    (tmp_path / "train").mkdir()
    assert "Couldn't find any class folder" in error_of(lambda: load(tmp_path))
    (tmp_path / "train" / "empty").mkdir()
    assert "empty" in error_of(lambda: load(tmp_path))
    lonely = tmp_path / "lonely"
    fill(lonely, ("test",))
    assert "has a folder test/ but no train/" in error_of(lambda: load(lonely))


def test_classes_must_be_the_same_in_both_parts(tmp_path):
    fill(tmp_path)
    picture(tmp_path / "test" / "c" / "1.png", 3)
    assert "differ in classes: c" in error_of(lambda: load(tmp_path))


def damage_text(path: Path) -> None:
    path.write_text("not a picture")


def damage_cut(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])


def damage_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [damage_text, damage_cut, damage_fifo])
def test_a_picture_that_is_none_is_named(tmp_path, damage):
    path = fill(tmp_path) / "train" / "b" / "1.png"
    damage(path)
    assert str(path) in error_of(lambda: load(tmp_path))


def test_a_bomb_of_pixels_is_no_picture(tmp_path, monkeypatch):
    path = fill(tmp_path) / "train" / "a" / "bomb.png"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    picture(path, 0, (40, 40))
    assert f"{path}: cannot be read" in error_of(lambda: load(tmp_path))


def test_more_than_fits_into_memory_is_told_before_a_picture_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "MEMORY_BYTES", 6 * 28**2 - 1)
    damage_text(fill(tmp_path) / "train" / "a" / "0.png")
    told = error_of(lambda: load(tmp_path))
    assert "6 pictures in 2 classes need 4704 bytes at data.size=28" in told
