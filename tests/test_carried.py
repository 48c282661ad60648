"""Networks carried to another field: read there with either scale, and trained on there.

Synthetic 8 x 8 images of five classes, three seeds; the numbers of runs are in the tests.
"""

from __future__ import annotations

from copy import deepcopy
from statistics import mean

import pytest
import torch
from aihwkit.optim import AnalogSGD
from torch import Tensor, nn

from crossbar import set_field, to_crossbar

CARD = "lsmo_pvdf_co"
THERE_G = 200.0
SEEDS = (0, 1, 2)


def images(seed: int, number: int = 400) -> tuple[Tensor, Tensor]:
    """Noisy copies of five patterns, always the same five."""
    patterns = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 5, (number,), generator=generator)
    noise = torch.randn(number, 1, 8, 8, generator=generator)
    return patterns[labels] + 2.0 * noise, labels


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    convolution = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten()
    model = nn.Sequential(*convolution, nn.Linear(4 * 36, 24), nn.ReLU(), nn.Linear(24, 5))
    return to_crossbar(model, CARD, seed=seed)


def train(model: nn.Module, seed: int, steps: int) -> None:
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups()
    x, y = images(seed)
    for step in range(steps):
        rows = slice(step % 8 * 50, step % 8 * 50 + 50)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def accuracy(model: nn.Module) -> float:
    x, y = images(1000, 1000)
    with torch.no_grad():
        return (model.eval()(x).argmax(1) == y).float().mean().item()


@pytest.fixture(scope="module")
def trained_at_zero() -> list[nn.Module]:
    """Networks trained at 0 G, one a seed."""
    models = [network(seed) for seed in SEEDS]
    for model, seed in zip(models, SEEDS, strict=True):
        train(model, seed, 120)
    return models


def carried(models: list[nn.Module], rescale: bool) -> list[nn.Module]:
    copies = [deepcopy(model) for model in models]
    for model in copies:
        set_field(model, THERE_G, rescale)
    return copies


def mean_accuracy(models: list[nn.Module]) -> float:
    return mean(accuracy(model) for model in models)


def test_there_and_back_is_the_trained_network(trained_at_zero):
    """Bit for bit, with either scale."""
    for rescale in (False, True):
        for model, before in zip(carried(trained_at_zero, rescale), trained_at_zero, strict=True):
            there = model[3].get_weights()[0]
            set_field(model, 0.0, rescale)
            assert torch.equal(model[3].get_weights()[0], before[3].get_weights()[0])
            assert not torch.equal(model[3].get_weights()[0], there)


@pytest.mark.parametrize("rescale", [False, True])
def test_training_on_at_the_field_recovers_what_it_took(trained_at_zero, rescale):
    """Means over three seeds, measured: 92.7 % at 0 G, at 200 G 75.5 % (kept) and 91.0 % (anew),
    after 60 steps there 93.1 % and 93.0 %. A standard error of one accuracy is 0.9 %."""
    at_zero = mean_accuracy(trained_at_zero)
    models = carried(trained_at_zero, rescale)
    there = mean_accuracy(models)
    for model, seed in zip(models, SEEDS, strict=True):
        train(model.train(), seed, 60)
    assert at_zero > 0.85
    assert there > at_zero - 0.06 if rescale else 0.4 < there < at_zero - 0.05
    assert mean_accuracy(models) > at_zero - 0.03
