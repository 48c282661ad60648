"""Heads of several rows, stray fields, sheets, delimiters, and damaged files of every form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import BYTEWISE, check_mutations, mutated
from traces import quick
from written_tables import (
    DOWN,
    EXPORT,
    LVM,
    ROWS,
    TRACE,
    UP,
    assert_trace,
    data_lines,
    numbered,
    one,
    read,
    refusal,
    text_of,
    wide_sheet,
    workbook,
)

from device_models.pulses import PulseDataError, read_pulses
from device_models.pulses.tables.text import read_text_table

# ---------------------------------------------------------------- heads of several rows


def headings(content: str) -> tuple[str, ...]:
    return read_text_table("data.csv", content.encode()).headings


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
    assert "sheet 'Notes' left out: it holds no readings" in data.warnings
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


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("sheet", [None, "Data", "all"])
def test_a_sheet_of_parameters_gives_settings_and_is_no_table(tmp_path, first, sheet):
    parameters = [["Read voltage (V)", 0.5], ["Pulse width", 2, "ms"], ["Operator", "n.n."]]
    rows = [["pulse", "I (uA)"], *numbered(TRACE)]
    sheets = {"Parameters": parameters, "Data": rows} if first else {"Data": rows, "P": parameters}
    data = read(tmp_path, workbook(**sheets), sheet=sheet)
    assert_trace(one(data, "LTP"), UP, scale=2e-6)
    assert one(data, "LTD").width_s == 0.002
    assert data.conditions == ()


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


def test_sheets_called_by_amplitudes_have_them(tmp_path):
    data = read(tmp_path, workbook(**{"1.2 V": wide_sheet(2), "900 mV": wide_sheet(1)}))
    assert data.amplitudes_V == (0.9, 1.2)
    assert data.conditions == ()


def test_tables_side_by_side_with_a_blank_column_between(tmp_path):
    rows = [["pulse", "LTP (uS)", "", "pulse", "LTD (uS)"]]
    rows += [[i, up, "", i, down] for i, (up, down) in enumerate(zip(UP, DOWN, strict=True))]
    for content in (text_of(*rows), workbook(Data=rows)):
        data = read(tmp_path, content)
        assert_trace(one(data, "LTP"), UP, scale=1e-6)
        assert_trace(one(data, "LTD"), DOWN, scale=1e-6)
        assert not any("column 3" in w or "column C" in w for w in data.warnings)


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


WORDS = [
    *("LTP", "LTD", "pulse", "G (uS)", "R_1 (kOhm)", "R_2 (kOhm)", "cycle", "cycle 2", "device"),
    *(
        "Gset",
        "Greset",
        "[Data]",
        "END",
        "DataName",
        "DataValue",
        "Vread",
        "tset:",
        "mean",
        "units",
    ),
    *("Long Name", "branch", "set", "Device: A7", "A7", "1.2 V", "--", "", "#", "=", "[1", "2]"),
    *("0", "1", "2", "3", "1.5", "2e-6", "-1", "NaN", "9.9E37", "1e999", "1_0", "1,5", "x"),
]


@settings(quick, max_examples=150)
@given(
    rows=st.lists(st.lists(st.sampled_from(WORDS), max_size=7), max_size=9),
    delimiter=st.sampled_from([",", ";", "\t", " "]),
    layout=st.sampled_from([None, "rows"]),
)
def test_any_words_in_any_order_give_data_or_one_line(tmp_path, rows, delimiter, layout):
    try:
        data = read(tmp_path, text_of(*rows, delimiter=delimiter), layout=layout)
    except PulseDataError as error:
        said = str(error)
    else:
        said = str(tmp_path) if all(np.isfinite(s.values).all() for s in data.segments) else ""
    assert said.startswith(str(tmp_path))
    assert said.isprintable()


def test_a_row_of_branches_and_numbers_above_the_names_is_no_label(tmp_path):
    text = f"branch,1,2\npulse,LTP (uS),LTD (uS)\n{text_of(*zip(range(12), UP, DOWN, strict=True))}"
    assert_trace(one(read(tmp_path, text), "LTD"), DOWN, scale=1e-6)
