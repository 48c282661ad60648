"""Bands over cycles and devices, drift, and intervals from few cycles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from device_arrays import SIZE, Array, N, responses
from hypothesis import given
from hypothesis import strategies as st

from device_models import fit_card
from device_models.fit import select_branches
from device_models.fit.bands import all_readings, band_of, bands, drift
from device_models.fit.uncertainty import limited
from device_models.pulses import PulseData, Segment

Z95 = 1.959964
N4 = np.arange(4.0)


def data_of(table, quantity="conductance"):
    """Readings from {(device, cycle): values}, all one LTP branch."""
    segments = [
        Segment("LTP", np.arange(len(values), dtype=float), np.array(values), device, cycle)
        for (device, cycle), values in table.items()
    ]
    unit = "S" if quantity == "conductance" else "ohm"
    return PulseData(quantity, unit, tuple(segments), "b.csv", "")


def test_band_of_two_devices_of_two_cycles():
    table = {
        ("a", 1): [1.0, 2.0],
        ("a", 2): [3.0, 2.0],
        ("b", 1): [7.0, 2.0],
        ("b", 2): [9.0, 2.0],
    }
    (found,) = bands(data_of(table))
    assert (found.branch, found.n_devices, found.n_cycles) == ("LTP", 2, 2)
    assert found.mean == pytest.approx([5.0, 2.0])
    # Within: 2 + 2 over 2; between the means 2 and 8: 18, less half of 2.
    assert found.cycle_std == pytest.approx([np.sqrt(2), 0.0])
    assert found.device_std == pytest.approx([np.sqrt(17), 0.0])
    assert found.std == pytest.approx([np.sqrt(19), 0.0])
    assert (found.at_end("cycle_std"), found.at_end("device_std")) == (0.0, 0.0)
    assert found.readings.tolist() == [4, 4]


def test_band_of_one_cycle_or_one_device_is_open_on_one_side():
    devices = bands(data_of({("a", 1): [1.0, 2.0], ("b", 1): [3.0, 2.0]}))[0]
    assert np.all(np.isnan(devices.cycle_std))
    assert devices.device_std == pytest.approx([np.sqrt(2), 0.0])
    cycles = bands(data_of({("a", 1): [1.0, 2.0], ("a", 2): [3.0, 2.0]}))[0]
    assert np.all(np.isnan(cycles.device_std))
    assert cycles.cycle_std == pytest.approx([np.sqrt(2), 0.0])
    alone = bands(data_of({("a", 1): [1.0, 2.0]}))[0]
    assert alone.std.tolist() == [0.0, 0.0]
    assert np.isnan(alone.at_end("cycle_std"))
    assert np.isnan(alone.at_end("device_std"))


def test_ragged_cycles_count_where_they_were_read():
    (found,) = bands(data_of({("a", 1): [1.0, 2.0, 3.0, 9.0], ("a", 2): [3.0, 4.0, 5.0]}))
    assert found.readings.tolist() == [2, 2, 2, 1]
    assert found.mean == pytest.approx([2.0, 3.0, 4.0, 9.0])
    assert np.isnan(found.cycle_std[3])
    long = {("a", c): [1.0 + c, 2.0, 3.0 + c] for c in (1, 2, 3)} | {("a", 4): [1.0, 2.0, 3.0, 9.0]}
    end = bands(data_of(long))[0].at_end("cycle_std")
    assert end == pytest.approx(np.std([3.0, 4, 5, 6], ddof=1))


def test_resistance_gives_the_band_of_the_conductance():
    table = {("a", 1): [1.0, 2.0, 4.0], ("a", 2): [2.0, 4.0, 5.0], ("b", 1): [8.0, 1.0, 2.0]}
    inverse = {key: 1 / np.array(values) for key, values in table.items()}
    one, two = bands(data_of(table))[0], bands(data_of(inverse, "resistance"))[0]
    assert two.mean == pytest.approx(one.mean)
    assert two.cycle_std == pytest.approx(one.cycle_std)
    assert two.device_std == pytest.approx(one.device_std)
    shorted = inverse | {("a", 1): np.array([0.0, 0.5, 0.25])}
    assert bands(data_of(shorted, "resistance"))[0].readings.tolist() == [2, 3, 3]


def test_bands_of_every_branch_and_field_in_order():
    data, _ = Array(devices=2, cycles=2, noise=0.02).measured()
    low = [replace(s, field_G=50.0) for s in data.segments]
    both = replace(data, segments=(*low, *(replace(s, field_G=0.0) for s in data.segments)))
    found = [(b.field_G, b.branch) for b in bands(both)]
    assert found == [(0.0, "LTP"), (0.0, "LTD"), (50.0, "LTP"), (50.0, "LTD")]


def test_a_branch_of_a_fit_has_the_same_band():
    data, _ = Array(devices=3, cycles=4, noise=0.02, gain=0.1).measured()
    branches, _, _ = select_branches(data)
    for branch, found in zip(branches, bands(data), strict=True):
        own = band_of(branch)
        assert own.mean == pytest.approx(found.mean)
        assert own.cycle_std == pytest.approx(found.cycle_std)
        assert own.device_std == pytest.approx(found.device_std)


def test_band_finds_the_spreads_an_array_was_made_with():
    array = Array(devices=40, cycles=20, offset=0.2, cycle=0.06, noise=0.03, seed=1)
    data, truth = array.measured()
    for found in bands(data):
        assert found.at_end("cycle_std") == pytest.approx(np.hypot(0.06, 0.03) * SIZE / 2, rel=0.06)
        wanted = truth[found.branch][:, -1].std(ddof=1)
        assert found.at_end("device_std") == pytest.approx(wanted, rel=0.05)


@given(st.floats(-0.5, 0.5).filter(lambda x: abs(x) > 1e-3), st.integers(4, 30))
def test_drift_is_the_change_over_all_cycles(change, cycles):
    steps = {("a", c): 1 + N4 + change * (c - 1) / (cycles - 1) for c in range(1, cycles + 1)}
    (readings,) = all_readings(data_of(steps))
    found = drift(readings)
    assert found.change == pytest.approx(change, rel=1e-6)
    assert found.correlation == pytest.approx(np.sign(change))
    assert found.n_cycles == cycles
    assert found.real


def test_devices_of_different_levels_do_not_hide_a_drift():
    rng = np.random.default_rng(0)
    table = {
        (d, c): level + N4 + 0.1 * c + 0.1 * rng.standard_normal(4)
        for d, level in (("a", 0.0), ("b", 50.0))
        for c in range(1, 11)
    }
    found = drift(all_readings(data_of(table))[0])
    assert found.real
    assert found.change == pytest.approx(0.9, rel=0.15)
    assert found.correlation > 0.9


def test_drift_by_chance_is_as_rare_as_it_should_be():
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        table = {
            (d, c): N4 + rng.standard_normal(4) + rng.standard_normal()
            for d in "ab"
            for c in range(6)
        }
        found.append(drift(all_readings(data_of(table))[0]).real)
    assert np.mean(found) < 0.03


def test_no_drift_without_cycles_or_differences():
    assert drift(all_readings(data_of({("a", c): N4 for c in (1, 2, 3)}))[0]) is None
    assert drift(all_readings(data_of({("a", c): N4 + 0.1 for c in range(9)}))[0]) is None
    assert drift(all_readings(data_of({(d, 1): N4 for d in "abcdef"}))[0]) is None


def test_drift_is_a_warning_of_the_fit():
    data, _ = Array(cycles=10, noise=0.02, seed=1).measured()
    moved = tuple(replace(s, values=s.values + 0.02 * s.cycle) for s in data.segments)
    warnings = fit_card(replace(data, segments=moved), bootstrap=0).warnings
    (line,) = (w for w in warnings if w.startswith("LTD") and "drifts" in w)
    assert "over 10 cycles, by +18.0% of the range" in line.replace("17.9%", "18.0%")
    assert not any("drifts" in w for w in fit_card(data, bootstrap=0).warnings)


@pytest.mark.parametrize("cycles", [2, 3, 4])
def test_intervals_from_few_cycles_that_differ_hold_the_truth(cycles):
    """By Student's t; from the readings alone they held it in 56 to 76 %."""
    held, n = [], np.array([0.0, 10, 20, N])
    truth = responses(n, 0.0, 1.0, 1.0)
    for seed in range(40):
        data, _ = Array(cycles=cycles, cycle=0.06, noise=0.02, seed=seed).measured()
        fit = fit_card(data, law="exponential_mixture_1", bootstrap=0)
        matrix = np.array(fit.card.uncertainty.fit)
        for i, law in enumerate(fit.laws):
            slopes, own = law.jacobian(n), matrix[3 * i : 3 * i + 3, 3 * i : 3 * i + 3]
            error = np.sqrt(np.einsum("ni,ij,nj->n", slopes, own, slopes))
            held.append(np.abs(law(n) - truth[("LTP", "LTD")[i]]) <= Z95 * error)
    assert 0.88 < np.mean(held) <= 1


