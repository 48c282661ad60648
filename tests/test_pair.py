"""Differential pairs against two single arrays pulsed apart, and tiles without a recipe."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from aihwkit.optim import AnalogSGD
from torch import nn

from crossbar import pulsed_device, set_field, to_crossbar
from crossbar.arrays.array import MemristorArray
from crossbar.arrays.pair import MemristorPair
from crossbar.nonideality import StuckCells
from crossbar.random import RandomStream
from crossbar.reads.converters import periphery
from crossbar.recipes import RECIPES
from crossbar.scale import ZEROS
from device_models import load_card

CARD = "lsmo_pvdf_co"
SIZE = (12, 15)
PERFECT = periphery(perfect=True)
SPREAD = {"range_d2d": 0.1, "step_d2d": 0.1}


def single(seed: int, zero: str, **spread: float) -> MemristorArray:
    device = pulsed_device(load_card(CARD).with_spread(**spread), zero=zero)
    return MemristorArray(*SIZE, device, RandomStream(seed), seed)


def pair(zero: str = "mid_range", **spread: float) -> MemristorPair:
    return MemristorPair(single(1, zero, **spread), single(2, zero, **spread))


def pulses(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(SIZE, generator=generator)
    return 2 * (chance < 0.1).float() - (chance > 0.8).float()


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("field_G", [0.0, 150.0])
@pytest.mark.parametrize("effects", [(), (StuckCells(0.1),)])
def test_a_pair_is_two_arrays_pulsed_the_other_way_round(zero, field_G, effects, kernels):
    """Their difference after every block of pulses, to the last bit; the sum of both steps."""
    both, plus, minus = pair(zero, **SPREAD), single(1, zero, **SPREAD), single(2, zero, **SPREAD)
    both.program(torch.zeros(SIZE))
    plus.state.copy_(both.plus.state)
    minus.state.copy_(both.minus.state)
    for array in (both, plus, minus):
        array.set_field(field_G)
        array.set_nonidealities(effects)
    for seed in range(4):
        both.fire(pulses(seed))
        plus.fire(pulses(seed))
        minus.fire(-pulses(seed))
        assert torch.equal(both.effective, plus.effective - minus.effective)


@pytest.mark.parametrize("zero", ["symmetry_point", "mid_range"])
def test_up_and_down_are_alike_where_both_devices_stand_alike(zero):
    """A single device is not: the pair's step is LTP + LTD of one state, whichever way."""
    both = pair(zero)
    for target in (0.0, 0.3, -0.2):
        steps = []
        for sign in (1.0, -1.0):
            both.plus.program_reading(torch.full(SIZE, target))
            both.minus.program_reading(torch.full(SIZE, target))
            both.fire(torch.full(SIZE, sign))
            steps.append(both.effective.mean().item())
        assert steps[0] == pytest.approx(-steps[1], rel=1e-4)
    both.program(torch.zeros(SIZE))
    both.fire(torch.ones(SIZE))
    assert both.effective.mean().item() == pytest.approx(both.granularity, rel=0.02)
    assert both.granularity == pytest.approx(2 * both.device.dw_min, rel=1e-6)


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("field_G", [0.0, 75.0, 350.0])
@pytest.mark.parametrize("rescale", [False, True])
def test_what_is_programmed_is_read(zero, field_G, rescale):
    both = pair(zero)
    both.set_field(field_G, rescale)
    low, high = both.weight_range
    assert low == -high
    assert both.span == pytest.approx(0.8 * high)
    assert high == pytest.approx(2.0) or not (rescale or field_G == 0)
    wanted = torch.linspace(low, high, SIZE[0] * SIZE[1]).view(SIZE)
    both.program(wanted)
    assert torch.allclose(both.effective, wanted, atol=5e-6)
    both.program(torch.full(SIZE, 10.0))
    assert torch.allclose(both.effective, torch.tensor(high), atol=1e-5)


