"""What each column is: headings in every form, numbers without headings, and what is no device."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import quick, relax

from device_models.pulses import PulseData, PulseDataError, read_pulses
from device_models.pulses.columns.headings import read_heading
from device_models.pulses.units import find_unit

LTP = np.round(relax(20, 1.0, 10.0, 6.0), 4)
LTD = np.round(relax(20, 10.0, 1.0, 5.0), 4)
TRACE = np.concatenate([LTP, LTD[1:]])
COUNT = np.arange(TRACE.size)


def table(headings: str, *columns) -> str:
    """Text of a table; no first line where `headings` is empty."""
    n = max(len(c) for c in columns)
    rows = [",".join(f"{c[i]:.9g}" if i < len(c) else "" for c in columns) for i in range(n)]
    return "\n".join([*([headings] if headings else []), *rows]) + "\n"


def read(folder: Path, text: str, **options) -> PulseData:
    path = folder / "data.csv"
    path.write_text(text)
    return read_pulses(path, **options)


def said(data: PulseData) -> str:
    return "\n".join(data.warnings)


def uses(data: PulseData) -> list[str]:
    return [column.use for column in data.columns]


def ends(data: PulseData) -> list[tuple]:
    """Branch, device, cycle, count, first and last reading of each segment."""
    return [
        (s.branch, s.device, s.cycle, s.values.size, s.values[0], s.values[-1])
        for s in data.segments
    ]


def assert_trace(data: PulseData, scale: float = 1.0, **which) -> None:
    """One LTP and one LTD that are the trace."""
    (ltp,), (ltd,) = data.select("LTP", **which), data.select("LTD", **which)
    np.testing.assert_allclose(ltp.values, LTP * scale, rtol=1e-9)
    np.testing.assert_allclose(ltd.values, LTD * scale, rtol=1e-9)


# ---------------------------------------------------------------- headings


@pytest.mark.parametrize(
    "heading",
    [
        *("pulse_n", "n", "#", "p#", "# pulses", "idx_k", "pulse idx", "N_pulse", "stimulus"),
        *("pulses applied", "Stimulus number", "pulseNumber", "light pulse no.", "spike #"),
    ],
)
def test_headings_that_count_pulses(heading):
    assert read_heading(heading).role == "pulse"


@pytest.mark.parametrize(
    ("heading", "quantity", "branch"),
    [
        *(("G(n)", "conductance", None), ("Gpot", "conductance", "LTP")),
        *(("G_dep (nS)", "conductance", "LTD"), ("I_d", "current", None)),
        *(("R_on (k\u03a9)", "resistance", None), ("\u0394G (nS)", "conductance", None)),
        *(("G/G0", "conductance", None), ("Absolute current (A)", "current", None)),
        *(("|I| (A)", "current", None), ("EPSC (nA)", "current", None)),
        *(("I_ltp_nA_um", "current", "LTP"), ("mean conductance (uS)", "conductance", None)),
        *(("Conductance (mean)", "conductance", None), ("R (n = 3)", "resistance", None)),
        *(("dR (kOhm)", "resistance", None), ("G max (uS)", "conductance", None)),
    ],
)
def test_headings_of_readings(heading, quantity, branch):
    found = read_heading(heading)
    assert (found.role, found.quantity, found.branch) == ("value", quantity, branch)


@pytest.mark.parametrize(
    ("heading", "label", "value"),
    [
        *(("Conductance (W11)", "device", "W11"), ("R (#3)", "device", "#3")),
        *(("G (dark)", "condition", "dark"), ("LTP 300K", "condition", "300 K")),
        *(("G at 450nm (uS)", "condition", "450 nm"), ("G red (uS)", "condition", "red")),
        *(("G strain 0.5% (uS)", "condition", "strain 0.5 %"), ("R (5 mm)", "condition", "5 mm")),
        *(("G (2)", "number", "2"), ("R (kOhm) 1.2 V", "amplitude_V", 1.2)),
    ],
)
def test_names_in_headings(heading, label, value):
    found = read_heading(heading)
    assert found.role == "value"
    assert getattr(found, label) == value


@pytest.mark.parametrize("heading", ["R (kOgm)", "G (uSs)", "R (10 kOhm)", "G (x10)", "G (10^3)"])
def test_a_mistyped_unit_is_no_name(heading):
    with pytest.raises(ValueError, match="unknown unit"):
        read_heading(heading)


@pytest.mark.parametrize(
    ("text", "measures", "factor"),
    [
        *(("\u2127", "conductance", 1.0), ("\u00b5\u2127", "conductance", 1e-6)),
        *(("\u03bcS", "conductance", 1e-6), ("k\u2126", "resistance", 1e3)),
        *(("\u03a9\u207b\u00b9", "conductance", 1.0), ("10^-6 S", "conductance", 1e-6)),
        *(("\u00d710\u207b\u2079 A", "current", 1e-9), ("microsiemens", "conductance", 1e-6)),
        *(("kilo-ohm", "resistance", 1e3), ("1e-6 S", "conductance", 1e-6)),
        *(("nA/um", "arbitrary", 1.0), ("uS/\u00b5m", "arbitrary", 1.0)),
        *(("A/cm\u00b2", "arbitrary", 1.0), ("mA mm-1", "arbitrary", 1.0)),
    ],
)
def test_units_in_other_signs_and_words(text, measures, factor):
    unit = find_unit(text)
    assert (unit.measures, unit.factor) == (measures, pytest.approx(factor, rel=1e-14))


@pytest.mark.parametrize("text", ["100mV", "106 S", "kiloseconds/m", "m", "ohm/m", "10"])
def test_words_that_only_look_like_such_units(text):
    unit = find_unit(text)
    assert unit is None or text == "100mV"
    assert find_unit("100mV") is None


def test_current_per_width_is_kept_in_words(tmp_path):
    text = """cycle,pulse_n,I_ltp_nA_um,I_ltd_nA_um
