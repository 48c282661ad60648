"""Where branches begin and end in a trace: turns, small branches, cycles, and what is shared."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import joined, logistic, noisy, quick, read, relax, shape, table

from device_models.pulses import PulseDataError
from device_models.pulses.branches.noise import scale_of
from device_models.pulses.branches.protocols import Switches
from device_models.pulses.branches.switching import find_switching
from device_models.pulses.branches.zigzag import find_reversals
from device_models.pulses.segments import find_switches

# ---------------------------------------------------------------- turns


def cycles_of(kind: str, n: int, cycles: int) -> np.ndarray:
    """A trace of LTP and LTD of n pulses each."""
    shapes = {
        "triangle": lambda a, b: np.linspace(a, b, n + 1),
        "relaxation": lambda a, b: relax(n, a, b, n / 3),
        "saturated": lambda a, b: relax(n, a, b, n / 10),
    }
    return joined(*(shapes[kind](*ends) for ends in [(1.0, 2.0), (2.0, 1.0)] * cycles))


def errors(found, n: int, cycles: int) -> np.ndarray:
    true = n * np.arange(1, 2 * cycles)
    assert len(found) == true.size
    return np.asarray(found) - true


@pytest.mark.parametrize("kind", ["triangle", "relaxation", "saturated"])
@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_moving_a_switch_to_the_likeliest_reading_never_ends_worse(kind, n, noise):
    before, after, agreed = [], [], []
    for seed in range(10):
        trace = noisy(cycles_of(kind, n, 4), noise, seed)
        before += list(errors(find_reversals(scale_of(trace)), n, 4))
        after += list(errors(find_switching(trace).at, n, 4))
        agreed += list(errors(find_switches(trace), n, 4))
    worst = [np.abs(x).max() for x in (before, after, agreed)]
    assert np.std(after) <= np.std(before)
    # The worst of seventy is chance by a reading; over many files it falls, too.
    assert worst[1] <= worst[0] + 1
    assert worst[2] <= worst[1] + 1
    assert np.std(agreed) <= 1.25 * np.std(after)


@pytest.mark.parametrize("kind", ["triangle", "relaxation", "saturated"])
@pytest.mark.parametrize("n", [8, 20, 61, 400])
@pytest.mark.parametrize("cycles", [1, 3, 7])
def test_without_noise_every_turn_is_exact(kind, n, cycles):
    assert not np.any(errors(find_switches(cycles_of(kind, n, cycles)), n, cycles))


def test_many_triangles_under_noise_are_cut_within_a_few_readings():
    """Twenty triangles of 100 pulses: the common length finds what the noise hides."""
    for seed in range(5):
        off = errors(find_switches(noisy(cycles_of("triangle", 50, 20), 0.05, seed)), 50, 20)
        assert np.abs(off).max() <= 2


def test_an_s_shaped_trace_turns_at_its_extremes():
    trace = joined(*(logistic(40, *ends, 3.0) for ends in [(1.0, 9.0), (9.0, 1.0)] * 2))
    assert find_switches(trace) == [40, 80, 120]


@quick
@given(
    factor=st.floats(1e-12, 1e12),
    offset=st.floats(-3.0, 3.0),
    noise=st.sampled_from([0.0, 0.01, 0.05]),
    seed=st.integers(0, 50),
)
def test_switches_know_no_units(factor, offset, noise, seed):
    trace = noisy(cycles_of("relaxation", 25, 3), noise, seed)
    expected = find_switches(trace)
    assert find_switches(trace * factor) == expected
    turned = [trace.size - 1 - t for t in find_switches(trace[::-1] + 0.0)][::-1]
    assert len(turned) == len(expected)
    if noise == 0 and offset > 0:
        assert find_switches(trace + offset) == expected


@quick
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 7.0, 1e3]), min_size=1, max_size=60),
    scale=st.sampled_from([1e-300, 1e-12, 1.0, 1e200]),
    heading=st.sampled_from(
        ["G (S)", "R (ohm)", "pulse,G (S)", "cycle,G (S)", "V_pulse (V),G (S)"]
    ),
)
def test_any_trace_gives_data_or_one_line_and_no_warning_of_numpy(tmp_path, values, scale, heading):
    trace = scale * np.array(values)
    counter = {"pulse": 1.0, "cycle": 4.0, "V_pulse (V)": 3.0}
    first = heading.split(",")[0]
    extra = [np.arange(trace.size) // counter[first] - (first[0] == "V")] if "," in heading else []
    segments, said = (), ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            segments = read(tmp_path, table(heading, *extra, trace)).segments
        except PulseDataError as error:
            said = str(error)
    assert all(np.all(np.diff(s.pulses) > 0) for s in segments)
    assert bool(segments) != bool(said)
    assert "\n" not in said


# ---------------------------------------------------------------- small and steep branches


SMALL_FALL = """pulse,R (kOhm)
1,40.0
2,52.1
3,59.0
4,64.4
5,67.9
6,70.8
7,72.0
8,73.5
9,73.9
10,45.2
11,34.0
12,28.3
13,24.0
14,21.2
15,19.3
16,17.7
17,16.9
18,16.2
"""


def test_a_fall_of_the_conductance_before_a_longer_rise_is_a_branch(tmp_path):
    data = read(tmp_path, SMALL_FALL)
    assert shape(data) == [("LTD", "1", 9), ("LTP", "1", 10)]
    ltd, ltp = data.segments
    assert (ltd.values[0], ltd.values[-1]) == (40e3, 73.9e3)
    assert (ltp.values[0], ltp.values[1], ltp.values[-1]) == (73.9e3, 45.2e3, 16.2e3)
    assert (ltd.pulses[0], ltp.pulses[0], ltp.pulses[-1]) == (1, 0, 9)


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("n", [6, 12, 40])
def test_a_branch_at_an_end_may_be_small_against_the_others(tmp_path, share, first, n):
    small, large = relax(n, 1 + share, 1.0, n / 3), relax(n, 1.0, 2.0, n / 3)
    trace = joined(small, large) if first else joined(large, relax(n, 2.0, 2 - share, n / 3))
    data = read(tmp_path, table("G (uS)", trace))
    branches = ("LTD", "LTP") if first else ("LTP", "LTD")
    assert shape(data) == [(branch, "1", n + 1) for branch in branches]


@pytest.mark.parametrize("heading", ["G (uS)", "R (kOhm)"])
@pytest.mark.parametrize("jump", [0.55, 0.8])
def test_a_turn_may_be_the_largest_step_of_the_trace(tmp_path, heading, jump):
    after = np.concatenate([[5.0], 5 - 4 * (jump + (1 - jump) * relax(19, 0.0, 1.0, 6.0))])
    trace = joined(relax(20, 1.0, 5.0, 7.0), after)
    data = read(tmp_path, table(heading, trace))
    up, down = ("LTP", "LTD") if heading[0] == "G" else ("LTD", "LTP")
    assert shape(data) == [(up, "1", 21), (down, "1", 21)]


def test_traces_of_one_protocol_are_cut_alike(tmp_path):
    """The same LTD, then an LTP that shrinks from column to column."""
    fall = relax(12, 10.0, 6.0, 4.0)
    columns = [joined(fall, relax(12, 6.0, 6.0 + rise, 5.0)) for rise in (9.0, 7.0, 4.0, 2.5)]
    text = table("pulse,G1 (nS),G2 (nS),G3 (nS),G4 (nS)", np.arange(1, 26), *columns)
    data = read(tmp_path, text, wide_of="device")
    assert shape(data) == [
        (branch, str(device), 13) for device in range(1, 5) for branch in ("LTD", "LTP")
    ]


def test_a_trace_that_hides_a_switch_takes_it_from_the_others():
    switches = Switches()
    clear = [noisy(joined(relax(20, 1, 2, 6), relax(20, 2, 1, 6)), 0.01, seed) for seed in (1, 2)]
    # Here the smoothing of a short, noisy trace hides the fall at its end.
    hidden = noisy(joined(relax(20, 1, 2, 6), relax(20, 2, 1.75, 6)), 0.03, 3)
    found = [switches.of(trace) for trace in (*clear, hidden)]
    assert [len(turns) for turns in found] == [1, 1, 0]
    assert switches.agree()
    assert abs(switches.of(clear[0])[0] - 20) + abs(switches.of(clear[1])[0] - 20) <= 1
    (turn,) = switches.of(hidden)
    assert abs(turn - 20) <= 2


# ---------------------------------------------------------------- what branches share


@pytest.mark.parametrize("counter", [None, "n of pulse"])
def test_columns_of_branches_never_begin_with_a_reading_of_the_cycle_before(tmp_path, counter):
    n, cycles = 7, 3
    ltp, ltd = relax(n, 2.0, 9.0, 3.0)[1:], relax(n, 9.0, 2.0, 2.0)[1:]
    number = np.tile(np.arange(1, n + 1), cycles)
    text = table(
        f"cycle,{counter or 'remark'},LTP (uS),LTD (uS)",
        np.repeat(np.arange(1, cycles + 1), n),
        number,
        np.tile(ltp, cycles),
        np.tile(ltd, cycles),
    )
    data = read(tmp_path, text, columns={2: "pulse" if counter else None})
    assert len(data.segments) == 2 * cycles
    for segment in data.segments:
        np.testing.assert_allclose(segment.values * 1e6, ltp if segment.branch == "LTP" else ltd)
        assert segment.pulses[0] == (1 if counter else 0)


def test_one_branch_after_the_other_begins_with_the_last_reading(tmp_path):
    rows = [
        f"{cycle},{branch},{value}"
        for cycle in (1, 2)
        for branch, values in (("LTP", (1, 2, 3)), ("LTD", (2.5, 1.5, 0.9)))
        for value in values
    ]
    data = read(tmp_path, "\n".join(["cycle,branch,G (uS)", *rows]))
    assert [list(np.round(s.values * 1e6, 3)) for s in data.segments] == [
        [1, 2, 3],
        [3, 2.5, 1.5, 0.9],
        [0.9, 1, 2, 3],
        [3, 2.5, 1.5, 0.9],
    ]


def test_branches_sorted_by_their_name_share_nothing(tmp_path):
    """All LTP of the file first, then all LTD: the LTD of cycle 1 came before the LTP of 2."""
    rows = [
        f"{cycle},{branch},{value}"
        for branch, values in (("LTP", (1, 2, 3)), ("LTD", (2.5, 1.5, 0.9)))
        for cycle in (1, 2)
        for value in values
    ]
    data = read(tmp_path, "\n".join(["cycle,branch,G (uS)", *rows]))
    assert [s.values.size for s in data.segments] == [3, 3, 3, 3]


def test_blocks_of_fields_share_nothing_over_other_blocks(tmp_path):
    """LTP at 0 G, LTP at 50 G, then LTD at 0 G: the state before it was left at 50 G."""
    rows = [
        f"{field},{branch},{value}"
        for branch, values in (("LTP", (1, 2, 3)), ("LTD", (2.5, 1.5, 0.9)))
        for field in (0, 50)
        for value in values
    ]
    data = read(tmp_path, "\n".join(["field (G),branch,G (uS)", *rows]))
    assert [s.values.size for s in data.segments] == [3, 3, 3, 3]


def test_running_numbers_start_over_in_each_cycle_of_a_column(tmp_path):
    text = table("cycle,pulse,LTP (uS)", [1, 1, 1, 2, 2, 2], np.arange(1, 7), [1, 2, 3, 1, 2, 3])
    data = read(tmp_path, text)
    assert [list(s.pulses) for s in data.segments] == [[1, 2, 3], [1, 2, 3]]


def test_noise_behind_an_ltp_and_an_ltd_is_left_out(tmp_path):
    """After the branches up and down pulses in turn hold the device where it is."""
    rng = np.random.default_rng(3)
    n = np.arange(60)
    branches = np.concatenate([10 + 8 * (1 - np.exp(-n / 15)), 10.5 + 7.5 * np.exp(-n / 12)])
    behind = 13 + 0.5 * rng.standard_normal(150)
    trace = np.concatenate([branches + 0.05 * rng.standard_normal(120), behind])
    data = read(tmp_path, table("G (uS)", trace))
    assert [s.branch for s in data.segments] == ["LTP", "LTD"]
    assert data.segments[-1].values.size == pytest.approx(61, abs=2)
    assert any("neither rise nor fall: no branch, left out" in w for w in data.warnings)
    with pytest.raises(PulseDataError, match="neither rise nor fall"):
        read(tmp_path, table("G (uS)", behind))
