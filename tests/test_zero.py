"""The weight 0: where pulses of both signs lead to, if that leaves both signs room."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from aihwkit.optim import AnalogSGD
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from responses import card_of, exponential_card, s_card, spline_through
from torch import nn

from crossbar import (
    ZEROS,
    CardDevice,
    pulsed_device,
    recommended_zero,
    to_crossbar,
    weight_scale,
    zero_of_weight,
)
from crossbar.arrays import PulseResponse
from crossbar.arrays.array import check_device
from crossbar.nodes import N_NODES, step_nodes
from crossbar.zero import LITTLE_ROOM, ROOM
from device_models import CardError, ExponentialMixture, list_cards, load_card
from device_models.card import BRANCHES, Curve, DeviceCard, card_from_dict
from device_models.curves import LogStep, MonotoneSpline, PowerLaw
from device_models.steps import step_size

UNEQUAL = s_card(26, 5, 60, down=(30, 6))
"""S-shaped both ways; the steps cross once only, where both have nearly stopped."""


@pytest.mark.parametrize("name", list_cards())
def test_cards_of_the_project_keep_their_zero_and_their_nodes(name):
    """The one crossing and the plain samples, to the last bit: stored results depend on them."""
    card = load_card(name)
    for field_G in card.fields_G:
        low, high = card.conductance_range(field_G)
        grid = np.linspace(low, high, 4097)
        excess = step_size(card, "LTP", grid, field_G) + step_size(card, "LTD", grid, field_G)
        (i,) = np.flatnonzero((excess[:-1] > 0) & (excess[1:] <= 0))
        share = excess[i] / (excess[i] - excess[i + 1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            device = CardDevice(card=card, field_G=field_G)
        assert device.scale.zero == grid[i] + share * (grid[i + 1] - grid[i])
        nodes = step_nodes(card, field_G)
        even = np.linspace(low, high, N_NODES)
        for branch, steps in (("LTP", nodes.up), ("LTD", nodes.down)):
            plain = np.abs(step_size(card, branch, even, field_G)) / ((high - low) / 2)
            assert np.array_equal(steps, plain)


def test_a_symmetric_s_shape_has_its_zero_in_the_middle():
    """The steps are alike everywhere, so that no crossing means anything."""
    card = s_card(30, 5, 60)
    choice = zero_of_weight(card)
    assert choice.name == "symmetry_point"
    assert choice.smaller_side_share == pytest.approx(0.5, abs=0.01)
    assert CardDevice(card=card).dw_min == pytest.approx(2 * 19 / 4 / 5 / 19, rel=0.05)


def test_of_several_crossings_the_one_with_most_room_counts():
    """LTP steps are larger below 7, smaller to 20, larger to 33, smaller to 47 pulses, of 60."""
    up = spline_through(lambda n: n + 3 * np.sin(2 * np.pi * n / 26.7), 60)
    card = card_of(up, spline_through(lambda n: 60 - n, 60), 60)
    choice = zero_of_weight(card)
    low, high = card.conductance_range()
    first, second = choice.candidates
    assert first == pytest.approx(card.conductance("LTP", 26.7 / 4), abs=1)
    assert second == pytest.approx(card.conductance("LTP", 26.7 * 5 / 4), abs=1)
    assert choice.conductance == second
    assert choice.smaller_side_share == pytest.approx((high - second) / (high - low))


def test_a_curve_that_is_cut_off_makes_no_crossing_at_its_end():
    """LTP steps are larger everywhere; that the spline stays behind its last knot says nothing.

    Before, the weights went from -2 to 0.
    """
    up = spline_through(lambda n: n / 30, 30)
    down = spline_through(lambda n: 1 - n / 60, 30)
    card = card_of(up, down, 30)
    assert step_size(card, "LTP", 1.0, 0.0) == pytest.approx(1 / 30, rel=1e-3)
    choice = zero_of_weight(card)
    assert (choice.name, choice.candidates) == ("mid_range", ())
    assert choice.reason == "the steps of LTP are larger at every conductance"


def test_states_that_pulses_leave_are_no_zero():
    """Steps that grow along both branches drive a device to the ends of its range."""
    grow = np.expm1(64 / 20)
    up = spline_through(lambda n: np.expm1(n / 20) / grow, 64)
    down = spline_through(lambda n: 1 - np.expm1(n / 20) / grow, 64)
    choice = zero_of_weight(card_of(up, down, 64))
    assert choice.name == "mid_range"
    assert choice.smaller_side_share == 0.5
    low, high = card_of(up, down, 64).conductance_range()
    assert choice.conductance == pytest.approx((low + high) / 2)


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
def test_without_room_the_middle_is_taken_with_a_word(quantity):
    if quantity == "conductance":
        card = exponential_card(100, 0.7)
    else:
        card = card_of(
            ExponentialMixture(1.0, (9.0,), (300.0,)), ExponentialMixture(9.0, (-8.0,), (0.4,)), 64
        )
        card = replace(card, quantity="resistance", unit="ohm")
    with pytest.warns(UserWarning, match=r"card 'a card' at 0 G: .* zero='mid_range'$") as caught:
        device = CardDevice(card=card)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert (device.w_min, device.w_max) == pytest.approx((-1, 1))
    with pytest.warns(UserWarning, match="the weight 0 is the middle of the range"):
        assert weight_scale(card) == weight_scale(card, zero="mid_range")


def test_little_room_is_said_and_kept():
    card = exponential_card(100, 2.2)
    choice = zero_of_weight(card)
    assert ROOM < choice.smaller_side_share < LITTLE_ROOM
    with pytest.warns(UserWarning, match="little room; zero='mid_range' leaves both the same"):
        device = CardDevice(card=card)
    assert -device.w_min == pytest.approx(2 * choice.smaller_side_share)


@pytest.mark.parametrize("zero", ["mid_range", "g_min"])
def test_who_names_another_zero_hears_nothing(zero, recwarn):
    CardDevice(card=exponential_card(100, 0.7), zero=zero)
    assert not recwarn.list


def test_following_the_advice_silences_it(recwarn):
    for card in (exponential_card(100, 0.7), exponential_card(100, 2.2), UNEQUAL):
        pulsed_device(card, zero="mid_range")
    assert not recwarn.list


def test_a_tile_says_it_once(recwarn):
    """Arrays make no device of their own to compare with."""
    warnings.simplefilter("always")
    device = CardDevice(card=exponential_card(100, 0.7))
    check_device(device)
    assert device.scale.half_range == 1
    assert len(recwarn.list) == 1


@pytest.mark.parametrize(
    ("taus", "zero", "by_pulses"),
    [
        ((30, 10), "symmetry_point", "symmetry_point"),
        ((100, 2.2), "mid_range", "symmetry_point"),
        ((100, 0.7), "mid_range", "mid_range"),
    ],
)
def test_what_is_recommended(taus, zero, by_pulses):
    """Little room costs mixed precision more than drift; the other recipes less."""
    card = exponential_card(*taus)
    assert recommended_zero(card).zero == zero
    assert recommended_zero(card, recipe="tiki_taka_v2").zero == by_pulses
    assert recommended_zero(card).why.count(".") <= 1
    assert "range from" in recommended_zero(card).why


def test_without_any_symmetry_point_the_recommendation_says_so():
    grow = spline_through(lambda n: n / 30, 30)
    card = card_of(grow, spline_through(lambda n: 1 - n / 60, 30), 30)
    zero, why = recommended_zero(card)
    assert zero == "mid_range"
    assert why == "the steps of LTP are larger at every conductance: there is no symmetry point"


def test_a_field_out_of_range_is_refused(card):
    for ask in (zero_of_weight, recommended_zero):
        with pytest.raises(ValueError, match="asked at field_G=999"):
            ask(card, 999.0)


@pytest.mark.parametrize("card", [UNEQUAL, s_card(30, 5, 60), exponential_card(100, 0.7)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_networks_train_where_the_first_crossing_let_none(card):
    """Before: 16 % with the first card and 71 % with the last, of six classes."""
    torch.manual_seed(0)
    centres = 1.3 * torch.randn(30, 16)
    kind = torch.randint(30, (1500,))
    x, y = centres[kind] + 0.6 * torch.randn(1500, 16), kind % 6
    model = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 6))
    model = to_crossbar(model, card)
    optimizer = AnalogSGD(model.parameters(), lr=0.1)
    optimizer.regroup_param_groups()
    for i in range(400):
        rows = slice(20 * i % 1000, 20 * i % 1000 + 20)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(x[1000:]).argmax(1) == y[1000:]).float().mean().item()
    assert right > 0.85


def sizes(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers even in their logarithm."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(10**x))


@st.composite
def laws(draw: st.DrawFn, sign: float, start: float, scale: float, n_pulses: int):
    size = sign * scale * draw(sizes(1e-3, 10))
    kind = draw(st.sampled_from(("mixture", "power", "log", "spline")))
    if kind == "mixture":
        return ExponentialMixture(start + size, (-size,), (draw(sizes(1e-2, 1e4)),))
    if kind == "power":
        exponent = draw(st.floats(-8, 1))
        return PowerLaw(start, size, draw(sizes(1e-2, 1e3)), exponent)
    if kind == "log":
        return LogStep(start, size, draw(sizes(1e-2, 1e3)))
    increments = draw(
        st.lists(st.sampled_from((0.0, 1e-9, 1e-3, 0.3, 1.0)), min_size=3, max_size=9)
    )
    assume(any(increments))
    knots = np.linspace(0, n_pulses * draw(st.sampled_from((0.5, 1.0, 1.5))), len(increments) - 1)
    return MonotoneSpline(start, tuple(size * i for i in increments), tuple(knots))


@st.composite
def cards(draw: st.DrawFn) -> DeviceCard:
    """Cards as they can be read from a file: all laws, any size, one or two fields."""
    n_pulses = draw(st.sampled_from((2, 3, 10, 64, 500)))
    scale = draw(st.sampled_from((1.0, 1e-6, 1e-12, 1e-300, 1e-322, 1e300)))
    quantity = draw(st.sampled_from(("conductance", "resistance")))
    start = scale * draw(st.sampled_from((0, 1, -1, 10, 1e3, 1e6)))
    start = abs(start) + 10 * scale if quantity == "resistance" else start
    curves = []
    for field_G in (0.0, 100.0)[: draw(st.integers(1, 2))]:
        for branch in BRANCHES:
            sign = 1.0 if (branch == "LTP") != (quantity == "resistance") else -1.0
            at = start if sign > 0 else start + scale * draw(st.sampled_from((0, 1, 3)))
            try:
                with np.errstate(all="ignore"):
                    law = draw(laws(sign, float(at), scale, n_pulses))
            except ValueError:
                assume(False)
            curves.append(Curve(branch, field_G, law))
    unit = "ohm" if quantity == "resistance" else "S"
    card = DeviceCard("any", "any", "measured", "", quantity, unit, n_pulses, tuple(curves))
    try:
        with np.errstate(all="ignore"):
            return card_from_dict(json.loads(json.dumps(card.to_dict())))
    except CardError:
        assume(False)
        raise


@settings(max_examples=80, deadline=None)
@given(card=cards(), zero=st.sampled_from(ZEROS), share=st.sampled_from((0.0, 0.37)))
def test_every_card_is_a_device_with_finite_steps(card, zero, share):
    """No step of 0 at the weight 0, no infinite node, no warning of numpy."""
    field_G = share * card.fields_G[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        device = CardDevice(card=card, field_G=field_G, zero=zero)
        choice = zero_of_weight(card, field_G)
        response = PulseResponse(card, field_G)
    numbers = np.array([device.w_min, device.w_max, *device.piecewise_up, *device.piecewise_down])
    assert np.all(np.isfinite(numbers.astype(np.float32)))
    assert np.float32(device.dw_min) > 0
    assert min(device.piecewise_up + device.piecewise_down) >= 0
    assert device.w_min <= 0 <= device.w_max
    assert choice.name == "mid_range" or choice.smaller_side_share >= ROOM
    for table in (response.number, response.place, response.step):
        assert torch.isfinite(table).all()


@settings(max_examples=20, deadline=None)
@given(power=st.integers(-12, 12), card=st.sampled_from((UNEQUAL, exponential_card(30, 10))))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_unit_changes_no_device(power, card):
    """Conductances times a power of ten: the same nodes, the same zero in weights."""
    unit = 10.0**power
    scaled = replace(card, curves=tuple(replace(c, law=times(c.law, unit)) for c in card.curves))
    one, other = CardDevice(card=card), CardDevice(card=scaled)
    assert other.w_min == pytest.approx(one.w_min, rel=1e-6)
    assert other.piecewise_up == pytest.approx(one.piecewise_up, rel=1e-3)
    assert zero_of_weight(scaled).conductance == pytest.approx(
        unit * zero_of_weight(card).conductance, rel=1e-6
    )


def times(law, unit):
    if isinstance(law, MonotoneSpline):
        increments = tuple(unit * i for i in law.increments)
        return replace(law, start=unit * law.start, increments=increments)
    amplitudes = tuple(unit * a for a in law.amplitudes)
    return replace(law, offset=unit * law.offset, amplitudes=amplitudes)
