"""Recipes of the memristor tile against pulses drawn one by one, and their statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from sequential import SequentialArray

from crossbar import pulsed_device
from crossbar.arrays import MemristorArray
from crossbar.random import RandomStream
from crossbar.reads import Converters, Window, periphery
from crossbar.recipes import Minibatch, Recipe, RecipeSettings, make_recipe, recipe_settings
from crossbar.recipes.analog_sgd import expected_pulses, shares
from device_models import load_card

SIZE = (12, 20)


def recipe_on(
    settings: RecipeSettings, weight: torch.Tensor, seed: int = 1, **spreads: float
) -> Recipe:
    card, stream = load_card("lsmo_pvdf_co").with_spread(**spreads), RandomStream(seed)
    device = pulsed_device(card)

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
        recipe = recipe_on(recipe_settings("sgd"), start, seed + 1)
        for x, d in batches:
            reference.stochastic_update(x.numpy(), d.numpy(), rate, 31, rng)
            recipe.update(Minibatch(x, d), rate)
        expected.append(reference.weight)
        got.append(recipe.array.effective.numpy())
    assert ks_2samp(np.ravel(expected), np.ravel(got)).pvalue > 1e-3
    assert np.std(got) == pytest.approx(np.std(expected), rel=0.12)
    assert np.mean(got) == pytest.approx(np.mean(expected), abs=0.02)


def test_expected_pulses_are_those_of_aihwkits_update_management():
    """The learning rate times the product, until the trains are as long as they may be."""
    x = torch.tensor([[0.5, -1.0, 0.0], [2.0, 0.1, -0.2], [0.0, 0.0, 0.0]])
    d = torch.tensor([[0.1, -0.4], [3.0, 1.5], [1.0, 1.0]])
    share, size, largest = shares(x.t()[None])
    assert largest.flatten().tolist() == [1.0, 2.0, 0.0]
    assert torch.equal(share[0].t(), x / torch.tensor([[1.0], [2.0], [1.0]]))
    assert torch.equal(size, share.abs())
    pulses, length = expected_pulses(largest, d.t()[None], 10.0, 31)
    pulses, length = pulses[0].t(), length.flatten()
    assert length.tolist() == [4.0, 31.0, 0.0]
    assert torch.allclose(pulses[0], 10 * d[0])
    # 60 and 30 pulses are due at the largest input: trains of 31 clip the larger gradient.
    assert pulses[1] == pytest.approx([31.0, 30.0])
    assert torch.equal(pulses[2], torch.zeros(2))


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("trains", [1, 3, 40])
def test_counts_have_the_mean_and_variance_of_pulse_trains(probability, trains):
    """Sum of `trains` Bernoulli numbers, 40,000 times: mean to 2 %, variance to 1/4."""
    n = 40_000
    recipe = recipe_on(recipe_settings("sgd"), torch.zeros(1, 1))
    mean = torch.full((n,), trains * probability)
    counts = recipe._count(mean, torch.full((n,), trains * probability**2))
    assert torch.equal(counts, counts.round())
    assert counts.min() >= 0
    assert counts.mean().item() == pytest.approx(trains * probability, rel=0.02, abs=0.004)
    variance = trains * probability * (1 - probability)
    assert counts.var().item() == pytest.approx(variance, rel=0.04, abs=0.26)
    if trains * probability**2 < 1:
        assert counts.var().item() == pytest.approx(variance, rel=0.05, abs=0.004)


@pytest.mark.parametrize("settings", [recipe_settings(), recipe_settings("sgd")])
def test_weights_follow_the_gradient(settings):
    """Mean step of 60 x 50 devices at the symmetry point: the learning rate times d^T x."""
    recipe = recipe_on(settings, torch.zeros(60, 50))
    x, d = torch.full((4, 50), 0.5), torch.full((4, 60), -0.2)
    for _ in range(20):
        recipe.update(Minibatch(x, d), 0.003)
    # 20 x 4 x 0.1 x 0.003 = 0.024, nearly one pulse; mixed precision holds back what is not due.
    moved = recipe.array.effective.mean() + recipe.memory.mean().abs()
    assert moved.item() == pytest.approx(0.024, rel=0.05)


def test_digital_momentum_adds_up_the_gradients():
    """With momentum m the n-th step is (1 - m^n) / (1 - m) times the first."""
    recipe = recipe_on(recipe_settings("sgd", momentum=0.5), torch.zeros(60, 50))
    x, d = torch.full((1, 50), 1.0), torch.full((1, 60), -0.1)
    for _ in range(10):
        recipe.update(Minibatch(x, d), 0.015)
    expected = 0.0015 * sum((1 - 0.5**n) / 0.5 for n in range(1, 11))
    assert recipe.array.effective.mean().item() == pytest.approx(expected, rel=0.05)


def test_mixed_precision_fires_whole_granularities_and_keeps_the_rest():
    recipe = recipe_on(recipe_settings(granularity=0.1), torch.zeros(1, 3))
    x, d = torch.tensor([[1.0, 2.5, -0.9]]), torch.ones(1, 1)
    recipe.update(Minibatch(x, d), 0.1)
    assert torch.allclose(recipe.memory, torch.tensor([[0.0, 0.05, -0.09]]), atol=1e-6)
    steps = recipe.array.effective[0]
    device = pulsed_device("lsmo_pvdf_co")
    assert steps[0].item() == pytest.approx(-device.dw_min, rel=0.02)
    assert steps[1] < 1.5 * steps[0]
    assert steps[2] == 0


def tiki_taka(**settings) -> RecipeSettings:
    """Tiki-Taka with its columns read one by one and nothing scaled, but for `settings`."""
    plain = {"fast_pulses": 0.0, "reads_per_transfer": 1, "transfer_lr": 1.0}
    return recipe_settings("tiki_taka_v2", **{"chop_probability": 0.0, **plain, **settings})


@pytest.mark.parametrize("reads", [1, 2, 3])
def test_tiki_taka_reads_columns_in_turn_and_moves_them_by_single_pulses(reads):
    """Five columns, `reads` a minibatch: the next ones each time, round and round."""
    recipe = recipe_on(tiki_taka(fast_lr=0.05, reads_per_transfer=reads), torch.zeros(4, 5))
    recipe.reset()
    x, d = torch.ones(8, 5), torch.full((8, 4), -1.0)
    step = recipe.granularity
    for minibatch in range(10):
        before = recipe.array.effective.clone()
        recipe.update(Minibatch(x, d), 1.0)
        moved = recipe.array.effective - before
        due = {(minibatch * reads + i) % 5 for i in range(reads)}
        assert set(moved.any(0).nonzero().flatten().tolist()) == due
        assert moved.max() < 2 * step
    assert (recipe.array.effective > 0).all()


def test_choppers_turn_the_fast_array_and_not_the_weights():
    """A steady gradient: turned columns of the fast array go down, all weights go up."""
    recipe = recipe_on(tiki_taka(fast_lr=0.02, chop_probability=0.3), torch.zeros(6, 40))
    x, d = torch.ones(8, 40), torch.full((8, 6), -1.0)
    recipe.chopper[::2] = -1
    recipe.update(Minibatch(x, d), 1.0)
    fast = recipe.fast.array.effective
    assert (fast[:, ::2] < 0).all()
    assert (fast[:, 1::2] > 0).all()
    recipe.reset()
    assert (recipe.chopper == 1).all()
    for _ in range(120):
        recipe.update(Minibatch(x, d), 1.0)
    assert 0.2 < (recipe.chopper == 1).float().mean() < 0.8
    assert (recipe.array.effective > 2 * recipe.granularity).float().mean() > 0.9


def test_each_column_is_turned_with_the_chopping_probability():
    """2,000 columns after one read of all: binomial within five standard errors."""
    settings = tiki_taka(reads_per_transfer=0, chop_probability=0.1)
    recipe = recipe_on(settings, torch.zeros(1, 2000))
    recipe.update(Minibatch(torch.zeros(1, 2000), torch.zeros(1, 1)), 0.0)
    assert (recipe.chopper == -1).sum().item() == pytest.approx(200, abs=5 * 180**0.5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("images", [False, True])
def test_a_fast_device_sees_the_wanted_pulses_whatever_the_gradient(scale, images):
    """Linear layer and convolution with padding, mean of 20 minibatches: to 5 %."""
    generator = torch.Generator().manual_seed(0)
    window = Window((3, 3), padding=(1, 1)) if images else None
    shapes = ((16, 2, 6, 6), (16, 5, 6, 6)) if images else ((256, 18), (256, 5))
    settings = tiki_taka(fast_pulses=4.0, reads_per_transfer=0)
    recipe = recipe_on(settings, torch.zeros(5, 18))
    seen: list[float] = []
    fire = recipe.fast.array.fire
    recipe.fast.array.fire = lambda pulses: (seen.append(pulses.abs().mean().item()), fire(pulses))
    for _ in range(20):
        x, d = (torch.randn(shape, generator=generator) for shape in shapes)
        recipe.update(Minibatch(x, d, window, scale) if images else Minibatch(x, scale * d), 0.0)
    assert sum(seen) / 20 == pytest.approx(4.0, rel=0.05)


def test_the_rate_of_the_fast_array_follows_a_running_mean():
    """A minibatch of zeros leaves it alone at first; one ten times as large counts 1 %."""
    recipe = recipe_on(tiki_taka(fast_pulses=5.0), torch.zeros(3, 4))
    x, d = torch.ones(2, 4), torch.ones(2, 3)
    recipe._fast_rate(Minibatch(x, torch.zeros(2, 3)))
    assert recipe._fast_rate(Minibatch(x, d)).item() == pytest.approx(2.5 * recipe.granularity)
    rate = recipe._fast_rate(Minibatch(x, 10 * d)).item()
    assert rate == pytest.approx(5 * recipe.granularity / (0.99 * 2 + 0.01 * 20))


def regression_error(settings: RecipeSettings, rate: float, **spreads: float) -> float:
    """Rms distance [weight] from the 12 x 20 weights that made noisy outputs, last 50 of 400."""
    target = torch.linspace(-0.15, 0.15, 240).view(20, 12).t()
    recipe = recipe_on(settings, torch.zeros(SIZE), **spreads)
    recipe.reset()
    generator, errors = torch.Generator().manual_seed(0), []
    for step in range(400):
        x = torch.randn(16, SIZE[1], generator=generator)
        noise = 0.3 * torch.randn(16, SIZE[0], generator=generator)
        d = (x @ (recipe.array.effective - target).t() - noise) / 16
        recipe.update(Minibatch(x, d), rate * (1 - step / 400))
        errors.append((recipe.array.effective - target).square().mean().sqrt().item())
    return sum(errors[-50:]) / 50


def test_only_choppers_learn_through_shifted_symmetry_points():
    """Ends of the range, and with them the symmetry points, spread by 30 % from device to device.

    The weights have an rms of 0.09. SGD follows the symmetry points, Tiki-Taka takes those of its
    fast array for a gradient; with choppers it comes twice as near as either.
    """
    tiki = {"recipe": "tiki_taka_v2", "transfer_lr": 1.0}
    chopped = regression_error(recipe_settings(**tiki), 0.01, range_d2d=0.3)
    plain = regression_error(recipe_settings(**tiki, chop_probability=0), 0.01, range_d2d=0.3)
    sgd = min(regression_error(recipe_settings("sgd"), rate, range_d2d=0.3) for rate in (0.1, 0.01))
    assert chopped < 0.07
    assert plain > 2 * chopped
    assert sgd > 1.5 * chopped


def test_without_spread_tiki_taka_learns_what_sgd_does_not():
    """The same at the card's own symmetry point: within a pulse of the target."""
    settings = recipe_settings(recipe="tiki_taka_v2", transfer_lr=1.0)
    error = regression_error(settings, 0.01)
    assert error < recipe_on(settings, torch.zeros(SIZE)).granularity
    assert regression_error(recipe_settings("sgd"), 0.01) > 2.5 * error