def test_with_g_min_one_device_stays_at_its_lower_end():
    both = pair("g_min")
    wanted = 3 * torch.rand(SIZE) - 1.5
    both.program(wanted)
    assert torch.allclose(both.effective, wanted, atol=5e-6)
    idle = torch.where(wanted > 0, both.minus.state, both.plus.state)
    assert (idle == 0).all()
    assert both.weight_range == pytest.approx((-2.0, 2.0))


def test_what_one_devices_range_does_not_hold_the_other_takes():
    """Own ranges of 10 % spread: a weight that the sum of both holds is read."""
    both = pair("mid_range", range_d2d=0.2)
    (low, high), (other_low, other_high) = both.plus.ends(), both.minus.ends()
    for wanted in ((high - other_low) * 0.999, (low - other_high) * 0.999):
        both.program(wanted)
        assert torch.allclose(both.effective, wanted, atol=1e-5)


def toy(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(256, 12, generator=generator)
    return x, ((x[:, 0] * x[:, 1] > 0).long() + 2 * (x[:, 2] > 0.3).long())


def trained(steps: int = 150, **settings) -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 4))
    model = to_crossbar(model, CARD, **settings)
    optimizer = AnalogSGD(model.parameters(), lr=0.1)
    optimizer.regroup_param_groups()
    x, y = toy(0)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def loss_of(model: nn.Module) -> float:
    x, y = toy(0)
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), y).item()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("zero", ["symmetry_point", "g_min"])
def test_pairs_train_by_every_recipe(recipe, zero):
    settings = {"recipe": recipe, "cells": "pair", "zero": zero}
    assert loss_of(trained(**settings)) < loss_of(trained(0, **settings)) - 0.1


def test_single_devices_with_g_min_are_still_refused_and_pairs_are_not():
    with pytest.raises(ValueError, match="zero='g_min': weights from 0 to 2 have one sign"):
        to_crossbar(nn.Linear(3, 2), CARD, zero="g_min")
    layer = to_crossbar(nn.Linear(3, 2), CARD, zero="g_min", cells="pair", io=PERFECT)
    digital = nn.Linear(3, 2)
    layer.set_weights(digital.weight, digital.bias)
    x = torch.randn(4, 3)
    assert torch.allclose(layer(x), digital(x), atol=1e-4)


@pytest.mark.parametrize("cells", ["single", "pair"])
def test_a_tile_without_a_recipe_reads_as_one_that_trains_and_keeps_nothing(cells):
    torch.manual_seed(0)
    digital = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 4))
    card = load_card(CARD).with_spread(range_d2d=0.1)
    training, reading = (
        to_crossbar(deepcopy(digital), card, recipe=recipe, cells=cells)
        for recipe in ("mixed_precision", None)
    )
    x, y = toy(0)
    for model in (training, reading):
        set_field(model, 60.0)
    out = reading(x)
    assert torch.equal(training(x), out)
    tile = reading[0].analog_module.tile
    assert tile.recipe is None
    assert "recipe" not in tile.dump_extra()
    nn.functional.cross_entropy(out, y).backward()
    optimizer = AnalogSGD(reading.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="a tile without a recipe reads only and takes no update"):
        optimizer.step()
    names = [to_crossbar(deepcopy(digital), CARD, recipe="none") for _ in range(1)]
    assert names[0][0].analog_module.tile.recipe is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recipe": None, "tile": "aihwkit"}, "recipe=None needs tile='memristor'"),
        ({"cells": "pair", "tile": "aihwkit"}, "cells='pair' needs tile='memristor'"),
        ({"cells": "triple"}, "cells must be one of single, pair, got 'triple'"),
        ({"recipe": None, "update": {"chunks": 3}}, r"update \(chunks\) is read by no recipe"),
        ({"recipe": "adam"}, "recipe must be one of mixed_precision, sgd, tiki_taka_v2, none"),
    ],
)
def test_errors_are_one_line_with_the_name(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        to_crossbar(nn.Sequential(nn.Linear(3, 2)), CARD, **settings)
    assert "\n" not in str(caught.value)
