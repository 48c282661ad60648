"""The field acts on what is read: never on the states, there and back without a trace."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.simulator.tiles.array import TileModuleArray
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crossbar import pulsed_device, set_field, to_crossbar
from crossbar.arrays.array import MemristorArray
from crossbar.checkpoint import load_plain_state, plain_state
from crossbar.field_map import fields_of
from crossbar.layers.convolutions import GroupedConvolution
from crossbar.probe import probe
from crossbar.random import RandomStream
from crossbar.reads.converters import periphery
from crossbar.rpu import TILES, rpu_config
from crossbar.scale import scale_of
from crossbar.tile import CELLS
from device_models import load_card
from device_models.card import BRANCHES
from device_models.errors import InputError

CARD = "lsmo_pvdf_co"
SIGN = {"LTP": 1.0, "LTD": -1.0}
FIELDS = [
    0.0,
    50.0,
    75.0,
    100.0,
    125.0,
    150.0,
    200.0,
    225.0,
    250.0,
    300.0,
    325.0,
    350.0,
    425.0,
    500.0,
]


def array(
    rows: int = 1, columns: int = 1, made_at_G: float = 0.0, zero: str = "symmetry_point", **spread
) -> MemristorArray:
    card = load_card(CARD).with_spread(**spread)
    device = pulsed_device(card, made_at_G, zero=zero)
    return MemristorArray(rows, columns, device, RandomStream(1), 1)


def spread_out(rows: int, columns: int, **changed) -> MemristorArray:
    """Devices with ranges and steps of their own, at states from end to end."""
    devices = array(rows, columns, range_d2d=0.1, step_d2d=0.1, **changed)
    generator = torch.Generator().manual_seed(3)
    devices.state.copy_(torch.rand(rows, columns, generator=generator))
    devices.set_field(devices.field_G)
    return devices


def sparse_pulses(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(rows, columns, generator=generator)
    return (chance < 0.05).float() - (chance > 0.95).float()


@pytest.fixture(params=[0.0, 150.0], ids=lambda f: f"made at {f:g} G")
def made_at_G(request) -> float:
    return request.param


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_tile_read_at_a_field_is_the_c_tile_made_there(branch, made_at_G):
    """Pulse by pulse, at every field and between, to 1.5e-3 of the range: each tile is up to 1e-3
    off its own curve (63 nodes, tables), the rest is what LTP and LTD to one state differ by."""
    for field_G in map(float, FIELDS):
        device = pulsed_device(CARD, field_G)
        card = load_card(CARD)
        weights = probe(device, branch, card.n_pulses)[:, 0]
        expected = device.scale.conductance(weights)
        ours = array(made_at_G=made_at_G)
        # Where the branch starts: the end of the range, whichever field it is read at.
        ours.state.fill_(0.0 if branch == "LTP" else 1.0)
        ours.set_field(field_G)
        read = [ours.effective.item()]
        for _ in range(card.n_pulses):
            ours.fire(torch.full((1, 1), SIGN[branch]))
            read.append(ours.effective.item())
        got = scale_of(card, made_at_G, "symmetry_point").conductance(read)
        low, high = card.conductance_range(field_G)
        assert np.abs(got - expected).max() < 1.5e-3 * (high - low), field_G


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_state_of_a_branch_reads_as_the_cards_curve(branch, made_at_G):
    """Places are exact: a state that a curve passes at one field is that curve's at the others."""
    card = load_card(CARD)
    number = np.linspace(0, card.n_pulses, 201)
    low, high = card.conductance_range(made_at_G)
    states = (card.conductance(branch, number, made_at_G) - low) / (high - low)
    devices = array(1, 201, made_at_G)
    devices.state.copy_(torch.tensor(states)[None].float().clamp(0, 1))
    for field_G in map(float, FIELDS):
        devices.set_field(field_G)
        got = devices.device.scale.conductance(devices.effective.numpy().ravel())
        expected = card.conductance(branch, number, field_G)
        span = np.subtract(*card.conductance_range(field_G)[::-1])
        assert np.abs(got - expected).max() < 1.5e-3 * span, field_G


