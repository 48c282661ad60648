"""Tiles follow any response: against aihwkit's C++ tile and the memristor tile's own pulses."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from responses import card_of, exponential_card, s_card, s_shape, spline_through

from crossbar import CardDevice, followed, pulsed_device
from crossbar.arrays import MemristorArray, PulseResponse
from crossbar.arrays.travel import branch_curve, distance
from crossbar.nodes import N_NODES, Follow, Miss, step_nodes
from crossbar.nodes.walk import (
    _form,
    _walk,
    _walk_with_slopes,
    pulse_numbers,
    walk,
    walk_with_slopes,
)
from crossbar.probe import probe
from crossbar.random import RandomStream
from device_models import list_cards, load_card
from device_models.card import BRANCHES
from device_models.curves import MonotoneSpline, PowerLaw
from device_models.steps import step_size

FLAT = (1e-9, 1e-9, 1e-3, 0.3, 0.5, 0.2, 1e-2, 1e-9)
KNOTS = tuple(float(n) for n in range(0, 61, 10))


def up_and_down(response, n_pulses, **options):
    """A card whose LTD is its LTP upside down."""
    return card_of(
        spline_through(response, n_pulses),
        spline_through(
            lambda n: response(np.zeros(1))[0] + response(np.array([n_pulses])) - response(n),
            n_pulses,
        ),
        n_pulses,
        **options,
    )


CARDS = {
    "symmetric S": s_card(30, 5, 60),
    "steep S of 60": s_card(45, 0.7, 60),
    "unequal S": s_card(26, 5, 60, down=(30, 6)),
    "slow S": s_card(500, 60, 1000),
    "long rest, then S": s_card(500, 30, 1000),
    # LTP starts 1.1 % above where LTD ends, between two nodes, with a rest of ten pulses.
    "start inside": card_of(
        MonotoneSpline(0.0, FLAT, KNOTS), MonotoneSpline(1.0, tuple(-i for i in FLAT), KNOTS), 60
    ),
    "two S": up_and_down(
        lambda n: 1 / (1 + np.exp(-(n - 15) / 3)) + 1 / (1 + np.exp(-(n - 60) / 3)), 80
    ),
    "resistance": card_of(s_shape(20, 1, 30, 5, 60), s_shape(1, 20, 30, 5, 60), 60, "resistance"),
    "decades": card_of(PowerLaw(1e-3, 5.0, 0.02, -0.5), PowerLaw(0.2, -0.15, 0.5, -3.0), 1000),
    "exponential": exponential_card(30, 10),
}


def cpp_misses(card, branch, zero):
    """Distance of aihwkit's C++ tile from the curve over the range, pulse after pulse."""
    device = pulsed_device(card, zero=zero)
    curve = card.conductance(branch, np.arange(card.n_pulses + 1))
    weights = probe(device, branch, card.n_pulses, float(device.scale.weight(curve[0])))[:, 0]
    low, high = card.conductance_range()
    return (device.scale.conductance(weights) - curve) / (high - low)


def memristor_misses(card, branch):
    """The same of a memristor tile."""
    device = pulsed_device(card, zero="mid_range")
    array = MemristorArray(1, 1, device, RandomStream(1), 1)
    curve = device.scale.weight(card.conductance(branch, np.arange(card.n_pulses + 1)))
    array.program(torch.full((1, 1), float(curve[0])))
    weights = [array.effective.item()]
    for _ in range(card.n_pulses):
        array.fire(torch.full((1, 1), 1.0 if branch == "LTP" else -1.0))
        weights.append(array.effective.item())
    return (np.array(weights) - curve) / 2


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_tiles_follow_the_card_and_by_how_much_is_said(name, branch):
    """Within 2 % of the range at every pulse; plain samples were up to 100 % off."""
    card = CARDS[name]
    follow = followed(card)
    at = pulse_numbers(card.n_pulses)
    cpp, memristor = cpp_misses(card, branch, "mid_range"), memristor_misses(card, branch)
    assert np.abs(cpp).max() < 0.02
    assert follow.aihwkit[branch].largest == pytest.approx(np.abs(cpp[at]).max(), abs=1e-3)
    assert np.abs(memristor).max() < 0.005
    # Starts are rounded in the weight or in the state, which a rest behind them magnifies.
    assert follow.memristor[branch].largest == pytest.approx(np.abs(memristor[at]).max(), abs=2e-4)
    assert follow.memristor[branch].rmse <= follow.memristor[branch].largest


