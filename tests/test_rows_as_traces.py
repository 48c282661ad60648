"""Tables whose rows are traces: with labels, with tags, ragged, on their side, without a word."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import quick
from written_tables import DOWN, TRACE, UP, assert_trace, one, read, refusal, relax, text_of

# ---------------------------------------------------------------- traces as rows


def test_columns_that_count_pulses_over_labelled_rows(tmp_path):
    heads = [f"R_{k} (kOhm)" for k in range(1, 13)]
    rows = [
        ["wafer", "dir", *heads],
        ["w1", "set", *DOWN],
        ["w1", "reset", *UP],
        ["w2", "set", *[2 * x for x in DOWN]],
        ["w2", "reset", *[2 * x for x in UP]],
    ]
    data = read(tmp_path, text_of(*rows))
    assert (data.quantity, data.unit, data.devices) == ("resistance", "ohm", ("w1", "w2"))
    assert_trace(one(data, "LTP", device="w1"), DOWN, first=1, scale=1e3)
    assert_trace(one(data, "LTD", device="w2"), UP, first=1, scale=2e3)
    assert set(one(data, "LTD", device="w2").lines) == {5}
    assert any("4 rows, first in line 2" in w and "'wafer'" in w for w in data.warnings)


def test_transposed_table_of_the_examples(tmp_path):
    text = (
        "die,branch,G1_uS,G2_uS,G3_uS,G4_uS,G5_uS,G6_uS\nk1,LTP,1.2,2.9,4.1,5.0,5.6,6.1\n"
        "k1,LTD,6.1,4.0,2.9,2.2,1.7,1.4\nk2,LTP,1.5,3.3,4.6,5.5,6.3,6.8\n"
        "k2,LTD,6.8,4.6,3.2,2.5,2.0,1.6\n"
    )
    data = read(tmp_path, text)
    assert (data.quantity, data.unit) == ("conductance", "S")
    assert_trace(one(data, "LTP", device="k1"), [1.2, 2.9, 4.1, 5.0, 5.6, 6.1], 1, 1e-6)
    assert_trace(one(data, "LTD", device="k2"), [6.8, 4.6, 3.2, 2.5, 2.0, 1.6], 1, 1e-6)
    assert len(data.segments) == 4


@pytest.mark.parametrize("first", [0, 1])
def test_pulse_numbers_alone_over_rows_of_branches_repeat_as_cycles(tmp_path, first):
    rows = [
        ["branch", *range(first, first + 12)],
        ["P", *UP],
        ["D", *DOWN],
        ["P", *[1.5 * x for x in UP]],
        ["D", *[1.5 * x for x in DOWN]],
    ]
    data = read(tmp_path, text_of(*rows, delimiter="\t"), unit="uS")
    assert data.cycles == (1, 2)
    assert_trace(one(data, "LTP", cycle=2), UP, first, 1.5e-6)
    assert_trace(one(data, "LTD", cycle=1), DOWN, first, 1e-6)


def test_rows_with_their_own_cycle_and_amplitude(tmp_path):
    rows = [
        ["cycle", "polarity", "amplitude (V)", *[f"P{k}" for k in range(1, 13)]],
        [4, "+1", 1.5, *UP],
        [4, "-1", -1.2, *DOWN],
        [7, "+1", 1.5, *UP],
        [7, "-1", -1.2, *DOWN],
    ]
    data = read(tmp_path, text_of(*rows), unit="uS")
    assert data.cycles == (4, 7)
    assert one(data, "LTP", cycle=7).amplitude_V == 1.5
    assert one(data, "LTD", cycle=4).amplitude_V == -1.2


def test_columns_named_after_pulses_hold_whole_traces_of_devices(tmp_path):
    heads = [f"G after pulse {k} (uS)" for k in range(len(TRACE))]
    data = read(tmp_path, text_of(["sample", *heads], ["a", *TRACE], ["b", *TRACE[::-1]]))
    assert data.devices == ("a", "b")
    assert_trace(one(data, "LTP", device="a"), UP, scale=1e-6)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_ragged_lines_with_a_tag_in_front(tmp_path, delimiter):
    """The quantity is the letter before the branch, the settings stand above."""
    text = "(X2) tset: 0.002, treset: 0.001\n" + text_of(
        *(["Gset", *UP], ["Greset", *DOWN[:7]], ["Gset", *UP[:9]], ["Greset", *DOWN]),
        delimiter=delimiter,
    )
    data = read(tmp_path, text)
    assert (data.quantity, data.unit, data.cycles) == ("conductance", "1", (1, 2))
    assert_trace(one(data, "LTP", cycle=1), UP)
    assert_trace(one(data, "LTD", cycle=1), DOWN[:7])
    assert_trace(one(data, "LTP", cycle=2), UP[:9])
    assert_trace(one(data, "LTD", cycle=2), DOWN)
    assert one(data, "LTP", cycle=2).width_s == 0.002
    assert one(data, "LTD", cycle=2).width_s == 0.001
    assert [int(s.lines[0]) for s in data.segments] == [2, 3, 4, 5]


def test_ragged_rows_of_the_examples(tmp_path):
    text = (
        "(B7) tset: 0.0005, treset: 0.0002\n"
        "Gset, 2.1e-09, 7.4e-09, 1.9e-08, 3.6e-08, 5.8e-08, 8.1e-08\n"
        "Greset, 8.3e-08, 4.4e-08, 2.2e-08, 9.7e-09, 4.1e-09\n"
        "Gset, 2.3e-09, 6.9e-09, 1.7e-08, 3.2e-08, 5.1e-08, 7.2e-08, 8.5e-08\n"
        "Greset, 8.6e-08, 4.7e-08, 2.4e-08, 1.1e-08, 5.0e-09, 2.4e-09\n"
    )
    data = read(tmp_path, text)
    ends = [(s.branch, s.cycle, s.values.size, s.values[0], s.values[-1]) for s in data.segments]
    assert sorted(ends) == [
        ("LTD", 1, 5, 8.3e-08, 4.1e-09),
        ("LTD", 2, 6, 8.6e-08, 2.4e-09),
        ("LTP", 1, 6, 2.1e-09, 8.1e-08),
        ("LTP", 2, 7, 2.3e-09, 8.5e-08),
    ]
    assert {s.width_s for s in data.segments} == {0.0005, 0.0002}


@pytest.mark.parametrize(
    ("tags", "quantity", "options"),
    [
        (("LTP:", "LTD:"), "conductance", {}),
        (("SET 1:", "RESET 1:"), "conductance", {}),
        (("Gset1", "Greset1"), "conductance", {}),
        (("cycle 1 up", "cycle 1 down"), "conductance", {}),
        (("R_LTD (kOhm)", "R_LTP (kOhm)"), "resistance", {}),
        (("Rreset", "Rset"), "resistance", {}),
        (("I set (uA)", "I reset (uA)"), "conductance", {"read_voltage_V": 0.5}),
    ],
)
def test_tags_say_branch_quantity_and_unit(tmp_path, tags, quantity, options):
    rows = [[tag, *values] for tag, values in zip(tags, (UP, DOWN), strict=True)]
    data = read(tmp_path, text_of(*rows, delimiter=" " if tags[0] == "LTP:" else ","), **options)
    assert data.quantity == quantity
    scale = {"kOhm": 1e3, "uA": 2e-6}.get(re.sub(r".*\(|\)", "", tags[0]), 1.0)
    rising, falling = ("LTD", "LTP") if quantity == "resistance" else ("LTP", "LTD")
    assert_trace(one(data, rising), UP, scale=scale)
    assert_trace(one(data, falling), DOWN, scale=scale)


def test_words_of_the_tag_are_kept_apart_by_blanks(tmp_path):
    rows = "".join(
        f"cycle {c} {word} {' '.join(map(str, values))}\n"
        for c in (1, 2, 3)
        for word, values in (("up", UP), ("down", DOWN))
    )
    data = read(tmp_path, rows)
    assert data.cycles == (1, 2, 3)
    assert_trace(one(data, "LTD", cycle=3), DOWN)


@pytest.mark.parametrize("step", [1, 5])
def test_whole_table_on_its_side(tmp_path, step):
    rows = [["pulse", *range(0, 12 * step, step)], ["LTP (nS)", *UP], ["LTD (nS)", *DOWN]]
    data = read(tmp_path, text_of(*rows))
    ltd = one(data, "LTD")
    np.testing.assert_allclose(ltd.values, np.array(DOWN) * 1e-9)
    np.testing.assert_array_equal(ltd.pulses, np.arange(0, 12 * step, step))
    assert set(ltd.lines) == {3}


def test_table_on_its_side_with_a_row_of_amplitudes(tmp_path):
    volts = [1.4] * 12 + [-1.3] * 12
    rows = [["pulse", *range(1, 25)], ["V_pulse (V)", *volts], ["R (kOhm)", *DOWN, *UP]]
    data = read(tmp_path, text_of(*rows))
    assert data.unit == "ohm"
    assert one(data, "LTP").amplitude_V == 1.4
    assert one(data, "LTD").amplitude_V == -1.3
    assert one(data, "LTP").values[-1] == 1e3


def test_table_on_its_side_with_names_of_devices(tmp_path):
    rows = [["", *range(len(TRACE))], ["A7", *TRACE], ["B2", *[2 * x for x in TRACE]]]
    data = read(tmp_path, text_of(*rows), unit="uS")
    assert data.devices == ("A7", "B2")
    assert_trace(one(data, "LTP", device="B2"), UP, scale=2e-6)
    assert any("'A7', 'B2' are taken as readings of one device each" in w for w in data.warnings)


def test_rows_without_any_word_that_rise_and_fall_by_turns(tmp_path):
    data = read(tmp_path, text_of(UP, DOWN, UP, DOWN, delimiter=" "), unit="uS")
    assert data.cycles == (1, 2)
    assert_trace(one(data, "LTP", cycle=2), UP, scale=1e-6)
    assert_trace(one(data, "LTD", cycle=1), DOWN, scale=1e-6)


@quick
@given(
    lengths=st.lists(st.integers(5, 30), min_size=2, max_size=6),
    low=st.floats(0.1, 2.0),
    tau=st.floats(2.0, 50.0),
    delimiter=st.sampled_from([",", ";", "\t", " "]),
)
def test_lines_hold_what_was_written_whatever_their_lengths(tmp_path, lengths, low, tau, delimiter):
    """By turns LTP and LTD; every reading comes back, in its line."""
    traces = [
        relax(n, low, 10 * low, tau) if i % 2 == 0 else relax(n, 10 * low, low, tau)
        for i, n in enumerate(lengths)
    ]
    rows = [["G_LTP" if i % 2 == 0 else "G_LTD", *values] for i, values in enumerate(traces)]
    data = read(tmp_path, text_of(*rows, delimiter=delimiter))
    assert len(data.segments) == len(traces)
    for i, values in enumerate(traces):
        segment = one(data, "LTP" if i % 2 == 0 else "LTD", cycle=i // 2 + 1)
        assert_trace(segment, values)
        assert set(segment.lines) == {i + 1}


@quick
@given(n=st.integers(5, 25), devices=st.integers(1, 4), cycles=st.integers(1, 3))
def test_rows_and_columns_hold_the_same_segments(tmp_path, n, devices, cycles):
    """The table lying on its side is the table that stands."""
    long, rows = [["device", "cycle", "branch", "pulse", "G (uS)"]], []
    for d in range(devices):
        for c in range(1, cycles + 1):
            for branch, values in (("LTP", relax(n, 1, 9, 4)), ("LTD", relax(n, 9, 1, 3))):
                scaled = [round(x * (1 + d + 0.1 * c), 6) for x in values]
                long += [[f"d{d}", c, branch, i, x] for i, x in enumerate(scaled)]
                rows.append([f"d{d}", c, branch, *scaled])
    heads = ["device", "cycle", "branch", *[f"G{i} (uS)" for i in range(n)]]
    standing, lying = read(tmp_path, text_of(*long)), read(tmp_path, text_of(heads, *rows))
    assert len(standing.segments) == len(lying.segments) == 2 * devices * cycles
    for a, b in zip(standing.segments, lying.segments, strict=True):
        assert (a.branch, a.device, a.cycle) == (b.branch, b.device, b.cycle)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.pulses, b.pulses)


def test_errors_in_rows_name_line_and_field(tmp_path):
    rows = [["device", "branch", *range(12)], ["a", "LTP", *UP], ["a", "LTD", *DOWN]]
    text = text_of(*rows).replace(str(DOWN[2]), "5.6x")
    assert refusal(tmp_path, text).startswith("line 3, column 5: '5.6x' is not a number")


def test_missing_readings_in_a_row_are_dropped_and_short_rows_named(tmp_path):
    rows = [["branch", *range(12)], ["LTP", *UP[:4], "", *UP[5:]], ["LTD", *DOWN[:10], "", ""]]
    data = read(tmp_path, text_of(*rows), unit="S")
    np.testing.assert_array_equal(one(data, "LTP").pulses, np.delete(np.arange(12), 4))
    assert one(data, "LTD").values.size == 10
    assert any("1 readings dropped: line 2 (blank)" in w for w in data.warnings)
    assert any("fewer readings than 12: line 3 (10)" in w for w in data.warnings)


@pytest.mark.parametrize(
    "pulses", [range(0, 60, 5), (1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3)]
)
@pytest.mark.parametrize("first", ["branch", "pulse"])
def test_pulse_numbers_of_rows_may_rise_by_any_step(tmp_path, pulses, first):
    heads = [int(number) for number in pulses]
    data = read(tmp_path, text_of([first, *heads], ["LTP", *UP], ["LTD", *DOWN]), unit="uS")
    np.testing.assert_array_equal(one(data, "LTD").pulses, heads)
    np.testing.assert_allclose(one(data, "LTD").values, np.array(DOWN) * 1e-6)


def test_lines_between_rows_say_whose_they_are(tmp_path):
    text = "".join(
        f"({code}) tset: {width} s\n" + text_of(["Gset", *UP[:n]], ["Greset", *DOWN[:n]])
        for code, n, width in (("B7", 12, 0.5), ("C3", 8, 0.5))
    )
    data = read(tmp_path, text)
    assert data.devices == ("B7", "C3")
    assert_trace(one(data, "LTP", device="C3"), UP[:8])
    assert one(data, "LTP", device="B7").width_s == 0.5
    titled = "".join(f"cycle {c}\n{text_of(['LTP', *UP], ['LTD', *DOWN])}" for c in (3, 8))
    assert read(tmp_path, titled).cycles == (3, 8)


def test_rows_with_decimal_commas(tmp_path):
    heads = [f"G{k}_uS" for k in range(1, 13)]
    rows = [["Zelle", "branch", *heads], ["a", "LTP", *UP], ["a", "LTD", *DOWN]]
    data = read(tmp_path, text_of(*rows, delimiter=";").replace(".", ","))
    assert_trace(one(data, "LTD", device="a"), DOWN, 1, 1e-6)


@pytest.mark.parametrize(("delimiter", "end"), [(", ", "]"), (" ", "];")])
def test_lists_as_programs_print_them(tmp_path, delimiter, end):
    lines = [
        f"{name} = [{delimiter.join(map(str, values))}{end}\n"
        for name, values in (("LTP", UP), ("LTD", DOWN))
    ]
    data = read(tmp_path, "".join(lines))
    assert_trace(one(data, "LTP"), UP)
    assert_trace(one(data, "LTD"), DOWN)


def test_columns_beside_the_traces_name_devices_or_are_left_out_with_a_word(tmp_path):
    heads = [f"G{k} (uS)" for k in range(1, 13)]
    rows = [["wafer", "state", *heads, "foo"]]
    rows += [[w, b, *x, 1.5 + w] for w in (1, 2) for b, x in (("pot", UP), ("dep", DOWN))]
    data = read(tmp_path, text_of(*rows))
    assert data.devices == ("1", "2")
    assert_trace(one(data, "LTD", device="2"), DOWN, 1, 1e-6)
    assert any("'wafer' is taken as the device; not used: 'foo'" in w for w in data.warnings)


def test_columns_are_renamed_and_left_out_before_rows_are_turned(tmp_path):
    heads = [f"G{k}_uS" for k in range(1, 13)]
    rows = [["x", "kind of pulse", *heads, "foo"], ["a", "P", *UP, 3], ["a", "D", *DOWN, 4]]
    data = read(
        tmp_path, text_of(*rows), columns={1: "device", "kind of pulse": "branch", 15: None}
    )
    assert data.devices == ("a",)
    assert_trace(one(data, "LTD"), DOWN, 1, 1e-6)
    assert any(warning.endswith("not used: 'foo'") for warning in data.warnings)
    said = refusal(tmp_path, text_of(*[row[:-1] for row in rows]), columns={"y": None})
    assert "no column is called 'y'" in said


# ---------------------------------------------------------------- what rows may also be


def test_columns_of_devices_over_pulse_numbers_stay_columns(tmp_path):
    """A branch column with a row a pulse: the numbers of the headings are asked for as before."""
    rows = [["LTP", *(k * x for k in range(1, 6))] for x in UP]
    rows += [["LTD", *(k * x for k in range(1, 6))] for x in DOWN]
    text = text_of(["branch", *[f"G{k} (uS)" for k in range(1, 6)]], *rows)
    said = refusal(tmp_path, text)
    assert "the number in 'G1 (uS)' can be a cycle or a device" in said
    data = read(tmp_path, text, wide_of="device")
    assert len(data.devices) == 5
    assert one(data, "LTP", device="3").values[-1] == pytest.approx(27e-6)


def test_rows_that_go_nowhere_are_asked_and_the_advice_reads_them(tmp_path):
    rows = [["LTP", 3, 1, 4, 1, 5, 2], ["LTD", 2, 7, 1, 8, 2, 8]]
    text = text_of(["branch", *[f"G{k} (uS)" for k in range(1, 7)]], *rows)
    said = refusal(tmp_path, text)
    assert "can be a pulse, a cycle or a device; give layout='rows', wide_of='cycle'" in said
    data = read(tmp_path, text, layout="rows")
    assert_trace(one(data, "LTP"), [3, 1, 4, 1, 5, 2], 1, 1e-6)


def test_set_and_reset_levels_over_cycles_are_no_traces(tmp_path):
    """Endurance in rows: the readings of neither row go anywhere."""
    rng = np.random.default_rng(0)
    rows = [[w, *np.round(x + rng.normal(0, 0.3, 20), 3)] for w, x in (("set", 9), ("reset", 2))]
    refusal(tmp_path, text_of(*rows))
    refusal(tmp_path, text_of(["state", *range(1, 21)], *rows))
    said = refusal(tmp_path, text_of(["branch", *range(1, 21)], *rows))
    assert "a pulse, a cycle or a device" in said


def test_long_rows_that_begin_with_the_branch_are_no_traces(tmp_path):
    rows = [["LTP", i, x, 150, 2.5] for i, x in enumerate(UP)]
    rows += [["LTD", i, x, 150, 2.5] for i, x in enumerate(DOWN)]
    assert refusal(tmp_path, text_of(*rows)).startswith("line 1, column ")
    head = ["branch", "pulse", "G (uS)", "field (G)", "amplitude (V)"]
    assert_trace(one(read(tmp_path, text_of(head, *rows)), "LTD"), DOWN, scale=1e-6)


def test_a_number_after_the_tag_can_be_a_cycle_or_a_reading(tmp_path):
    lines = [
        f"{tag} {c} {' '.join(f'{x:.3f}' for x in values)}\n"
        for c in (1, 2)
        for tag, values in (("LTP", UP), ("LTD", DOWN))
    ]
    refusal(tmp_path, "".join(lines))
    said = refusal(tmp_path, "".join(lines), layout="rows")
    assert "'1' can be a number of the row or a reading; write it into the tag" in said
    assert "'LTP_1'" in said
    underscored = "".join(re.sub(r"^(\w+) (\d)", r"\1_\2", line) for line in lines)
    data = read(tmp_path, underscored)
    assert data.cycles == (1, 2)
    assert one(data, "LTD", cycle=2).values.size == 12


def test_a_damaged_row_of_traces_is_never_left_out(tmp_path):
    rows = [["LTP", *UP], ["LTD", *DOWN], ["LTP", *UP], ["LTD", *DOWN]]
    for at in range(4):
        broken = [list(row) for row in rows]
        broken[at][5] = "4.2y"
        refusal(tmp_path, text_of(*broken))


def test_rows_in_two_units_are_refused(tmp_path):
    text = text_of(["LTP (uS)", *UP], ["LTD (nS)", *DOWN])
    assert refusal(tmp_path, text).startswith("line 2: another quantity or unit than in the rows")


def test_rows_asked_for_where_there_are_none(tmp_path):
    said = refusal(tmp_path, "pulse,branch,G (uS)\n" + text_of([0, "LTP", 1.0]), layout="rows")
    assert "layout='rows'" in said


def test_few_numbers_that_do_not_count_may_be_temperatures(tmp_path):
    text = text_of(
        ["branch", 25, 50, 100, 200], ["LTP", 1.0, 1.2, 1.4, 1.7], ["LTD", 2.0, 1.9, 1.7, 1.6]
    )
    assert "the number in '25' can be a pulse, a cycle or a device" in refusal(tmp_path, text)
    ltp = one(read(tmp_path, text, layout="rows"), "LTP")
    np.testing.assert_array_equal(ltp.pulses, [25, 50, 100, 200])


@pytest.mark.parametrize("length", [9, 7])
def test_rows_that_nothing_shows_to_be_traces_are_read_when_asked_for(tmp_path, length):
    """Noise only, of equal or of different lengths: the advice is `layout='rows'`, and it reads."""
    noise = np.round(5 + np.random.default_rng(3).normal(0, 1, (2, 9)), 2).tolist()
    text = text_of(["LTP", *noise[0]], ["LTD", *noise[1][:length]])
    assert "layout='rows'" in refusal(tmp_path, text)
    data = read(tmp_path, text, layout="rows")
    assert_trace(one(data, "LTP"), noise[0])
    assert_trace(one(data, "LTD"), noise[1][:length])


@pytest.mark.parametrize("layout", ["long", "wide", "trace"])
def test_another_layout_never_turns_rows(tmp_path, layout):
    rows = [["device", "branch", *range(12)], ["a", "LTP", *UP], ["a", "LTD", *DOWN]]
    refusal(tmp_path, text_of(*rows), layout=layout)