def test_at_the_reference_field_the_reading_is_the_state_and_costs_nothing():
    devices = spread_out(4, 5)
    assert devices.field.is_state
    assert devices.effective is devices.reading
    devices.set_field(50.0)
    assert not devices.field.is_state
    assert devices.effective is devices.reading
    devices.set_field(0.0)
    assert devices.field.is_state


@settings(deadline=None, max_examples=30)
@given(
    st.floats(0, 350),
    st.sampled_from(["one", "rows", "columns", "devices"]),
    st.sampled_from([0.0, 150.0]),
)
def test_there_and_back_is_bit_identical(field_G, kind, made_at_G):
    devices = spread_out(6, 7, made_at_G=made_at_G)
    before, states = devices.effective.clone(), devices.state.clone()
    shape = {"one": (), "rows": (6, 1), "columns": (1, 7), "devices": (6, 7)}[kind]
    field = np.abs(field_G - np.linspace(0, 350, int(np.prod(shape, initial=1))).reshape(shape))
    devices.set_field(field)
    there = devices.effective.clone()
    devices.set_field(made_at_G)
    assert torch.equal(devices.effective, before)
    assert torch.equal(devices.state, states)
    devices.set_field(field)
    assert torch.equal(devices.effective, there)


@pytest.mark.parametrize("kind", ["uniform", "map"])
def test_few_devices_read_the_bits_that_all_do(kind):
    """After pulses only the devices that got one are read again, here and in torch's own form."""
    devices = spread_out(30, 40)
    field = 137.0 if kind == "uniform" else np.linspace(0, 350, 40)[None]
    devices.set_field(field)
    for seed in range(3):
        devices.fire(sparse_pulses(30, 40, seed))
    few = devices.effective.clone()
    assert torch.equal(devices.field.plain(devices.state), devices.field(devices.state))
    devices.set_field(0.0)
    few_at_reference = devices.effective.clone()
    devices.fire(torch.zeros(30, 40))
    assert torch.equal(devices.effective, few_at_reference)
    devices.set_field(field)
    assert torch.equal(devices.effective, few)


@pytest.mark.parametrize("field_G", [0.0, 150.0, "map"])
def test_compiled_pulses_read_as_torchs(field_G, monkeypatch):
    read = []
    for compiled in (True, False):
        for module in ("array", "reading"):
            monkeypatch.setattr(
                f"crossbar.arrays.{module}.has_cpu_kernels", lambda *_, c=compiled: c
            )
        devices = spread_out(20, 30, write_noise=0.01)
        devices.set_field(np.linspace(0, 350, 20)[:, None] if field_G == "map" else field_G)
        devices.fire(sparse_pulses(20, 30) * 3)
        read.append(devices.reading.clone())
    assert torch.allclose(*read, atol=1e-5)


def test_a_map_reads_each_device_at_its_own_field():
    fields = np.array([0.0, 40.0, 90.0, 150.0, 260.0, 350.0])
    whole = spread_out(6, 6)
    states = whole.state.clone()
    for shape, pick in (((6, 1), lambda a, i: a[i]), ((1, 6), lambda a, i: a[:, i])):
        whole.set_field(fields.reshape(shape))
        got = whole.effective.clone()
        for i, field_G in enumerate(fields):
            one = spread_out(6, 6)
            one.state.copy_(states)
            one.set_field(float(field_G))
            assert torch.allclose(pick(got, i), pick(one.effective, i), atol=2e-6)


@pytest.mark.parametrize("field_G", [*FIELDS, "rows", "devices"])
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("zero", ["symmetry_point", "mid_range", "g_min"])
def test_what_is_programmed_is_read_at_every_field(field_G, rescale, zero):
    devices = array(5, 8, zero=zero)
    maps = {
        "rows": np.linspace(0, 350, 5)[:, None],
        "devices": np.linspace(0, 350, 40).reshape(5, 8),
    }
    devices.set_field(maps.get(field_G, field_G), rescale)
    low, high = devices.ends()
    ends = [devices.scale.weight(end) for end in (low, high)]
    share = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
    wanted = ends[0] + share * (ends[1] - ends[0])
    devices.program(wanted)
    assert torch.allclose(devices.effective, wanted, atol=2e-6)
    devices.program(torch.full((5, 8), 1e3))
    assert torch.allclose(devices.effective, ends[1], atol=1e-6)


