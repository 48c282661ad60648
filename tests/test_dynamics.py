"""Closed-form pulses: against aihwkit's C++ device, and against pulses taken one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crossbar import pulsed_device
from crossbar.arrays import PulseResponse
from crossbar.probe import probe
from device_models import DeviceCard, load_card
from device_models.card import BRANCHES, Curve
from device_models.curves import ExponentialMixture, MonotoneSpline, PowerLaw
from device_models.steps import step_size

SIGN = {"LTP": 1.0, "LTD": -1.0}


def card_of(ltp, ltd, n_pulses: int = 40) -> DeviceCard:
    curves = (Curve("LTP", 0.0, ltp), Curve("LTD", 0.0, ltd))
    return DeviceCard("one", "one", "measured", "", "conductance", "1", n_pulses, curves)


CARDS = {
    "paper": load_card("lsmo_pvdf_co"),
    # Both branches start and end inside the range.
    "apart": card_of(
        ExponentialMixture(4.0, (-3.0,), (12.0,)), ExponentialMixture(2.0, (3.0,), (9.0,))
    ),
    "power": card_of(PowerLaw(1.0, 0.1, 20.0, -0.5), PowerLaw(2.6, -0.1, 10.0, -0.7)),
    "spline": card_of(
        MonotoneSpline(0.0, (1.0, 0.5, 0.3), (0.0, 40.0)),
        MonotoneSpline(1.8, (-1.0, -0.5, -0.3), (0.0, 40.0)),
    ),
}


def one_by_one(card, branch, field_G, state, pulses, scale=1.0):
    """States after `pulses` steps of the card, `scale` times as large."""
    low, high = card.conductance_range(field_G)
    state = np.asarray(state, dtype=float)
    for _ in range(pulses):
        step = step_size(card, branch, low + state * (high - low), field_G) / (high - low)
        state = np.clip(state + scale * step, 0, 1)
    return state


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("field_G", [0.0, 75.0, 350.0])
def test_response_is_that_of_aihwkits_device_pulse_by_pulse(branch, field_G):
    """Within 0.1 % of the range at each of the card's pulses, in steps and in one jump."""
    card = CARDS["paper"]
    device = pulsed_device(card, field_G)
    width = device.w_max - device.w_min
    expected = (probe(device, branch, card.n_pulses)[:, 0] - device.w_min) / width
    response = PulseResponse(card, field_G)
    number = torch.arange(card.n_pulses + 1.0) * SIGN[branch]
    jumps = response(torch.full_like(number, expected[0]), number).clamp(0, 1)
    assert np.abs(jumps.numpy() - expected).max() < 1e-3
    state, steps = torch.full((1,), expected[0], dtype=torch.float32), []
    for _ in range(card.n_pulses):
        state = response(state, torch.full((1,), SIGN[branch])).clamp(0, 1)
        steps.append(state.item())
    assert np.abs(np.array(steps) - expected[1:]).max() < 1e-3


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("pulses", [1, 3, 20, 100])
def test_a_jump_is_that_many_pulses_from_any_state(name, branch, pulses):
    """Within 0.1 % of the range of single steps, also from beyond the branch's own ends.

    Where a branch starts inside the range the step is no longer smooth in the state: a jump
    across that place may differ by a part of a step.
    """
    card = CARDS[name]
    states = np.linspace(0, 1, 201)
    jump = PulseResponse(card)(
        torch.tensor(states, dtype=torch.float32), torch.full((201,), SIGN[branch] * pulses)
    ).clamp(0, 1)
    expected = one_by_one(card, branch, 0.0, states, pulses)
    error = np.abs(jump.numpy() - expected)
    low, high = card.conductance_range(0.0)
    largest_step = np.abs(step_size(card, branch, np.linspace(low, high, 99), 0.0)).max()
    inside = name in ("apart", "power")
    assert error.max() < 1e-3 + (0.1 * largest_step / (high - low) if inside else 0)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("scale", [0.7, 1.3])
def test_scaled_steps(branch, scale):
    """One scaled pulse is exact to 0.05 % of the range, more of them to 2.6 %."""
    card = CARDS["paper"]
    states = np.linspace(0, 1, 201)
    response = PulseResponse(card)
    for pulses, tolerance in ((1, 5e-4), (2, 0.026), (10, 0.026), (60, 0.026)):
        jump = response(
            torch.tensor(states, dtype=torch.float32),
            torch.full((201,), SIGN[branch] * pulses),
            torch.full((201,), scale),
        ).clamp(0, 1)
        expected = one_by_one(card, branch, 0.0, states, pulses, scale)
        assert np.abs(jump.numpy() - expected).max() < tolerance, pulses


def test_no_pulse_changes_nothing():
    states = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(PulseResponse(CARDS["apart"])(states, torch.zeros(1000)), states)
