"""Recipes of the memristor tile against pulses drawn one by one, and their statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from sequential import SequentialArray

from crossbar import pulsed_device
from crossbar.array import MemristorArray
from crossbar.convolution import Window
from crossbar.periphery import Converters, periphery
from crossbar.random import RandomStream
from crossbar.recipes import Minibatch, PulseUpdate, Recipe, expected_pulses, make_recipe

SIZE = (12, 20)


def recipe_on(settings: PulseUpdate, weight: torch.Tensor, seed: int = 1) -> Recipe:
    device, stream = pulsed_device("lsmo_pvdf_co"), RandomStream(seed)

    def make_array(number: int) -> MemristorArray:
        return MemristorArray(*weight.shape, device, stream, seed + number)

    recipe = make_recipe(make_array, settings, Converters(periphery(perfect=True)))
    recipe.array.program(weight)
    return recipe


def minibatches(number: int, rows: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(number):
        x = torch.randn(rows, SIZE[1], generator=generator).clamp(min=0)
        d = torch.randn(rows, SIZE[0], generator=generator) + 0.3 * torch.linspace(-1, 1, SIZE[0])
        made.append((x, 0.02 * d))
    return made


@pytest.mark.parametrize(("rows", "rate", "number"), [(64, 0.1, 40), (64, 1.0, 20)])
def test_counted_coincidences_end_as_sequential_ones(rows, rate, number):
    """2 and 15 pulses a device and minibatch: KS test of 3 x 240 weights, and their std to 12 %."""
    generator = torch.Generator().manual_seed(1)
    start = 0.15 * (2 * torch.rand(SIZE, generator=generator) - 1)
    batches = minibatches(number, rows)
    expected, got = [], []
    for seed in range(3):
        reference, rng = (
            SequentialArray(pulsed_device("lsmo_pvdf_co"), start.numpy()),
            np.random.default_rng(seed),
        )
        recipe = recipe_on(PulseUpdate(recipe="sgd"), start, seed + 1)
        for x, d in batches:
            reference.stochastic_update(x.numpy(), d.numpy(), rate, 31, rng)
            recipe.update(Minibatch(x, d), rate)
        expected.append(reference.weight)
        got.append(recipe.array.weight.numpy())
    assert ks_2samp(np.ravel(expected), np.ravel(got)).pvalue > 1e-3
    assert np.std(got) == pytest.approx(np.std(expected), rel=0.12)
    assert np.mean(got) == pytest.approx(np.mean(expected), abs=0.02)


def test_expected_pulses_are_those_of_aihwkits_update_management():
    """The learning rate times the product, until the trains are as long as they may be."""
    x = torch.tensor([[0.5, -1.0, 0.0], [2.0, 0.1, -0.2], [0.0, 0.0, 0.0]])
    d = torch.tensor([[0.1, -0.4], [3.0, 1.5], [1.0, 1.0]])
    pulses, length = expected_pulses(x.t()[None], d.t()[None], 10.0, 31)
    pulses, length = pulses[0].t(), length.flatten()
    assert length.tolist() == [4.0, 31.0, 0.0]
    assert torch.allclose(pulses[0], 10 * d[0])
    # 60 and 30 pulses are due at the largest input: trains of 31 clip the larger gradient.
    assert pulses[1] * 2.0 == pytest.approx([31.0, 30.0])
    assert torch.equal(pulses[2], torch.zeros(2))


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("trains", [1, 3, 40])
def test_counts_have_the_mean_and_variance_of_pulse_trains(probability, trains):
    """Sum of `trains` Bernoulli numbers, 40,000 times: mean to 2 %, variance to 1/4."""
    n = 40_000
    recipe = recipe_on(PulseUpdate(recipe="sgd"), torch.zeros(1, 1))
    mean = torch.full((n,), trains * probability)
    counts = recipe._count(mean, torch.full((n,), trains * probability**2))
    assert torch.equal(counts, counts.round())
    assert counts.min() >= 0
    assert counts.mean().item() == pytest.approx(trains * probability, rel=0.02, abs=0.004)
    variance = trains * probability * (1 - probability)
    assert counts.var().item() == pytest.approx(variance, rel=0.04, abs=0.26)
    if trains * probability**2 < 1:
        assert counts.var().item() == pytest.approx(variance, rel=0.05, abs=0.004)


@pytest.mark.parametrize("settings", [PulseUpdate(), PulseUpdate(recipe="sgd")])
def test_weights_follow_the_gradient(settings):
    """Mean step of 60 x 50 devices at the symmetry point: the learning rate times d^T x."""
    recipe = recipe_on(settings, torch.zeros(60, 50))
    x, d = torch.full((4, 50), 0.5), torch.full((4, 60), -0.2)
    for _ in range(20):
        recipe.update(Minibatch(x, d), 0.003)
    # 20 x 4 x 0.1 x 0.003 = 0.024, nearly one pulse; mixed precision holds back what is not due.
    moved = recipe.array.weight.mean() + recipe.memory.mean().abs()
    assert moved.item() == pytest.approx(0.024, rel=0.05)


def test_digital_momentum_adds_up_the_gradients():
    """With momentum m the n-th step is (1 - m^n) / (1 - m) times the first."""
    recipe = recipe_on(PulseUpdate(recipe="sgd", momentum=0.5), torch.zeros(60, 50))
    x, d = torch.full((1, 50), 1.0), torch.full((1, 60), -0.1)
    for _ in range(10):
        recipe.update(Minibatch(x, d), 0.015)
    expected = 0.0015 * sum((1 - 0.5**n) / 0.5 for n in range(1, 11))
    assert recipe.array.weight.mean().item() == pytest.approx(expected, rel=0.05)


def test_mixed_precision_fires_whole_granularities_and_keeps_the_rest():
    recipe = recipe_on(PulseUpdate(granularity=0.1), torch.zeros(1, 3))
    x, d = torch.tensor([[1.0, 2.5, -0.9]]), torch.ones(1, 1)
    recipe.update(Minibatch(x, d), 0.1)
    assert torch.allclose(recipe.memory, torch.tensor([[0.0, 0.05, -0.09]]), atol=1e-6)
    steps = recipe.array.weight[0]
    device = pulsed_device("lsmo_pvdf_co")
    assert steps[0].item() == pytest.approx(-device.dw_min, rel=0.02)
    assert steps[1] < 1.5 * steps[0]
    assert steps[2] == 0


PLAIN = {"fast_pulses": 0.0, "reads_per_transfer": 1, "transfer_lr": 1.0, "chop_probability": 0.0}
"""Tiki-Taka v2 as published: the fast rate is given, one column a transfer, no choppers."""


def test_plain_tiki_taka_reads_one_column_a_minibatch_and_moves_it_by_single_pulses():
    settings = PulseUpdate(recipe="tiki_taka_v2", fast_lr=0.05, **PLAIN)
    recipe = recipe_on(settings, torch.zeros(4, 3))
    recipe.reset()
    x, d = torch.ones(8, 3), torch.full((8, 4), -1.0)
    changed = []
    for _ in range(6):
        before = recipe.array.weight.clone()
        recipe.update(Minibatch(x, d), 1.0)
        changed.append((recipe.array.weight != before).any(0).tolist())
    for minibatch, columns in enumerate(changed):
        assert columns == [column == minibatch % 3 for column in range(3)]
    assert (recipe.array.weight > 0).all()


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("window", [None, Window((2, 2), (1, 1), (1, 1))])
def test_the_fast_array_sees_the_pulses_asked_for(factor, window, monkeypatch):
    """Whatever the size of inputs and gradients: mean number of pulses a device within 15 %."""
    size = (5, 12) if window else (5, 3)
    recipe = recipe_on(PulseUpdate(recipe="tiki_taka_v2", fast_pulses=4.0), torch.zeros(size))
    fired = []
    monkeypatch.setattr(recipe.fast.array, "fire", lambda pulses: fired.append(pulses.abs().mean()))
    generator = torch.Generator().manual_seed(1)
    x, d = (torch.randn(16, n, 8, 8, generator=generator) for n in (3, 5))
    if window:
        d, gain = torch.randn(16, 5, 9, 9, generator=generator), 3.0
    else:
        x, d, gain = x.movedim(1, -1), d.movedim(1, -1), 1.0
    for _ in range(10):
        recipe.update(Minibatch(x, factor * d, window, gain), 0.01)
    assert torch.stack(fired).sum().item() / 10 == pytest.approx(4.0, rel=0.15)


def learned(zero: str, rate: float, seed: int = 0, **settings) -> float:
    """Mean error of 30 weights that shall follow noisy gradients to a target, over its size."""
    device, stream = pulsed_device("lsmo_pvdf_co", zero=zero), RandomStream(seed + 1)

    def make_array(number: int) -> MemristorArray:
        return MemristorArray(5, 6, device, stream, seed + number)

    recipe = make_recipe(
        make_array, PulseUpdate(transfer_lr=2.0, **settings), Converters(periphery(perfect=True))
    )
    recipe.array.program(torch.zeros(5, 6))
    recipe.reset()
    generator = torch.Generator().manual_seed(seed)
    target = 0.4 * (2 * torch.rand(5, 6, generator=generator) - 1)
    errors = []
    for step in range(600):
        x = torch.randn(8, 6, generator=generator)
        noise = 0.5 * torch.randn(8, 5, generator=generator)
        d = x @ (recipe.array.weight - target).t() + noise
        recipe.update(Minibatch(x, d), rate)
        if step >= 500:
            errors.append((recipe.array.weight - target).abs().mean())
    return (torch.stack(errors).mean() / target.abs().mean()).item()


def test_tiki_taka_learns_what_stochastic_pulses_cannot():
    """Gradients of a coarse and asymmetric device: 0.22 of the target's size against 0.59."""
    own = learned("symmetry_point", 0.003, recipe="tiki_taka_v2")
    assert own < 0.5 * learned("symmetry_point", 0.003, recipe="sgd")