@pytest.mark.parametrize("zero", ["symmetry_point", "mid_range", "g_min"])
def test_a_scale_chosen_anew_is_two_units_wide_around_its_zero(zero):
    devices = array(3, 4, zero=zero)
    kept = devices.weight_range
    for field_G in (150.0, 350.0, np.linspace(0, 350, 12).reshape(3, 4)):
        devices.set_field(field_G, rescale=True)
        low, high = devices.weight_range
        assert high - low == pytest.approx(2.0)
        if zero == "g_min":
            assert low == pytest.approx(0.0, abs=1e-6)
        if zero == "mid_range":
            assert low == pytest.approx(-1.0)
    devices.set_field(0.0, rescale=True)
    assert devices.weight_range == kept


def test_a_scale_chosen_anew_is_that_of_a_tile_made_there():
    """The zero is the state where both branches cancel, which no field moves: to 1 % of a unit."""
    for field_G in (50.0, 150.0, 350.0):
        carried, made = array(), array(made_at_G=field_G)
        carried.set_field(field_G, rescale=True)
        assert carried.weight_range == pytest.approx(made.weight_range, abs=0.01)
        assert carried.granularity == pytest.approx(made.granularity, rel=0.01)


@pytest.mark.parametrize("rescale", [False, True])
def test_granularity_is_a_pulse_as_it_is_read(rescale):
    for field_G in (0.0, 100.0, 350.0):
        devices = array(1, 2)
        devices.program(torch.zeros(1, 2))
        devices.set_field(field_G, rescale)
        before = devices.effective.clone()
        devices.fire(torch.tensor([[1.0, -1.0]]))
        step = (devices.effective - before).abs().mean().item()
        assert devices.granularity == pytest.approx(step, rel=0.02)


@pytest.mark.parametrize(
    ("field_G", "message"),
    [
        (4000.0, r"0: card 'lsmo_pvdf_co' is known from .* G, asked at field_G=4000"),
        ([0.0, 1.0, 2.0], r"3 fields for 2 crossbar layers \(0, 2\)"),
        ({"1": 50.0}, r"there is no crossbar layer '1'; there are 0, 2"),
        ({"0": np.zeros((2, 3))}, r"0: fields of the shape \(2, 3\) do not fit 4 x 3 devices"),
        ({"0": "fifty"}, r"0: a field must be a number or an array \[G\], got 'fifty'"),
        ({"0": float("nan")}, r"0: a field must be finite"),
        ({"0": 50.0, "2": -4000.0}, r"2: card 'lsmo_pvdf_co' is known from"),
        ({"0": np.full((4, 1), 4000.0)}, r"0: .*asked at field_G=4000"),
    ],
)
def test_a_field_that_does_not_work_changes_nothing_and_names_the_layer(field_G, message):
    model = to_crossbar(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), CARD, 20.0)
    set_field(model, {"0": 30.0}, rescale=True)
    before = [layer.get_weights()[0] for layer in (model[0], model[2])]
    with pytest.raises(ValueError, match=message) as caught:
        set_field(model, field_G)
    assert "\n" not in str(caught.value)
    assert fields_of(model) == {"0": 30.0, "2": 20.0}
    assert all(
        torch.equal(a, model[i].get_weights()[0]) for a, i in zip(before, (0, 2), strict=True)
    )


def test_a_layer_of_several_matrices_has_one_name_and_one_number():
    digital = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2), nn.MultiheadAttention(4, 2), nn.LSTM(4, 4)
    )
    model = to_crossbar(digital, CARD)
    assert isinstance(model[0], GroupedConvolution)
    assert list(fields_of(model)) == ["0", "1", "2"]
    set_field(model, [10.0, 20.0, 30.0])
    assert fields_of(model) == {"0": 10.0, "1": 20.0, "2": 30.0}
    with pytest.raises(ValueError, match="0 is on 2 tiles and takes one number"):
        set_field(model, {"0": np.zeros((2, 1))})
    assert list(fields_of(to_crossbar(nn.Linear(2, 2), CARD))) == [""]