def test_few_devices_that_differ_widen_the_intervals_although_they_have_many_cycles():
    data, truth = Array(devices=3, cycles=10, offset=0.2, noise=0.02, seed=2).measured()
    fit = fit_card(data, law="exponential_mixture_1")
    assert fit.covariance_from == "how 3 devices differ"
    error = fit.card.uncertainty.standard_errors()[0]
    spread = truth["LTP"][:, 0].std(ddof=1) / np.sqrt(3)
    assert error == pytest.approx(spread * 4.303 / Z95, rel=0.1)
    again = fit_card(data, law="exponential_mixture_1", bootstrap=0)
    assert np.allclose(
        again.card.uncertainty.standard_errors(), fit.card.uncertainty.standard_errors()
    )
    alike, _ = Array(devices=3, cycles=10, cycle=0.1, noise=0.02, seed=4).measured()
    assert "cycles" in fit_card(alike, law="exponential_mixture_1").covariance_from


def test_a_limit_on_open_coordinates_keeps_their_sum():
    """Two coordinates that trade against each other: each open, the sum known to 1e-3."""
    open_difference, known_sum = 50.0**2 * np.array([[1, -1], [-1, 1.0]]), 1e-6 * np.ones((2, 2))
    matrix = np.zeros((3, 3))
    matrix[:2, :2] = open_difference + known_sum
    matrix[2, 2] = 1e6
    found = limited(matrix, np.array([3.0, 3.0, np.inf]))
    assert np.sqrt(np.diag(found)) == pytest.approx([3.0, 3.0, 1e3], rel=0.01)
    assert np.ones(2) @ found[:2, :2] @ np.ones(2) == pytest.approx(4e-6, rel=1e-3)
    narrow = np.diag([1.0, 4.0, 9.0])
    assert np.allclose(limited(narrow, np.array([3.0, 3.0, np.inf])), narrow)