1,1,0.316,59.160\n1,2,4.692,31.620\n1,3,21.420,12.240\n1,4,39.780,3.978\n1,5,53.040,1.122
2,1,0.322,60.320\n2,2,4.784,32.240\n2,3,21.840,12.480\n2,4,40.560,4.056\n2,5,54.080,1.144
"""
    data = read(tmp_path, text)
    assert (data.quantity, data.unit, data.n_readings) == ("conductance", "1", 20)
    assert ends(data) == [
        *(("LTP", "1", 1, 5, 0.316, 53.04), ("LTP", "1", 2, 5, 0.322, 54.08)),
        *(("LTD", "1", 1, 5, 59.16, 1.122), ("LTD", "1", 2, 5, 60.32, 1.144)),
    ]
    np.testing.assert_array_equal(data.segments[1].pulses, np.arange(1, 6))
    assert "nA/um is a current per width or area: read as arbitrary units" in said(data)


def test_two_units_per_width_are_not_mixed(tmp_path):
    with pytest.raises(PulseDataError, match="'uA/um' beside 'nA/um'"):
        read(tmp_path, table("LTP (nA/um),LTD (uA/um)", LTP, LTD))


def test_names_in_brackets_are_devices(tmp_path):
    data = read(tmp_path, table("Pulse,Conductance (A7),Conductance (B2)", COUNT, TRACE, 2 * TRACE))
    assert (data.devices, data.unit) == (("A7", "B2"), "1")
    assert_trace(data, 2.0, device="B2")
    data = read(tmp_path, table("Pulse,G (left),G (right)", COUNT, TRACE, 2 * TRACE))
    assert data.devices == ("left", "right")
    with pytest.raises(PulseDataError, match="unknown unit 'left'"):
        read(tmp_path, table("Pulse,G (left)", COUNT, TRACE))


def test_numbers_in_brackets_are_asked_about(tmp_path):
    text = table("Pulse,G (1),G (2)", COUNT, TRACE, 2 * TRACE)
    with pytest.raises(
        PulseDataError, match="the number in 'G \\(1\\)' can be a cycle or a device"
    ):
        read(tmp_path, text)
    assert read(tmp_path, text, wide_of="device").devices == ("1", "2")


def test_a_change_of_conductance_is_said(tmp_path):
    assert "a change, not a value" in said(read(tmp_path, table("\u0394G (nS)", TRACE)))


# ---------------------------------------------------------------- pulse numbers


@quick
@given(
    name=st.text("abcdefghijkloqrstuwyz_ ", min_size=2, max_size=9).filter(
        lambda t: read_heading(t.strip() or "a").role == "unknown"
    ),
    start=st.integers(0, 1),
    restarts=st.booleans(),
    place=st.integers(0, 2),
)
def test_a_column_that_counts_is_never_a_device(tmp_path, name, start, restarts, place):
    count = np.tile(np.arange(21), 2)[:41] if restarts else COUNT
    columns = [("cellX", TRACE), ("cellY", 2 * TRACE)]
    columns.insert(place, (name.strip(), count + start))
    data = read(tmp_path, table(",".join(h for h, _ in columns), *(c for _, c in columns)))
    assert data.devices == ("cellX", "cellY")
    assert "pulse number" in uses(data)
    assert f"({name.strip()}) counts up: taken as pulse numbers" in said(data)


def test_a_number_that_stays_counts_nothing(tmp_path):
    data = read(tmp_path, table("n,G (uS)", np.full(41, 3.0), TRACE))
    np.testing.assert_array_equal(data.segments[0].pulses, np.arange(21))
    assert "column 1 (n) is left out: the same in every row, so it counts nothing" in data.warnings


def test_a_counter_beside_pulse_numbers_is_left_out(tmp_path):
    data = read(tmp_path, table("pulse,row,G (uS)", COUNT + 1, COUNT, TRACE))
    assert data.segments[0].pulses[0] == 1
    assert "column 2 (row) is left out: it counts up" in data.warnings


@pytest.mark.parametrize("headings", ["index,Pulse Number,G (uS)", "Pulse Number,index,G (uS)"])
def test_the_column_named_for_pulses_counts_them_wherever_it_stands(tmp_path, headings):
    within, rows = np.tile(np.arange(21), 2), np.arange(42)
    both = (rows, within) if headings.startswith("index") else (within, rows)
    data = read(tmp_path, table(headings, *both, np.concatenate([LTP, LTD])))
    assert [s.values.size for s in data.segments] == [21, 21]
    np.testing.assert_array_equal(data.segments[1].pulses, np.arange(21))
    assert re.search(r"column \d \(index\) is left out: .*Pulse Number\) counts", said(data))


def test_two_counters_that_disagree_are_asked_about(tmp_path):
    both = np.arange(42), np.tile(np.arange(21), 2)
    text = table("index,n,G (uS)", *both, np.concatenate([LTP, LTD]))
    with pytest.raises(PulseDataError, match=r"columns=\{1: None\} or columns=\{2: None\}"):
        read(tmp_path, text)
    assert len(read(tmp_path, text, columns={1: None}).segments) == 2
    same = table("index,n,G (uS)", both[0], both[0] + 1, np.concatenate([LTP, LTD]))
    assert len(read(tmp_path, same).segments) == 2


def test_a_named_column_that_does_not_count_is_asked_about(tmp_path):
    jumps = np.r_[np.arange(20), 3, np.arange(20)]
    with pytest.raises(PulseDataError, match="pulse numbers here and in column 1"):
        read(tmp_path, table("index,pulse number,G (uS)", COUNT, jumps - 1.0, TRACE))


def test_blank_pulse_numbers_at_the_end_continue_the_count(tmp_path):
    text = table("Pulse,G (uS)", COUNT, TRACE) + ",0.9\n"
    data = read(tmp_path, text)
    assert data.segments[1].pulses[-1] == 21
    assert "1 row at the end without a number: the count goes on to 41" in said(data)
    with pytest.raises(PulseDataError, match=r"line 5, column 1 .*a blank cell is no pulse number"):
        read(tmp_path, text.replace("\n3,", "\n,", 1))
    with pytest.raises(PulseDataError, match="a blank cell is no pulse number"):
        read(tmp_path, text + ",0.8\n,0.7\n,0.6\n")


@quick
@given(seed=st.integers(0, 2**16), start=st.integers(0, 1))
def test_fractional_pulse_numbers_are_the_nearest_whole_ones(tmp_path, seed, start):
    off = np.round(np.random.default_rng(seed).uniform(-0.1, 0.1, COUNT.size), 3) + 0.0013
    data = read(tmp_path, table("", COUNT + start + off, TRACE))
    np.testing.assert_array_equal(data.select("LTP")[0].pulses, np.arange(21) + start)
    np.testing.assert_array_equal(data.select("LTD")[0].pulses, np.arange(21))
    assert "pulse numbers are fractional" in said(data)


def test_pulse_numbers_with_a_space_for_thousands(tmp_path):
    names = [f"{k // 1000} {k % 1000:03d}" if k > 999 else str(k) for k in range(0, 1025, 25)]
    rows = "\n".join(f"{n},{v}" for n, v in zip(names, TRACE, strict=True))
    data = read(tmp_path, "pulse,G (uS)\n" + rows)
    assert [s.pulses[-1] for s in data.segments] == [500, 500]


# ---------------------------------------------------------------- no heading


def test_pulse_numbers_without_heading_may_stand_on_the_right(tmp_path):
    data = read(tmp_path, table("", TRACE, COUNT))
    assert uses(data) == ["readings", "pulse number"]
    assert_trace(data)


def test_traces_of_one_branch_are_devices_where_their_ranges_differ(tmp_path):
    """A first row of zeros is no reading where no other comes near 0."""
    rows = [[0, 0, 0], [5.1, 5.0, 6.0], [6.0, 7.2, 5.9], [6.9, 9.6, 6.2], [7.7, 11.5, 6.1]]
    text = "\n".join(
        ",".join(f"{v}E-12" if v else "0" for v in r) for r in [*rows, [8.4, 13.2, 6.4]]
    )
    data = read(tmp_path, text)
    assert [(b, d, n) for b, d, _, n, *_ in ends(data)] == [("LTP", d, 5) for d in "123"]
    assert [e[4:] for e in ends(data)] == [
        *((5.1e-12, 8.4e-12), (5.0e-12, 13.2e-12), (6.0e-12, 6.4e-12)),
    ]
    assert data.segments[0].lines[0] == 2
    assert "line 1 is left out: 0 in all columns, and no reading comes near it" in data.warnings
    assert "columns={1: 'LTP device 1', 2: 'LTP device 2', 3: 'LTP device 3'}" in said(data)


def test_readings_that_start_at_zero_stay(tmp_path):
    ltp, ltd = (LTP - 1) / 9, (LTD - 1) / 9
    data = read(tmp_path, table("pulse,LTP,LTD", np.arange(21), ltp, ltd))
    assert data.segments[0].values[0] == 0
    data = read(tmp_path, table("", ltp * 3, ltd * 3))
    assert data.segments[0].values.size == 21


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((COUNT * 0.25, TRACE), "column 1: rises evenly by 0.25: readings against time"),
        ((TRACE, COUNT * 0.25), "column 2: rises evenly by 0.25: readings against time"),
        ((np.r_[COUNT[:21] * 0.1, 2 + COUNT[1:21]], TRACE), "readings against time"),
        ((COUNT * 5, TRACE), "columns={1: 'pulse', 2: 'value'} says so"),
        ((np.full(41, 0.1), TRACE), "columns={1: None, 2: 'value'}"),
        ((np.r_[[1.5] * 21, [-1.5] * 20], TRACE), "columns={1: 'amplitude (V)', 2: 'value'}"),
        (
            (np.r_[COUNT[:21], COUNT[19::-1]] * 0.1, TRACE**3),
            "even steps, as the voltage of a sweep",
        ),
        ((TRACE, TRACE * 1.01), "nothing tells these readings from those of column 1"),
        ((TRACE, TRACE * 1.01, TRACE), "3 columns without a header"),
        ((np.cumsum(LTP), LTP), "columns={1: None, 2: 'LTP device 1'}"),
        ((TRACE, TRACE[::-1] ** 0.2), "nothing tells these readings"),
        ((TRACE, 1000 * TRACE), "nothing tells these readings"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_asked_about(tmp_path, columns, message):
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, table("", *columns))
    assert message in str(caught.value)


def test_cycles_beside_pulse_numbers_are_asked_about(tmp_path):
    columns = np.repeat([1, 2], 41), np.tile(COUNT, 2), np.tile(TRACE, 2)
    with pytest.raises(PulseDataError, match=r"columns=\{1: 'cycle', 2: 'pulse', 3: 'value'\}"):
        read(tmp_path, table("", *columns))


ADVICE = re.compile(
    r"\b(columns|wide_of|quantity|read_voltage_V|branch|unit)=(\{[^}]*\}|'[^']*'|-?\d+\.?\d*|None)"
)


def advised(message: str) -> list[dict]:
    """Every option that a message advises, as keywords."""
    names = [match[1] for match in re.finditer(r"\b([A-Za-z_]+)=(?=\S)", message)]
    matches = list(ADVICE.finditer(message))
    assert names == [match[1] for match in matches], message
    return [{match[1]: ast.literal_eval(match[2])} for match in matches]


AMBIGUOUS = {
    "every fifth": table("", COUNT * 5, TRACE),
    "amplitude": table("", np.r_[[1.5] * 21, [-1.5] * 20], TRACE),
    "constant": table("", np.full(41, 0.1), TRACE),
    "cycles": table("", np.repeat([1, 2], 41), np.tile(COUNT, 2), np.tile(TRACE, 2)),
    "two traces": table("", TRACE, TRACE * 1.02),
    "three traces": table("", TRACE, TRACE * 1.02, TRACE * 0.98),
    "two alike": table("R (kOhm),R (kOhm)", 1 / TRACE, 1.02 / TRACE),
    "three alike": table("pulse,G (uS),G (uS),G (uS)", COUNT, TRACE, TRACE * 1.02, TRACE),
    "pairs": table("", LTP, LTD, LTP * 1.01, LTD * 1.01),
    "numbers": table("pulse,G1 (uS),G2 (uS)", COUNT, TRACE, TRACE * 1.02),
    "counters": table("index,n,G (uS)", np.arange(42), np.tile(np.arange(21), 2), np.r_[LTP, LTD]),
    "current": table("pulse,I (uA)", COUNT, TRACE * 0.1),
    "voltage of reads": table("V (V),I (uA)", np.full(41, 0.1), TRACE * 0.1),
    "quantities": table("pulse,G (uS),R (kOhm)", COUNT, TRACE, np.round(100 / TRACE**2, 3)),
    "negative": table("pulse,w", COUNT, -TRACE),
    "amplitudes": table("V_set (V),V_x (V),G (uS)", np.full(41, 2.0), COUNT * 0 - 2.5, TRACE),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_every_advice_can_be_typed_and_gives_the_trace(tmp_path, name):
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, AMBIGUOUS[name])
    options = advised(str(caught.value))
    assert options
    # The second of two counters runs on over the branches, and counts the switch as a pulse.
    for option in options[:1] if name == "counters" else options:
        data = read(tmp_path, AMBIGUOUS[name], **option)
        assert {s.values.size for s in data.segments} <= {20, 21, 41}
        sizes = [float(np.ptp(s.values) / s.values.max()) for s in data.segments]
        np.testing.assert_allclose(sizes, 0.9 if name != "quantities" else sizes, rtol=0.02)
        assert data.branches == ("LTP", "LTD")


# ---------------------------------------------------------------- columns that are no device


def test_moving_average_is_left_out_by_its_name(tmp_path):
    text = """Pulse number,Conductance (uS),Moving averaged conductance (uS)
