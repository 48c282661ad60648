"""Rows tagged as programming and erasing: the readings tell the branch, never the word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import quick
from written_tables import DOWN, UP, assert_trace, one, read, refusal, relax, text_of, workbook

TITLE = "(K7,1,3) tprog: 0.003, terase: 0.0005\n"
FALLS = "the readings tell the branches: those of 'Gprog' fall and are LTD, those of 'Gerase' rise"


@pytest.mark.parametrize("layout", [None, "rows"])
def test_cycles_of_programming_and_erasing_below_a_title_of_widths(tmp_path, layout):
    rows = [["Gprog", *DOWN], ["Gerase", *UP[:-2]], ["Gprog", *DOWN[:-3]], ["Gerase", *UP]]
    text = (TITLE + text_of(*rows)).replace("\n", "\r\n")
    data = read(tmp_path, text, unit="nS", layout=layout)
    assert (data.devices, data.cycles, data.quantity) == (("K7,1,3",), (1, 2), "conductance")
    assert_trace(one(data, "LTD", cycle=1), DOWN, scale=1e-9)
    assert_trace(one(data, "LTP", cycle=1), UP[:-2], scale=1e-9)
    assert_trace(one(data, "LTD", cycle=2), DOWN[:-3], scale=1e-9)
    assert {s.width_s for s in data.select("LTD")} == {0.003}
    assert {s.width_s for s in data.select("LTP")} == {0.0005}
    assert set(one(data, "LTP", cycle=2).lines) == {5}
    assert any(w.startswith(FALLS) for w in data.warnings)


def test_rows_of_a_sheet_are_read_alike(tmp_path):
    rows = [["K7 tprog: 2 ms, terase: 5 ms"], ["Gprog (uS)", *DOWN], ["Gerase (uS)", *UP[:-2]]]
    data = read(tmp_path, workbook(Sheet1=rows))
    assert_trace(one(data, "LTP"), UP[:-2], scale=1e-6)
    assert (one(data, "LTD").width_s, one(data, "LTP").width_s) == (2e-3, 5e-3)


def test_programming_that_raises_the_conductance_is_ltp(tmp_path):
    rows = [["G_program", *UP], ["G_erase", *DOWN]]
    data = read(tmp_path, "tprog: 1 ms, terase: 20 us\n" + text_of(*rows))
    assert_trace(one(data, "LTP"), UP)
    assert (one(data, "LTP").width_s, one(data, "LTD").width_s) == (1e-3, 2e-5)
    said = "those of 'G_program' rise and are LTP, those of 'G_erase' fall and are LTD"
    assert any(said in w for w in data.warnings)


def test_resistances_and_negative_currents_are_told_by_the_conductance(tmp_path):
    ohms = read(tmp_path, text_of(["Rprog", *UP], ["Rerase", *DOWN]), unit="kOhm")
    assert_trace(one(ohms, "LTD"), UP, scale=1e3)
    currents = [["Iprog (nA)", *[-x for x in UP]], ["Ierase (nA)", *[-x for x in DOWN]]]
    data = read(tmp_path, text_of(*currents), read_voltage_V=-0.5)
    assert_trace(one(data, "LTP"), UP, scale=2e-9)


def test_devices_in_brackets_with_commas_and_settings_before_the_tag(tmp_path):
    lines = []
    for k in range(3):
        front = f"(K7,{k},0)"
        lines += [f"{front},tprog=0.003,Gprog, " + ", ".join(str((1 + k) * x) for x in DOWN)]
        lines += [f"{front},terase=0.0005,Gerase, " + ", ".join(str((1 + k) * x) for x in UP[k:])]
    data = read(tmp_path, "\n".join(lines), unit="uS")
    assert data.devices == ("K7,0,0", "K7,1,0", "K7,2,0")
    assert data.cycles == (1,)
    assert_trace(one(data, "LTD", device="K7,2,0"), [3 * x for x in DOWN], scale=1e-6)
    assert_trace(one(data, "LTP", device="K7,1,0"), [2 * x for x in UP[1:]], scale=1e-6)
    assert one(data, "LTP", device="K7,1,0").width_s == 0.0005
    assert one(data, "LTD", device="K7,1,0").width_s == 0.003


@pytest.mark.parametrize("delimiter", [",", "\t", " "])
@pytest.mark.parametrize(
    ("tags", "settings_of_rows"),
    [
        (("LTP", "LTD"), ("tLTP=0.002", "tLTD=0.04")),
        (("Gset", "Greset"), ("t_set=2ms", "t_reset=40ms")),
        (("Gerase", "Gprog"), ("terase=2ms", "tprog=0.04")),
    ],
)
def test_rows_state_the_widths_of_their_branch(tmp_path, delimiter, tags, settings_of_rows):
    lines = []
    for k in range(3):
        for tag, said, values in zip(tags, settings_of_rows, (UP, DOWN), strict=True):
            lines.append(delimiter.join([f"(3,{k})", said, tag, *map(str, values)]))
    data = read(tmp_path, "\n".join(lines))
    assert data.devices == ("3,0", "3,1", "3,2")
    assert {(s.branch, s.width_s) for s in data.segments} == {("LTP", 0.002), ("LTD", 0.04)}
    assert_trace(one(data, "LTD", device="3,1"), DOWN)


def test_widths_that_differ_from_row_to_row_stay_with_their_rows(tmp_path):
    rows = [
        *(["tprog=0.001", "Gprog", *DOWN], ["terase=0.01", "Gerase", *UP]),
        *(["tprog=0.002", "Gprog", *DOWN[:-1]], ["terase=0.01", "Gerase", *UP[:-1]]),
    ]
    data = read(tmp_path, text_of(*rows))
    widths = {(s.branch, s.values.size, s.width_s) for s in data.segments}
    long, short = {("LTD", 12, 0.001), ("LTP", 12, 0.01)}, {("LTD", 11, 0.002), ("LTP", 11, 0.01)}
    assert widths == long | short


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [["Gprog", *DOWN], ["Gerase", *UP], ["Gprog", *UP]],
            "line 3: the readings of 'Gprog' rise here and not in line 1",
        ),
        (
            [["Gprog", *UP], ["Gerase", *UP]],
            "line 2: the readings of 'Gerase' rise as those of 'Gprog' in line 1 do",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_an_error(tmp_path, rows, said):
    assert said in refusal(tmp_path, text_of(*rows))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2.902", "x2.902", "'x2.902' is not a number"),
        ("(K7,1,0),tprog", "(K7,1,0),0),tprog", "line 3: not a whole row of readings"),
        ("(K7,1,0),tprog=0.003,", "(K7,1,0),,", "line 3: not a whole row of readings"),
    ],
)
def test_a_damaged_row_is_named_and_never_left_out(tmp_path, old, new, said):
    lines = []
    for k in range(3):
        lines.append(text_of([f"(K7,{k},0)", "tprog=0.003", "Gprog", *DOWN]))
        lines.append(text_of([f"(K7,{k},0)", "terase=0.0005", "Gerase", *UP]))
    text = "".join(lines)
    first = text.index("(K7,1,0)")
    damaged = text[:first] + text[first:].replace(old, new, 1)
    assert said in refusal(tmp_path, damaged)


@pytest.mark.parametrize("tags", [("Program", "Erase"), ("erasing:", "programming:")])
def test_words_without_a_quantity_are_told_as_conductances(tmp_path, tags):
    rows = [[tags[0], *DOWN], [tags[1], *UP[:-2]], [tags[0], *DOWN], [tags[1], *UP]]
    data = read(tmp_path, text_of(*rows), unit="nS")
    assert_trace(one(data, "LTD", cycle=1), DOWN, scale=1e-9)
    assert_trace(one(data, "LTP", cycle=2), UP, scale=1e-9)
    said = refusal(tmp_path, text_of(*rows), quantity="resistance")
    assert "names no branch, and resistances tell it the other way" in said
    told = text_of(*[["LTP" if row[0] == tags[0] else "LTD", *row[1:]] for row in rows])
    assert_trace(one(read(tmp_path, told, quantity="resistance"), "LTP", cycle=1), DOWN)


@pytest.mark.parametrize(
    "rows",
    [
        [["prog", *DOWN], ["erase", *UP], ["prog", *UP]],
        [["prog", *UP], ["erase", *UP]],
        [["prog", *DOWN], ["erase", 5.0, 5.1, 4.9, 5.0, 5.2, 4.9]],
        [["prog", *DOWN], ["prog", *DOWN]],
        [["prog", 4.0, 3.0, 2.0, 1.0], ["erase", 1.0, 2.0, 3.0, 4.0]],
    ],
)
def test_words_without_a_quantity_that_nothing_tells_are_refused(tmp_path, rows):
    refusal(tmp_path, text_of(*rows))


def test_words_of_programming_in_a_column_of_a_long_table_stay_as_they_were(tmp_path):
    rows = [["state", "pulse", "a", "b"]]
    rows += [["Gprog" if k % 2 else "Gerase", k, x, 2 * x] for k, x in enumerate(UP)]
    assert "rows of one tag" not in refusal(tmp_path, text_of(*rows))


@quick
@given(
    lengths=st.lists(st.tuples(st.integers(5, 60), st.integers(5, 60)), min_size=1, max_size=8),
    up_first=st.booleans(),
    ratio=st.sampled_from([2.0, 30.0, 1000.0]),
)
def test_every_row_comes_back_whole(tmp_path, lengths, up_first, ratio):
    lines, expected = [], []
    for n_first, n_second in lengths:
        first = relax(n_first, 1.0, ratio, 0.4 * n_first)
        second = relax(n_second, ratio, 1.0, 0.4 * n_second)
        pair = (first, second) if up_first else (second, first)
        lines += [["Gprog", *pair[0]], ["Gerase", *pair[1]]]
        expected += list(pair)
    data = read(tmp_path, text_of(*lines))
    branches = ("LTP", "LTD") if up_first else ("LTD", "LTP")
    assert [s.branch for s in data.segments] == list(branches) * len(lengths)
    for segment, values in zip(data.segments, expected, strict=True):
        np.testing.assert_array_equal(segment.values, values)
