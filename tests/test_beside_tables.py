"""What stands above and beside a table: settings by lines, notes, empty and blank columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_tables import (
    DOWN,
    TRACE,
    UP,
    assert_trace,
    numbered,
    one,
    read,
    refusal,
    relax,
    text_of,
    workbook,
)

from device_models.pulses import PulseDataError

# ---------------------------------------------------------------- names above their values

ABOVE = [
    ["run_date", "run_time", "operator"],
    ["03.02.2021", "10:11:12", "nn"],
    ["sourceUnit", "pulseWidth", "vRead", "riseTime", "nPulses"],
    ["SMU4", "5e-06", "0.25", "1e-08", "24"],
    ["A_LTP", "A_LTD", "NL_LTP", "onOff", "fit_R2", "V_max (V)"],
    ["1.2", "-0.6", "1.1", "4.6", "0.9", "3.1"],
]


def test_pairs_of_names_and_values_above_a_table_are_settings(tmp_path):
    rows = [*ABOVE, ["Pulse Number", "I (nA)"], *numbered(TRACE, first=1)]
    data = read(tmp_path, text_of(*rows))
    assert_trace(one(data, "LTP"), UP, first=1, scale=4e-9)
    assert_trace(one(data, "LTD"), DOWN, scale=4e-9)
    assert one(data, "LTP").width_s == 5e-6
    assert one(data, "LTP").lines[0] == 8


def test_an_index_that_runs_past_the_pulse_numbers_is_left_out(tmp_path):
    index = [*range(12), *range(14, 14 + len(TRACE) - 12)]
    body = [[k + 1, i, x] for k, (i, x) in enumerate(zip(index, TRACE, strict=True))]
    data = read(tmp_path, text_of(*ABOVE, ["Pulse Number", "index", "G (uS)"], *body))
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    assert any("(index) is left out" in w for w in data.warnings)


def test_short_lines_between_pairs_of_names_and_values(tmp_path):
    rows = [["Setup", "sweep_7"], *ABOVE[:2], ["Parameters"], *ABOVE[2:], ["Measured"]]
    data = read(tmp_path, text_of(*rows, ["pulse", "I (nA)"], *numbered(TRACE)))
    assert_trace(one(data, "LTP"), UP, scale=4e-9)
    assert one(data, "LTD").width_s == 5e-6


def test_titles_below_the_pairs_still_label_their_tables(tmp_path):
    parts = []
    for cycle, scale in ((1, 1.0), (2, 3.0)):
        body = numbered([scale * x for x in TRACE])
        parts += [[f"Cycle {cycle}"], ["pulse", "I (nA)"], *body]
    data = read(tmp_path, text_of(*ABOVE, *parts))
    assert data.cycles == (1, 2)
    assert_trace(one(data, "LTP", cycle=2), UP, scale=12e-9)


def test_a_blank_pulse_number_in_the_first_row_is_no_head(tmp_path):
    text = text_of(["Pulse Number", "I (nA)"], ["", "1.0"], *numbered(TRACE, first=1)[1:])
    said = refusal(tmp_path, text, read_voltage_V=0.1)
    assert "line 2, column 1 (Pulse Number): a blank cell" in said


@pytest.mark.parametrize(
    "pair",
    [
        [["pulse", "G (uS)"], [1, 2.5]],  # one reading, and another table below
        [["pulse", "G (uS)", "T (K)"], [1, 2.5, 300]],
    ],
)
def test_a_table_of_one_row_above_another_is_no_setting(tmp_path, pair):
    text = text_of(*pair, ["pulse", "R (kOhm)"], *numbered(TRACE))
    assert "a second table begins here" in refusal(tmp_path, text)


def test_a_second_table_with_few_rows_is_still_refused(tmp_path):
    text = text_of(["gain", "offset"], [1, 2], ["pulse", "G (uS)"], *numbered(UP[:3]))
    assert "a second table begins here" in refusal(tmp_path, text)


def test_rows_of_labels_above_the_names_keep_labelling_the_columns(tmp_path):
    head = [["device", "A1", "A2"], ["amplitude (V)", 1.5, 2.5], ["pulse", "G (uS)", "G (uS)"]]
    body = [[k, x, 2 * x] for k, x in enumerate(TRACE)]
    data = read(tmp_path, text_of(*head, *body))
    amplitudes = {s.amplitude_V for s in data.select("LTP")}
    assert amplitudes == {1.5, 2.5}


def test_unknown_words_above_equal_names_are_not_put_aside(tmp_path):
    head = [["lamp", "rubin", "jade"], ["no", 620, 540], ["pulse", "G (uS)", "G (uS)"]]
    body = [[k, x, 2 * x] for k, x in enumerate(TRACE)]
    refusal(tmp_path, text_of(*head, *body))


# ---------------------------------------------------------------- notes beside a table


def with_notes(rows: list[list], notes: dict[int, list]) -> list[list]:
    return [[*row, None, None, *notes[i]] if i in notes else row for i, row in enumerate(rows)]


NOTES = {0: ["Load", "47 kOhm", None, "V = R I"], 1: ["Read Vol", -0.2, "(V)"], 3: ["Gap", "3 ms"]}


@pytest.mark.parametrize("cell", [[-0.2, "(V)"], ["-0.2 V"], ["-200 mV"]])
def test_notes_right_of_a_sheet_give_the_read_voltage(tmp_path, cell):
    rows = [["Pulse #", "Current"], *numbered([x * 1e-6 for x in TRACE], first=1)]
    notes = {**NOTES, 1: ["Read Vol", *cell]}
    data = read(tmp_path, workbook(Sheet1=with_notes(rows, notes)))
    assert_trace(one(data, "LTP"), UP, first=1, scale=5e-6)
    assert_trace(one(data, "LTD"), DOWN, scale=5e-6)
    assert "notes beside the table are no readings: 3 rows, the first 'Load, 47 kOhm'" in (
        data.warnings
    )


@pytest.mark.parametrize("cells", [["read voltage", "0.5 V"], ["V_read = 0.5 V"]])
def test_notes_right_of_a_text_table(tmp_path, cells):
    rows = [["pulse", "I (uA)"], *numbered(TRACE)]
    notes = {1: cells, 2: ["temperature", "300 K"]}
    rows = [["" if cell is None else cell for cell in row] for row in with_notes(rows, notes)]
    data = read(tmp_path, text_of(*rows))
    assert_trace(one(data, "LTP"), UP, scale=2e-6)


def test_notes_that_contradict_an_option_are_an_error(tmp_path):
    rows = with_notes([["Pulse #", "I (nA)"], *numbered(TRACE)], NOTES)
    assert "contradicts the file" in refusal_of(tmp_path, rows, read_voltage_V=0.1)


def refusal_of(folder: Path, rows: list[list], **options) -> str:
    with pytest.raises(PulseDataError) as caught:
        read(folder, workbook(Sheet1=rows), **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "beside",
    [
        {5: ["lost"]},  # a word without a value
        {k: [k, 2.0 * k] for k in range(1, 6)},  # a second table
        {2: ["Read Vol", 0.1], 4: [3.5, 4.5]},
    ],
)
def test_what_is_no_note_beside_a_text_table_is_refused(tmp_path, beside):
    rows = with_notes([["pulse", "G (uS)"], *numbered(TRACE)], beside)
    rows = [["" if cell is None else cell for cell in row] for row in rows]
    assert "one field too many" in refusal(tmp_path, text_of(*rows))


# ---------------------------------------------------------------- columns without cells


def test_an_empty_column_of_readings_is_left_out_and_does_not_decide(tmp_path):
    rows = [["Pulse #", "counts", "Current"], *numbered([100 * x for x in TRACE], first=1)]
    data = read(tmp_path, workbook(Sheet1=rows))
    assert data.quantity == "conductance"
    assert_trace(one(data, "LTP"), UP, first=1, scale=100)
    assert "column C (Current) is left out: it holds no reading" in data.warnings


def test_an_empty_column_beside_named_readings_is_left_out(tmp_path):
    rows = [["pulse", "G (uS)", "I (nA)"], *([k, x, ""] for k, x in enumerate(TRACE))]
    data = read(tmp_path, text_of(*rows))
    assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
    assert "column 3 (I (nA)) is left out: it holds no reading" in data.warnings


def test_a_table_whose_only_readings_are_missing_is_refused(tmp_path):
    rows = [["pulse", "G (uS)"], *([k, "nan"] for k in range(10))]
    assert "no column of readings" in refusal(tmp_path, text_of(*rows))


@pytest.mark.parametrize("head", [[], [["pulse", "G (a.u.)"]]])
def test_sheets_of_one_kind_may_begin_in_other_columns(tmp_path, head):
    def sheet(scale: float, blank: int) -> list[list]:
        rows = [*head, *([k + 1, scale * x] for k, x in enumerate(TRACE))]
        return [[None], [None], *([*[None] * blank, *row] for row in rows)]

    content = workbook(**{"1 ms": sheet(1, 2), "2 ms": sheet(2, 2), "slow": sheet(3, 1)})
    data = read(tmp_path, content)
    assert data.conditions == ("1 ms", "2 ms", "slow")
    assert_trace(one(data, "LTP", condition="slow"), [3 * x for x in UP], first=1)
    assert_trace(one(data, "LTD", condition="1 ms"), DOWN)


# ---------------------------------------------------------------- stepped widths


def ramp(n: int, amplitude: float, sign: int, signed: bool) -> list[tuple[float, float]]:
    widths = [float(f"{1e-8 * 1.3**k:.3g}") for k in range(n)]
    return [(sign * w if signed else w, amplitude) for w in widths]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("cycles", [1, 2])
def test_a_staircase_of_widths_is_one_segment_a_branch(tmp_path, signed, cycles):
    up, down = relax(15, 9.0, 2.0, 6.0), relax(18, 1.9, 8.5, 6.0)
    pulses = [*ramp(15, 2.5, 1, signed), *ramp(18, -1.5, -1, signed)] * cycles
    rows = [
        [k, width, volts, r]
        for k, ((width, volts), r) in enumerate(zip(pulses, [*up, *down] * cycles, strict=True))
    ]
    head = [["pulseWidth", "gain", "mode"], ["1e-6", "2", "7"]]
    names = ["index", "pulse width (s)", "pulse amplitude (V)", "R (Mohm)"]
    data = read(tmp_path, text_of(*head, names, *rows))
    assert [s.branch for s in data.segments] == ["LTP", "LTD"] * cycles
    assert_trace(data.segments[0], up, scale=1e6)
    np.testing.assert_allclose(data.segments[1].values[1:], np.array(down) * 1e6, rtol=1e-12)
    assert all(s.width_s is None for s in data.segments)
    said = "the width is stepped from 1e-08 to 8.65e-07 s: the response to the pulse number"
    assert any(w.startswith(said) for w in data.warnings)


def test_widths_that_tell_trains_apart_stay_conditions(tmp_path):
    rows = [["pulse", "branch", "width (s)", "G (uS)"]]
    for width in (1e-6, 1e-5):
        rows += [[k, "LTP", width, x] for k, x in enumerate(UP)]
        rows += [[k, "LTD", width, x] for k, x in enumerate(DOWN)]
    data = read(tmp_path, text_of(*rows))
    assert {s.width_s for s in data.segments} == {1e-6, 1e-5}
    assert len(data.segments) == 4


def test_widths_by_turns_are_no_staircase(tmp_path):
    widths = (1e-6, 2e-6, 4e-6, 8e-6)
    rows = [["pulse", "branch", "width (s)", "G (uS)"]]
    rows += [[k, "LTP", w, (1 + i) * x] for k, x in enumerate(UP) for i, w in enumerate(widths)]
    data = read(tmp_path, text_of(*rows))
    assert {s.width_s for s in data.segments} == set(widths)
    longest = next(s for s in data.segments if s.width_s == 8e-6)
    assert_trace(longest, [4 * x for x in UP], scale=1e-6)


def test_a_staircase_of_widths_without_branches_is_still_refused(tmp_path):
    rows = [["width (s)", "G (uS)"], *([1e-6 * (k + 1), x] for k, x in enumerate(UP))]
    refusal(tmp_path, text_of(*rows))
