"""Spreads: from the readings to the card, to the tile and to drawn devices."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from device_arrays import SIZE, Array, ends_std
from hypothesis import given, settings
from hypothesis import strategies as st

import device_models
from crossbar import pulsed_device
from crossbar.probe import measure_tile, single_pulse_tile
from device_models import CardError, FitError, fit_card, read_pulses
from device_models.card import Spread, card_from_dict
from device_models.curves import ExponentialMixture
from device_models.fit import select_branches
from device_models.fit.levels import components
from device_models.fit.spread import device_covariance, pulse_noise, white_noise
from device_models.pulses import PulseData, Segment

LAW = "exponential_mixture_1"
LSMO = Path(device_models.__file__).parent / "cards" / "lsmo_pvdf_co.csv"
KINDS = {
    "offsets": {"offset": 0.1},
    "gains": {"gain": 0.1},
    "time constants": {"tau": 0.2},
    "all apart": {"offset": 0.1, "gain": 0.1, "tau": 0.2},
    "all together": {"offset": 0.1, "gain": 0.1, "tau": 0.2, "common": True},
}
SIZES = {
    "3 devices, exact": {"devices": 3},
    "5 devices, 2 % noise": {"devices": 5, "noise": 0.02},
    "30 devices, 5 % noise": {"devices": 30, "noise": 0.05},
    "53 devices, 3 cycles": {"devices": 53, "cycles": 3, "noise": 0.05, "cycle": 0.03},
    "100 devices, 10 cycles": {"devices": 100, "cycles": 10, "noise": 0.05, "cycle": 0.05},
}


def fitted(data, law=LAW):
    return fit_card(data, law=law, bootstrap=0)


@given(
    st.integers(1, 8),
    st.lists(st.floats(-100, 100), min_size=0, max_size=6),
    st.floats(0, 1e6),
)
def test_devices_that_are_equal_have_no_covariance(n, theta, variance):
    known = variance * np.eye(len(theta))
    assert not np.any(device_covariance(np.tile(theta, (n, 1)), known))


def test_a_coordinate_in_which_devices_are_equal_stays_out_of_the_covariance():
    rng = np.random.default_rng(0)
    theta = np.column_stack([rng.standard_normal(50), np.full(50, -42.48)])
    found = device_covariance(theta, np.diag([0.0, 9.0]))
    assert found[0, 0] == pytest.approx(np.var(theta[:, 0], ddof=1))
    assert not np.any(found[1])
    assert not np.any(found[:, 1])


@pytest.mark.parametrize("law", [LAW, "log_step", "monotone_spline_8"])
def test_equal_devices_have_no_spread_and_are_drawn_equal(law):
    one, _ = Array(noise=0.02, seed=4).measured()
    segments = [replace(s, device=d) for d in "abc" for s in one.segments]
    card = fitted(replace(one, segments=tuple(segments)), law).card
    assert (card.spread.range_d2d, card.spread.step_d2d) == (0, 0)
    assert not np.any(card.uncertainty.d2d)
    again = card_from_dict(json.loads(card.to_json()))
    assert again.sha256 == card.sha256
    n = np.arange(41.0)
    for drawn in again.sample(3, seed=0, vary=["d2d"]):
        assert np.allclose(drawn.conductance("LTP", n), card.conductance("LTP", n), rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_spread_of_the_range_is_that_of_the_devices(kind, size):
    """Against what the devices were made with, so only the noise of readings is left."""
    array = Array(**KINDS[kind], **SIZES[size], seed=2)
    data, truth = array.measured()
    spread = fitted(data).card.spread
    chance = array.noise / np.sqrt(array.cycles)
    assert spread.range_d2d == pytest.approx(ends_std(truth), rel=0.1, abs=0.01 + 0.1 * chance)
    if array.cycles > 2:
        assert spread.range_c2c == pytest.approx(array.cycle, rel=0.2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("gain", "tau"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_spread_of_the_step_is_gain_over_time_constant(gain, tau, size):
    """A pulse is as large as the range over the pulses that a device needs for it."""
    data, truth = Array(gain=gain, tau=tau, **SIZES[size], seed=2).measured()
    half = SIZE / 2 / np.ptp(truth["LTP"], axis=1)
    reach = truth["LTP"][:, :1] + np.ptp(truth["LTP"], axis=1, keepdims=True) / 2
    curves = zip(reach[:, 0], truth["LTP"], strict=True)
    pulses = np.array([np.interp(g, y, np.arange(41.0)) for g, y in curves])
    steps = 1 / half / pulses
    spread = fitted(data).card.spread.step_d2d
    assert spread == pytest.approx(np.std(steps, ddof=1) / np.mean(steps), rel=0.2, abs=0.02)


def test_lower_and_upper_ends_have_their_own_spread():
    data, truth = Array(devices=40, gain=0.15, seed=1).measured()
    card = fitted(data).card
    low, high = card.spread.ends_d2d
    assert low == pytest.approx(0, abs=1e-3)
    assert high == pytest.approx(np.std(truth["LTP"][:, -1], ddof=1) / (SIZE / 2), rel=0.05)
    device = pulsed_device(card, 0.0)
    assert device.w_max_dtod * device.w_max == pytest.approx(high)
    assert device.w_min_dtod * -device.w_min == pytest.approx(low)
    alike = replace(card.spread, upper_share=None)
    assert alike.ends_d2d == (alike.range_d2d, alike.range_d2d)
    assert pulsed_device(card.with_spread(range_d2d=0.0), 0.0).w_max_dtod == 0


@pytest.mark.parametrize("kind", ["offsets", "gains", "all together"])
def test_ends_of_the_tile_scatter_as_those_of_the_devices(kind):
    data, truth = Array(devices=100, **KINDS[kind], seed=1).measured()
    tile, _, _ = select_branches(measure_tile(fitted(data).card, 300))
    for branch in tile:
        ends = branch.values.reshape(300, -1)[:, [0, -1]].std(axis=0, ddof=1)
        wanted = truth[branch.branch][:, [0, -1]].std(axis=0, ddof=1)
        assert np.allclose(ends, wanted, rtol=0.2, atol=0.02 * SIZE)


def test_a_tile_is_measured_cycle_by_cycle_over_the_same_devices():
    data, _ = Array(devices=10, gain=0.1, noise=0.02, seed=1).measured()
    card = fitted(data).card
    tile = measure_tile(card, 4, seed=3, n_cycles=3)
    assert tile.cycles == (1, 2, 3)
    assert len(tile.devices) == 4
    values = np.array([s.values for s in tile.select("LTP", device="2")])
    assert np.ptp(values[:, 20]) > 0
    device = pulsed_device(card, 0.0, construction_seed=3)
    own = single_pulse_tile(device, 4).get_hidden_parameters()["max_bound"][0, 1]
    noise = card.spread.write_noise * device.scale.half_range
    assert np.allclose(values[:, -1], device.scale.conductance(float(own)), atol=6 * noise + 0.02)


DRAWN = {
    "ten percent": {"devices": 53, "noise": 0.02, "gain": 0.1, "offset": 0.1, "tau": 0.2},
    "large gains": {"devices": 30, "gain": 0.3},
    "three devices": {"devices": 3, "gain": 0.1, "offset": 0.05},
    "cycles": {"devices": 20, "cycles": 5, "cycle": 0.05, "noise": 0.03, "gain": 0.15},
}


@pytest.mark.parametrize("law", [LAW, "exponential_mixture_2", "monotone_spline_8"])
@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_devices_scatter_as_the_measured_ones_around_the_card(kind, law):
    array = Array(**DRAWN[kind], seed=2)
    data, truth = array.measured()
    card, n = fitted(data, law).card, np.array([0.0, 5, 10, 20, 40])
    drawn = card.sample(400, seed=1, vary=["d2d"])
    for branch, own in truth.items():
        values = np.array([c.conductance(branch, n) for c in drawn])
        wanted = own[:, n.astype(int)].std(axis=0, ddof=1)
        assert np.allclose(values.std(axis=0), wanted, rtol=0.2, atol=0.02 * SIZE)
        middle = card.conductance(branch, n)
        assert np.allclose(values.mean(axis=0), middle, atol=0.15 * wanted.max() + 0.01 * SIZE)


@pytest.mark.parametrize("law", ["auto", "monotone_spline_14"])
def test_drawn_devices_stay_positive_over_decades(law):
    """A lognormal spread of both ends, four decades apart."""
    rng, n, segments = np.random.default_rng(0), np.arange(51.0), []
    for device in range(20):
        low, high = 2e-9 * np.exp(0.3 * rng.standard_normal()), 3e-5
        high *= np.exp(0.2 * rng.standard_normal())
        rise = low * (high / low) ** ((n / 50) ** 0.9)
        fall = high * (low / high) ** ((n / 50) ** 0.5)
        for branch, y in (("LTP", rise), ("LTD", fall)):
            noisy = y * np.exp(0.02 * rng.standard_normal(51))
            segments.append(Segment(branch, n, noisy, str(device)))
    card = fitted(PulseData("conductance", "S", tuple(segments), "d.csv", ""), law).card
    assert min(card.conductance_range()) > 0
    for vary in (["d2d"], ["fit"], ["fit", "d2d"]):
        ends = [d.conductance_range() for d in card.sample(50, seed=1, vary=vary)]
        assert np.min(ends) > 0
        assert np.max(ends) < 10 * 3e-5


def test_draws_stay_near_a_curve_whose_coordinates_are_wide_open():
    """Noise-free splines of many fields: increments of 0 have any logarithm."""
    fit = fit_card(read_pulses(LSMO), bootstrap=0)
    low, high = fit.card.conductance_range()
    n = np.arange(0.0, fit.card.n_pulses)
    for drawn in fit.card.sample(3, seed=0, vary=["fit"]):
        for branch in ("LTP", "LTD"):
            away = drawn.conductance(branch, n) - fit.card.conductance(branch, n)
            assert np.abs(away).max() < 0.02 * (high - low)
            assert drawn.conductance(branch, n).min() > 0


def test_draws_of_a_wide_covariance_are_positive_and_keep_to_the_range():
    """Near-linear curves with much noise: amplitudes and time constants are open."""
    rng, n = np.random.default_rng(0), np.arange(21.0)
    line = 1 + 0.1 * n
    segments = [
        Segment(branch, n, y + 0.15 * rng.standard_normal(21), str(device))
        for device in range(6)
        for branch, y in (("LTP", line), ("LTD", line[::-1]))
    ]
    card = fitted(PulseData("conductance", "S", tuple(segments), "w.csv", "")).card
    for vary in (["fit"], ["d2d"], ["fit", "d2d"]):
        for drawn in card.sample(100, seed=3, vary=vary):
            low, high = drawn.conductance_range()
            assert 0 < low < high < 4.5


@settings(deadline=None, max_examples=15)
@given(st.integers(-12, 12), st.sampled_from(["conductance", "resistance"]))
def test_spreads_do_not_know_units(exponent, quantity):
    array = Array(devices=6, cycles=3, offset=0.1, gain=0.1, cycle=0.04, noise=0.02, seed=5)
    spreads = []
    for unit in (1.0, 10.0**exponent):
        data, _ = array.measured(unit)
        if quantity == "resistance":
            segments = tuple(replace(s, values=1 / s.values) for s in data.segments)
            data = replace(data, segments=segments, quantity="resistance", unit="ohm")
        card = fitted(data).card
        spreads.append(card.spread)
        low, high = card.conductance_range()
        drawn = [d.conductance_range() for d in card.sample(5, seed=1, vary=["d2d"])]
        spreads.append((np.array(drawn) - low) / (high - low))
    first, drawn_first, second, drawn_second = spreads
    for name in ("step_c2c", "write_noise", "step_d2d", "range_d2d", "range_c2c", "upper_share"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=2e-3)
    assert np.allclose(drawn_second, drawn_first, atol=1e-4)


def test_components_are_right_in_the_mean():
    """Also where there is nothing: the mean over many arrays, not the size of each."""
    rng, found = np.random.default_rng(0), []
    devices = [d for d in "abcd" for _ in range(3)] + ["e"]
    group = np.array([ord(d) for d in devices]) - ord("a")
    for _ in range(2000):
        own = 0.3 * rng.standard_normal(5)[group] + 0.4 * rng.standard_normal(13)
        values = np.where(rng.random(13) < 0.1, np.nan, own + 0.2 * rng.standard_normal(13))
        found.append(components(values, devices, 0.2**2))
    assert np.nanmean([c.device for c in found]) == pytest.approx(0.3**2, rel=0.1)
    assert np.nanmean([c.cycle for c in found]) == pytest.approx(0.4**2, rel=0.05)
    nothing = [components(rng.standard_normal(6), list("aabbcc"), 1.0) for _ in range(2000)]
    assert abs(np.mean([c.device for c in nothing])) < 0.05
    assert abs(np.mean([c.cycle for c in nothing])) < 0.05


def test_one_cycle_of_one_device_has_no_spread_of_either():
    data, _ = Array(noise=0.02).measured()
    spread = fitted(data).card.spread
    assert spread.range_c2c is None
    assert spread.upper_share is None
    assert "range_c2c" not in spread.to_dict()
    assert spread.note.startswith("One device: no device-to-device spread was measured.")


def test_cycles_of_one_device_move_by_more_than_pulse_noise():
    data, _ = Array(cycles=39, cycle=0.03, noise=0.01, seed=7).measured()
    card = fitted(data).card
    levels = [s.values.mean() for s in data.select("LTP")]
    assert card.spread.range_c2c == pytest.approx(np.std(levels, ddof=1) / (SIZE / 2), rel=0.1)
    assert "a tile does not have this" in card.spread.note
    assert card_from_dict(json.loads(card.to_json())).spread == card.spread
    still, _ = Array(cycles=39, noise=0.02, seed=7).measured()
    spread = fitted(still).card.spread
    assert spread.range_c2c < 0.01
    assert "range_c2c" not in spread.note


@pytest.mark.parametrize(
    ("name", "value"),
    [("range_c2c", -0.1), ("range_c2c", "much"), ("upper_share", 1.5), ("upper_share", True)],
)
def test_spreads_out_of_range_are_named(name, value):
    with pytest.raises(CardError, match=rf"spread\.{name} must be a number from 0 to"):
        Spread(**{name: value})
    data, _ = Array().measured()
    content = json.loads(fitted(data).card.to_json())
    content["spread"][name] = value
    with pytest.raises(CardError, match=rf"spread\.{name}"):
        card_from_dict(content)


def apart(pulses, noise, cycles=3, seed=0, tau=30.0):
    rng, segments = np.random.default_rng(seed), []
    for cycle in range(1, cycles + 1):
        for branch, sign in (("LTP", -1), ("LTD", 1)):
            y = 20.0 + 16.0 * sign * (np.exp(-pulses / tau) - 0.5)
            moved = 0.3 * rng.standard_normal()
            noisy = y + moved + noise * rng.standard_normal(len(pulses))
            segments.append(Segment(branch, pulses, noisy, cycle=cycle))
    return PulseData("conductance", "S", tuple(segments), "apart.csv", "")


SPACINGS = {
    "5": np.arange(0, 101, 5.0),
    "2": np.arange(0, 61, 2.0),
    "doubled": np.array([0, 1, 2, 4, 8, 16, 32, 64, 96, 128.0]),
}


@pytest.mark.parametrize("spacing", SPACINGS)
def test_noise_of_readings_several_pulses_apart_is_their_scatter(spacing):
    data = apart(SPACINGS[spacing], 0.4, cycles=30)
    fit = fitted(data)
    half = np.ptp(fit.card.conductance_range()) / 2
    assert fit.card.spread.write_noise * half == pytest.approx(0.4, rel=0.1)
    assert fit.card.spread.step_c2c == 0
    assert sum("pulses apart" in w for w in fit.warnings) == 2
    assert "step_c2c cannot be measured" in fit.card.spread.note
    quiet = fitted(apart(SPACINGS[spacing], 0.0)).card.spread
    assert quiet.write_noise < 0.02


def test_pulse_numbers_that_are_not_whole_are_still_one_pulse_apart():
    whole = apart(np.arange(41.0), 0.2, cycles=5)
    rng = np.random.default_rng(1)
    shifted = [replace(s, pulses=s.pulses + 0.05 * rng.random(41)) for s in whole.segments]
    near = fitted(replace(whole, segments=tuple(shifted)))
    assert not any("apart" in w for w in near.warnings)
    assert near.card.spread.write_noise == pytest.approx(
        fitted(whole).card.spread.write_noise, rel=0.05
    )


def test_white_noise_sees_neither_offset_nor_drift():
    pulses = np.arange(200.0)
    rng = np.random.default_rng(0)
    noise = 0.3 * rng.standard_normal(200)
    law = ExponentialMixture(1.0, (-0.9,), (30.0,))
    segments = (
        Segment("LTP", pulses, law(pulses) + 5 + 0.01 * pulses + noise),
        Segment("LTD", pulses, -law(pulses)),
    )
    branches, _, _ = select_branches(PulseData("conductance", "1", segments, "x", ""))
    assert white_noise(branches[0], [law]) == pytest.approx(0.3, rel=0.1)
    exact = Segment("LTP", pulses, law(pulses))
    data = PulseData("conductance", "1", (exact, segments[1]), "x", "")
    assert white_noise(select_branches(data)[0][0], [law]) == 0


def test_short_branches_say_what_they_cannot_tell():
    data = apart(np.arange(9.0), 0.4, cycles=4, tau=3.0)
    spread = fitted(data).card.spread
    assert "Too few pulses to tell noise that stays" in spread.note
    long = fitted(apart(np.arange(101.0), 0.4, cycles=4))
    assert "Too few pulses" not in long.card.spread.note
    branch = long.branches[0]
    assert pulse_noise(branch, [long.laws[0]] * 4).told_apart


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
def test_noise_of_a_read_is_said_beside_that_of_a_pulse(quantity):
    data = apart(np.arange(41.0), 0.2)
    data = replace(data, read_noise=0.1)
    if quantity == "resistance":
        segments = tuple(replace(s, values=1 / s.values) for s in data.segments)
        mean = np.mean([np.mean(1 / s.values**2) for s in segments])
        data = replace(
            data, segments=segments, quantity="resistance", unit="ohm", read_noise=0.1 / mean
        )
    card = fitted(data).card
    half = np.ptp(card.conductance_range()) / 2
    said = float(card.spread.note.split("A single read scatters by ")[1].split()[0])
    assert said == pytest.approx(0.1 / half, rel=0.02)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(1, 3), st.integers(4, 30), st.booleans()),
        min_size=1,
        max_size=8,
        unique_by=lambda each: each[:2],
    ),
    st.sampled_from([0.0, 0.02, 0.3]),
    st.sampled_from([1, 3]),
    st.integers(0, 3),
)
def test_ragged_and_missing_branches_give_finite_spreads_and_devices(cycles, noise, step, seed):
    rng, segments = np.random.default_rng(seed), []
    for device, cycle, length, with_ltd in cycles:
        n = step * np.arange(length, dtype=float)
        size = 1 + 0.2 * rng.standard_normal()
        up = 1 + size * (1 - np.exp(-n / 10))
        for branch, y in (("LTP", up), ("LTD", up[::-1])):
            if branch == "LTP" or with_ltd or not any(s.branch == "LTD" for s in segments):
                values = y + noise * rng.standard_normal(length)
                segments.append(Segment(branch, n, values, device, cycle))
    data = PulseData("conductance", "S", tuple(segments), "r.csv", "")
    try:
        card = fitted(data).card
    except FitError:
        return
    spread = card.spread.to_dict()
    assert all(np.isfinite(v) and v >= 0 for k, v in spread.items() if k != "note")
    for vary in ("fit", "d2d"):
        if getattr(card.uncertainty, vary) is not None:
            for drawn in card.sample(3, seed=0, vary=[vary]):
                assert np.all(np.isfinite(drawn.conductance("LTD", np.arange(5.0))))
