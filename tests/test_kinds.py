"""Measurements that are no pulse response are refused in words; stepped ramps are said."""

from __future__ import annotations

import numpy as np
import pytest
from traces import joined, noisy, read, relax, shape, table

from device_models.pulses import PulseDataError
from device_models.pulses.branches.kinds import alternating


def told(data) -> str:
    return "\n".join(data.warnings)


def refused(tmp_path, text: str, **options) -> str:
    with pytest.raises(PulseDataError) as error:
        read(tmp_path, text, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


TRIANGLE = joined(relax(20, 1.0, 5.0, 8.0), relax(20, 5.0, 1.0, 6.0))


# ---------------------------------------------------------------- endurance


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("heading", ["Cycle number,Conductance", "cycle,R (kOhm)"])
def test_one_reading_a_cycle_that_goes_nowhere_is_endurance(tmp_path, seed, heading):
    values = 26 + np.random.default_rng(seed).normal(size=12)
    said = refused(tmp_path, table(heading, np.arange(12), values))
    assert "one reading for each cycle number of column 1" in said
    assert "neither rise nor fall: this looks like endurance" in said
    assert "columns=" not in said


def test_two_labelled_levels_over_cycles_are_endurance(tmp_path):
    rng = np.random.default_rng(0)
    levels = [level * np.exp(0.1 * rng.normal(size=30)) for level in (5.0, 1.0)]
    said = refused(tmp_path, table("cycle,LTP (uS),LTD (uS)", np.arange(30), *levels))
    assert "this looks like endurance" in said


@pytest.mark.parametrize("down", [6.0, 8.0, 1000.0])
def test_a_column_of_cycles_that_counts_pulses_is_said_and_the_advice_works(tmp_path, down):
    trace = joined(relax(20, 1.0, 5.0, 8.0), relax(20, 5.0, 1.0, down))
    text = table("cycle,G (uS)", np.arange(41), noisy(trace, 0.005, 0))
    assert "it counts pulses, not cycles; give columns={1: 'pulse'}" in refused(tmp_path, text)
    data = read(tmp_path, text, columns={1: "pulse"})
    assert shape(data) == [("LTP", "1", 21), ("LTD", "1", 21)]


@pytest.mark.parametrize("ratio", [1.2, 2.0, 300.0])
@pytest.mark.parametrize("heading", ["R (kOhm)", "G (uS)"])
def test_two_levels_in_turn_are_no_branches(tmp_path, ratio, heading):
    scatter = np.exp(0.02 * np.random.default_rng(1).normal(size=40))
    said = refused(tmp_path, table(heading, np.tile([5.0, 5 * ratio], 20) * scatter))
    assert "alternate between about" in said
    assert "endurance or pulses of alternating sign" in said


# ---------------------------------------------------------------- alternating pulses


def test_pulses_of_alternating_sign_are_no_branches(tmp_path):
    rng = np.random.default_rng(0)
    values = 3 + 0.01 * np.arange(40) + 0.05 * rng.normal(size=40)
    said = refused(tmp_path, table("V_pulse (V),G (uS)", np.tile([1.2, -1.2], 20), values))
    assert "pulses of alternating sign up to line 41" in said


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_an_alternating_tail_is_left_out_with_its_count(tmp_path, noise):
    tail = 2 + np.tile([0.4, -0.4], 15)
    trace = noisy(np.concatenate([TRIANGLE, tail]), noise, 2)
    data = read(tmp_path, table("G (uS)", trace))
    assert shape(data) == [("LTP", "1", 21), ("LTD", "1", 21)]
    assert data.segments[1].values[-1] == pytest.approx(trace[40] * 1e-6)
    assert "lines 43 to 72: 30 readings that alternate from one to the next" in told(data)


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_alternate(seed):
    assert alternating(np.random.default_rng(seed).normal(size=3000)) == []


# ---------------------------------------------------------------- sweeps and time


def sweep(top: float, both: bool) -> tuple[np.ndarray, np.ndarray]:
    """Voltage up and down, and the current of a switching device."""
    up = np.linspace(0, top, 26)
    voltage = np.concatenate([up, up[-2::-1], *([-up[1:], -up[-2::-1]] if both else [])])
    states = np.where(np.arange(voltage.size) > 25, 30.0, 1.0)
    return voltage, 1e-8 * states * np.sinh(3 * voltage / top)


@pytest.mark.parametrize("both", [True, False])
def test_a_current_voltage_sweep_is_no_pulse_response(tmp_path, both):
    text = table("Voltage (V),Current (A)", *sweep(1.5, both))
    said = refused(tmp_path, text, read_voltage_V=0.1)
    assert "1.5 V and the readings follow it through 0" in said
    assert "this looks like a current-voltage sweep" in said


def test_readings_against_a_fine_grid_of_time_are_no_pulses(tmp_path):
    said = refused(tmp_path, table("pulse,G (uS)", 0.25 * np.arange(41), TRIANGLE))
    assert "the pulse numbers rise by 0.25: this looks like readings against time" in said


def test_pulse_numbers_that_rise_by_about_one_are_pulses(tmp_path):
    """As they come from a figure: 0.93, 2.04, ..."""
    numbers = np.arange(1, 42) + 0.08 * np.random.default_rng(0).normal(size=41)
    assert shape(read(tmp_path, table("pulse,G (uS)", numbers, TRIANGLE))) == [
        ("LTP", "1", 21),
        ("LTD", "1", 21),
    ]


# ---------------------------------------------------------------- stepped amplitudes


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("reads", [True, False])
def test_a_stepped_ramp_keeps_its_amplitudes_and_is_said(tmp_path, times, reads):
    up, down = np.arange(1.0, 3.1, 0.25), -np.arange(0.5, 2.6, 0.25)
    n = times * 9
    trace = joined(relax(n, 1.0, 5.0, n / 2), relax(n, 5.0, 1.0, n / 2))
    volts = np.concatenate([[0.0], np.repeat(up, times), np.repeat(down, times)])
    if reads:
        volts, trace = np.insert(volts, n + 1, 0.0), np.insert(trace, n + 1, trace[n])
    data = read(tmp_path, table("V_pulse (V),G (uS)", volts, trace))
    assert shape(data) == [("LTP", "1", n + 1), ("LTD", "1", n + 1)]
    ltp, ltd = data.segments
    np.testing.assert_allclose(ltp.amplitude_V, [0, *np.repeat(up, times)])
    np.testing.assert_allclose(ltd.amplitude_V, [0, *np.repeat(down, times)])
    np.testing.assert_array_equal(ltd.pulses, np.arange(n + 1))
    said = told(data)
    assert "LTP of device 1, cycle 1: the amplitude is stepped from 1 to 3 V" in said
    assert "LTD of device 1, cycle 1: the amplitude is stepped from -0.5 to -2.5 V" in said


def test_one_amplitude_is_no_ramp(tmp_path):
    volts = np.concatenate([[0.0], np.full(20, 1.5), np.full(20, -1.5)])
    data = read(tmp_path, table("V_pulse (V),G (uS)", volts, TRIANGLE))
    assert [s.amplitude_V for s in data.segments] == [1.5, -1.5]
    assert "stepped" not in told(data)
