"""Exports of instruments: the table found, its settings read, several tables as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import quick
from written_tables import (
    DOWN,
    EXPORT,
    LVM,
    TRACE,
    UP,
    assert_trace,
    data_lines,
    numbered,
    one,
    read,
    refusal,
    relax,
    text_of,
)

from device_models.pulses.tables.settings import Settings, read_settings

# ---------------------------------------------------------------- exports of instruments


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


def test_settings_of_a_branch_leave_its_warnings_as_they_are(tmp_path):
    """LTP and LTD of one cycle are compared although their pulses differ."""
    rows = text_of(["pulse", "LTP (uS)", "LTD (uS)"], *zip(range(8), UP, DOWN, strict=False))
    said = [
        read(tmp_path, head + rows).warnings
        for head in ("made by: n.n.\n\n", "tset: 1 us, treset: 3 us\nset voltage: 2 V\n")
    ]
    assert any("LTD" in warning for warning in said[0])
    assert said[0] == said[1]


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


def test_settings_below_their_names(tmp_path):
    """A line of names above a line of values, as programs print their parameters."""
    names = "gate,vRead,pulseWidth,riseTime,SET voltage"
    head = f"Setup title,pulsed list\n{names}\nSMU1,0.5,2e-6,1e-8,3\n"
    ltp = one(read(tmp_path, f"{head}pulse,I (uA)\n{data_lines()}"), "LTP")
    assert (ltp.amplitude_V, ltp.width_s) == (3.0, 2e-6)
    assert_trace(ltp, UP, scale=2e-6)


def test_names_and_units_of_an_analyser_in_quotes(tmp_path):
    rows = "".join(f"{i + 1},{x}E-06,0.1\n" for i, x in enumerate(TRACE))
    data = read(tmp_path, '"IB=",1E-05,"to",5E-05\n"NO.","G","VR"\n"","S","V"\n' + rows)
    assert data.unit == "S"
    assert_trace(one(data, "LTP"), UP, first=1, scale=1e-6)
