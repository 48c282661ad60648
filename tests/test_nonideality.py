"""Nonidealities: draws that are the same devices everywhere, and reads that see them."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from crossbar import pulsed_device, set_draw, set_field, set_nonidealities, to_crossbar
from crossbar.arrays import MemristorArray
from crossbar.nonideality import Cells, Nonideality, StuckCells, WriteNoise
from crossbar.random import RandomStream
from crossbar.reads import periphery
from device_models import load_card

CARD = "lsmo_pvdf_co"
SIZE = (40, 50)
EFFECTS = [WriteNoise, StuckCells]
PERFECT = periphery(perfect=True)


def array(*effects: Nonideality, field_G: float = 0.0, seed: int = 1, **spread) -> MemristorArray:
    card = load_card(CARD).with_spread(**spread)
    row = MemristorArray(
        *SIZE, pulsed_device(card), RandomStream(seed), seed, effects, counted=True
    )
    generator = torch.Generator().manual_seed(0)
    row.set_field(field_G)
    row.program(0.4 * torch.rand(SIZE, generator=generator) - 0.2)
    return row


@pytest.mark.parametrize("kind", EFFECTS)
@pytest.mark.parametrize("field_G", [0.0, 150.0])
def test_an_amplitude_of_zero_changes_not_a_bit(kind, field_G):
    ideal, off = array(field_G=field_G), array(kind(0.0, draw=3), field_G=field_G)
    assert torch.equal(ideal.effective, off.effective)
    assert off.effective is off.reading


def test_each_of_several_effects_leaves_the_draws_of_the_others():
    alone, together = array(StuckCells(0.1)), array(WriteNoise(0.05), StuckCells(0.1))
    stuck = alone.effective != alone.reading
    assert torch.equal(together.effective[stuck], alone.effective[stuck])
    noise = together.effective - together.reading
    assert torch.equal(noise[~stuck], array(WriteNoise(0.05)).noisy.sub(together.reading)[~stuck])


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_a_larger_amplitude_hits_a_superset(first, second, draw):
    few, many = sorted((first, second))
    cells = Cells(7, SIZE, pulsed_device(CARD).scale, lambda: (torch.zeros(SIZE),) * 2)
    ones = torch.ones(SIZE)
    hit = [StuckCells(share, draw).apply(ones, cells) == 0 for share in (few, many)]
    assert (hit[0] <= hit[1]).all()
    spread = 4.5 * math.sqrt(many * (1 - many) / 2000) + 1e-9  # binomial: p of a miss is 7e-6
    assert hit[1].float().mean().item() == pytest.approx(many, abs=spread)


@pytest.mark.parametrize("effect", [WriteNoise(0.05), StuckCells(0.1)])
def test_a_draw_is_the_same_whatever_was_drawn_before(effect):
    def seen(draw: int, *before: int, **settings) -> Tensor:
        row = array(effect, **settings)
        for number in (*before, draw):
            row.set_nonidealities([effect.with_draw(number)])
        return row.effective - row.reading

    assert torch.equal(seen(2), seen(2, 0, 5, 1))
    assert torch.allclose(seen(2) != 0, seen(2, field_G=150.0) != 0)
    assert not torch.equal(seen(2), seen(3))
    assert not torch.equal(seen(2), seen(2, seed=2))


def test_write_noise_is_gaussian_of_its_size_and_its_draws_are_independent():
    """2000 devices, five draws: std within 8 % (5 standard errors), correlations below 0.1."""
    draws = []
    for draw in range(5):
        row = array(WriteNoise(0.05, draw))
        draws.append((row.effective - row.reading).flatten())
        assert draws[-1].std().item() == pytest.approx(0.05, rel=0.08)
        assert abs(draws[-1].mean().item()) < 0.005
    correlations = torch.corrcoef(torch.stack(draws)) - torch.eye(5)
    assert correlations.abs().max() < 0.1


def test_write_noise_given_is_instead_of_the_devices_own():
    both = array(WriteNoise(0.02), write_noise=0.3)
    assert both.write_noise == 0.02
    assert array(write_noise=0.3).write_noise == pytest.approx(0.3)


@pytest.mark.parametrize("field_G", [0.0, 200.0])
@pytest.mark.parametrize("at", ["low", "high", "open"])
def test_stuck_cells_read_the_same_and_pulses_do_not_move_them(at, field_G):
    effect = StuckCells(0.2, at=at)
    row = array(effect, field_G=field_G, range_d2d=0.1)
    stuck = row.cells_info.uniform(effect) < 0.2
    assert stuck.float().mean().item() == pytest.approx(0.2, abs=0.05)
    scale, card = row.device.scale, load_card(CARD)
    before, conductance = row.effective.clone(), scale.conductance(row.effective[stuck])
    if at == "open":
        assert abs(conductance).max() < 1e-6 * card.conductance_range(0.0)[0]
    else:
        assert torch.equal(before[stuck], row.ends()[at == "high"][stuck])
    states = row.state.clone()
    row.fire(torch.ones(SIZE))
    assert torch.equal(row.effective[stuck], before[stuck])
    assert (row.state > states).all()
    assert (row.effective[~stuck] > before[~stuck]).all()
    row.set_nonidealities([])
    assert (row.effective[stuck] != before[stuck]).float().mean() > 0.99


@dataclass(frozen=True)
class Halved(Nonideality):
    """Every conductance, in siemens, is smaller by `amplitude`."""

    def apply(self, reading: Tensor, cells: Cells) -> Tensor:
        return cells.reading(cells.siemens(reading) * (1 - self.amplitude))


def test_an_effect_may_compute_in_siemens_and_goes_in_its_order():
    """Line resistance will: what it gets are the conductances that reads use."""
    card, plain = load_card(CARD), array()
    row = array(StuckCells(0.1, at="high"), Halved(0.5))
    low, high = card.conductance_range(0.0)
    got = torch.tensor(row.device.scale.conductance(row.effective))
    expected = torch.tensor(row.device.scale.conductance(plain.effective)) / 2
    stuck = (got - expected).abs() > 1e-5 * high
    assert stuck.float().mean().item() == pytest.approx(0.1, abs=0.03)
    assert torch.allclose(got[stuck], torch.tensor(high / 2).double(), rtol=1e-5)
    last = array(Halved(0.5), StuckCells(0.1, at="high"))
    assert last.effective.max().item() == pytest.approx(row.device.w_max, rel=1e-5)
    assert low > 0


def network(**settings) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 5))
    return to_crossbar(model, CARD, io=PERFECT, **settings)


def test_effects_of_a_network_are_set_drawn_and_taken_away():
    x = torch.randn(8, 20)
    ideal = network()(x)
    model = network(nonidealities=StuckCells(0.05))
    first = model(x)
    assert not torch.equal(first, ideal)
    set_draw(model, 4)
    fourth = model(x)
    assert not torch.equal(first, fourth)
    assert torch.equal(deepcopy(model)(x), fourth)
    set_draw(model, 0)
    assert torch.equal(model(x), first)
    set_nonidealities(model, [])
    assert torch.equal(model(x), ideal)
    set_nonidealities(model, [StuckCells(0.05, draw=4)])
    assert torch.equal(model(x), fourth)
    set_nonidealities(model, (), layers=["0"])
    assert not torch.equal(model(x), ideal)
    assert not torch.equal(model(x), fourth)


@pytest.mark.parametrize("cells", ["single", "pair"])
def test_the_draw_of_a_finished_model_reaches_its_write_noise(cells):
    card = load_card(CARD).with_spread(write_noise=0.05)
    layer = to_crossbar(nn.Sequential(nn.Linear(30, 20)), card, cells=cells, recipe=None)
    weights = {}
    for draw in (0, 3, 0, 3):
        set_draw(layer, draw)
        weights.setdefault(draw, []).append(layer[0].get_weights()[0])
    assert all(torch.equal(*pair) for pair in weights.values())
    assert not torch.equal(weights[0][0], weights[3][0])


@pytest.mark.parametrize("cells", ["single", "pair"])
@pytest.mark.parametrize("recipe", ["mixed_precision", "sgd", "tiki_taka_v2"])
def test_every_read_sees_the_effects_while_training_goes_on(recipe, cells):
    """Forward, backward and `get_weights` agree to the last digits, after pulses too."""
    effects = StuckCells(0.1, at="high")
    model = network(recipe=recipe, cells=cells, nonidealities=effects)[0]
    tile = model.analog_module.tile
    tile.set_learning_rate(0.1)
    for _ in range(3):
        tile.update(torch.randn(6, 20), torch.randn(6, 30))
        weight = tile.get_weights()
        assert torch.allclose(tile.forward(torch.eye(20)).t(), weight, atol=1e-6)
        assert torch.allclose(tile.backward(torch.eye(30)), weight, atol=1e-6)
        arrays = [tile.array] if cells == "single" else [tile.array.plus, tile.array.minus]
        for array in arrays:
            stuck = (array.effective == array.ends()[1]).float().mean().item()
            assert stuck == pytest.approx(0.1, abs=0.06)


def test_tiki_takas_fast_array_has_effects_and_field_of_its_own_devices():
    model = network(recipe="tiki_taka_v2", nonidealities=StuckCells(0.2))
    set_field(model, 90.0)
    tile = model[0].analog_module.tile
    fast, slow = tile.recipe.fast.array, tile.array
    assert fast.field_G == slow.field_G == 90.0
    hit = [array.effective != array.reading for array in (fast, slow)]
    assert all(h.float().mean().item() == pytest.approx(0.2, abs=0.08) for h in hit)
    assert not torch.equal(*hit)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StuckCells(-0.1), "amplitude of StuckCells must be a number from 0, got -0.1"),
        (lambda: StuckCells(1.5), "amplitude of StuckCells is a share up to 1, got 1.5"),
        (lambda: StuckCells(float("nan")), "must be a number from 0, got nan"),
        (lambda: StuckCells(0.1, draw=-1), "draw of StuckCells must be a whole number from 0"),
        (lambda: StuckCells(0.1, at="middle"), "at must be one of low, high, open, got 'middle'"),
        (lambda: network(nonidealities=("stuck",)), "a nonideality is one of .* got 'stuck'"),
        (
            lambda: network(nonidealities=[StuckCells(0.1), StuckCells(0.1, at="high")]),
            "StuckCells is given 2 times: draws go by its name",
        ),
        (lambda: network(tile="aihwkit", nonidealities=StuckCells(0.1)), "needs tile='memristor'"),
        (lambda: set_draw(network(tile="aihwkit"), 1), "0 is on aihwkit's AnalogTile"),
        (
            lambda: set_nonidealities(network(), (), layers=["7"]),
            "there is no crossbar layer '7'; there are 0, 2",
        ),
    ],
)
def test_errors_are_one_line_with_the_name(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
