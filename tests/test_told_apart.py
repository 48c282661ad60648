"""Columns, rows and times that could be two things: asked with words that work, or said."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import quick, relax

from device_models.pulses import PulseData, PulseDataError, read_branches, read_pulses
from device_models.pulses.columns.headings import read_heading
from experiments.command.severity import Severity, severity_of
from experiments.command.spoken import spoken
from experiments.fitting.fit_options import parse, reader_options

UP, DOWN = relax(24, 2.0, 9.0, 8.0), relax(24, 9.0, 2.0, 6.0)
TRACE = np.concatenate([UP, DOWN[1:]])
COUNT = np.arange(TRACE.size)


def table(headings: str, *columns) -> str:
    """Text of a table; no first line where `headings` is empty."""
    n = max(len(c) for c in columns)
    rows = [",".join(f"{c[i]:.9g}" if i < len(c) else "" for c in columns) for i in range(n)]
    return "\n".join([*([headings] if headings else []), *rows]) + "\n"


def read(folder: Path, text: str, name: str = "data.csv", **options) -> PulseData:
    path = folder / name
    path.write_text(text)
    return read_pulses(path, **options)


def refused(folder: Path, text: str, **options) -> str:
    with pytest.raises(PulseDataError) as caught:
        read(folder, text, **options)
    return str(caught.value)


def advised(message: str) -> list[dict]:
    """Every value of `columns` that a message gives."""
    return [ast.literal_eval(found) for found in re.findall(r"columns=(\{[^}]*\})", message)]


def said(data: PulseData) -> str:
    return "\n".join(data.warnings)


def ends(data: PulseData) -> list[tuple]:
    """Branch, count, first and last reading of each segment."""
    return [
        (s.branch, s.values.size, float(s.values[0]), float(s.values[-1])) for s in data.segments
    ]


# ---------------------------------------------------------------- two reads of one state


@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e20])
def test_two_columns_that_follow_each_other_are_asked_about_and_one_is_left_out(tmp_path, scale):
    ramp = np.concatenate([np.linspace(0.5, 3.0, 25), np.linspace(-0.4, -2.0, 24)])
    low = scale / TRACE
    text = table("index,pulse amplitude (V),R_a (ohm),R_b (ohm)", COUNT, ramp, low, 1.2 * low)
    message = refused(tmp_path, text)
    assert "follow each other closely: columns={4: None} or columns={3: None}" in message
    for columns, factor in zip(advised(message)[:2], (1.0, 1.2), strict=True):
        data = read(tmp_path, text, columns=columns)
        assert [(b, n) for b, n, *_ in ends(data)] == [("LTP", 25), ("LTD", 25)]
        assert np.isclose(data.segments[0].values[0], factor * low[0], rtol=1e-8)
    by_name = read(tmp_path, text, columns={"R_b (ohm)": None})
    assert ends(by_name) == ends(read(tmp_path, text, columns={4: None}))
    assert "--column 4= or --column 3= leaves one out" in spoken(message)


def test_leaving_out_comes_last_where_columns_do_not_follow_each_other(tmp_path):
    message = refused(tmp_path, table("R_a (ohm),R_b (ohm)", TRACE, TRACE[::-1] ** 0.2))
    assert "closely" not in message
    assert message.index("wide_of='cycle'") < message.index("columns={2: None}")
    message = refused(tmp_path, table("R_a (ohm),R_b (ohm)", TRACE, 5 * TRACE))
    assert "closely" not in message


def test_of_three_columns_all_but_one_are_left_out_and_many_are_not_listed(tmp_path):
    columns = [TRACE, 1.1 * TRACE, 1.2 * TRACE]
    message = refused(tmp_path, table("G_a (uS),G_b (uS),G_c (uS)", *columns))
    assert advised(message)[0] == {2: None, 3: None}
    assert "leaves all but one out" in message
    four = refused(tmp_path, table("G_a (uS),G_b (uS),G_c (uS),G_e (uS)", *columns, 1.3 * TRACE))
    assert "leaves" not in four


# ---------------------------------------------------------------- time


@quick
@given(
    seed=st.integers(0, 1000),
    n=st.integers(8, 60),
    kind=st.sampled_from(["jitter", "decades", "growing"]),
)
def test_time_that_runs_unevenly_is_asked_about_and_the_advice_reads_rows(tmp_path, seed, n, kind):
    rng = np.random.default_rng(seed)
    time = {
        "jitter": np.cumsum(20 + rng.uniform(-8, 8, n)),
        "decades": np.logspace(-1, 4, n),
        "growing": np.cumsum(np.arange(n) ** 2.0),
    }[kind]
    values = relax(n - 1, 1.0, 5.0, n / 3)
    text = table("G (uS),waiting time (s)", values, time)
    message = refused(tmp_path, text)
    assert "readings against time, not one a pulse" in message
    assert advised(message) == [{2: None}]
    data = read(tmp_path, text, columns={2: None})
    assert [(b, k) for b, k, *_ in ends(data)] == [("LTP", n)]


def test_time_stamps_beside_named_branches_are_said(tmp_path):
    time = np.cumsum(1 + np.sin(np.arange(25)) ** 2)
    data = read(tmp_path, table("Time (ns),LTP (nS),LTD (nS)", time, UP, DOWN))
    assert [e[:2] for e in ends(data)] == [("LTP", 25), ("LTD", 25)]
    note = "column 1 (Time (ns)) is time: each row is taken as the reading after one pulse"
    assert note in data.warnings
    counted = read(tmp_path, table("Time (ns),pulse,LTP (nS)", time, np.arange(25), UP))
    assert "is time" not in said(counted)


@pytest.mark.parametrize(
    ("time", "values"),
    [
        (np.logspace(0, 4, 16), 2e4 - 600 * np.arange(16)),
        (np.logspace(0, 3, 16), 1e-6 * relax(15, 4.0, 2.0, 5.0)),
        (np.cumsum(30 + 5 * np.sin(np.arange(20) ** 2)), relax(19, 5.0, 3.0, 6.0)),
    ],
)
def test_time_without_heading_beside_a_decay_is_no_branch(tmp_path, time, values):
    message = refused(tmp_path, table("", time, values))
    assert advised(message) == [{1: None, 2: "device 1"}]
    data = read(tmp_path, table("", time, values), columns={1: None})
    assert [e[:2] for e in ends(data)] == [("LTD", values.size)]


def test_what_rises_like_time_without_heading_is_named(tmp_path):
    time = np.cumsum(0.2 + 0.1 * np.sin(np.arange(49)) ** 2)
    message = refused(tmp_path, table("", TRACE, time))
    assert "column 2 rises in every row, as time does" in message
    assert advised(message) == [{1: "device 1", 2: None}]
    assert len(read(tmp_path, table("", TRACE, time), columns=advised(message)[0]).segments) == 2


# ---------------------------------------------------------------- two columns of one role


def test_a_voltage_left_of_each_branch_is_left_out_with_the_other(tmp_path):
    """Either of them alone would be taken for the pulses of both branches."""
    up, down = np.linspace(1, 3, 25), np.linspace(-1, -2, 25)
    text = table("V_pulse (V),LTP (uS),Voltage (V),LTD (uS)", up, UP, down, DOWN)
    message = refused(tmp_path, text)
    assert "a second amplitude column beside column 1" in message
    assert advised(message) == [{1: None, 3: None}]
    data = read(tmp_path, text, columns={1: None, 3: None})
    assert [e[:2] for e in ends(data)] == [("LTP", 25), ("LTD", 25)]
    assert data.amplitudes_V == ()
    beside = table("V_pulse (V),Voltage (V),LTP (uS),LTD (uS)", up, down, UP, DOWN)
    assert advised(refused(tmp_path, beside)) == [{1: None}, {2: None}]


def test_branches_without_heading_over_decades_are_no_time(tmp_path):
    up = np.geomspace(1e-9, 1e-6, 30)
    data = read(tmp_path, table("", up, up[::-1] * 1.1))
    assert [e[:2] for e in ends(data)] == [("LTP", 30), ("LTD", 30)]


# ---------------------------------------------------------------- a first row of zeros


def test_a_row_of_zeros_is_no_reading_where_columns_start_from_one_level_and_grow(tmp_path):
    rises = np.array([0.8, 0.9, 3.0, 9.0, 15.0])
    grown = 4.0 + np.arange(20)[:, None] / 19 * rises[None, :] * 3 + [0.1, -0.2, 0, 0.2, 0.1]
    text = table("", *np.vstack([np.zeros(5), grown]).T * 1e-11)
    data = read(tmp_path, text)
    assert [n for _, n, *_ in ends(data)] == [20] * 5
    assert np.allclose([e[2] for e in ends(data)], grown[0] * 1e-11, rtol=1e-6)
    assert "line 1 is left out: 0 in all columns" in said(data)


@quick
@given(power=st.floats(0.45, 1.2), ratio=st.floats(1.7, 8.0))
def test_readings_that_grow_from_zero_keep_their_zero(tmp_path, power, ratio):
    """Steps that shrink from the first one on, as those of a power of the pulse number do."""
    grown = np.arange(25) ** power
    text = table("", 3.3 * grown, 3.3 * ratio * grown)
    data = read(tmp_path, text, wide_of="device")
    assert [n for _, n, *_ in ends(data)] == [25, 25]
    assert all(s.values[0] == 0 for s in data.segments)


# ---------------------------------------------------------------- rows from the last pulse on


def test_ltd_that_rises_beside_ltp_may_be_reversed_and_the_option_reads_it(tmp_path):
    text = table("LTP (uS),LTD (uS)", UP, DOWN[::-1])
    data = read(tmp_path, text)
    assert "the conductance rises along LTD pulses" in said(data)
    assert "stored in reversed order" in said(data)
    assert "reverse='LTD' reads them" in said(data)
    data = read(tmp_path, text, reverse="LTD")
    assert np.allclose(data.segments[1].values, DOWN * 1e-6, rtol=1e-6)
    assert list(data.segments[1].pulses) == list(range(25))
    assert data.segments[1].lines[0] == 26
    assert data.warnings == ()


@quick
@given(
    branch=st.sampled_from(["LTP", "LTD"]),
    layout=st.sampled_from(["columns", "numbers", "order"]),
    start=st.integers(0, 1),
)
def test_a_branch_written_backwards_reads_as_written_forwards(tmp_path, branch, layout, start):
    up, down = UP, DOWN[1:]
    turned = {"LTP": (up[::-1], down), "LTD": (up, down[::-1])}[branch]

    def text(first, second) -> str:
        if layout == "columns":
            numbers = np.arange(25) + start
            return table("pulse,LTP (uS),LTD (uS)", numbers, first, second)
        rows = [f"LTP,{k + start},{v:.9g}" for k, v in enumerate(first)]
        rows += [f"LTD,{k + start},{v:.9g}" for k, v in enumerate(second)]
        if layout == "order":
            rows = [re.sub(",[0-9]+,", ",,", row, count=1) for row in rows]
            return "branch,G (uS)\n" + "\n".join(row.replace(",,", ",") for row in rows)
        return "branch,pulse,G (uS)\n" + "\n".join(rows)

    forwards = read(tmp_path, text(up, down))
    backwards = read(tmp_path, text(*turned), reverse=branch)
    for a, b in zip(forwards.segments, backwards.segments, strict=True):
        assert a.branch == b.branch
        if not (layout == "order" and branch == "LTP" and a.branch == "LTD"):
            assert np.array_equal(a.values, b.values)
            assert np.array_equal(a.pulses, b.pulses)


def test_reverse_needs_a_branch_that_is_named(tmp_path):
    message = refused(tmp_path, table("pulse,G (uS)", COUNT, TRACE), reverse="LTD")
    assert "option reverse: nothing names the branch of these readings" in message
    assert "branch='LTD'" in message
    with pytest.raises(PulseDataError, match="option reverse: 'down'; expected 'LTP', 'LTD'"):
        read(tmp_path, "G (uS)\n1\n2\n", reverse="down")


def test_reverse_is_not_advised_where_both_branches_run_the_other_way(tmp_path):
    data = read(tmp_path, table("LTP (uS),LTD (uS)", DOWN, UP))
    assert "the conductance falls along LTP pulses" in said(data)
    assert "reverse" not in said(data)


def test_reverse_of_pairs_of_files_and_on_the_command_line(tmp_path):
    (tmp_path / "a.csv").write_text(table("G (uS)", UP))
    (tmp_path / "b.csv").write_text(table("G (uS)", DOWN[::-1]))
    data = read_branches([tmp_path / "a.csv"], [tmp_path / "b.csv"], reverse="LTD")
    assert np.allclose(data.select("LTD")[0].values, DOWN * 1e-6, rtol=1e-6)
    assert "rises along" not in said(data)
    options = parse(["--show", "--reverse", "LTD", "m.csv"], None)
    assert reader_options(options) == {"reverse": "LTD"}
    assert spoken("reverse='LTD' reads them") == "--reverse LTD reads them"
    assert severity_of("the rows of LTD may be stored in reversed order") == Severity.CARE


# ---------------------------------------------------------------- columns of unknown name


def test_numbered_columns_of_unknown_name_are_what_the_option_says(tmp_path):
    text = table("swp3,swp4,swp7", UP, 1.05 * UP, 1.1 * UP)
    plain = read(tmp_path, text)
    assert plain.devices == ("swp3", "swp4", "swp7")
    assert "wide_of='cycle' reads them as cycles of one device" in said(plain)
    cycles = read(tmp_path, text, wide_of="cycle")
    assert (cycles.devices, cycles.cycles) == (("1",), (3, 4, 7))
    assert np.allclose(cycles.select(cycle=7)[0].values, 1.1 * UP, rtol=1e-6)
    assert "readings of one cycle each" in said(cycles)
    devices = read(tmp_path, text, wide_of="device")
    assert devices.devices == ("swp3", "swp4", "swp7")
    conditions = read(tmp_path, text, wide_of="condition")
    assert conditions.conditions == ("swp3", "swp4", "swp7")
    assert conditions.devices == ("1",)


def test_columns_of_unknown_name_without_numbers_are_cycles_by_their_place(tmp_path):
    data = read(tmp_path, table("morning,noon,night2", UP, UP, 1.1 * UP), wide_of="cycle")
    assert (data.devices, data.cycles) == (("1",), (1, 2, 3))
    same = read(tmp_path, table("qa1,qb1", UP, 1.1 * UP), wide_of="cycle")
    assert same.cycles == (1, 2)


# ---------------------------------------------------------------- digitised curves


@quick
@given(seed=st.integers(0, 1000), per_pulse=st.floats(2.0, 9.0))
def test_points_of_a_digitised_curve_are_said_and_stay_where_they_are(tmp_path, seed, per_pulse):
    rng = np.random.default_rng(seed)
    n = int(12 * per_pulse)
    steps = rng.uniform(0.3, 1.7, n) / per_pulse
    numbers = np.cumsum(steps) + 0.0137
    values = 1 + 4 * (1 - np.exp(-numbers / 5))
    data = read(tmp_path, table("pulsenumber,G (uS)", numbers, values))
    (segment,) = data.segments
    assert np.allclose(segment.pulses, numbers, rtol=1e-6)
    assert np.allclose(segment.values, values * 1e-6, rtol=1e-6)
    assert "points of a digitised curve, not one reading a pulse" in said(data)
    loud = [w for w in data.warnings if severity_of(w) == Severity.BAD]
    assert len(loud) == 1


def test_even_fractions_of_a_pulse_are_time_and_unnamed_ones_are_asked_about(tmp_path):
    even = refused(tmp_path, table("pulse number,G (uS)", COUNT * 0.25, TRACE))
    assert "looks like readings against time" in even
    uneven = np.cumsum(0.2 + 0.1 * np.sin(COUNT) ** 2)
    assert "against time" in refused(tmp_path, table("x,G (uS)", uneven, TRACE))
    data = read(tmp_path, table("x,G (uS)", uneven, TRACE), columns={1: "pulse"})
    assert "points of a digitised curve" in said(data)


@pytest.mark.parametrize(
    "text", ["pulsenumber", "Pulsenumber", "pulseno", "spikeindex", "pulsecount", "pulsesnumber"]
)
def test_pulse_numbers_in_one_word(text):
    assert read_heading(text).role == "pulse"


@pytest.mark.parametrize("text", ["pulsewidth", "pulsenoise", "impulsenumber", "pulsevoltage"])
def test_other_words_with_pulse_in_them_count_nothing(text):
    assert read_heading(text).role != "pulse"


# ---------------------------------------------------------------- names of files, one state


@pytest.mark.parametrize(
    ("name", "values", "other"),
    [
        ("scheme3_potentiation.txt", DOWN, "LTP"),
        ("LTDcurve.csv", UP, "LTD"),
        ("wafer2-ltd.csv", UP, "LTD"),
        ("DepressionRun.csv", UP, "LTD"),
    ],
)
def test_a_name_that_contradicts_the_readings_is_said_and_its_advice_reads(
    tmp_path, name, values, other
):
    data = read(tmp_path, table("G (uS)", values), name)
    assert data.warnings[0].startswith(f"the name of the file says {other}, the readings are read")
    told = read(tmp_path, table("G (uS)", values), name, branch=other, reverse=other)
    assert told.branches == (other,)
    assert np.allclose(told.segments[0].values, values[::-1] * 1e-6, rtol=1e-6)
    assert "name of the file" not in said(told)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("potentiation.csv", UP),
        ("ltd.csv", DOWN),
        ("LTP_LTD.csv", UP),
        ("filtd_multpot.csv", DOWN),
        ("potentiation.csv", TRACE),
    ],
)
def test_a_name_that_fits_or_says_nothing_gives_no_warning(tmp_path, name, values):
    assert "name of the file" not in said(read(tmp_path, table("G (uS)", values), name))


def test_files_given_the_wrong_way_round_are_said(tmp_path):
    ltp, ltd = tmp_path / "x_potentiation.csv", tmp_path / "x_depression.csv"
    ltp.write_text(table("G (uS)", UP))
    ltd.write_text(table("G (uS)", DOWN))
    data = read_branches([ltd], [ltp])
    assert said(data).count("check which file it is") == 2
    assert "name of the file" not in said(read_branches([ltp], [ltd]))


@quick
@given(seed=st.integers(0, 500), n=st.integers(30, 200))
def test_one_state_read_again_and_again_is_said_under_a_given_branch(tmp_path, seed, n):
    values = 15 + np.random.default_rng(seed).standard_normal(n)
    data = read(tmp_path, table("G (uS)", values), branch="LTP")
    note = "the readings neither rise nor fall along LTP pulses"
    found = [w for w in data.warnings if note in w or "falls along" in w]
    assert found or abs(values[-n // 3 :].mean() - values[: n // 3].mean()) > 0.3


@quick
@given(seed=st.integers(0, 500), noise=st.floats(0.0, 0.1))
def test_a_branch_that_moves_is_not_said_to_stand(tmp_path, seed, noise):
    values = UP + 7 * noise * np.random.default_rng(seed).standard_normal(UP.size)
    data = read(tmp_path, table("G (uS)", values), branch="LTP")
    assert "neither rise nor fall" not in said(data)