@pytest.mark.parametrize("name", ["steep S of 60", "start inside", "two S", "long rest, then S"])
@pytest.mark.parametrize("pulses", [3, 17, 59])
def test_a_jump_is_as_many_pulses_one_by_one(name, pulses):
    """From everywhere on the curve, within 1 % of the range; from a rest as from elsewhere."""
    card = CARDS[name]
    response = PulseResponse(card)
    states = torch.linspace(0, 1, 97)
    jump = response(states, torch.full_like(states, pulses)).clamp(0, 1)
    for _ in range(pulses):
        states = response(states, torch.ones_like(states)).clamp(0, 1)
    assert (jump - states).abs().max() < 0.01


@pytest.mark.parametrize("name", ["symmetric S", "steep S of 60", "start inside"])
@pytest.mark.parametrize("noise", [{"step_c2c": 0.1}, {"step_d2d": 0.01}])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_devices_with_noise_leave_a_rest_as_well(name, noise):
    """Their median at the end of the branch is that of the card."""
    card = CARDS[name]
    device = pulsed_device(card.with_spread(**noise), zero="mid_range")
    array = MemristorArray(1, 400, device, RandomStream(1), 1)
    array.program(torch.full((1, 400), -1.0 + 2 * start_of(card)))
    for _ in range(card.n_pulses):
        array.fire(torch.ones(1, 400))
    assert array.effective.median().item() > 0.97


def start_of(card):
    return float(distance(card, "LTP", 0.0, card.conductance("LTP", 0)))


@pytest.mark.parametrize("name", ["symmetric S", "start inside", "two S"])
def test_the_plain_samples_would_not_have_followed(name):
    """What the fit of the nodes is for; the two are the same device elsewhere."""
    card = CARDS[name]
    low, high = card.conductance_range()
    even = np.linspace(low, high, N_NODES)
    sampled = step_size(card, "LTP", even, 0.0) / ((high - low) / 2)
    at = pulse_numbers(card.n_pulses)
    curve = distance(card, "LTP", 0.0, card.conductance("LTP", at))
    plain = np.abs(walk(sampled, curve[0], at) - curve).max()
    assert plain > 3 * followed(card).aihwkit["LTP"].largest


@pytest.mark.parametrize("zero", ["mid_range", "g_min", "symmetry_point"])
def test_the_zero_changes_not_what_the_device_follows(zero):
    for branch in BRANCHES:
        assert np.abs(cpp_misses(CARDS["symmetric S"], branch, zero)).max() < 1e-3


@pytest.mark.parametrize("name", list_cards())
def test_the_memristor_tile_follows_cards_of_the_project_to_a_thousandth(name):
    card = load_card(name)
    for field_G in card.fields_G:
        follow = followed(card, field_G)
        assert follow.worst_memristor < 5e-4
        assert follow.worst_aihwkit < 1e-3


def stairs(n_stairs: int, n_pulses: int):
    """Steep stairs with rests between the nodes of the weight: no 63 nodes hold them."""
    edges = (np.arange(n_stairs) + 0.5) * n_pulses / n_stairs
    return up_and_down(
        lambda n: (1 / (1 + np.exp(-(np.reshape(n, (-1, 1)) - edges) / 0.5))).sum(1), n_pulses
    )


def test_a_device_that_aihwkit_cannot_follow_says_so():
    card = stairs(8, 200)
    follow = followed(card)
    assert follow.worst_aihwkit > 0.05
    pattern = (
        rf"card 'a card' at 0 G: aihwkit's device is up to {follow.worst_aihwkit:.0%} of the range "
        rf"off the LT[PD] curve, tile='memristor' {follow.worst_memristor:.1%}"
    )
    with pytest.warns(UserWarning, match=pattern):
        CardDevice(card=card, zero="mid_range")


def test_a_device_that_aihwkit_follows_is_not_warned_of(recwarn):
    for name in ("symmetric S", "start inside", "decades"):
        CardDevice(card=CARDS[name], zero="mid_range")
    assert not recwarn.list


def test_the_worst_branch_counts():
    small, large = Miss(0.01, 0.02), Miss(0.03, 0.3)
    follow = Follow({"LTP": small, "LTD": large}, {"LTP": large, "LTD": small})
    assert (follow.worst_aihwkit, follow.worst_memristor) == (0.3, 0.3)


