"""Mixed precision on the CPU in one pass: the same pulses as torch's form, and nothing lost."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossbar import pulsed_device
from crossbar.arrays import MemristorArray
from crossbar.random import RandomStream
from crossbar.reads import Converters, Window, periphery
from crossbar.recipes import make_recipe, recipe_settings
from crossbar.recipes.due_cpu import CHUNK, take_due
from crossbar.recipes.minibatch import Minibatch, largest


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=40)
@given(
    st.one_of(st.integers(0, 200), st.integers(CHUNK - 2, 3 * CHUNK)),
    st.floats(1e-3, 10),
    st.booleans(),
)
def test_what_is_taken_out_is_what_torch_takes(size, granularity, adds):
    memory, gradient = 0.3 * numbers(size), numbers(size, seed=1) if adds else None
    total = memory.double() + (0.7 * gradient.double() if adds else 0)
    hit, counts = take_due(memory, granularity, gradient, 0.7)
    taken = torch.zeros(size)
    taken[hit] = counts
    assert torch.equal(hit, taken.nonzero().squeeze(1))  # each once, in order, and none is 0
    # At the edge of a whole granularity the last bit decides; what is taken is never lost.
    assert torch.allclose(memory + taken.double() * granularity, total, atol=1e-5)
    assert (memory.abs() <= granularity * (1 + 1e-5)).all()
    assert ((total / granularity).trunc() != taken).sum() <= 1
    assert (taken * total >= 0).all()


def test_the_list_does_not_depend_on_the_threads():
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            memory = numbers(5 * CHUNK + 7)
            results.append((*take_due(memory, 0.5), memory))
    finally:
        torch.set_num_threads(threads)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


MINIBATCHES = {
    "vectors": (Minibatch(numbers(9, 30), numbers(9, 20, seed=1)), (20, 30)),
    "few vectors of a large layer": (Minibatch(numbers(2, 90), numbers(2, 80, seed=1)), (80, 90)),
    "sequences": (Minibatch(numbers(4, 3, 30), numbers(4, 3, 20, seed=1)), (20, 30)),
    "one vector": (Minibatch(numbers(30), numbers(20, seed=1)), (20, 30)),
    "images": (
        Minibatch(numbers(3, 2, 6, 6), numbers(3, 5, 4, 4, seed=1), Window((3, 3)), 0.5),
        (5, 18),
    ),
    "images of many channels": (
        Minibatch(numbers(2, 20, 3, 3), numbers(2, 30, 1, 1, seed=1), Window((3, 3)), 0.5),
        (30, 180),
    ),
    "images of several positions": (
        Minibatch(numbers(3, 20, 4, 4), numbers(3, 60, 2, 2, seed=1), Window((3, 3)), 0.5),
        (60, 180),
    ),
}


@pytest.mark.parametrize("kind", MINIBATCHES)
def test_a_step_is_that_of_torchs_form(kind, monkeypatch):
    """Weights and memory after five steps, on devices without noise."""
    batch, size = MINIBATCHES[kind]
    results = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr("crossbar.recipes.mixed_precision.has_cpu_kernels", lambda *_: 0)
        device, stream = pulsed_device("lsmo_pvdf_co"), RandomStream(1)
        recipe = make_recipe(
            lambda _, d=device, s=stream: MemristorArray(*size, d, s, 1),
            recipe_settings("mixed_precision"),
            Converters(periphery()),
        )
        for _ in range(5):
            recipe.update(batch, 0.05)
        results.append((recipe.array.effective, recipe.memory))
    for ours, theirs in zip(*results, strict=True):
        assert (ours != 0).any()
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_bound_is_one():
    """No entry of the gradient is larger, and a NaN or an infinity leaves no bound."""
    for batch, _ in MINIBATCHES.values():
        assert largest(batch.gradient()) <= batch.bound() < 1e4
    for value in (float("nan"), float("inf")):
        x = torch.ones(3, 4)
        x[1, 2] = value
        assert not Minibatch(x, torch.ones(3, 2)).bound() < float("inf")
    assert largest(torch.ones(0)) == 0