def test_choppers_learn_where_the_symmetry_point_is_wrong():
    """Zero at mid-range, where pulses drift to one side: 0.7 against 2.8 and 2.3."""
    chopped = learned("mid_range", 0.001, recipe="tiki_taka_v2")
    assert chopped < 0.5 * learned("mid_range", 0.001, recipe="tiki_taka_v2", chop_probability=0.0)
    assert chopped < 0.5 * learned("mid_range", 0.001, recipe="sgd")


def test_tiki_taka_goes_on_where_it_was():
    """Choppers, running mean and both arrays are part of the state."""
    settings = PulseUpdate(recipe="tiki_taka_v2", chop_probability=0.5)
    first, second = (recipe_on(settings, torch.zeros(SIZE), seed) for seed in (1, 2))
    batches = minibatches(8, 4)
    for x, d in batches[:4]:
        first.update(Minibatch(x, d), 0.1)
    assert (first.chopper < 0).any()
    second.restore(first.state())
    second.array.stream.restore(first.array.stream.state())
    for x, d in batches[4:]:
        for recipe in (first, second):
            recipe.update(Minibatch(x, d), 0.1)
    assert torch.equal(first.array.weight, second.array.weight)
    assert torch.equal(first.fast.array.weight, second.fast.array.weight)
    first.reset()
    assert (first.chopper == 1).all()
