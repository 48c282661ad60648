"""Training loop: schedule, evaluation with both kinds of statistics, divergence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crossbar import to_crossbar
from experiments.data import ImageSet
from experiments.training.loop import (
    DivergedError,
    Images,
    accuracy,
    check_finite,
    decay_factor,
    make_optimizer,
    train_epoch,
)

ADAM = {"lr": 1e-2, "crossbar_lr": 0.1, "weight_decay": 0.0}


def images(n: int = 70) -> Images:
    """Two classes told apart by their brightness."""
    labels = torch.arange(n) % 2
    pixels = (60 + 120 * labels).view(-1, 1, 1, 1).expand(n, 1, 28, 28).to(torch.uint8)
    return Images(ImageSet(pixels.clone(), labels), torch.device("cpu"))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 2))


def one_epoch(model, data, rate_at=lambda share: 1.0, lr=1e-2):
    optimizer = make_optimizer(model, name="adam", **{**ADAM, "lr": lr})
    generator = torch.Generator().manual_seed(0)
    return train_epoch(model, optimizer, data, 16, generator, rate_at, lambda *_: None)


def test_cosine_starts_at_one_and_ends_at_zero():
    assert decay_factor(0, "cosine") == 1
    assert decay_factor(0.5, "cosine") == pytest.approx(0.5)
    assert decay_factor(1, "cosine") == pytest.approx(0)
    assert decay_factor(0.7, "constant") == 1
    with pytest.raises(ValueError, match="cosine, constant"):
        decay_factor(0, "linear")


def test_every_image_is_seen_once_an_epoch_in_seeded_order():
    data = images(65)
    seen = [
        torch.cat([labels for _, labels in data.batches(16, torch.Generator().manual_seed(seed))])
        for seed in (1, 1, 2)
    ]
    # 65 = 4 * 16 + 1: the single image at the end is dropped.
    assert len(seen[0]) == 64
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_an_easy_problem_is_learned():
    model, data = network(), images()
    before = accuracy(model, data)
    losses = [one_epoch(model, data)[0] for _ in range(3)]
    assert losses[-1] < losses[0]
    assert accuracy(model, data) == 1.0 > before


def test_batch_statistics_leave_the_running_ones_alone():
    model, data = network(), images()
    with torch.no_grad():
        model[1].running_mean += 3.0
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model_trained = accuracy(model, data, batch_statistics=True)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    # The reference: training mode normalises with the batch.
    reference = model.train()(data.images).argmax(1).eq(data.labels).float().mean().item()
    assert model_trained == pytest.approx(reference)


def test_learning_rates_follow_the_factor_and_return():
    model, data = network(), images()
    optimizer = make_optimizer(model, name="adam", **ADAM)
    rates = []
    optimizer.register_step_pre_hook(lambda o, *_: rates.append(o.param_groups[0]["lr"]))
    train_epoch(
        model, optimizer, data, 16, torch.Generator(), lambda share: 1 - share, lambda *_: None
    )
    assert rates == pytest.approx([1e-2 * (1 - 16 * i / 70) for i in range(5)])
    assert optimizer.param_groups[0]["lr"] == 1e-2


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_epoch(poison):
    model, data = network(), images()
    with torch.no_grad():
        model[2].weight[0, 0] = poison
    with pytest.raises(DivergedError, match="training loss became"):
        one_epoch(model, data)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda model, _: model[1].weight.data.view(-1)[7:8].fill_(torch.nan), "1.weight"),
        (lambda model, _: model[1].running_var.fill_(torch.inf), "1.running_var"),
        (lambda model, _: accumulator(model)[0, 0].fill_(torch.nan), "memory"),
        (lambda model, _: tile(model).array.state[1, 5].fill_(torch.nan), "state"),
        (lambda _, optimizer: moments(optimizer).fill_(torch.nan), "optimizer"),
    ],
    ids=["weight", "statistics", "accumulator", "device", "moment"],
)
def test_whatever_is_no_number_after_an_epoch_is_found(spoil, named):
    """Weights, running statistics, devices, accumulators and what the optimizer remembers."""
    model, data = to_crossbar(network(), "lsmo_pvdf_co", tile="memristor"), images()
    optimizer = make_optimizer(model, name="adam", **ADAM)
    train_epoch(model, optimizer, data, 16, torch.Generator(), lambda _: 1.0, lambda *_: None)
    check_finite(model, optimizer)
    with torch.no_grad():
        spoil(model, optimizer)
    with pytest.raises(DivergedError, match=rf"{named}.* are not finite"):
        check_finite(model, optimizer)


def tile(model):
    return next(model[2].analog_tiles()).tile.recipe


def accumulator(model):
    return tile(model).memory


def moments(optimizer):
    return next(s["exp_avg"] for s in optimizer.state.values() if "exp_avg" in s)


def test_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="adam, sgd"):
        make_optimizer(network(), name="lion", **ADAM)