def test_aihwkits_own_tiles_and_digital_networks_are_refused():
    model = to_crossbar(nn.Sequential(nn.Linear(2, 2)), CARD, tile="aihwkit")
    with pytest.raises(ValueError, match="0 is on aihwkit's AnalogTile, whose field is fixed"):
        set_field(model, 50.0)
    with pytest.raises(ValueError, match="no crossbar layer: call to_crossbar first"):
        set_field(nn.Linear(2, 2), 50.0)
    assert TILES == ("aihwkit", "memristor")


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("recipe", ["mixed_precision", "tiki_taka_v2", None])
@pytest.mark.parametrize("kind", ["uniform", "map"])
def test_a_stored_state_brings_its_field_and_scale(cells, recipe, kind):
    def made(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(5, 4))
        perfect = periphery(perfect=True)
        card = load_card(CARD).with_spread(range_d2d=0.1, write_noise=0.02)
        return to_crossbar(model, card, recipe=recipe, cells=cells, io=perfect, seed=seed)

    model, other = made(0), made(1)
    field = 120.0 if kind == "uniform" else np.linspace(0, 350, 4)[:, None]
    set_field(model, {"0": field}, rescale=kind == "uniform")
    x = torch.randn(3, 5)
    expected = model(x)
    for load in (
        lambda: load_plain_state(other, plain_state(model)),
        lambda: other.load_state_dict(model.state_dict()),
    ):
        set_field(other, 10.0)
        load()
        assert np.array_equal(fields_of(other)["0"], field)
        assert torch.equal(other(x), expected)
    set_field(other, 0.0)
    set_field(other, {"0": field})
    assert torch.equal(other(x), expected)


def test_a_state_of_the_older_form_is_refused_by_one_line():
    model = to_crossbar(nn.Sequential(nn.Linear(3, 2)), CARD)
    state = model.state_dict()
    extra = state["0.analog_module.analog_tile_state"]["state_extra"]
    weight = torch.zeros(2, 3)
    del extra["array"]
    extra["recipe"] = {"array": {"weight": weight, "persistent": weight}, "memory": weight}
    other = to_crossbar(nn.Sequential(nn.Linear(3, 2)), CARD)
    before, message = (
        other[0].get_weights()[0],
        r"0\.analog_module: the stored state is of an older",
    )
    with pytest.raises(ValueError, match=message) as caught:
        other.load_state_dict(state)
    assert "\n" not in str(caught.value)
    assert torch.equal(before, other[0].get_weights()[0])


@pytest.mark.parametrize("load", ["plain", "whole", "not strict"])
def test_a_state_of_several_tiles_a_layer_is_refused_by_one_line(load):
    """A layer larger than a tile was a `TileModuleArray` of tiles, and is one tile now."""
    config = rpu_config(pulsed_device(CARD))
    config.mapping.max_input_size = 3
    old = nn.Sequential(AnalogLinear(6, 4, True, config, tile_module_class=TileModuleArray))
    assert any(".array.1.0." in key for key in old.state_dict())
    model = nn.Sequential(AnalogLinear(6, 4, True, config))
    before = model[0].get_weights()[0]
    state = plain_state(old) if load == "plain" else old.state_dict()
    strict = partial(model.load_state_dict, strict=load == "whole")
    load_it = partial(load_plain_state, model) if load == "plain" else strict
    message = r"^0\.analog_module: the stored state .* it is one now"
    with pytest.raises(InputError, match=message) as caught:
        load_it(state)
    assert "\n" not in str(caught.value)
    assert torch.equal(before, model[0].get_weights()[0])


@pytest.mark.parametrize("load", ["plain", "whole"])
def test_a_state_of_pairs_is_none_of_single_devices(load):
    single, pair = (to_crossbar(nn.Sequential(nn.Linear(3, 2)), CARD, cells=kind) for kind in CELLS)
    for model, other, message in ((single, pair, "single devices"), (pair, single, "pairs")):
        before = other[0].get_weights()[0]
        state = plain_state(model) if load == "plain" else model.state_dict()
        load_into = partial(load_plain_state, other) if load == "plain" else other.load_state_dict
        with pytest.raises(ValueError, match=rf"0\.analog_module: the .*state is of {message}"):
            load_into(state)
        assert torch.equal(before, other[0].get_weights()[0])
