"""From bytes to a table, whatever its form: rows as traces, exports, heads of several rows, sheets.

Every form is written with made-up readings and read back; what can be read in two ways is asked.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import BYTEWISE, check_mutations, mutated

from device_models.pulses import PulseData, PulseDataError, Segment, read_pulses
from device_models.pulses.settings import Settings, read_settings
from device_models.pulses.text import read_text_table

quick = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def relax(n: int, start: float, end: float, tau: float) -> list[float]:
    """Readings that relax from `start` to `end`, rounded as files have them."""
    share = (1 - np.exp(-np.arange(n) / tau)) / (1 - np.exp(-(n - 1) / tau))
    return [float(f"{x:.4g}") for x in start + (end - start) * share]


UP = relax(12, 1.0, 9.0, 5.0)
DOWN = relax(12, 9.0, 1.0, 4.0)
TRACE = [*UP, *DOWN[1:]]


def text_of(*rows: list, delimiter: str = ",") -> str:
    return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)


def numbered(values: list[float], first: int = 0) -> list[list]:
    return [[first + i, value] for i, value in enumerate(values)]


def read(folder: Path, content: str | bytes, **options) -> PulseData:
    """Data of a file in which numpy and scipy have nothing to warn about."""
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_pulses(path, **options)


def refusal(folder: Path, content: str, **options) -> str:
    with pytest.raises(PulseDataError) as caught:
        read(folder, content, **options)
    said = str(caught.value)
    assert said.startswith(str(folder))
    return said.removeprefix(f"{folder / 'data.csv'}: ")


def one(data: PulseData, branch: str, **which) -> Segment:
    (segment,) = data.select(branch, **which)
    return segment


def assert_trace(segment: Segment, values: list[float], first: float = 0, scale: float = 1) -> None:
    np.testing.assert_allclose(segment.values, np.array(values) * scale, rtol=1e-12)
    np.testing.assert_array_equal(segment.pulses, first + np.arange(len(values)))


def workbook(**sheets: list[list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


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


# ---------------------------------------------------------------- exports of instruments


def data_lines(tag: str = "") -> str:
    return "".join(f"{tag}{i}, {x}\n" for i, x in enumerate(TRACE))


EXPORT = (
    "SetupTitle, Pulsed list\nPrimitiveTest, List\nTestParameter, Channel.Unit, SMU1:HR, SMU2:MP\n"
    "TestParameter, Vread, 0.5\nAnalysisSetup, Analysis.Setup.Title,\nDimension1, 23, 23\n"
    "Dimension2, 1, 1\n"
)


def test_export_with_a_tag_in_every_line(tmp_path):
    text = EXPORT + "DataName, pulse, I (uA)\n" + data_lines("DataValue, ")
    data = read(tmp_path, text)
    assert_trace(one(data, "LTP"), UP, scale=2e-6)
    assert one(data, "LTP").lines[0] == 9
    assert_trace(one(data, "LTD"), DOWN, scale=2e-6)


def test_export_of_the_examples_has_all_its_readings(tmp_path):
    up, down = relax(20, 1e-5, 1.958e-5, 8.0), relax(20, 1.95e-5, 1.0e-5, 7.0)
    rows = [["DataValue", i + 1, x] for i, x in enumerate([*up, *down])]
    data = read(tmp_path, EXPORT + text_of(["DataName", "pulse", "G"], *rows, delimiter=", "))
    assert data.n_readings == 41
    assert one(data, "LTP").values[0] == 1e-5
    assert one(data, "LTD").values[-1] == 1e-5


def test_two_tests_in_one_export_are_cycles(tmp_path):
    second = "".join(f"DataValue, {i}, {1.1 * x:.4f}\n" for i, x in enumerate(TRACE))
    head = EXPORT + "DataName, pulse, G (uS)\n"
    data = read(tmp_path, head + data_lines("DataValue, ") + head + second)
    assert data.cycles == (1, 2)
    assert one(data, "LTP", cycle=2).values[-1] == pytest.approx(9.9e-6)
    assert "2 tables with the same headings read one after the other" in data.warnings


def test_a_damaged_tag_is_not_skipped(tmp_path):
    text = EXPORT + "DataName, pulse, G (uS)\n" + data_lines("DataValue, ")
    for broken in ("DataVal, 7,", "DataVal, 22,"):
        refusal(tmp_path, text.replace(broken.replace("Val,", "Value,"), broken))


def test_table_between_marks_with_settings_above_and_a_summary_below(tmp_path):
    text = (
        "[Settings]\nVread=0.5\nPulse width,2,ms\nLTP pulse amplitude,3,V\n"
        "LTD pulse amplitude,-2.5,V\nsteps,1,2,3\n[Data]\npulse,I (uA)\n"
        + data_lines()
        + "[End]\nGmax=18e-6\non/off ratio,9\n"
    )
    data = read(tmp_path, text)
    ltp, ltd = one(data, "LTP"), one(data, "LTD")
    assert_trace(ltp, UP, scale=2e-6)
    assert (ltp.amplitude_V, ltd.amplitude_V, ltp.width_s) == (3.0, -2.5, 0.002)
    assert any("2 lines of text below the readings left out: line 33" in w for w in data.warnings)


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("Instrument 4200\nBEGIN DATA\n", "END DATA\n"),
        ("Sample: n.n.\nData:\n", "EOF\n"),
        ("limit,1,5\nrange,2,3\n", "\nmeasured by n.n.\n"),
        ("".join(f"Param{i},{i},{2 * i}\n" for i in range(40)), ""),
        ("# Operator, n.n.\n", "Mean: 4.3\n"),
    ],
)
def test_text_around_the_table_is_no_part_of_it(tmp_path, above, below):
    data = read(tmp_path, f"{above}pulse,G (uS)\n{data_lines()}{below}")
    assert_trace(one(data, "LTP"), UP, scale=1e-6)
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    assert one(data, "LTP").lines[0] == above.count("\n") + 2


def test_a_word_that_stands_for_a_last_reading_is_no_summary(tmp_path):
    assert "is not a number" in refusal(tmp_path, f"pulse,G (uS)\n{data_lines()}23,abc\n")
    data = read(tmp_path, f"pulse,G (uS)\n{data_lines()}23,OVLD\n")
    assert any("1 readings dropped: line 25 ('OVLD')" in w for w in data.warnings)


LVM = (
    "LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\n"
    "Decimal_Separator\t.\nMulti_Headings\tNo\nX_Columns\tNo\nTime_Pref\tRelative\n"
    "Date\t2021/03/04\nTime\t12:03:04.5\n***End_of_Header***\t\n\t\nChannels\t1\t\t\n"
    "Samples\t23\t\t\nY_Unit_Label\tSiemens\t\t\nX_Dimension\tTime\t\t\nX0\t0.0E+0\t\t\n"
    "Delta_X\t1.0\t\t\n***End_of_Header***\t\t\nX_Value\tConductance\tComment\n"
)


def test_labview_file_with_its_unit_above(tmp_path):
    data = read(tmp_path, LVM + "".join(f"\t{x}\t\n" for x in TRACE))
    assert data.unit == "S"
    assert_trace(one(data, "LTP"), UP)
    assert_trace(one(data, "LTD"), DOWN)


def test_tables_below_titles_are_branches_cycles_or_devices(tmp_path):
    head = "pulse,G (uS)\n"
    up, down = (head + text_of(*numbered(x)) for x in (UP, DOWN))
    data = read(tmp_path, f"LTP\n{up}\nLTD\n{down}")
    assert_trace(one(data, "LTP"), UP, scale=1e-6)
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    both = "LTP (uS),LTD (uS)\n" + text_of(*zip(UP, DOWN, strict=True))
    data = read(tmp_path, "".join(f"Cycle {c}\n{both}" for c in (3, 4)))
    assert data.cycles == (3, 4)
    assert_trace(one(data, "LTD", cycle=4), DOWN, scale=1e-6)
    whole = head + text_of(*numbered(TRACE))
    data = read(tmp_path, f"Device: A7\n{whole}\nDevice: B2\n{whole}")
    assert data.devices == ("A7", "B2")
    assert_trace(one(data, "LTP", device="B2"), UP, scale=1e-6)


def test_a_head_repeated_on_every_page_is_one_table(tmp_path):
    rows = numbered(TRACE)
    text = "".join(f"pulse,G (uS)\n{text_of(*page)}" for page in (rows[:9], rows[9:15], rows[15:]))
    data = read(tmp_path, text)
    assert_trace(one(data, "LTP"), UP, scale=1e-6)
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)


def test_a_table_that_is_there_twice_is_refused(tmp_path):
    whole = f"pulse,G (uS)\n{data_lines()}"
    said = refusal(tmp_path, whole + whole)
    assert said.startswith("line 25: the table that begins here repeats the rows of that in line 1")
    said = refusal(tmp_path, whole + "pulse,G (uS)\n0, 1.0\n1, 2.631\n")
    assert "repeats" in said


def test_a_second_table_of_another_kind_is_refused(tmp_path):
    said = refusal(tmp_path, f"pulse,G (uS)\n{data_lines()}\nvoltage (V),I (A)\n0,1\n1,2\n")
    assert said.startswith("line 26: a second table begins here ('voltage (V), I (A)')")


def test_a_damaged_reading_between_two_tables_is_named(tmp_path):
    one_table = "LTP\npulse,G (uS)\n" + text_of(*numbered(UP))
    text = one_table.replace("\n11,9.0\n", "\nx11,9.0\n") + one_table.replace("LTP", "LTD")
    assert "line 14" in refusal(tmp_path, text)


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Read Voltage (V): 0.2"], Settings(read_voltage_V=0.2)),
        (["V_read = 50 mV; pulse width = 10 µs"], Settings(read_voltage_V=0.05, width_s=1e-5)),
        (["tset: 0.5 ms, treset: 0.2 ms"], Settings(ltp_width_s=5e-4, ltd_width_s=2e-4)),
        (["set voltage: 2.5 V", "Vreset = -1.5"],
         Settings(ltp_amplitude_V=2.5, ltd_amplitude_V=-1.5)),
        (["LTP pulse: 2 V, 10 us", "LTD pulse: -2 V, 5 us"],
         Settings(ltp_amplitude_V=2, ltd_amplitude_V=-2, ltp_width_s=1e-5, ltd_width_s=5e-6)),
        (["V_pot|3|V", "LTD pulse amplitude (mV)|-900"],
         Settings(ltp_amplitude_V=3, ltd_amplitude_V=-0.9)),
        (["Parameter|Set|Reset", "Amplitude (V)|2.5|-2", "Width (us)|10|20"],
         Settings(ltp_amplitude_V=2.5, ltd_amplitude_V=-2, ltp_width_s=1e-5, ltd_width_s=2e-5)),
        (["Temperature: 25 °C"], Settings(temperature_K=298.15)),
        (["Stage temperature (K)|350"], Settings(temperature_K=350)),
        (["Read voltage|V|0.2"], Settings(read_voltage_V=0.2)),
        # Two values are none, and what only looks like a setting is none.
        (["Vread = 0.1", "Vread = 0.2"], Settings()),
        (["Channel width: 10 um", "width: 10 um", "device width = 5"], Settings()),
        (["read pulse: 0.1 V, 1 us", "SET pulses: 50", "Limit|0.001"],
         Settings(read_voltage_V=0.1)),
        (["Read @ 0.2 V"], Settings(read_voltage_V=0.2)),
        (["pulse width: 0 s", "Temperature: 25", "read 12 of 20"], Settings()),
    ],
)  # fmt: skip
def test_settings_that_lines_state(lines, expected):
    found = read_settings([line.split("|") for line in lines])
    assert found == expected


@quick
@given(
    volts=st.floats(0.001, 20).map(lambda x: float(f"{x:.4g}")),
    width=st.floats(0.1, 900).map(lambda x: float(f"{x:.4g}")),
    unit=st.sampled_from([("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)]),
    form=st.sampled_from(["{0} ({1}): {2}", "{0} = {2} {1}", "{0}: {2} {1}", "{0} [{1}]={2}"]),
)
def test_settings_come_back_in_si_units(volts, width, unit, form):
    rows = [[form.format("V_read", "V", volts)], [form.format("LTD pulse width", unit[0], width)]]
    found = read_settings(rows)
    assert found.read_voltage_V == pytest.approx(volts)
    assert found.ltd_width_s == pytest.approx(width * unit[1])
    assert found.width_of("LTP") is None


def test_settings_do_not_replace_what_the_table_says(tmp_path):
    head = "pulse amplitude: 3 V\npulse width: 1 ms\nread voltage: 0.5 V\n"
    rows = [["pulse", "amplitude (V)", "I (uA)"], *[[i, 2.0, x] for i, x in enumerate(UP)]]
    ltp = one(read(tmp_path, head + text_of(*rows)), "LTP")
    assert (ltp.amplitude_V, ltp.width_s) == (2.0, 0.001)
    assert ltp.values[-1] == pytest.approx(18e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"amplitude_V": 2.0}, "option amplitude_V=2.0 contradicts the lines above the table"),
        ({"width_s": 0.002}, "option width_s=0.002 contradicts the lines above the table"),
        ({"read_voltage_V": 0.1}, "option read_voltage_V=0.1 contradicts the file"),
    ],
)
def test_options_that_contradict_the_settings_are_refused(tmp_path, options, said):
    head = "pulse amplitude: 3 V\npulse width: 1 ms\nread voltage: 0.5 V\n"
    text = f"{head}pulse,I (uA)\n{data_lines()}"
    assert said in refusal(tmp_path, text, **options)
    same = {"amplitude_V": 3.0, "width_s": 0.001, "read_voltage_V": 0.5}
    assert read(tmp_path, text, **{name: same[name] for name in options}).unit == "S"


def test_a_column_of_read_voltages_that_contradicts_the_lines_above_is_refused(tmp_path):
    rows = text_of(["V_read (V)", "I (uA)"], *[[-0.2, x] for x in TRACE])
    assert "contradicts the lines above" in refusal(tmp_path, "read voltage: 0.1 V\n" + rows)
    refusal(tmp_path, "Vread = 0.1\nVread = 0.2\n" + f"pulse,I (uA)\n{data_lines()}")


# ---------------------------------------------------------------- heads of several rows


def headings(content: str) -> tuple[str, ...]:
    return read_text_table("data.csv", content.encode()).headings


ROWS = text_of(*[[i, x, 2 * x] for i, x in enumerate(TRACE)])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("--,1.2 V,0.9 V\npulse number,R (kOhm),R (kOhm)\n",
         ("pulse number", "R (kOhm) 1.2 V", "R (kOhm) 0.9 V")),
        ("Pulse,G,G\n#,µS,µS\n,1.2 V,0.9 V\n", ("Pulse (#)", "G (µS) 1.2 V", "G (µS) 0.9 V")),
        ("Long Name,G,G\nUnits,uS,uS\nComments,LTP,LTD\n", ("", "G (uS) LTP", "G (uS) LTD")),
        (",cycle 1,cycle 2\npulse,G (uS),G (uS)\n", ("pulse", "G (uS) cycle 1", "G (uS) cycle 2")),
        ("cycle,3,4\npulse,G (uS),G (uS)\n", ("pulse", "G (uS) cycle 3", "G (uS) cycle 4")),
        ("amplitude (V),3,4\npulse,G (uS),G (uS)\n", ("pulse", "G (uS) 3 V", "G (uS) 4 V")),
        (",Device 2,\n,LTP,LTD\npulse,G (uS),G (uS)\n",
         ("pulse", "G (uS) LTP Device 2", "G (uS) LTD Device 2")),
        (",300 K,350 K\npulse,G (uS),G (uS)\n", ("pulse", "G (uS) 300 K", "G (uS) 350 K")),
        (",A7,B2\npulse,G (uS),G (uS)\n", ("pulse", "G_uS (A7)", "G_uS (B2)")),
        # What labels nothing is no part of the headings.
        ("My device,,\npulse,LTP (uS),LTD (uS)\n", ("pulse", "LTP (uS)", "LTD (uS)")),
        ("Operator,n.n.\nMode,set\npulse,LTP (uS),LTD (uS)\n", ("pulse", "LTP (uS)", "LTD (uS)")),
        ("Temperature,300 K,\npulse,LTP (uS),LTD (uS)\n", ("pulse", "LTP (uS)", "LTD (uS)")),
        ("pulse,left (uS),right (uS)\n", ("pulse", "left (uS)", "right (uS)")),
    ],
)  # fmt: skip
def test_one_heading_a_column_from_several_rows(head, expected):
    assert headings(head + ROWS) == expected


def test_conditions_above_the_names_tell_columns_apart(tmp_path):
    data = read(tmp_path, "--,1.2 V,0.9 V\npulse number,G (uS),G (uS)\n" + ROWS)
    assert data.amplitudes_V == (0.9, 1.2)
    assert data.devices == ("1",)
    assert data.cycles == (1,)
    high = [s for s in data.segments if s.amplitude_V == 1.2]
    assert [s.branch for s in high] == ["LTP", "LTD"]
    np.testing.assert_allclose(high[0].values, np.array(UP) * 1e-6)


def test_merged_cells_of_a_workbook_count_for_the_columns_to_their_right(tmp_path):
    rows = [["LTP", "", "LTD", ""], ["pulse", "G (uS)", "pulse", "G (uS)"]]
    rows += [[i, up, i, down] for i, (up, down) in enumerate(zip(UP, DOWN, strict=True))]
    data = read(tmp_path, workbook(Data=rows))
    assert_trace(one(data, "LTP"), UP, scale=1e-6)
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)


def test_a_damaged_first_reading_is_no_heading(tmp_path):
    text = "G (uS)\n" + "".join(f"{x}\n" for x in TRACE)
    said = refusal(tmp_path, text.replace("1.0\n", "1^.0\n", 1))
    assert said.startswith("line 2, column 1 (G (uS)): '1^.0' is not a number")


# ---------------------------------------------------------------- stray fields


def wide_rows() -> list[str]:
    return ["pulse\tLTP (uS)\tLTD (uS)"] + [
        f"{i}\t{up}\t{down}" for i, (up, down) in enumerate(zip(UP, DOWN, strict=True))
    ]


@pytest.mark.parametrize("stray", ["\t2.6", "\t\t1.9E-7", "\t\t\t-3"])
def test_a_lone_number_beside_the_last_row_is_left_out_and_named(tmp_path, stray):
    lines = [*wide_rows()[:-1], wide_rows()[-1] + stray]
    data = read(tmp_path, "\n".join(lines))
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    number = stray.strip()
    assert f"line 13: '{number}' left out: a lone number below no heading" in data.warnings


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows[:5], rows[5] + "\t2.6", *rows[6:]],
        lambda rows: [*rows[:-2], rows[-2] + "\t\t2.6", rows[-1] + "\t\t2.6"],
        lambda rows: [*rows[:-1], rows[-1] + "\t2.6\t2.7"],
        lambda rows: [*rows[:-1], rows[-1].replace("\t", "\t\t", 1)],
        lambda rows: [*rows[:-1], rows[-1].replace("\t", "\t3.3\t", 1)],
        lambda rows: [*rows[:-1], rows[-1] + "\tstop"],
        lambda rows: [rows[0], *rows[-3:-1], rows[-1] + "\t2.6"],
        lambda rows: [*rows[1:-1], rows[-1] + "\t2.6"],
        lambda rows: [row.replace("\t", ",") for row in [*rows[:-1], rows[-1] + "\t26"]],
        lambda rows: [row.replace("\t", " ") for row in [*rows[:-1], rows[-1] + "\t260"]],
    ],
    ids=["inside", "two", "two in a row", "shifted", "inserted", "word", "few rows", "no head",
         "decimal comma", "thousands"],
)  # fmt: skip
def test_other_fields_too_many_stay_errors(tmp_path, change):
    said = refusal(tmp_path, "\n".join(change(wide_rows())))
    assert "one field too many" in said or "2 columns" in said or "is not a number" in said


def test_blank_columns_at_the_end_are_no_columns(tmp_path):
    text = "\n".join(row.replace("\t", ",") + ",," for row in wide_rows())
    data = read(tmp_path, text)
    assert_trace(one(data, "LTP"), UP, scale=1e-6)
    assert not any("left out" in w or "not used" in w for w in data.warnings)


# ---------------------------------------------------------------- sheets


def wide_sheet(scale: float = 1.0, head: bool = True) -> list[list]:
    rows: list[list] = [["LTP (uS)", "LTD (uS)"]] if head else []
    return rows + [[scale * up, scale * down] for up, down in zip(UP, DOWN, strict=True)]


@pytest.mark.parametrize("head", [True, False])
def test_sheets_with_the_same_headings_are_conditions(tmp_path, head):
    data = read(
        tmp_path, workbook(**{"flat": wide_sheet(1, head), "bent 4 mm": wide_sheet(2, head)})
    )
    assert data.conditions == ("flat", "bent 4 mm")
    assert len(data.segments) == 4
    bent = one(data, "LTP", condition="bent 4 mm")
    assert bent.values[-1] == pytest.approx(18e-6 if head else 18)
    assert any("sheets 'flat', 'bent 4 mm' have the same headings" in w for w in data.warnings)


@pytest.mark.parametrize("sheet", [2, "2", "bent 4 mm"])
def test_one_sheet_by_name_or_number(tmp_path, sheet):
    content = workbook(**{"flat": wide_sheet(1), "bent 4 mm": wide_sheet(2)})
    data = read(tmp_path, content, sheet=sheet)
    assert_trace(one(data, "LTP"), UP, scale=2e-6)
    assert data.conditions == ()
    said = refusal(tmp_path, content, sheet="strained")
    assert "no sheet 'strained'; sheets are 'flat', 'bent 4 mm'; sheet='all' reads all" in said
    assert "no sheet '3'" in refusal(tmp_path, content, sheet=3)


def test_a_sheet_called_by_a_number_is_found_by_its_name(tmp_path):
    content = workbook(**{"2": wide_sheet(1), "other": wide_sheet(2)})
    assert_trace(one(read(tmp_path, content, sheet="2"), "LTP"), UP, scale=1e-6)
    assert_trace(one(read(tmp_path, content, sheet=2), "LTP"), UP, scale=2e-6)


def test_the_advised_sheet_of_another_kind_can_be_read(tmp_path):
    trace = [["pulse", "G (nS)"], *numbered(TRACE)]
    content = workbook(Run=wide_sheet(), Notes=[["made by n.n."]], Trace=trace)
    data = read(tmp_path, content)
    assert data.conditions == ()
    note = next(w for w in data.warnings if "sheet=" in w)
    assert note == "sheet 'Run' read, not 'Notes', 'Trace'; sheet='Trace' reads another"
    assert_trace(one(read(tmp_path, content, sheet="Trace"), "LTP"), UP, scale=1e-9)


def test_all_sheets_name_those_without_a_response(tmp_path):
    trace = [["pulse", "G (uS)"], *numbered([3 * x for x in TRACE])]
    sweep = [["voltage (V)"], *[[x] for x in (0.0, 0.1, 0.2)]]
    content = workbook(Run=wide_sheet(), Notes=[["made by n.n."]], Sweep=sweep, Trace=trace)
    data = read(tmp_path, content, sheet="all")
    assert data.conditions == ("Run", "Trace")
    assert one(data, "LTD", condition="Trace").values[-1] == pytest.approx(3e-6)
    assert one(data, "LTD", condition="Trace").lines[-1] == 24
    assert "sheet 'Notes' left out: it holds no numbers" in data.warnings
    assert any(w.startswith("sheet 'Sweep' left out: line 1: no column of") for w in data.warnings)


def test_sheets_called_by_branch_device_or_cycle_are_that(tmp_path):
    rows = {name: [["pulse", "G (uS)"], *numbered(x)] for name, x in (("LTP", UP), ("LTD", DOWN))}
    data = read(tmp_path, workbook(**rows))
    assert data.conditions == ()
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    content = workbook(**{f"device {d}": wide_sheet(d) for d in (1, 2, 3)})
    assert read(tmp_path, content).devices == ("1", "2", "3")
    content = workbook(**{f"Run {c}": wide_sheet(c) for c in (4, 5)})
    assert read(tmp_path, content).cycles == (4, 5)


def test_sheets_of_two_quantities_are_asked_for(tmp_path):
    other = [["LTP (kOhm)", "LTD (kOhm)"], *wide_sheet(1, head=False)]
    said = refusal(tmp_path, workbook(a=wide_sheet(), b=other), sheet="all")
    assert said.endswith("give sheet='a' or sheet='b'")


def test_rows_of_traces_in_a_workbook_name_field_letters(tmp_path):
    rows = [["branch", *range(12)], ["LTP", *UP], ["LTD", *DOWN]]
    assert_trace(one(read(tmp_path, workbook(Data=rows), unit="S"), "LTD"), DOWN)
    rows[2][4] = "x.1"
    said = refusal(tmp_path, workbook(Data=rows))
    assert said.startswith("sheet 'Data', line 3, column E: 'x.1' is not a number")


# ---------------------------------------------------------------- delimiters


@pytest.mark.parametrize(
    ("name", "sign"),
    [("tab", "\t"), ("comma", ","), ("semicolon", ";"), ("blank", " "), ("whitespace", " ")],
)
def test_delimiters_by_name_and_by_themselves(tmp_path, name, sign):
    text = text_of(
        ["pulse", "LTP_uS", "LTD_uS"], *zip(range(12), UP, DOWN, strict=True), delimiter=sign
    )
    for delimiter in (name, sign):
        assert_trace(one(read(tmp_path, text, delimiter=delimiter), "LTD"), DOWN, scale=1e-6)


def test_a_delimiter_that_does_not_exist_lists_the_names(tmp_path):
    with pytest.raises(PulseDataError, match="option delimiter: 'x'; expected 'tab', 'semicolon'"):
        read(tmp_path, text_of(UP, DOWN), delimiter="x")


# ---------------------------------------------------------------- damage


def forms() -> dict[str, str | bytes]:
    """A good file of every form, which the fuzz test breaks."""
    heads = [f"G{k}_uS" for k in range(1, 13)]
    return {
        "rows": text_of(["die", "branch", *heads], ["k1", "LTP", *UP], ["k1", "LTD", *DOWN]),
        "tags": text_of(["Gset", *UP], ["Greset", *DOWN[:8]], ["Gset", *UP], ["Greset", *DOWN]),
        "side": text_of(["pulse", *range(12)], ["LTP (uS)", *UP], ["LTD (uS)", *DOWN]),
        "bare": text_of(UP, DOWN, [1.1 * x for x in UP], [1.2 * x for x in DOWN]),
        "export": EXPORT + "DataName, pulse, G (uS)\n" + data_lines("DataValue, "),
        "marks": f"Vread=0.1\n[Data]\npulse,I (uA)\n{data_lines()}[End]\nGmax=9\n",
        "labview": LVM + "".join(f"\t{x}\t\n" for x in TRACE),
        "tables": "".join(
            f"Cycle {c}\npulse,G (uS)\n{text_of(*numbered([c * x for x in TRACE]))}\n"
            for c in (1, 2)
        ),
        "head": "--,1.2 V,0.9 V\npulse number,G (uS),G (uS)\n" + ROWS,
        "sheets": workbook(flat=wide_sheet(1), bent=wide_sheet(2)),
    }


@pytest.mark.parametrize("form", list(forms()))
def test_damaged_files_of_every_form_give_data_or_one_line(tmp_path, form):
    content = forms()[form]
    whole = content if isinstance(content, bytes) else content.encode()
    files = [mutated(whole, seed, BYTEWISE) for seed in range(42)]
    folder = tmp_path / "files"
    folder.mkdir()
    outcomes = check_mutations([whole, *files], folder, "data", read_pulses, (PulseDataError,))
    assert outcomes["fine"] > 0
    assert outcomes["refused"] > 10


@quick
@given(cut=st.integers(1, 11), word=st.sampled_from(["x", "1.2.3", "4,2", "#", "--1", "1e"]))
def test_a_broken_cell_never_changes_which_readings_are_read(tmp_path, cut, word):
    """In every form that is text: the broken cell is named, or its reading counts as missing."""
    for form, content in forms().items():
        if isinstance(content, bytes) or form == "bare":
            continue
        text = content.replace(str(UP[cut]), word, 1)
        try:
            data = read(tmp_path, text)
        except PulseDataError:
            continue
        whole = read(tmp_path, content)
        assert data.n_readings >= whole.n_readings or any(
            "dropped" in warning or "left out" in warning for warning in data.warnings
        ), form
