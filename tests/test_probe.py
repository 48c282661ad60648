"""The probe on memristor tiles: the effective matrix against the card and aihwkit's C++ tiles."""

from __future__ import annotations

import numpy as np
import pytest
from aihwkit.simulator.configs.devices import ConstantStepDevice

from crossbar import pulsed_device
from crossbar.nonideality import StuckCells, WriteNoise
from crossbar.probe import measure_tile, probe
from crossbar.scale import scale_of
from device_models import load_card
from device_models.card import BRANCHES
from device_models.errors import InputError

CARD = load_card("lsmo_pvdf_co")
FIELDS = [0.0, 75.0, 150.0, 290.0, 350.0]
WITHIN = 1.5e-3
"""Share of the range that a tile may be off: its tables, and what LTP and LTD to a state differ."""


def span(field_G: float) -> float:
    low, high = CARD.conductance_range(field_G)
    return float(high - low)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("made_at_G", [0.0, 150.0])
@pytest.mark.parametrize("field_G", FIELDS)
def test_memristors_probed_at_a_field_read_as_the_card(branch, made_at_G, field_G):
    """The field of the probe, not the one that the devices were made at, says what is read."""
    device = pulsed_device(CARD, made_at_G)
    weights = probe(device, branch, CARD.n_pulses, tile="memristor", field_G=field_G)
    got = scale_of(CARD, made_at_G, "symmetry_point").conductance(weights[:, 0])
    # From the end of the range, which the branch may start a little behind.
    curve = CARD.conductance(branch, np.arange(CARD.n_pulses + 1.0), field_G)
    assert np.abs(got - curve).max() < 3 * WITHIN * span(field_G)
    theirs = pulsed_device(CARD, field_G)
    expected = theirs.scale.conductance(probe(theirs, branch, CARD.n_pulses)[:, 0])
    assert np.abs(got - expected).max() < WITHIN * span(field_G)


def test_both_tiles_are_driven_by_the_same_pulses():
    """From a weight between the ends, one pulse an update, up and down."""
    device = pulsed_device(CARD)
    for branch in BRANCHES:
        theirs = probe(device, branch, 20, 0.2)
        ours = probe(device, branch, 20, 0.2, tile="memristor")
        assert ours[0, 0] == pytest.approx(0.2, abs=1e-6)
        assert np.abs(ours - theirs).max() < 2e-3


def test_devices_stand_in_fields_of_their_own():
    device = pulsed_device(CARD)
    together = probe(
        device, "LTP", 10, n_devices=3, tile="memristor", start_weight=0.1, field_G=[[0, 90, 300]]
    )
    for i, field_G in enumerate((0.0, 90.0, 300.0)):
        alone = probe(device, "LTP", 10, 0.1, tile="memristor", field_G=field_G)
        assert np.allclose(together[:, i], alone[:, 0], atol=1e-5)


def test_what_nonidealities_do_is_read():
    device = pulsed_device(CARD, construction_seed=3)
    clean = probe(device, "LTP", 5, 0.0, 400, tile="memristor")
    stuck = probe(
        device, "LTP", 5, 0.0, 400, tile="memristor", nonidealities=StuckCells(0.25, at="high")
    )
    hit = (stuck != clean).any(axis=0)
    assert 0.15 < hit.mean() < 0.35
    assert np.allclose(stuck[:, hit], device.w_max, atol=1e-6)
    assert np.array_equal(stuck[:, ~hit], clean[:, ~hit])
    noisy = probe(device, "LTP", 5, 0.0, 400, tile="memristor", nonidealities=WriteNoise(0.05))
    assert np.std(noisy - clean, axis=1) == pytest.approx(0.05, rel=0.2)


def test_spreads_are_the_cards_and_follow_from_the_seed():
    """Own ranges as wide as those of the C++ tile, and a branch over the own range."""
    card = CARD.with_spread(range_d2d=0.1, step_c2c=0.3)
    made = [pulsed_device(card, 0.0, construction_seed=seed) for seed in (5, 5, 6)]
    first, again, other = (
        probe(device, "LTP", 60, n_devices=500, own_range=True, tile="memristor") for device in made
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    theirs = probe(made[0], "LTP", 60, n_devices=500, own_range=True)
    for n in (0, 10, 60):
        assert first[n].mean() == pytest.approx(theirs[n].mean(), abs=0.03)
        assert first[n].std() == pytest.approx(theirs[n].std(), rel=0.15)


@pytest.mark.parametrize("made_at_G", [None, 150.0])
def test_a_tile_carried_from_field_to_field_is_measured_as_the_card(made_at_G):
    data = measure_tile(CARD, 2, n_cycles=2, tile="memristor", made_at_G=made_at_G)
    assert len(data.segments) == len(CARD.fields_G) * 2 * 2 * 2
    assert {segment.field_G for segment in data.segments} == set(CARD.fields_G)
    for segment in data.segments:
        expected = CARD.conductance(segment.branch, segment.pulses, segment.field_G)
        assert np.abs(segment.values - expected).max() < 2 * WITHIN * span(segment.field_G)


def test_cycles_of_a_memristor_tile_are_draws_of_their_own_over_the_same_devices():
    card = CARD.with_spread(step_c2c=0.3, range_d2d=0.1)
    data = measure_tile(card, 3, n_cycles=2, tile="memristor")
    first, second = (
        [s.values for s in data.segments if (s.branch, s.field_G, s.cycle) == ("LTP", 0.0, cycle)]
        for cycle in (1, 2)
    )
    for a, b in zip(first, second, strict=True):
        assert a[0] == b[0]
        assert not np.array_equal(a, b)
    assert len({values[0] for values in first}) == 3


@pytest.mark.parametrize(
    ("drive", "message"),
    [
        (lambda d: probe(d, "LTP", 1, field_G=50.0), "field_G needs tile='memristor'"),
        (lambda d: probe(d, "LTP", 1, nonidealities=[StuckCells(0.1)]), "nonidealities needs tile"),
        (lambda d: probe(d, "LTP", 1, tile="tile"), "tile must be one of aihwkit, memristor"),
        (
            lambda d: probe(ConstantStepDevice(), "LTP", 1, tile="memristor"),
            "made of a CardDevice, got ConstantStepDevice",
        ),
        (lambda d: probe(d, "LTP", 1, tile="memristor", field_G=4000.0), "is known from"),
        (lambda d: measure_tile(CARD, 1, made_at_G=50.0), "made_at_G needs tile='memristor'"),
    ],
)
def test_errors_are_one_line_with_the_name(drive, message):
    with pytest.raises(InputError, match=message) as caught:
        drive(pulsed_device(CARD))
    assert "\n" not in str(caught.value)