def test_a_field_outside_the_card_is_refused(card):
    with pytest.raises(ValueError, match="asked at field_G=999"):
        followed(card, 999.0)


def test_texts_and_spreads_make_no_other_nodes(card):
    same = replace(card, name="another", spread=replace(card.spread, step_c2c=0.5))
    assert step_nodes(same, 0.0) is step_nodes(card, 0.0)
    assert step_nodes(card, 50.0) is not step_nodes(card, 0.0)


@st.composite
def spline_cards(draw):
    """Curves of few pieces, slow in places, whose LTD ends near where LTP starts."""
    n_pulses = draw(st.sampled_from((30, 64, 200)))
    knots = tuple(np.linspace(0, n_pulses, draw(st.integers(3, 6))))
    sizes = st.sampled_from((1e-9, 1e-3, 0.05, 0.3, 1.0))
    curves = []
    for sign in (1, -1):
        increments = draw(st.lists(sizes, min_size=len(knots) + 1, max_size=len(knots) + 1))
        assume(max(increments) == 1.0)
        total = sum(increments)
        start = 0.0 if sign > 0 else 1 + draw(st.floats(-0.03, 0.03))
        curves.append(MonotoneSpline(start, tuple(sign * i / total for i in increments), knots))
    return card_of(*curves, n_pulses)


@settings(max_examples=40, deadline=None)
@given(card=spline_cards())
def test_curves_of_any_shape_are_followed(card):
    """The memristor tile to 1 % of the range, aihwkit's device no worse than its plain samples."""
    follow = followed(card)
    assert follow.worst_memristor < 0.01
    low, high = card.conductance_range()
    even = np.linspace(low, high, N_NODES)
    at = pulse_numbers(card.n_pulses)
    for branch in BRANCHES:
        sampled = np.abs(step_size(card, branch, even, 0.0)) / ((high - low) / 2)
        along = sampled if branch == "LTP" else sampled[::-1]
        curve = distance(card, branch, 0.0, card.conductance(branch, at))
        plain = np.abs(walk(along, curve[0], at) - curve).max()
        assert follow.aihwkit[branch].largest <= plain + 1e-9


@settings(max_examples=40, deadline=None)
@given(card=spline_cards())
def test_the_way_of_a_branch_rises_over_the_whole_range(card):
    for branch in BRANCHES:
        pulses, travelled, _ = branch_curve(card, branch, 0.0)
        assert np.all(np.diff(pulses) >= 0)
        assert np.all(np.diff(travelled) >= 0)
        assert pulses[0] == 0
        assert travelled[0] == 0


def test_a_walk_is_the_same_compiled_or_not():
    nodes = np.linspace(0.02, 0.001, N_NODES)
    at = np.arange(0, 200, 7)
    plain = _walk(nodes.astype(np.float32), 0.1, at)
    assert np.allclose(_form(_walk, True)(nodes.astype(np.float32), 0.1, at), plain, atol=1e-6)
    for block in (1, 3):
        one, two = (_form(_walk_with_slopes, c)(nodes, 0.1, at, block) for c in (False, True))
        assert np.allclose(one[0], two[0])
        assert np.allclose(one[1], two[1])


def test_slopes_of_a_walk_are_its_derivatives():
    """Against differences; a walk of blocks lands where as many single pulses do."""
    nodes = 0.01 + 0.005 * np.sin(np.arange(N_NODES) / 9)
    at = np.array([0, 6, 30, 60])
    places, slopes = walk_with_slopes(nodes, 0.1, at, 1)
    for node in (6, 10, 20):
        moved = nodes.copy()
        moved[node] += 1e-7
        change = (walk_with_slopes(moved, 0.1, at, 1)[0] - places) / 1e-7
        assert slopes[:, node] == pytest.approx(change, abs=1e-4)
    in_blocks = walk_with_slopes(nodes / 10, 0.1, 10 * at, 5)[0]
    assert in_blocks == pytest.approx(walk_with_slopes(nodes / 10, 0.1, 10 * at, 1)[0], abs=2e-3)


def test_the_warning_comes_from_the_line_that_makes_the_device():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CardDevice(card=exponential_card(100, 0.7))
    assert [w.filename for w in caught] == [__file__]
