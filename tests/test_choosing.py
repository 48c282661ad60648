"""Images as tensors: normalising them, and class-balanced parts of a set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import data
from experiments.data import DataError, ImageData, ImageSet
from experiments.data.choosing import split_share


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_normalise_is_torchvisions() -> None:
    from torchvision import transforms

    images = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    theirs = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    expected = theirs(images.permute(1, 2, 0).numpy())
    ours = data.normalise(images)
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-7)
    assert ours.dtype == torch.float32
    assert ours.min() == -1
    assert ours.max() == 1
    assert images.flatten()[255] == 255


def test_floats_are_used_as_they_are():
    once = data.normalise(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    assert data.normalise(once) is once


def image_set(labels: list[int]) -> ImageSet:
    """Images that carry their own index in their first two pixels."""
    images = torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8)
    numbers = torch.arange(len(labels))
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers // 256, numbers % 256
    return ImageSet(images, torch.tensor(labels))


def indices(images: ImageSet) -> list[int]:
    pixels = images.images[:, 0, 0, :2].long()
    return (pixels[:, 0] * 256 + pixels[:, 1]).tolist()


def assert_balanced(chosen: ImageSet, rest: ImageSet) -> None:
    """No class of which images were left over has two fewer than another class."""
    counts = chosen.labels.bincount(minlength=10)
    left_over = rest.labels.bincount(minlength=10) > 0
    if left_over.any():
        assert counts[left_over].min() >= counts.max() - 1


labels_and_n = st.lists(st.integers(0, 9), min_size=2, max_size=300).flatmap(
    lambda labels: st.tuples(st.just(labels), st.integers(1, len(labels) - 1))
)


@settings(deadline=None)
@given(labels_and_n, st.integers(0, 2**31))
def test_split_is_disjoint_complete_and_balanced(case: tuple[list[int], int], seed: int) -> None:
    labels, n = case
    rest, held_out = data.split(image_set(labels), n, seed)
    assert len(held_out) == n
    assert sorted(indices(rest) + indices(held_out)) == list(range(len(labels)))
    for part in (rest, held_out):
        assert indices(part) == sorted(indices(part))
        assert part.labels.tolist() == [labels[i] for i in indices(part)]
    assert_balanced(held_out, rest)


def test_split_and_subset_follow_the_seed() -> None:
    whole = image_set([i % 10 for i in range(200)])
    for choose in (
        lambda seed: indices(data.split(whole, 50, seed)[1]),
        lambda seed: indices(data.subset(whole, 50, seed)),
    ):
        torch.manual_seed(1)
        first = choose(3)
        torch.manual_seed(2)
        assert choose(3) == first
        assert choose(4) != first


@settings(deadline=None)
@given(labels_and_n, st.integers(0, 2**31))
def test_smaller_subset_lies_within_larger(case: tuple[list[int], int], seed: int) -> None:
    labels, n = case
    whole = image_set(labels)
    small, large = data.subset(whole, n, seed), data.subset(whole, (n + len(labels)) // 2, seed)
    assert len(small) == n
    assert set(indices(small)) <= set(indices(large))


def test_whole_subset_is_the_set_itself() -> None:
    whole = image_set([3, 1, 2])
    assert data.subset(whole, None, 0) is whole
    assert data.subset(whole, 3, 0) is whole


@pytest.mark.parametrize("n", [0, -1, 21, 2.5, "5"])
def test_subset_size_out_of_range(n: int) -> None:
    whole = image_set([i % 10 for i in range(20)])
    assert f"n = {n!r} must be a whole number from 1 to 20" in error_of(
        lambda: data.subset(whole, n, 0)
    )


@pytest.mark.parametrize("n", [0, -1, 20, 2.5])
def test_split_size_out_of_range(n: int) -> None:
    whole = image_set([i % 10 for i in range(20)])
    message = error_of(lambda: data.split(whole, n, 0))
    assert f"n_held_out = {n!r} must be a whole number from 1 to 19" in message


def test_images_and_labels_must_fit_each_other() -> None:
    whole = image_set([1, 2, 3])
    assert "3 images with 2 labels" in error_of(lambda: replace(whole, labels=whole.labels[:2]))
    flat = whole.images.flatten(1)
    assert "got 3 x 784 of torch.uint8" in error_of(lambda: ImageSet(flat, whole.labels))
    double = whole.images.double()
    assert "of torch.float64" in error_of(lambda: ImageSet(double, whole.labels))


def test_parts_of_a_data_set_must_fit_each_other() -> None:
    whole, classes = image_set([0, 1, 2]), ("a", "b", "c")
    small = ImageSet(whole.images[..., :14], whole.labels)
    told = error_of(lambda: ImageData(whole, small, classes, "here"))
    assert "training images are 1 x 28 x 28, test images 1 x 28 x 14" in told
    told = error_of(lambda: ImageData(whole, whole, classes[:2], "here"))
    assert "training label 2 out of range 0..1" in told
    empty = ImageSet(whole.images[:0], whole.labels[:0])
    assert "no test images in here" in error_of(lambda: ImageData(whole, empty, classes, "here"))


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=100), st.floats(0.01, 0.99))
def test_a_share_held_out_is_the_same_always_and_leaves_some(labels, share):
    train, test = split_share(image_set(labels), share)
    assert min(len(train), len(test)) >= 1
    assert abs(len(test) - share * len(labels)) <= 1
    assert indices(split_share(image_set(labels), share)[1]) == indices(test)
