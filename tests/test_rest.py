"""Readings at rest around the branches of a trace: left out and said, never a part of a branch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traces import joined, logistic, noisy, read, relax, shape, table

from device_models.pulses import PulseDataError
from device_models.pulses.branches.rest import rest_after, rest_before

quick = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def told(data) -> str:
    return "\n".join(data.warnings)


# ---------------------------------------------------------------- before, between, after


@pytest.mark.parametrize("noise", [0.0, 0.004, 0.015])
@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("at_rest", [20, 70])
def test_a_rest_before_the_branches_is_left_out_with_its_count(tmp_path, noise, numbered, at_rest):
    moving = joined(relax(40, 3.0, 8.0, 15.0), relax(40, 8.0, 3.0, 9.0))
    trace = noisy(np.concatenate([np.full(at_rest - 1, 3.0), moving]), noise, 4)
    columns = (np.arange(trace.size), trace) if numbered else (trace,)
    data = read(tmp_path, table("pulse,G (uS)" if numbered else "G (uS)", *columns))
    assert shape(data) == [("LTP", "1", 41), ("LTD", "1", 41)]
    ltp, ltd = data.segments
    np.testing.assert_allclose(ltp.values, trace[at_rest - 1 : at_rest + 40] * 1e-6)
    np.testing.assert_array_equal(ltp.pulses, np.arange(41))
    np.testing.assert_array_equal(ltd.pulses, np.arange(41))
    assert f"{at_rest} readings at rest (lines 2 to {at_rest + 1})" in told(data)
    assert "keep_rest=True" in told(data)


def test_a_rest_stays_where_it_is_wanted(tmp_path):
    trace = joined(np.full(50, 3.0), relax(40, 3.0, 8.0, 15.0), relax(40, 8.0, 3.0, 9.0))
    data = read(tmp_path, table("G (uS)", trace), keep_rest=True)
    assert shape(data) == [("LTP", "1", 90), ("LTD", "1", 41)]
    assert "at rest" not in told(data)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("heading", ["G (uS)", "R (kOhm)"])
def test_rests_between_and_after_branches_that_stop(tmp_path, numbered, heading):
    trace = np.concatenate(
        [relax(30, 1, 5, 40), np.full(25, 5.0), relax(30, 5, 1, 40)[1:], np.full(20, 1.0)]
    )
    trace = noisy(trace, 0.002, 1)
    columns = (np.arange(trace.size), trace) if numbered else (trace,)
    data = read(tmp_path, table(f"pulse,{heading}" if numbered else heading, *columns))
    up, down = ("LTP", "LTD") if heading[0] == "G" else ("LTD", "LTP")
    assert shape(data) == [(up, "1", 31), (down, "1", 31)]
    for segment in data.segments:
        np.testing.assert_array_equal(segment.pulses, np.arange(31))
    # The state before the second branch is the last reading at rest.
    assert data.segments[1].lines[0] == 2 + 55
    assert "25 readings at rest (lines 33 to 57) and 20 readings at rest (lines 88 to 107)" in told(
        data
    )


def test_a_rest_of_resistances_is_left_out(tmp_path):
    trace = joined(np.full(30, 9.0), relax(25, 9.0, 4.0, 8.0), relax(25, 4.0, 9.0, 8.0))
    data = read(tmp_path, table("R (kOhm)", noisy(trace, 0.004, 0)))
    assert shape(data) == [("LTP", "1", 26), ("LTD", "1", 26)]
    assert "30 readings at rest (lines 2 to 31)" in told(data)


@pytest.mark.parametrize("cycles", [3, 8])
def test_a_pause_in_every_cycle_is_no_part_of_one(tmp_path, cycles):
    once = [relax(25, 1, 5, 12)[1:], relax(25, 5, 1, 40)[1:], np.full(15, 1.0)]
    trace = noisy(np.concatenate([[1.0], *(once * cycles)]), 0.003, 2)
    data = read(tmp_path, table("G (uS)", trace))
    assert shape(data) == [("LTP", "1", 26), ("LTD", "1", 26)] * cycles


def test_a_flat_start_that_the_file_labels_is_kept_and_said(tmp_path):
    ltp = np.concatenate([np.full(30, 1.0), relax(30, 1.0, 5.0, 10.0)])
    text = table("pulse,LTP (uS),LTD (uS)", np.arange(61), noisy(ltp, 0.002, 0), relax(60, 5, 1, 9))
    data = read(tmp_path, text)
    assert shape(data) == [("LTP", "1", 61), ("LTD", "1", 61)]
    assert (
        "LTP of device 1, cycle 1: the first 31 readings (lines 2 to 32) are at rest; they are "
        "kept, because the file calls them LTP"
    ) in told(data)


def test_reads_without_a_pulse_belong_to_no_train(tmp_path):
    volts = np.array([0] * 5 + [1.5] * 12 + [0] + [-1.5] * 12 + [0] * 6)
    up, down = relax(12, 2, 6, 5), relax(12, 6, 2, 4)
    trace = np.concatenate([np.full(4, 2.0), up, [6.0], down[1:], np.full(6, 2.0)])
    data = read(tmp_path, table("V_pulse (V),G (uS)", volts, trace))
    assert [(s.branch, s.amplitude_V) for s in data.segments] == [("LTP", 1.5), ("LTD", -1.5)]
    for segment, expected in zip(data.segments, (up, down), strict=True):
        np.testing.assert_allclose(segment.values, expected * 1e-6)
        np.testing.assert_array_equal(segment.pulses, np.arange(13))
    assert "10 readings at 0 V, without a pulse, are left out" in told(data)


def test_a_saturated_end_or_a_rest_that_nothing_tells_apart_is_said(tmp_path):
    """An exponential that ran out before the pulses stopped; all readings stay."""
    trace = joined(relax(40, 1.0, 5.0, 15.0), relax(40, 5.0, 1.0, 7.0), np.full(60, 1.0))
    data = read(tmp_path, table("G (uS)", noisy(trace, 0.01, 0)))
    assert [b for b, _, _ in shape(data)] == ["LTP", "LTD"]
    assert sum(count for _, _, count in shape(data)) == trace.size + 1
    assert "of the LTD no longer move: saturated, or at rest without pulses" in told(data)


# ---------------------------------------------------------------- half-selected cells


def in_turn(cells: int, n: int, noise: float) -> list[np.ndarray]:
    """Cells of an array: each is pulsed up and down while the others are at rest."""
    pulsed = joined(relax(n, 1.0, 4.0, n / 3), relax(n, 4.0, 1.0, n / 3))[1:]
    columns = []
    for cell in range(cells):
        blocks = [pulsed if block == cell else np.full(2 * n, 1.0) for block in range(cells)]
        columns.append((1 + 0.3 * cell) * noisy(np.concatenate(blocks), noise, cell))
    return columns


@pytest.mark.parametrize("cells", [2, 3])
@pytest.mark.parametrize("n", [5, 9, 20])
def test_cells_that_are_pulsed_in_turn_have_their_own_branches(tmp_path, cells, n):
    columns = in_turn(cells, n, 0.006)
    heading = ",".join(["pulse", *(f"G cell {c} (uS)" for c in range(cells))])
    data = read(tmp_path, table(heading, np.arange(columns[0].size), *columns))
    found = shape(data)
    assert [(b, d) for b, d, _ in found] == [
        (branch, str(cell)) for cell in range(cells) for branch in ("LTP", "LTD")
    ]
    # A reading of rest more or less at the very end of an exponential is within the noise.
    assert all(n <= count <= n + 2 for _, _, count in found)
    assert told(data).count("at rest (lines") >= cells


def test_a_cell_that_never_responds_is_left_out(tmp_path):
    rng = np.random.default_rng(3)
    trace = joined(relax(20, 1, 5, 8), relax(20, 5, 1, 8))
    text = table("G cell 1 (uS),G cell 2 (uS)", trace, 2 + 0.02 * rng.normal(size=41))
    data = read(tmp_path, text)
    assert shape(data) == [("LTP", "1", 21), ("LTD", "1", 21)]
    assert (
        "column 2 (G cell 2 (uS)): the readings from line 2 to line 42 neither rise nor fall: "
        "no branch, left out"
    ) in told(data)


def test_readings_of_noise_alone_are_no_branch(tmp_path):
    refused = 0
    for seed in range(30):
        flat = 5 + 0.05 * np.random.default_rng(seed).normal(size=60)
        try:
            read(tmp_path, table("G (uS)", flat))
        except PulseDataError as error:
            refused += "neither rise nor fall" in str(error)
    assert refused == 30


# ---------------------------------------------------------------- true branches stay whole


@pytest.mark.parametrize("share", [1 / 20, 1 / 10, 1 / 4, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01, 0.03])
def test_no_reading_of_a_saturating_branch_is_taken_for_rest(share, noise):
    lost = 0
    for n in (20, 50, 100, 300):
        for seed in range(5):
            branch = noisy(relax(n, 1.0, 2.0, share * n), noise, seed)
            lost += rest_before(branch) + rest_after(branch)
    assert lost == 0


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
def test_no_reading_of_an_s_shaped_branch_is_taken_for_rest(noise):
    for n, width in ((20, 2.0), (40, 3.0), (60, 5.0), (100, 6.0)):
        for seed in range(5):
            branch = noisy(logistic(n, 1.0, 9.0, width), noise, seed)
            assert rest_before(branch) == rest_after(branch) == 0


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
def test_no_reading_of_a_mixture_of_times_is_taken_for_rest(noise):
    for n in (30, 100):
        for seed in range(5):
            mixture = relax(n, 0.0, 1.0, n / 40) + relax(n, 0.0, 1.0, n / 4)
            branch = noisy(mixture, noise, seed)
            assert rest_before(branch) == rest_after(branch) == 0


@quick
@given(
    n=st.integers(10, 60),
    at_rest=st.integers(10, 80),
    share=st.floats(0.2, 2.0),
    factor=st.floats(1e-12, 1e12),
    falls=st.booleans(),
)
def test_a_rest_is_found_whatever_the_units_and_the_direction(n, at_rest, share, factor, falls):
    branch = np.concatenate([np.full(at_rest - 1, 1.0), relax(n, 1.0, 2.0, share * n)])
    branch = (3 - branch if falls else branch) * factor
    assert rest_before(branch) == at_rest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [15, 30, 60])
def test_noise_that_grows_with_the_resistance_is_no_rest(tmp_path, n, seed):
    ways = ((1.0, 10.0, n / 10), (10.0, 1.0, n / 14)) * 3
    trace = noisy(joined(*(relax(n, *way) for way in ways)), 0.02, seed)
    data = read(tmp_path, table("R (ohm)", 1 / np.maximum(trace, 0.2)))
    assert "at rest (lines" not in told(data)