0,41.0,42.6\n1,44.1,45.0\n2,49.8,48.5\n3,51.7,51.9\n4,54.2,53.3
5,49.0,50.6\n6,46.4,46.6\n7,44.4,44.3\n,42.1,
"""
    data = read(tmp_path, text)
    assert (data.unit, data.devices) == ("S", ("1",))
    values = np.concatenate([data.segments[0].values, data.segments[1].values[1:]])
    np.testing.assert_allclose(
        values, np.array([41, 44.1, 49.8, 51.7, 54.2, 49, 46.4, 44.4, 42.1]) * 1e-6
    )
    assert sum("is left out" in w for w in data.warnings) == 1


@pytest.mark.parametrize("width", [3, 5, 9])
@pytest.mark.parametrize("trailing", [False, True])
def test_moving_average_is_left_out_by_its_numbers(tmp_path, width, trailing):
    noisy = np.round(TRACE + 0.05 * np.sin(7.0 * COUNT), 3)
    full = np.convolve(noisy, np.ones(width) / width, "valid")
    lead = width - 1 if trailing else width // 2
    mean = np.round(np.r_[noisy[:lead], full, noisy[lead + full.size :]], 3)
    data = read(tmp_path, table("pulse,G (uS),G b (uS)", COUNT, noisy, mean))
    assert data.devices == ("1",)
    assert "column 3 (G b (uS)) is left out: a moving average of column 2" in said(data)
    other = np.round(mean + 0.01 * np.cos(5.0 * COUNT), 3)
    with pytest.raises(PulseDataError, match="nothing tells"):
        read(tmp_path, table("pulse,G (uS),G b (uS)", COUNT, noisy, other))


def test_fits_are_left_out_and_a_fit_alone_is_read(tmp_path):
    data = read(
        tmp_path, table("LTP (uS),LTP fit (uS),LTD (uS),LTD_fit (uS)", LTP, 2 * LTP, LTD, LTD)
    )
    assert_trace(data, 1e-6)
    assert sum("computed from readings" in w for w in data.warnings) == 2
    assert_trace(read(tmp_path, table("LTP smoothed (uS),LTD smoothed (uS)", LTP, LTD)), 1e-6)


def test_mean_of_the_devices_is_no_device(tmp_path):
    three = [TRACE, 2 * TRACE, 3 * TRACE]
    text = table("pulse,dev1 (uS),dev2 (uS),dev3 (uS),mean G (uS)", COUNT, *three, 2 * TRACE)
    data = read(tmp_path, text)
    assert data.devices == ("1", "2", "3")
    assert "the mean of the other columns" in said(data)


def test_sizes_of_currents_are_left_out(tmp_path):
    sign = np.where(COUNT % 2, 1.0, -1.0)
    text = table("V_read (V),I (uA),|I| (uA)", 0.1 * sign, 0.1 * sign * TRACE, 0.1 * TRACE)
    data = read(tmp_path, text)
    assert_trace(data, 1e-6)
    assert "is left out: the size of column 2 (I (uA))" in said(data)


def test_one_of_two_quantities_of_the_same_reads_is_read(tmp_path):
    text = table(
        "pulse number,Resistance (Ohm),Absolute current (A)",
        COUNT,
        np.round(1e6 / TRACE, -2),
        1e-7 * TRACE,
    )
    data = read(tmp_path, text)
    assert (data.quantity, data.unit, data.devices) == ("resistance", "ohm", ("1",))
    assert "column 3 (Absolute current (A)) is left out: another quantity of the same" in said(data)
    data = read(tmp_path, table("R (kOhm),G (uS)", 1e3 / TRACE, TRACE))
    assert (data.quantity, data.unit) == ("conductance", "S")
    chosen = read(tmp_path, text, quantity="current", read_voltage_V=0.1)
    assert_trace(chosen, 1e-6)


def test_quantities_of_different_reads_are_asked_about(tmp_path):
    text = table("R (kOhm),G (uS)", 1e3 / TRACE, TRACE**1.2)
    with pytest.raises(PulseDataError, match="quantity='conductance' or quantity='resistance'"):
        read(tmp_path, text)


def test_a_second_pair_of_voltage_and_current_is_left_out(tmp_path):
    leak = np.round(0.001 * np.sin(COUNT), 5)
    columns = np.full(41, 0.1), 0.1 * TRACE, np.zeros(41), leak
    data = read(tmp_path, table("V1 (V),I1 (uA),V2 (V),I2 (uA)", *columns), columns={1: "V_read"})
    assert_trace(data, 1e-6)
    assert "column 3 (V2 (V)) and column 4 (I2 (uA)) are left out" in said(data)
    both = np.full(41, 0.1), 0.1 * TRACE, np.full(41, 0.2), 0.2 * TRACE[::-1]
    with pytest.raises(
        PulseDataError, match=r"columns=\{1: None, 2: None\} or columns=\{3: None, 4"
    ):
        read(tmp_path, table("V1 (V),I1 (uA),V2 (V),I2 (uA)", *both))


def test_spreads_and_leakage_are_left_out_in_one_line(tmp_path):
    headings = "pulse,LTP mean (uS),LTP std,LTD mean (uS),\u03c3 LTD (uS),gate current (A)"
    data = read(tmp_path, table(headings, COUNT[:21], LTP, LTP / 9, LTD, LTD / 9, LTP / 1e6))
    assert_trace(data, 1e-6)
    (line,) = [w for w in data.warnings if "left out" in w]
    assert line.count("column") == 3


# ---------------------------------------------------------------- repeats


RAMP = """# pulse_v,pulse_width,meas_v,i_0,i_1,i_2
3.0,1e-6,-0.2,-6.000e-09,-6.050e-09,-5.960e-09
3.2,1e-6,-0.2,-6.900e-09,-6.950e-09,-6.860e-09
3.4,1e-6,-0.2,-7.700e-09,-7.750e-09,-7.660e-09
3.6,1e-6,-0.2,-8.400e-09,-8.450e-09,-8.360e-09
3.8,1e-6,-0.2,-9.000e-09,-9.050e-09,-8.960e-09
-0.5,1e-6,-0.2,-8.100e-09,-8.150e-09,-8.060e-09
-0.7,1e-6,-0.2,-7.400e-09,-7.450e-09,-7.360e-09
-0.9,1e-6,-0.2,-6.800e-09,-6.850e-09,-6.760e-09
-1.1,1e-6,-0.2,-6.300e-09,-6.350e-09,-6.260e-09
"""


def test_repeats_of_one_read_are_averaged(tmp_path):
    data = read(tmp_path, RAMP)
    ltp, ltd = data.segments
    assert (data.unit, data.devices, data.cycles) == ("S", ("1",), (1,))
    offset = 0.01e-9 / 3 / 0.2
    np.testing.assert_allclose(ltp.values[[0, -1]], [30e-9 + offset, 45e-9 + offset], rtol=1e-12)
    np.testing.assert_allclose(ltd.values[[1, -1]], [40.5e-9 + offset, 31.5e-9 + offset])
    scatter = np.std([6.0, 6.05, 5.96], ddof=1) * 1e-9 / 0.2
    assert data.read_noise == pytest.approx(scatter, rel=1e-9)
    np.testing.assert_allclose(ltp.amplitude_V, [3.0, 3.2, 3.4, 3.6, 3.8])
    assert uses(data)[3:] == [f"readings of current, read {k} of 3" for k in (1, 2, 3)]


def test_columns_that_can_be_devices_are_no_repeats(tmp_path):
    noise = np.random.default_rng(0).normal(size=(3, 41))
    columns = [np.round(TRACE * (1 + 0.003 * n), 4) for n in noise]
    numbered = table("pulse,G1 (uS),G2 (uS),G3 (uS)", COUNT, *columns)
    with pytest.raises(PulseDataError, match="wide_of='repeat'"):
        read(tmp_path, numbered)
    named = table("pulse,G read 1 (uS),G read 2 (uS),G read 3 (uS)", COUNT, *columns)
    data = read(tmp_path, named)
    same = read(tmp_path, numbered, wide_of="repeat")
    assert data.read_noise == same.read_noise == pytest.approx(0.003 * 6e-6, rel=0.4)
    np.testing.assert_array_equal(data.segments[0].values, same.segments[0].values)
    assert read(tmp_path, named, wide_of="device").read_noise is None
    told = read(tmp_path, numbered, columns={3: "repeat", 4: "repeat"})
    np.testing.assert_array_equal(told.segments[0].values, same.segments[0].values)


def test_far_or_equal_columns_are_no_repeats(tmp_path):
    for second in (TRACE, TRACE * 1.5):
        text = table("pulse,G read 1 (uS),G read 2 (uS)", COUNT, TRACE, second)
        with pytest.raises(PulseDataError, match="can be a cycle or a device"):
            read(tmp_path, text)
    with pytest.raises(PulseDataError, match="wide_of='repeat' contradicts the file"):
        read(tmp_path, table("LTP (uS),LTD (uS)", LTP, LTD), wide_of="repeat")


def test_a_missing_repeat_leaves_the_others(tmp_path):
    text = RAMP.replace("-6.050e-09", "", 1)
    assert read(tmp_path, text).segments[0].values[0] == pytest.approx(5.98e-9 / 0.2)


# ---------------------------------------------------------------- signs


@quick
@given(
    scale=st.sampled_from([1e-12, 1e-9, 1e-6]),
    volt=st.sampled_from([0.1, -0.1]),
    sign=st.sampled_from([1, -1]),
    heading=st.sampled_from(["I (A)", "pulse,I (A)"]),
)
def test_the_size_of_a_current_counts_at_either_read_voltage(tmp_path, scale, volt, sign, heading):
    columns = [COUNT, sign * scale * TRACE] if "," in heading else [sign * scale * TRACE]
    data = read(tmp_path, table(heading, *columns), read_voltage_V=volt)
    assert_trace(data, scale / 0.1)
    assert ("over their read voltage are negative throughout" in said(data)) == (sign * volt < 0)


def test_negative_traces_keep_ltp_and_ltd(tmp_path):
    text = table("red,blue", -1e-10 * TRACE, -1.7e-10 * TRACE)
    data = read(tmp_path, text)
    assert data.conditions == ("red", "blue")
    assert_trace(data, 1e-10, condition="red")
    assert "negative throughout: their size counts" in said(data)
    option = advised(next(w for w in data.warnings if "negative" in w))
    assert {"quantity": "current"} in option
    asked = read(tmp_path, text, quantity="current", read_voltage_V=-0.1)
    assert_trace(asked, 1e-9, condition="red")
    assert_trace(read(tmp_path, table("G (uS)", -TRACE)), 1e-6)
    assert_trace(read(tmp_path, table("", -1e-9 * LTP, -1e-9 * LTD)), 1e-9)


def test_logarithms_are_no_sizes(tmp_path):
    for text in (table("", np.log10(TRACE) - 9), table("pulse,state", COUNT, np.log10(TRACE) - 9)):
        with pytest.raises(PulseDataError, match="negative throughout; quantity='conductance'"):
            read(tmp_path, text)


def test_one_negative_column_beside_another_is_asked_about(tmp_path):
    text = table("pulse,cellX,cellY", COUNT, TRACE, -TRACE)
    with pytest.raises(PulseDataError, match=r"columns=\{3: None\} leaves it out"):
        read(tmp_path, text)


# ---------------------------------------------------------------- conditions


def test_a_column_of_settings_is_a_condition(tmp_path):
    columns = np.repeat([300, 350], 41), np.tile(COUNT, 2), np.r_[TRACE, 2 * TRACE]
    data = read(tmp_path, table("Temperature (K),pulse,G (uS)", *columns))
    assert data.conditions == ("300 K", "350 K")
    assert_trace(data, 2e-6, condition="350 K")
    assert data.cycles == (1,)
    assert uses(data)[0] == "condition [K]"


def test_a_per_cent_is_named_and_steps_of_the_last_digit_are_a_log(tmp_path):
    steps = np.repeat([0, 1], 41)
    data = read(tmp_path, table("Strain (%),G (uS)", steps, np.tile(TRACE, 2)))
    assert data.conditions == ("strain 0 %", "strain 1 %")
    fine = np.repeat([40, 41, 42, 43], 41)
    data = read(tmp_path, table("RH (%),G (uS)", fine, np.tile(TRACE, 4)))
    assert data.conditions == ()
    assert "column 1 (RH (%)) is left out: it changes as a log does" in said(data)
    coarse = np.repeat([30, 50, 70, 90], 41)
    assert len(read(tmp_path, table("RH (%),G (uS)", coarse, np.tile(TRACE, 4))).conditions) == 4


@pytest.mark.parametrize(
    "log",
    [
        25 + 0.1 * np.round(np.sin(COUNT), 0),
        np.round(25 + 0.02 * COUNT, 1),
        np.round(298 + 0.1 * COUNT, 1),
    ],
)
def test_the_log_of_an_instrument_is_no_condition(tmp_path, log):
    text = table("pulse,Temperature (K),G (uS)", COUNT, log, TRACE)
    data = read(tmp_path, text)
    assert data.conditions == ()
    assert_trace(data, 1e-6)
    assert "column 2 (Temperature (K)) is left out: it changes as a log does" in said(data)


def test_a_log_can_be_called_a_condition(tmp_path):
    steps = np.repeat([298, 299], 41)
    text = table("Temperature (K),G (uS)", steps, np.tile(TRACE, 2))
    assert read(tmp_path, text).conditions == ()
    data = read(tmp_path, text, columns={1: "condition"})
    assert data.conditions == ("298 K", "299 K")
    assert_trace(data, 1e-6, condition="299 K")


def test_columns_of_conditions_by_heading_and_by_option(tmp_path):
    data = read(tmp_path, table("pulse,G (300 K),G (77 K)", COUNT, TRACE, 2 * TRACE))
    assert data.conditions == ("300 K", "77 K")
    text = table("pulse,flat side,other", COUNT, TRACE, 2 * TRACE)
    text = text.replace("flat side,other", "flat G (uS),G (uS)")
    text = table("pulse,G (uS),G (uS)", COUNT, TRACE, 2 * TRACE)
    data = read(tmp_path, text, wide_of="condition")
    assert data.conditions == ("G (uS)", "G (uS) 2")
    assert_trace(data, 2e-6, condition="G (uS) 2")


def test_a_condition_of_the_rows_and_one_of_the_heading_are_both_kept(tmp_path):
    columns = np.repeat([300, 350], 41), np.tile(COUNT, 2), np.tile(TRACE, 2), np.tile(TRACE, 2) * 2
    data = read(tmp_path, table("T (K),pulse,dark,light", *columns))
    assert data.conditions == ("300 K, dark", "350 K, dark", "300 K, light", "350 K, light")
    assert_trace(data, 2.0, condition="350 K, light")
    columns = np.repeat([1, 2], 41), *columns[1:]
    data = read(tmp_path, table("die,pulse,G (W1),G (W2)", *columns))
    assert data.devices == ("1/W1", "2/W1", "1/W2", "2/W2")


def test_amplitudes_in_headings_are_conditions_as_before(tmp_path):
    data = read(tmp_path, table("pulse,R (kOhm) 1.2 V,R (kOhm) 0.9 V", COUNT, 1 / TRACE, 2 / TRACE))
    assert data.amplitudes_V == (0.9, 1.2)
    assert {s.cycle for s in data.segments} == {1}


# ---------------------------------------------------------------- time


def test_readings_against_time_are_refused(tmp_path):
    for text, options in (
        (table("Time (s),G (uS)", COUNT * 0.25, TRACE), {}),
        (table("t_ms,G_uS", COUNT * 0.25, TRACE), {}),
        (table("", TRACE, COUNT * 0.25), {"columns": {2: "time"}}),
    ):
        with pytest.raises(PulseDataError, match="readings against time, not one a pulse"):
            read(tmp_path, text, **options)


def test_a_cycle_in_each_row_over_which_readings_move_is_asked_about(tmp_path):
    text = table("Cycle #,LTP (uS),LTD (uS)", COUNT[:21], LTP, LTD)
    with pytest.raises(
        PulseDataError, match=r"counts pulses, not cycles; give columns=\{1: 'pulse'\}"
    ):
        read(tmp_path, text)
    assert_trace(read(tmp_path, text, columns={1: "pulse"}), 1e-6)
    with pytest.raises(PulseDataError, match=r"columns=\{1: 'pulse'\}"):
        read(tmp_path, table("Cycle,G (uS)", COUNT, TRACE))
    endurance = "Cycle number,Conductance\n" + "".join(
        f"{k},{v}E-05\n" for k, v in enumerate((2.6, 2.2, 2.5, 2.3, 2.7, 2.4, 2.2, 2.5))
    )
    with pytest.raises(PulseDataError, match="neither rise nor fall"):
        read(tmp_path, endurance)


def test_time_beside_pulses_is_left_out(tmp_path):
    assert_trace(read(tmp_path, table("t (s),pulse,G (uS)", COUNT * 0.25, COUNT, TRACE)), 1e-6)
    assert_trace(read(tmp_path, table("t (s),LTP (uS),LTD (uS)", COUNT[:21] * 0.3, LTP, LTD)), 1e-6)
    steps = np.cumsum(1 + np.sin(COUNT) ** 2)
    with pytest.raises(PulseDataError, match=r"against time.*columns=\{1: None\} reads it so"):
        read(tmp_path, table("Time (s),G (uS)", steps, TRACE))
    assert_trace(read(tmp_path, table("Time (s),G (uS)", steps, TRACE), columns={1: None}), 1e-6)


# ---------------------------------------------------------------- strictness


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table("", LTP, LTD) + "1,2x\n", "is not a number"),
        (table("", COUNT, TRACE).replace("9.", "9..", 1), "is not a number"),
        ("LTP,1\nLTP,2\nLTX,3\nLTD,2\nLTD,1\n", "'LTX' is no branch"),
        ("a,1\na,2\nb,1\nb,2\n", "columns={1: 'device'} reads them as devices"),
    ],
)
def test_a_bad_cell_does_not_take_its_column_away(tmp_path, text, message):
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_one_fraction_among_whole_pulse_numbers_is_no_digitised_count(tmp_path):
    numbers = COUNT + np.where(COUNT == 7, 0.2, 0.0)
    data = read(tmp_path, table("pulse,G (uS)", numbers, TRACE))
    assert data.segments[0].pulses[7] == 7.2
    assert "pulse numbers are fractional, such as 7.2" in said(data)


def test_letters_that_follow_each_other_are_names(tmp_path):
    data = read(tmp_path, table("LTP A,LTD A,LTP B,LTD B", LTP, LTD, 2 * LTP, 2 * LTD))
    assert (data.devices, data.fields_G, data.unit) == (("A", "B"), (), "1")
    assert_trace(data, 2.0, device="B")
    data = read(tmp_path, table("pulse,A,B", COUNT, TRACE, 2 * TRACE))
    assert data.devices == ("A", "B")


def test_readings_headed_by_the_pulses_they_follow(tmp_path):
    assert_trace(read(tmp_path, table("up_pulse,down_pulse", LTP, LTD)))
    counted = table("LTP pulse,LTP (uS),LTD pulse,LTD (uS)", COUNT[:21], LTP, COUNT[:21], LTD)
    assert_trace(read(tmp_path, counted), 1e-6)


def test_noisy_readings_around_zero_are_told_apart_by_direction(tmp_path):
    noise = 0.17 * np.random.default_rng(3).normal(size=(2, 1000))
    up, down = np.linspace(-0.9, 1, 1000) + noise[0], np.linspace(0.9, -1.1, 1000) + noise[1]
    data = read(tmp_path, table("", up, down))
    np.testing.assert_allclose(data.select("LTP")[0].values, up, rtol=1e-8)
    np.testing.assert_allclose(data.select("LTD")[0].values, down, rtol=1e-8)
    assert "column 1 rises: LTP; column 2 falls: LTD" in said(data)


def test_two_columns_that_name_a_device_name_it_together(tmp_path):
    labels = np.repeat([1, 1, 2], 41), np.repeat([1, 2, 1], 41)
    text = table("wordline,bitline,G (uS)", *labels, np.r_[TRACE, 2 * TRACE, 3 * TRACE])
    data = read(tmp_path, text)
    assert data.devices == ("1/1", "1/2", "2/1")
    assert_trace(data, 3e-6, device="2/1")


def test_a_logarithm_beside_its_readings_is_left_out(tmp_path):
    data = read(tmp_path, table("pulse,abs(G) (S),log10(G)", COUNT, TRACE, np.log10(TRACE)))
    assert_trace(data)
    assert "left out, no readings by their headings: column 3 (log10(G))" in said(data)
    with pytest.raises(PulseDataError, match="no column of readings"):
        read(tmp_path, table("pulse,log(G)", COUNT, np.log10(TRACE)))


def test_every_column_is_described(tmp_path):
    headings = "time (s),idx,T (K),width (us),V_read (V),I_ltp (nA),I_ltd (nA),LTP std,comment"
    fixed = np.full(21, 300), np.full(21, 5), np.full(21, 0.1)
    columns = COUNT[:21] * 0.5, COUNT[:21], *fixed, LTP, LTD, LTP / 9, COUNT[:21]
    assert uses(read(tmp_path, table(headings, *columns))) == [
        *("left out: time, comment or log", "pulse number", "condition [K]", "pulse width [us]"),
        *("read voltage [V]", "LTP readings of current in nA", "LTD readings of current in nA"),
        *("left out: no readings by its heading", "left out: time, comment or log"),
    ]
