"""Reading pulse measurements: every layout, every error with its place, every warning, and fuzz."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traces import quick, relax

from device_models.library import CARD_FOLDER
from device_models.pulses import PulseData, PulseDataError, Segment, read_pulses
from device_models.pulses.columns.headings import read_heading
from device_models.pulses.segments import find_switches
from device_models.pulses.table import MAX_BYTES
from device_models.pulses.units import find_unit

LTP = relax(30, 1e-6, 1e-5, 8.0)
LTD = relax(30, 1e-5, 1e-6, 6.0)


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def text_of(rows, delimiter=",") -> str:
    return "\n".join(delimiter.join(map(str, row)) for row in rows) + "\n"


def read(folder: Path, content, name="data.csv", **options) -> PulseData:
    """Data read from text, bytes or rows."""
    if not isinstance(content, str | bytes):
        content = text_of(content)
    return read_pulses(write(folder, content, name), **options)


def columns(*named) -> list[list]:
    """Rows of a wide table from (heading, values) pairs; shorter columns end early."""
    n = max(len(values) for _, values in named)
    body = [[v[i] if i < len(v) else "" for _, v in named] for i in range(n)]
    return [[name for name, _ in named], *body]


def long_rows(header="pulse,branch,conductance_S", ltp=LTP, ltd=LTD, more=()) -> list[list]:
    body = [[i, b, v, *more] for b, x in (("LTP", ltp), ("LTD", ltd)) for i, v in enumerate(x)]
    return [header.split(","), *body]


def assert_branches(data: PulseData, ltp=LTP, ltd=LTD, rtol=1e-12, **which) -> None:
    """One LTP and one LTD segment with these readings, counted from 0."""
    for branch, expected in (("LTP", ltp), ("LTD", ltd)):
        (segment,) = data.select(branch=branch, **which)
        np.testing.assert_allclose(segment.values, expected, rtol=rtol)
        np.testing.assert_array_equal(segment.pulses, np.arange(len(expected)))


def same(a: PulseData, b: PulseData, rtol=1e-12) -> None:
    """Equal segments, wherever they come from."""
    assert (a.quantity, a.unit) == (b.quantity, b.unit)
    assert [(s.branch, s.device, s.cycle, s.field_G, s.width_s) for s in a.segments] == [
        (s.branch, s.device, s.cycle, s.field_G, s.width_s) for s in b.segments
    ]
    for s, t in zip(a.segments, b.segments, strict=True):
        np.testing.assert_allclose(s.values, t.values, rtol=rtol)
        np.testing.assert_array_equal(s.pulses, t.pulses)


def suspicious(data: PulseData) -> str:
    return "\n".join(data.warnings)


def workbook(*sheets: tuple[str, list], **keywords) -> bytes:
    book = openpyxl.Workbook(**keywords)
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


# ---------------------------------------------------------------- layouts


def test_long_file_with_pulse_branch_and_value(tmp_path):
    path = write(tmp_path, text_of(long_rows()))
    data = read_pulses(path)
    assert_branches(data)
    assert (data.quantity, data.unit, data.source) == ("conductance", "S", str(path))
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.warnings == ()
    assert (data.devices, data.cycles, data.fields_G, data.n_readings) == (("1",), (1,), (), 62)
    np.testing.assert_array_equal(data.segments[0].lines, np.arange(2, 33))
    with pytest.raises(ValueError, match="read-only"):
        data.segments[0].values[0] = 0.0


def test_the_points_of_the_projects_own_card():
    path = CARD_FOLDER / "lsmo_pvdf_co.csv"
    data = read_pulses(path)
    assert (data.quantity, data.unit, data.warnings) == ("resistance", "ohm", ())
    assert data.fields_G == (0, 50, 100, 150, 200, 250, 300, 350)
    assert data.branches == ("LTP", "LTD")
    assert {s.values.size for s in data.segments} == {65}
    first = next(csv.DictReader(path.open()))
    assert data.select(first["branch"], field_G=0)[0].values[0] == float(first["resistance_ohm"])


@pytest.mark.parametrize("unit", ["1", "S"])
def test_two_columns_without_header_are_told_apart_by_direction(tmp_path, unit):
    scale = 1.0 if unit == "1" else 1e-6
    rows = [[f"{a:.6g}", f"{b:.6g}"] for a, b in zip(LTP / scale, LTD / scale, strict=True)]
    options = {} if unit == "1" else {"unit": "uS"}
    data = read(tmp_path, rows, **options)
    assert data.unit == unit
    assert_branches(data, LTP, LTD, rtol=1e-5)
    assert ("no unit" in suspicious(data)) == (unit == "1")
    swapped = read(tmp_path, [row[::-1] for row in rows], **options)
    assert_branches(swapped, LTP, LTD, rtol=1e-5)
    assert swapped.segments[0].branch == "LTD"


def test_two_resistance_columns_are_ltp_where_they_fall(tmp_path):
    data = read(tmp_path, np.column_stack([1 / LTP, 1 / LTD]), unit="ohm")
    assert_branches(data, 1 / LTP, 1 / LTD)


def test_three_columns_without_header_that_start_with_an_index(tmp_path):
    rows = [[i, a, b] for i, (a, b) in enumerate(zip(LTP, LTD, strict=True), 1)]
    data = read(tmp_path, rows, unit="S", quantity="conductance")
    for branch, values in (("LTP", LTP), ("LTD", LTD)):
        (segment,) = data.select(branch)
        np.testing.assert_allclose(segment.values, values)
        np.testing.assert_array_equal(segment.pulses, np.arange(1, 32))
    assert data.warnings == (
        "column 1 has no heading and counts up: taken as pulse numbers",
        "no headings: column 2 rises: LTP; column 3 falls: LTD; guessed from the numbers, "
        "columns={1: 'pulse', 2: 'LTP', 3: 'LTD'} says so",
    )


@pytest.mark.parametrize("words", [("LTP", "LTD"), ("P", "D"), ("1", "-1")])
@pytest.mark.parametrize("index", [False, True])
def test_branch_column_without_header(tmp_path, words, index):
    rows = [[*([r[0]] if index else []), words[r[1] == "LTD"], r[2]] for r in long_rows()[1:]]
    assert_branches(read(tmp_path, rows))


def test_two_full_traces_without_header_need_a_word(tmp_path):
    trace = np.concatenate([LTP, LTD[1:]])
    path = write(tmp_path, text_of(np.column_stack([trace, trace])))
    with pytest.raises(PulseDataError, match=r"line 1, column 2: nothing tells these readings"):
        read_pulses(path)
    assert read_pulses(path, wide_of="device").devices == ("1", "2")
    rows = np.column_stack([trace, trace, trace])
    assert read(tmp_path, rows, layout="wide", wide_of="cycle").cycles == (1, 2, 3)


def test_branches_one_below_the_other_in_two_columns(tmp_path):
    rows = [[v, ""] for v in LTP] + [["", v] for v in LTD]
    data = read(tmp_path, [["LTP (S)", "LTD (S)"], *rows])
    assert_branches(data)
    assert data.warnings == ()
    assert data.segments[1].lines[0] == 33


@pytest.mark.parametrize(
    "words",
    [
        *(("LTP", "LTD"), ("ltp", "ltd"), ("P", "D"), ("pot", "dep"), ("up", "down")),
        *(("Potentiation", "Depression"), ("SET", "RESET"), ("+1", "-1"), ("1", "-1")),
    ],
)
def test_branch_words(tmp_path, words):
    rows = long_rows()
    for row in rows[1:]:
        row[1] = words[row[1] == "LTD"]
    assert_branches(read(tmp_path, rows))


def test_rows_of_a_long_file_may_come_in_any_order(tmp_path):
    rows = long_rows()
    body = rows[1:]
    np.random.default_rng(0).shuffle(body)
    assert_branches(read(tmp_path, [rows[0], *body]))


@pytest.mark.parametrize(
    ("headings", "labels"),
    [
        (("LTP", "LTD"), {}),
        (("P", "D"), {}),
        (("LTP (S)", "LTD (S)"), {}),
        (("Normalized conductance LTP", "Normalized conductance LTD"), {}),
        (("up_data", "down_data"), {}),
        (("LTP chip X", "LTD chip X"), {"device": "X"}),
        (("LTP left", "LTD left"), {"device": "left"}),
        (("G_LTP [S]", "G_LTD [S]"), {}),
        (("dev2_LTP", "dev2_LTD"), {"device": "2"}),
        (("LTP_1", "LTD_1"), {"cycle": 1}),
        (("cycle 3 LTP", "cycle 3 LTD"), {"cycle": 3}),
        (("D1 C2 LTP", "D1 C2 LTD"), {"device": "1", "cycle": 2}),
        (("LTP 150 G", "LTD 150 G"), {"field_G": 150.0}),
        (("LTP 15 mT", "LTD 15 mT"), {"field_G": 150.0}),
    ],
)
@pytest.mark.parametrize("index", [False, True])
def test_wide_file_with_branches_in_the_headings(tmp_path, headings, labels, index):
    named = list(zip(headings, (LTP, LTD), strict=True))
    named = [("pulse", list(range(31))), *named] if index else named
    data = read(tmp_path, columns(*named))
    assert_branches(data, **labels)
    assert len(data.segments) == 2


@pytest.mark.parametrize(
    ("heading", "attribute", "values"),
    [
        ("cycle {}", "cycle", (1, 2, 3)),
        ("device {}", "device", ("1", "2", "3")),
        ("{} G", "field_G", (0.0, 150.0, 300.0)),
        ("{}G", "field_G", (0.0, 50.0, 100.0)),
        ("{} mT", "field_G", (0.0, 10.0, 20.0)),
    ],
)
def test_wide_file_of_full_traces(tmp_path, heading, attribute, values):
    scale = 0.1 if "mT" in heading else 1
    trace = np.concatenate([LTP, LTD[1:]])
    named = []
    for k, v in enumerate(values):
        label = f"{float(v) * scale:g}" if attribute == "field_G" else v
        named.append((heading.format(label), trace * (1 + k)))
    data = read(tmp_path, columns(*named), unit="S")
    assert len(data.segments) == 6
    for k, v in enumerate(values):
        assert_branches(data, LTP * (1 + k), LTD * (1 + k), **{attribute: v})


def test_columns_of_unknown_name_are_devices_with_a_warning(tmp_path):
    trace = np.concatenate([LTP, LTD[1:]])
    data = read(tmp_path, columns(("pulse", range(61)), ("left", trace), ("right", trace)))
    assert data.devices == ("left", "right")
    assert "'left', 'right' are taken as readings of one device each" in suspicious(data)


@pytest.mark.parametrize("wide_of", ["cycle", "device"])
def test_unlabelled_columns_need_to_be_called_cycles_or_devices(tmp_path, wide_of):
    trace = np.concatenate([LTP, LTD[1:]])
    path = write(tmp_path, text_of(columns(*[("R (ohm)", 1 / trace)] * 3)))
    with pytest.raises(PulseDataError, match=r"line 1, column 2 .*wide_of='cycle'"):
        read_pulses(path)
    data = read_pulses(path, wide_of=wide_of)
    assert len(data.segments) == 6
    assert (data.cycles, data.devices) in [((1, 2, 3), ("1",)), ((1,), ("1", "2", "3"))]
    assert (len(data.cycles) == 3) == (wide_of == "cycle")


@pytest.mark.parametrize("headings", [["pulse", "1", "2"], ["", "0", "1"]])
def test_numbered_columns_need_to_be_called_cycles_or_devices(tmp_path, headings):
    trace = np.concatenate([LTP, LTD[1:]])
    rows = columns(*zip(headings, (range(61), trace, trace), strict=True))
    with pytest.raises(PulseDataError, match=r"line 1, column 2 .*a cycle or a device"):
        read(tmp_path, rows)
    assert read(tmp_path, rows, wide_of="device").devices == tuple(headings[1:])


def test_shorter_columns_end_early_without_warning(tmp_path):
    rows = columns(("LTP (S)", LTP), ("LTD (S)", LTD[:29]))
    data = read(tmp_path, rows)
    assert_branches(data, LTP, LTD[:29])
    assert "dropped" not in suspicious(data)
    assert "different branch lengths" in suspicious(data)
    assert_branches(read(tmp_path, text_of(rows).replace(",\n", "\n")), LTP, LTD[:29])


def test_long_file_with_every_condition(tmp_path):
    header = ["Pulse #", "Branch", "Device", "Cycle", "H (kG)", "V_pulse (mV)", "width (us)"]
    body, k = [], 0
    for device in ("a", "b"):
        for cycle in (1, 2):
            for field in (0, 0.35):
                k += 1
                for branch, x, volt in (("LTP", LTP, 1300), ("LTD", LTD, -1100)):
                    more = [branch, device, cycle, field, volt, 50]
                    body += [[i, *more, v * k * 1e6] for i, v in enumerate(x)]
    data = read(tmp_path, [[*header, "G (uS)"], *body])
    assert len(data.segments) == 16
    assert (data.devices, data.cycles, data.fields_G) == (("a", "b"), (1, 2), (0.0, 350.0))
    assert (data.amplitudes_V, data.widths_s) == ((-1.1, 1.3), (5e-5,))
    assert_branches(data, LTP * 8, LTD * 8, device="b", cycle=2, field_G=350)
    (ltd,) = data.select("LTD", device="a", cycle=1, field_G=0)
    assert (ltd.amplitude_V, ltd.width_s) == (-1.1, 5e-5)


def test_several_amplitudes_tell_trains_apart(tmp_path):
    body = []
    for k, volt in enumerate((1.0, 1.2)):
        for branch, x, sign in (("LTP", LTP, 1), ("LTD", LTD, -1)):
            body += [[i, branch, v * (k + 1), sign * volt] for i, v in enumerate(x)]
    data = read(tmp_path, [["pulse", "branch", "G (S)", "amplitude (V)"], *body])
    assert [(s.branch, s.cycle, s.amplitude_V) for s in data.segments] == [
        *(("LTP", 1, 1.0), ("LTD", 1, -1.0), ("LTP", 1, 1.2), ("LTD", 1, -1.2)),
    ]


@pytest.mark.parametrize("cycles", [1, 3])
def test_amplitude_stepped_trains_keep_one_amplitude_per_pulse(tmp_path, cycles):
    steps = np.linspace(0.5, 2.0, 31)
    body = []
    for cycle in range(1, cycles + 1):
        body += [[i, "LTP", cycle, LTP[i], steps[i]] for i in range(31)]
        body += [[i, "LTD", cycle, LTD[i], -steps[i]] for i in range(31)]
    data = read(tmp_path, [["pulse", "branch", "cycle", "G (S)", "V_pulse (V)"], *body])
    assert len(data.segments) == 2 * cycles
    assert_branches(data, cycle=cycles)
    np.testing.assert_allclose(data.segments[0].amplitude_V, steps)
    np.testing.assert_allclose(data.segments[1].amplitude_V, -steps)


def test_long_file_counts_cycles_from_restarts_of_the_pulse_number(tmp_path):
    rows = long_rows()
    data = read(tmp_path, [rows[0], *(rows[1:] * 3)])
    assert data.cycles == (1, 2, 3)
    assert_branches(data, cycle=2)
    assert "restarts of the pulse number are read as cycles" in suspicious(data)


def test_running_pulse_numbers_are_counted_within_the_branch(tmp_path):
    trace = np.concatenate([LTP, LTD[1:], LTP[1:], LTD[1:]])
    words = ["LTP"] * 31 + ["LTD"] * 30 + ["LTP"] * 30 + ["LTD"] * 30
    rows = [[i, w, v] for i, (w, v) in enumerate(zip(words, trace, strict=True))]
    data = read(tmp_path, [["pulse", "branch", "G (S)"], *rows])
    assert [s.cycle for s in data.segments] == [1, 1, 2, 2]
    assert_branches(data, cycle=1)
    assert_branches(data, cycle=2)


def test_pulse_numbers_from_one_are_kept(tmp_path):
    rows = [[r[0] if r[0] == "pulse" else r[0] + 1, *r[1:]] for r in long_rows()]
    data = read(tmp_path, rows)
    for segment in data.segments:
        np.testing.assert_array_equal(segment.pulses, np.arange(1, 32))


def test_branch_without_pulse_numbers_shares_the_reading_between_branches(tmp_path):
    trace = np.concatenate([LTP, LTD[1:], LTP[1:]])
    words = ["LTP"] * 31 + ["LTD"] * 30 + ["LTP"] * 30
    data = read(tmp_path, [["branch", "G (S)"], *zip(words, trace, strict=True)])
    assert [(s.branch, s.cycle) for s in data.segments] == [("LTP", 1), ("LTD", 1), ("LTP", 2)]
    assert_branches(data, cycle=1)
    assert data.n_readings == 93


def test_repeated_reading_at_the_switch_is_not_doubled(tmp_path):
    trace = np.concatenate([LTP, LTD])
    words = ["LTP"] * 31 + ["LTD"] * 31
    data = read(tmp_path, [["branch", "G (S)"], *zip(words, trace, strict=True)])
    assert_branches(data)


@pytest.mark.parametrize("flip", [1, -1])
def test_branches_from_the_sign_of_the_amplitude(tmp_path, flip):
    """A device that is potentiated by negative pulses is recognised by its conductance."""
    trace = np.concatenate([LTP, LTD[1:], LTP[1:]])
    volts = np.array([0] + [1.5] * 30 + [-1.5] * 30 + [1.5] * 30) * flip
    rows = [["R (ohm)", "V (V)"], *zip(1 / trace, volts, strict=True)]
    data = read(tmp_path, rows)
    assert [(s.branch, s.cycle) for s in data.segments] == [("LTP", 1), ("LTD", 1), ("LTP", 2)]
    assert_branches(data, 1 / LTP, 1 / LTD, cycle=1)
    assert data.segments[1].amplitude_V == -1.5 * flip


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
@pytest.mark.parametrize("index", [None, 0, 1, 100])
def test_single_trace(tmp_path, quantity, index):
    trace = np.concatenate([LTP, LTD[1:], LTP[1:], LTD[1:]])
    values = trace if quantity == "conductance" else 1 / trace
    heading = "G (S)" if quantity == "conductance" else "R (ohm)"
    named = [(heading, values)]
    if index is not None:
        named = [("pulse", range(index, index + trace.size)), *named]
    data = read(tmp_path, columns(*named))
    assert [(s.branch, s.cycle) for s in data.segments] == [
        *(("LTP", 1), ("LTD", 1), ("LTP", 2), ("LTD", 2)),
    ]
    second = data.select(cycle=2)
    ltp, ltd = (LTP, LTD) if quantity == "conductance" else (1 / LTP, 1 / LTD)
    np.testing.assert_allclose(second[0].values, ltp)
    np.testing.assert_allclose(second[1].values, ltd)
    np.testing.assert_array_equal(second[1].pulses, np.arange(31))
    first = 1 if index == 1 else 0
    np.testing.assert_array_equal(data.segments[0].pulses, np.arange(first, first + 31))


def test_trace_of_one_branch_and_one_that_goes_nowhere(tmp_path):
    data = read(tmp_path, columns(("G (S)", LTD)))
    assert [s.branch for s in data.segments] == ["LTD"]
    assert "only LTD in the file" in suspicious(data)
    flat = 1e-6 * (1 + 0.01 * np.random.default_rng(1).normal(size=40))
    path = write(tmp_path, text_of(columns(("G (S)", flat))))
    with pytest.raises(PulseDataError, match=r"line 2, column 1 .*neither rise nor fall.*branch="):
        read_pulses(path)
    assert [s.branch for s in read_pulses(path, branch="LTP").segments] == ["LTP"]


def test_sawtooth_of_one_branch_is_cut_at_the_resets(tmp_path):
    data = read(tmp_path, columns(("G (S)", np.tile(LTP, 4))))
    assert [(s.branch, s.cycle, s.values.size) for s in data.segments] == [
        ("LTP", k, 31) for k in (1, 2, 3, 4)
    ]
    assert "read as a reset between cycles" in suspicious(data)


def test_trace_per_device_in_a_long_file(tmp_path):
    trace = np.concatenate([LTP, LTD[1:]])
    rows = [[d, c, i, v * d] for d in (1, 2) for c in (1, 2) for i, v in enumerate(trace)]
    data = read(tmp_path, [["device", "cycle", "pulse", "G (S)"], *rows])
    assert len(data.segments) == 8
    assert_branches(data, 2 * LTP, 2 * LTD, device="2", cycle=2)


def test_half_wide_file(tmp_path):
    """A branch column beside one column of readings per device."""
    rows = [[r[0], r[1], r[2], r[2] * 3] for r in long_rows()[1:]]
    data = read(tmp_path, [["pulse", "branch", "dev1 (S)", "dev2 (S)"], *rows])
    assert_branches(data, 3 * LTP, 3 * LTD, device="2")


def test_every_curve_with_its_own_pulse_numbers(tmp_path):
    rows = columns(
        *(("pulse", range(31)), ("LTP (S)", LTP)), *(("pulse", range(0, 62, 2)), ("LTD (S)", LTD))
    )
    data = read(tmp_path, rows)
    np.testing.assert_array_equal(data.select("LTD")[0].pulses, np.arange(0, 62, 2))


# ---------------------------------------------------------------- units and quantities


@pytest.mark.parametrize(
    ("heading", "factor", "unit"),
    [
        *(("R (kOhm)", 1e3, "ohm"), ("Resistance/MΩ", 1e6, "ohm"), ("R [\u2126]", 1, "ohm")),
        *(("r_ohm", 1, "ohm"), ("R in GOhm", 1e9, "ohm"), ("resistance, kohm", 1e3, "ohm")),
        *(("G [uS]", 1e-6, "S"), ("G (µS)", 1e-6, "S"), ("G (\u03bcS)", 1e-6, "S")),
        *(("conductance_S", 1, "S"), ("Conductance / nS", 1e-9, "S"), ("mS", 1e-3, "S")),
        *(("G", 1, "1"), ("G (a.u.)", 1, "1"), ("weight", 1, "1"), ("R", 1, "1")),
    ],
)
def test_units_in_the_heading(tmp_path, heading, factor, unit):
    rising = unit == "ohm" or heading == "R"
    values = np.array([3.0, 4.0, 5.0, 6.0]) if not rising else np.array([6.0, 5.0, 4.0, 3.0])
    data = read(tmp_path, columns(('"' + heading + '"', values)))
    assert data.unit == unit
    assert data.quantity == ("resistance" if rising else "conductance")
    np.testing.assert_allclose(data.segments[0].values, values * factor, rtol=1e-15)
    assert ("no unit" in suspicious(data)) == (heading in ("G", "R", "weight"))


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (columns(("I (nA)", LTP * 1e8)), {"read_voltage_V": 0.1}),
        (columns(("I (nA) at 0.1 V", LTP * 1e8)), {}),
        (columns(("I_read(100mV) nA", LTP * 1e8)), {}),
        (columns(("I_read (A)", LTP * 0.1), ("V_read (mV)", [100] * 31)), {}),
        (columns(("I (A)", -LTP * 0.1)), {"read_voltage_V": -0.1}),
        ([["# read voltage: 0.1 V"], ["I (nA)"], *([v * 1e8] for v in LTP)], {}),
        ([["Vread (mV)", "100"], ["pulse", "I (nA)"], *enumerate(LTP * 1e8)], {}),
        (columns(("current", LTP * 0.1)), {"read_voltage_V": 0.1, "unit": "A"}),
    ],
)
def test_currents_become_conductances(tmp_path, rows, options):
    data = read(tmp_path, rows, branch="LTP", **options)
    assert (data.quantity, data.unit) == ("conductance", "S")
    np.testing.assert_allclose(data.segments[0].values, LTP)


def test_cells_may_carry_their_unit(tmp_path):
    data = read(tmp_path, columns(("R", [f"{v:.9g} kOhm" for v in 1e-3 / LTP])))
    assert data.unit == "ohm"
    np.testing.assert_allclose(data.segments[0].values, 1 / LTP, rtol=1e-8)


def test_a_row_of_units_below_the_header(tmp_path):
    rows = [["pulse", "LTP", "LTD"], ["#", "uS", "uS"], *zip(range(31), LTP, LTD, strict=True)]
    data = read(tmp_path, rows)
    assert_branches(data, LTP * 1e-6, LTD * 1e-6)


def test_columns_in_different_units_are_converted_with_a_warning(tmp_path):
    data = read(tmp_path, columns(("LTP (uS)", LTP * 1e6), ("LTD (nS)", LTD * 1e9)))
    assert_branches(data)
    assert "mixed units uS, nS" in suspicious(data)


def test_quantity_chooses_between_columns_of_two(tmp_path):
    path = write(tmp_path, text_of(columns(("R (ohm)", 1 / LTP**1.5), ("G (S)", LTP))))
    with pytest.raises(PulseDataError, match=r"line 1, column 2 .*quantity='resistance' says"):
        read_pulses(path)
    assert read_pulses(path, quantity="resistance").unit == "ohm"
    assert read_pulses(path, quantity="conductance").unit == "S"


def test_columns_option_renames_and_leaves_out(tmp_path):
    rows = columns(("foo", range(31)), ("bar", LTP), ("baz", LTD), ("junk", range(31)))
    names = {"foo": "pulse", 2: "LTP (S)", "baz": "LTD (S)", 4: None}
    assert_branches(read(tmp_path, rows, columns=names))
    with pytest.raises(PulseDataError, match="no column is called 'qux'; columns are 'foo'"):
        read(tmp_path, rows, columns={"qux": "R"})


def test_conditions_of_the_whole_file_as_options(tmp_path):
    options = {"device": 7, "cycle": 4, "field_G": 150.0, "amplitude_V": 1.3, "width_s": 1e-4}
    data = read(tmp_path, columns(("G (S)", LTP)), **options)
    s = data.segments[0]
    assert (s.device, s.cycle, s.field_G, s.amplitude_V, s.width_s) == ("7", 4, 150.0, 1.3, 1e-4)


@pytest.mark.parametrize(
    ("text", "measures", "factor"),
    [
        *(("mOhm", "resistance", 1e-3), ("MOhm", "resistance", 1e6), ("s", "time", 1.0)),
        *(("S", "conductance", 1.0), ("ns", "time", 1e-9), ("nS", "conductance", 1e-9)),
        *(("kG", "field", 1e3), ("Oe", "field", 1.0), ("mT", "field", 10.0), ("T", "field", 1e4)),
    ],
)
def test_units_that_differ_by_case_or_prefix(text, measures, factor):
    unit = find_unit(text)
    assert unit is not None
    assert (unit.measures, unit.factor) == (measures, pytest.approx(factor, rel=1e-15))


@pytest.mark.parametrize("text", ["kOgm", "Ohmm", "kks", "foo", "GG", "ks", "", "µ"])
def test_words_that_are_no_units(text):
    assert find_unit(text) is None


@pytest.mark.parametrize(
    ("heading", "role"),
    [
        *(("Pulse number", "pulse"), ("LTP/LTD", "branch"), ("device_id", "device")),
        *(("V_G", "amplitude"), ("V_DS", "read_voltage"), ("Time (s)", "ignored")),
        *(("pulse width (us)", "width"), ("mu0H (mT)", "field"), ("cycle no.", "cycle")),
        *(("std", "ignored"), ("G_err (S)", "ignored"), ("anything", "unknown"), ("A1", "unknown")),
    ],
)
def test_roles_of_headings(heading, role):
    assert read_heading(heading).role == role


# ---------------------------------------------------------------- text as instruments write it

DIALECTS = [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."), (" ", ",")]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-32"]


def in_dialect(rows, delimiter: str, decimal: str) -> str:
    cells = [
        [str(c) if i == 0 else str(c).replace(".", decimal) for c in r] for i, r in enumerate(rows)
    ]
    return text_of(cells, delimiter)


@pytest.mark.parametrize(("delimiter", "decimal"), DIALECTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_dialects_and_encodings_read_the_same(tmp_path, delimiter, decimal, encoding):
    text = in_dialect(long_rows("pulse,branch,G(µS)"), delimiter, decimal)
    data = read(tmp_path, text.encode(encoding))
    assert_branches(data, LTP * 1e-6, LTD * 1e-6)


@quick
@given(
    dialect=st.sampled_from(DIALECTS),
    encoding=st.sampled_from(ENCODINGS),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    comment=st.sampled_from(["#", "%", "//"]),
    preamble=st.integers(0, 3),
    seed=st.integers(0, 2**16),
)
def test_any_way_of_writing_a_file_reads_the_same(
    tmp_path, dialect, encoding, newline, comment, preamble, seed
):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-8, 4)
    ltp, ltd = (x / 1e-6 * scale * rng.uniform(1, 2) for x in (LTP, LTD))
    lines = in_dialect(long_rows("pulse,branch,G_S", ltp, ltd), *dialect).split("\n")
    for _ in range(rng.integers(0, 4)):
        lines.insert(int(rng.integers(0, len(lines))), comment + " operator: me, 3 samples")
        lines.insert(int(rng.integers(0, len(lines))), "  ")
    lines = ["Model 2636B", "Instrument settings below", "Date 1.2.2024 10:11"][:preamble] + lines
    data = read(tmp_path, newline.join(lines).encode(encoding))
    assert_branches(data, ltp, ltd)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quoted_fields_and_trailing_empty_columns(tmp_path, delimiter):
    rows = [[f'"{c}"' for c in row] + ["", ""] for row in long_rows("pulse,branch,G (S)")]
    assert_branches(read(tmp_path, text_of(rows, delimiter)))


def test_header_in_a_comment_as_numpy_writes_it(tmp_path):
    path = tmp_path / "data.txt"
    np.savetxt(path, np.column_stack([LTP, LTD]), delimiter=",", header="LTP (uS),LTD (uS)")
    assert_branches(read_pulses(path), LTP * 1e-6, LTD * 1e-6)


def test_preamble_of_an_instrument(tmp_path):
    head = "Keithley Instruments,2636B\nSerial,1234567\nLimit,0.001\nRange,Auto\n\n"
    data = read(tmp_path, head + text_of(long_rows()))
    assert_branches(data)
    assert data.segments[0].lines[0] == 7


def test_names_of_two_words_in_a_whitespace_file(tmp_path):
    rows = "\n".join(f"{i}  {v}" for i, v in enumerate(1 / LTP))
    data = read(tmp_path, "pulse number   R (ohm)\n" + rows)
    np.testing.assert_allclose(data.segments[0].values, 1 / LTP)
    data = read(tmp_path, "resistance in ohm\n" + "\n".join(map(str, 1 / LTP)))
    np.testing.assert_allclose(data.segments[0].values, 1 / LTP)


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "OVLD", "9.9E37", "9.91e+37", "-9.9E37", "n/a"])
def test_missing_and_overflowed_readings_are_dropped_and_named(tmp_path, cell):
    rows = long_rows()
    rows[6][2] = cell
    data = read(tmp_path, rows)
    ltp = data.select("LTP")[0]
    np.testing.assert_array_equal(ltp.pulses, np.delete(np.arange(31), 5))
    np.testing.assert_array_equal(ltp.values, np.delete(LTP, 5))
    assert f"1 readings dropped: line 7 ({repr(cell) if cell else 'blank'})" in suspicious(data)


def test_missing_reading_in_a_trace_leaves_a_gap_in_the_numbers(tmp_path):
    trace = [str(v) for v in np.concatenate([LTP, LTD[1:]])]
    trace[40] = "OVLD"
    data = read(tmp_path, columns(("G (S)", trace)))
    np.testing.assert_array_equal(data.select("LTD")[0].pulses, np.delete(np.arange(31), 10))


def test_comma_that_can_be_decimal_or_delimiter(tmp_path):
    numbers = "\n".join(f"{i},{i * i + 1}" for i in range(2, 20))
    with pytest.raises(PulseDataError, match=r"line 1, column 1: '2,5' can be one number or two"):
        read(tmp_path, numbers)
    data = read(tmp_path, "R (ohm)\n" + numbers)
    assert data.segments[0].values[0] == 2.5
    data = read(tmp_path, "pulse,G (S)\n" + numbers)
    assert data.segments[0].values[0] == 5
    assert read(tmp_path, numbers, decimal=",", unit="S").segments[0].values[0] == 2.5
    assert read(tmp_path, "R (ohm)\n1,5\n1,4\n1,35\n", decimal=",").unit == "ohm"
    with pytest.raises(PulseDataError, match=r"line 3, column 1: '2,5' can be one number or two"):
        read(tmp_path, 'pulse,"R\n(kOhm)"\n' + numbers)


# ---------------------------------------------------------------- spreadsheets


def test_spreadsheet_reads_like_the_text(tmp_path):
    rows = long_rows("pulse,branch,G (µS)")
    data = read(tmp_path, workbook(("Data", rows)), "data.xlsx")
    same(data, read(tmp_path, rows))
    assert data.warnings == ()


def test_first_sheet_with_numbers_is_read_and_others_named(tmp_path):
    trace = np.concatenate([LTP, LTD[1:]])
    content = workbook(
        ("Notes", [["sample", "A"]]), ("Run", long_rows()), ("Fit", columns(("G (S)", trace)))
    )
    data = read(tmp_path, content, "data.xlsx")
    assert_branches(data)
    assert "sheet 'Run' read, not 'Notes', 'Fit'; sheet='Fit' reads another" in suspicious(data)


def test_sheets_by_name_and_number(tmp_path):
    content = workbook(
        ("Notes", [["sample", "A"]]), ("Run", long_rows()), ("Run 2", long_rows(ltp=2 * LTP))
    )
    path = write(tmp_path, content, "data.xlsx")
    assert_branches(read_pulses(path, sheet="Run 2"), 2 * LTP)
    assert_branches(read_pulses(path, sheet=3), 2 * LTP)
    with pytest.raises(PulseDataError, match="no sheet 'X'; sheets are 'Notes', 'Run', 'Run 2'"):
        read_pulses(path, sheet="X")


def test_spreadsheet_with_gaps_titles_and_a_wide_table(tmp_path):
    rows = [["My device"], [], ["pulse", "LTP (S)", "LTD (S)"], []]
    rows += [[i, float(a), float(b)] for i, (a, b) in enumerate(zip(LTP, LTD, strict=True))]
    data = read(tmp_path, workbook(("S", rows)), "data.xlsx")
    assert_branches(data)
    assert data.segments[0].lines[0] == 5


def test_spreadsheet_errors_name_sheet_line_and_column_letter(tmp_path):
    rows = long_rows("pulse,branch,G (S)")
    rows[4][2] = "abc"
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, workbook(("Run", rows)), "data.xlsx")
    expected = "data.xlsx: sheet 'Run', line 5, column C (G (S)): 'abc' is not a number"
    assert str(caught.value).endswith(expected)


def test_declared_size_of_a_sheet_is_not_believed(tmp_path):
    content = changed_part(
        workbook(("Run", long_rows())),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', xml),
    )
    assert_branches(read(tmp_path, content, "data.xlsx"))


def changed_part(content: bytes, name: str, change) -> bytes:
    """Workbook with one part changed."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(result, "w", 8) as new:
        for part in old.namelist():
            data = old.read(part)
            new.writestr(part, change(data) if part == name else data)
    return result.getvalue()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("xl/worksheets/sheet1.xml", lambda xml: xml + b" " * (MAX_BYTES + 1), "unpacks to"),
        ("xl/worksheets/sheet1.xml", lambda xml: b"<!DOCTYPE x>" + xml, "XML entities"),
        ("xl/worksheets/sheet1.xml", lambda xml: xml[: len(xml) // 2], "not a readable"),
        ("xl/worksheets/sheet1.xml", lambda xml: b"<c/>" * 4_100_000, "too large"),
        (
            "xl/worksheets/sheet1.xml",
            lambda xml: re.sub(rb'r="3"', b'r="999999999999"', xml, count=1),
            "too many cells|not a readable",
        ),
        ("xl/workbook.xml", lambda xml: b"<x/>", "not a readable|no sheet"),
        ("[Content_Types].xml", lambda xml: b"", "not a readable"),
    ],
)
def test_hostile_workbooks_are_refused(tmp_path, name, change, message):
    content = changed_part(workbook(("Run", long_rows())), name, change)
    with pytest.raises(PulseDataError, match=message):
        read(tmp_path, content, "data.xlsx")


def test_files_that_only_look_like_spreadsheets(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("readme.txt", "hello")
    with pytest.raises(PulseDataError, match=r"not an \.xlsx workbook"):
        read(tmp_path, archive.getvalue(), "data.xlsx")
    with pytest.raises(PulseDataError, match=r"old Excel file \(\.xls\)"):
        read(tmp_path, b"\xd0\xcf\x11\xe0" + bytes(600), "data.xls")
    with pytest.raises(PulseDataError, match="option sheet: the file is not"):
        read(tmp_path, long_rows(), sheet="Run")
    with pytest.raises(PulseDataError, match="no sheet with readings"):
        read(tmp_path, workbook(("a", [])), "data.xlsx")


# ---------------------------------------------------------------- layouts agree


@quick
@given(
    n=st.integers(12, 80),
    cycles=st.integers(1, 4),
    share=st.floats(0.15, 2.0),
    ratio=st.floats(1.5, 1000.0),
    resistance=st.booleans(),
)
def test_long_wide_and_trace_give_the_same_segments(tmp_path, n, cycles, share, ratio, resistance):
    tau = share * n
    ltp, ltd = relax(n, 1e-6, 1e-6 * ratio, tau), relax(n, 1e-6 * ratio, 1e-6, tau / 2)
    ltp, ltd = (1 / ltp, 1 / ltd) if resistance else (ltp, ltd)
    name = "R (ohm)" if resistance else "G (S)"
    rows = [
        [c, b, i, v]
        for c in range(1, cycles + 1)
        for b, x in (("LTP", ltp), ("LTD", ltd))
        for i, v in enumerate(x)
    ]
    long = read(tmp_path, [["cycle", "branch", "pulse", name], *rows])
    named = [
        (f"{b} cycle {c} {name}", x)
        for c in range(1, cycles + 1)
        for b, x in (("LTP", ltp), ("LTD", ltd))
    ]
    wide = read(tmp_path, columns(*named))
    trace = [ltp[0], *np.tile(np.concatenate([ltp[1:], ltd[1:]]), cycles)]
    single = read(tmp_path, columns((name, trace)))
    same(long, wide)
    same(long, single)
    assert len(long.segments) == 2 * cycles


@quick
@given(
    prefix=st.sampled_from(["G", "M", "k", "", "m", "u", "n", "p"]),
    resistance=st.booleans(),
    as_option=st.booleans(),
)
def test_units_scale_the_values_and_nothing_else(tmp_path, prefix, resistance, as_option):
    factor = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
    if prefix == "G" and not resistance:
        prefix = "k"
    base, symbol, name = ("ohm", "Ohm", "R") if resistance else ("S", "S", "G")
    ltp, ltd = (1 / LTP, 1 / LTD) if resistance else (LTP, LTD)
    unit = prefix + symbol
    heading = name if as_option else f"{name} ({unit})"
    rows = long_rows(f"pulse,branch,{heading}", ltp, ltd)
    data = read(tmp_path, rows, unit=unit if as_option else None)
    assert data.unit == base
    assert_branches(data, ltp * factor[prefix], ltd * factor[prefix])


# ---------------------------------------------------------------- segment finding


def pulsed(
    rng, n_up, n_down, cycles, tau_up, tau_down, low, high, noise, relative=False, log=False
):
    """Noisy trace of cycles and the indices at which it really switches."""
    trace, switches = [low], []
    for _ in range(cycles):
        for n, end, tau in ((n_up, high, tau_up), (n_down, low, tau_down)):
            if log:
                trace += list(np.exp(relax(n, np.log(trace[-1]), np.log(end), tau))[1:])
            else:
                trace += list(relax(n, trace[-1], end, tau)[1:])
            switches.append(len(trace) - 1)
    trace, error = np.array(trace), rng.normal(size=len(trace))
    noisy = trace * np.exp(noise * error) if relative else trace + noise * (high - low) * error
    return noisy, np.array(switches[:-1])


@pytest.mark.parametrize(
    ("case", "off"),
    [
        ((64, 64, 3, 20, 20, 1e-6, 1e-5, 0.0), 0),
        ((64, 64, 20, 20, 20, 1e-6, 1e-5, 0.02), 3),
        ((64, 64, 20, 20, 20, 1e-6, 1e-5, 0.1), 12),
        ((64, 64, 20, 20, 3, 1e-6, 1e-5, 0.03), 5),
        ((100, 50, 20, 1e6, 1e6, 0.0, 1.0, 0.03), 6),
        ((10, 10, 20, 4, 4, 0.0, 1.0, 0.02), 1),
        ((64, 64, 20, 20, 5, 1e-6, 1e-3, 0.0, True, True), 0),
        ((64, 64, 20, 20, 5, 1e-6, 1e-3, 0.1, True, True), 4),
        ((64, 64, 20, 20, 5, 1e-6, 1e-3, 0.3, True, True), 8),
        ((64, 64, 20, 20, 5, 1e-6, 1e-3, 0.1, True), 6),
        ((500, 500, 3, 100, 10, -1.0, 1.0, 0.1), 40),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_switches_of_noisy_traces_are_found(case, off, seed):
    trace, switches = pulsed(np.random.default_rng(seed), *case)
    found = find_switches(trace)
    assert len(found) == len(switches)
    assert np.abs(np.array(found) - switches).max() <= off


@pytest.mark.parametrize("tau", [3.0, 20.0, 1e6])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_one_branch_has_no_switch(tau, noise):
    rng = np.random.default_rng(3)
    trace = relax(200, 0.0, 1.0, tau) + noise * rng.normal(size=201)
    assert find_switches(trace) == []


def test_noise_that_remembers_is_not_a_switch():
    """Slow fluctuations of a fifth of the range, as real devices have them."""
    rng = np.random.default_rng(4)
    slow = np.convolve(rng.normal(size=1100), np.ones(40) / 40, "valid")[:1001]
    up, down = relax(1000, -1, 1, 1000), relax(1000, 1, -1, 300)
    trace = np.concatenate([up, down[1:]]) + np.tile(slow, 2)[:2001]
    trace += 0.1 * rng.normal(size=trace.size)
    found = find_switches(trace)
    assert len(found) == 1
    assert abs(found[0] - 1000) < 60


# ---------------------------------------------------------------- errors

GOOD = "pulse,branch,R (ohm)\n" + "".join(
    f"{i},{b},{1000 + (-k) * i}\n" for b, k in (("LTP", 9), ("LTD", -9)) for i in range(12)
)


def with_line(number: int, line: str) -> str:
    lines = GOOD.split("\n")
    lines[number - 1] = line
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (with_line(4, "2,LTP,abc"), {}, "line 4, column 3 (R (ohm)): 'abc' is not a number"),
        (with_line(4, "2,LTP,1_000"), {}, "line 4, column 3 (R (ohm)): '1_000' is not a number"),
        (with_line(4, '2,LTP,"1,234.5"'), {}, "line 4, column 3 (R (ohm)): '1,234.5' is not a "
         "number; numbers with thousands separators"),
        (with_line(4, "2,LTP,980,7"), {}, "line 4, column 4: '7' is one field too many; the header "
         "in line 1 names 3"),
        (with_line(4, "2,LTP"), {}, "line 4, column 3 (R (ohm)): the row ends after 2 fields"),
        (with_line(4, "2,LTP,-5"), {}, "line 4, column 3 (R (ohm)): '-5': a resistance has to be"),
        (with_line(4, "2,LTP,0"), {}, "line 4, column 3 (R (ohm)): '0': a resistance has to be"),
        (with_line(4, "2,LTP,inf"), {}, "line 4, column 3 (R (ohm)): 'inf' is infinite"),
        (with_line(4, "2,LTP,1e999"), {}, "line 4, column 3 (R (ohm)): '1e999' is infinite"),
        (with_line(4, "2,LTQ,980"), {}, "line 4, column 2 (branch): 'LTQ' is no branch; expected"),
        (with_line(4, "2,,980"), {}, "line 4, column 2 (branch): a blank cell is no branch"),
        (with_line(4, ",LTP,980"), {}, "line 4, column 1 (pulse): a blank cell is no pulse number"),
        (with_line(4, "-2,LTP,980"), {}, "line 4, column 1 (pulse): pulse number -2 is negative"),
        (with_line(4, "1,LTP,980"), {}, "line 4: LTP pulse 1 of device 1 is given twice, first in "
         "line 3"),
        (with_line(4, "2,LTP,9 kOhm"), {}, "line 4, column 3 (R (ohm)): '9 kOhm' mixes units in "
         "one column"),
        (with_line(4, '2,LTP,"98'), {}, "line 4, column 1: bad quoting"),
        (GOOD.replace("R (ohm)", "R (kOgm)"), {}, "line 1, column 3 (R (kOgm)): unknown unit "
         "'kOgm'; expected ohm"),
        (GOOD.replace("R (ohm)", "R (V)"), {}, "line 1, column 3 (R (V)): unit 'V' does not "
         "measure R"),
        (GOOD.replace("R (ohm)", "comment"), {}, "line 1: no column of readings; expected one"),
        (GOOD.replace("R (ohm)", "I (nA)"), {}, "line 1, column 3 (I (nA)): a current needs its "
         "read voltage: give read_voltage_V"),
        (GOOD.replace("pulse", "branch"), {}, "line 1, column 2 (branch): a second branch column"),
        ("", {}, "line 1: the file is empty"),
        (" \n\n", {}, "line 1: the file is empty"),
        ("# nothing\n", {}, "line 1: no readings, only blank lines and comments"),
        ("pulse,branch,R (ohm)\n", {}, "line 1: header only: no readings below it"),
        ("LTP,LTD\n,\n", {}, "line 1: header only: no readings below it"),
        ("hello world\nthis is text\n", {}, "line 1: no table of numbers found; expected a header"),
        ("R (ohm)\n1\n2\x07\n", {}, "line 3, character 2: control character '\\x07'"),
        ("1 2 3\n4 5 6\n7 8 9\n", {}, "line 1, column 1: 3 columns without a header; say what"),
        ("1,234;5\n2,345;6\n", {}, "line 1, column 1: '1,234' can be a decimal comma or a "
         "thousands separator; give decimal=','"),
        ("G (S)\n1\n2\n\n3\n4 5\n", {}, "line 6, column 1 (G (S)): '4 5' is not a number"),
        ("1.0 2.0\n1.1 1.9\n1.2 1.8 7\n1.3 1.7\n", {}, "line 3, column 3: '7' is one field too "
         "many; the first row has 2"),
        (GOOD, {"unit": "kOhm"}, "line 1, column 3 (R (ohm)): unit 'kOhm' contradicts 'ohm'"),
        (GOOD, {"quantity": "conductance"}, "line 1, column 3 (R (ohm)): conductance and "
         "resistance contradict each other"),
        (GOOD, {"branch": "LTP"}, "line 14, column 2 (branch): LTD contradicts the option "
         "branch='LTP'"),
        (GOOD, {"read_voltage_V": 0.1}, "option read_voltage_V: the file holds no currents"),
        (GOOD, {"layout": "wide"}, "line 1: layout='wide' contradicts the file"),
        (GOOD, {"layout": "trace"}, "line 1: layout='trace' contradicts the file"),
        (GOOD, {"unit": "furlong"}, "option unit: 'furlong'; expected ohm"),
        (GOOD, {"quantity": "mass"}, "option quantity: 'mass'; expected resistance"),
        (GOOD, {"encoding": "klingon"}, "unknown encoding 'klingon'"),
        (GOOD + "µ", {"encoding": "ascii"}, "line 26: not ascii text"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_column(tmp_path, text, options, message):
    path = write(tmp_path, text)
    with pytest.raises(PulseDataError) as caught:
        read_pulses(path, **options)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "\n" not in said


def test_options_that_do_not_exist_list_the_ones_that_do(tmp_path):
    path = write(tmp_path, GOOD)
    for name in ("layout", "wide_of", "branch", "delimiter", "decimal"):
        with pytest.raises(PulseDataError, match=rf"option {name}: 'x'; expected '"):
            read_pulses(path, **{name: "x"})


@pytest.mark.parametrize(
    ("option", "values", "wanted"),
    [
        ("field_G", (np.nan, np.inf), "finite number"),
        ("field_G", ("150", True), "number"),
        ("amplitude_V", (np.nan, -np.inf), "finite number"),
        ("width_s", (np.nan, np.inf, -1.0, 0.0), "finite number above 0"),
        ("read_voltage_V", (0.0, np.nan), "finite number other than 0"),
        ("cycle", (1.5, np.nan), "finite number without decimals"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_the_file_is_read(option, values, wanted):
    for value in values:
        with pytest.raises(PulseDataError, match=rf"^option {option}: .*expected a {wanted}$"):
            read_pulses("missing.csv", **{option: value})


@pytest.mark.parametrize("encoding", ["idna", "undefined", "hex", "utf-8\0", "punycode"])
def test_encodings_that_do_not_fit_are_one_line(tmp_path, encoding):
    """Not every codec answers with the error that text codecs have."""
    with pytest.raises(PulseDataError, match="encoding"):
        read(tmp_path, GOOD + "\xff.." * 80, encoding=encoding)


@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "data.csv"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(PulseDataError, match=r"data.csv: is a (fifo|device), not a regular file"):
        read_pulses(path)


def test_a_long_trace_takes_time_as_its_length(tmp_path):
    """Ten times the readings in the same cycles take about ten times as long, not a hundred."""
    seconds = []
    for cycles in (10, 100):
        cycle = np.concatenate([relax(100, 2e-6, 10e-6, 25.0), relax(100, 10e-6, 2e-6, 15.0)])
        start = time.perf_counter()
        data = read(tmp_path, columns(("G (S)", np.tile(cycle, cycles))))
        seconds.append(time.perf_counter() - start)
        assert len(data.segments) == 2 * cycles
    assert seconds[1] < 30 * seconds[0] + 1


def test_second_stretch_of_a_branch_in_one_cycle(tmp_path):
    trace = np.concatenate([LTP, LTD[1:], LTP[1:], LTD[1:]])
    message = r"line 62: a second LTP of device 1, cycle 3; expected one stretch"
    with pytest.raises(PulseDataError, match=message):
        read(tmp_path, columns(("cycle 3 (S)", trace)))
    with pytest.raises(PulseDataError, match=message):
        read(tmp_path, columns(("G (S)", trace)), cycle=3)


def test_contradiction_with_a_heading(tmp_path):
    with pytest.raises(PulseDataError, match=r"column 1 .*150.0 contradicts the option field_G"):
        read(tmp_path, columns(("LTP 150 G", LTP)), field_G=0.0, unit="S")


def test_columns_of_different_quantities(tmp_path):
    with pytest.raises(PulseDataError, match=r"column 2 .*conductance and resistance in one file"):
        read(tmp_path, columns(("LTP (ohm)", LTP), ("LTD (S)", LTD)))
    with pytest.raises(PulseDataError, match=r"column 2 .*not in both"):
        read(tmp_path, columns(("LTP (S)", LTP), ("LTD", LTD)))


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(PulseDataError, match=r"none\.csv: No such file"):
        read_pulses(tmp_path / "none.csv")
    with pytest.raises(PulseDataError, match="is a folder, not a regular file"):
        read_pulses(tmp_path)
    with pytest.raises(PulseDataError, match="null"):
        read_pulses("a\0b")


def test_large_files_are_refused(tmp_path):
    with pytest.raises(PulseDataError, match="more than the 67108864 bytes"):
        read(tmp_path, b"1\n" * (MAX_BYTES // 2 + 1))
    with pytest.raises(PulseDataError, match="more than 2000000 cells"):
        read(tmp_path, "1,2,3\n" * 700_000)
    with pytest.raises(PulseDataError, match=r"line \d+: more than 2000000 cells"):
        read(tmp_path, ("1 " * 1000 + "\n") * 2100)
    with pytest.raises(PulseDataError, match="line 2: longer than 1048576 characters"):
        read(tmp_path, "G (S)\n" + "1" * 1_100_000)
    with pytest.raises(PulseDataError, match="5000 columns, at most 4096"):
        read(tmp_path, [[f"x{i}" for i in range(5000)], [1] * 5000, [2] * 5000])


def test_messages_are_one_printable_line_whatever_is_quoted():
    nasty = "a\nb\r\x00\x1b[31m\u2028\udcff" + "x" * 5000
    said = str(PulseDataError(nasty))
    assert said.startswith("a b ")
    assert said.endswith("xxx")
    assert said.isprintable()
    assert len(said) <= 600


# ---------------------------------------------------------------- warnings


def warned(tmp_path, ltp=LTP, ltd=LTD) -> str:
    return suspicious(read(tmp_path, columns(("LTP (S)", ltp), ("LTD (S)", ltd))))


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_plain_noise_is_no_reason_for_warnings(tmp_path, noise, seed):
    rng = np.random.default_rng(seed)
    ltp, ltd = relax(200, 1e-6, 1e-5, 100), relax(200, 1e-5, 1e-6, 90)
    ltp, ltd = (x + 9e-6 * noise * rng.normal(size=x.size) for x in (ltp, ltd))
    assert warned(tmp_path, np.abs(ltp), np.abs(ltd)) == ""


def test_stretch_that_goes_back_is_named(tmp_path):
    ltp = relax(100, 1e-6, 1e-5, 100.0)
    ltp[50:70] -= np.linspace(0, 4e-6, 20)
    ltp[70:] -= 4e-6
    said = warned(tmp_path, ltp, relax(100, 6e-6, 1e-6, 80.0))
    assert re.search(r"LTP of device 1, cycle 1: not monotone: .* from line 5\d to line 7\d", said)


def test_far_start_of_ltd_is_named(tmp_path):
    said = warned(tmp_path, ltd=relax(30, 6e-6, 1e-6, 8.0))
    assert "LTD of device 1, cycle 1: starts 79% of its range from where its LTP ends" in said


def test_saturation_is_named(tmp_path):
    assert "LTP of device 1, cycle 1: saturated" in warned(tmp_path, relax(30, 1e-6, 1e-5, 3.0))
    assert "saturated" not in warned(tmp_path, relax(30, 1e-6, 1e-5, 8.0), relax(30, 1e-5, 1e-6, 8))


def test_few_pulses_are_named(tmp_path):
    said = warned(tmp_path, np.linspace(1e-6, 2e-6, 9), np.linspace(2e-6, 1e-6, 9))
    assert "too few pulses: 9 readings" in said


def test_outliers_are_named_with_their_lines(tmp_path):
    ltp = LTP.copy()
    ltp[[10, 20]] *= [2.0, 0.5]
    said = warned(tmp_path, ltp)
    assert "LTP of device 1, cycle 1: 2 outliers: line 12, line 22" in said


def test_wrong_way_branches_are_named(tmp_path):
    said = warned(tmp_path, LTD, LTP)
    assert "the conductance falls along LTP pulses" in said
    assert "the conductance rises along LTD pulses" in said


def test_resistances_and_conductances_give_the_same_warnings(tmp_path):
    ltp, ltd = relax(60, 1e-6, 1e-5, 30.0), relax(60, 5e-6, 1e-6, 5.0)
    ltp[20] *= 2
    conductance = read(tmp_path, columns(("LTP (S)", ltp), ("LTD (S)", ltd)))
    resistance = read(tmp_path, columns(("LTP (ohm)", 1 / ltp), ("LTD (ohm)", 1 / ltd)))
    assert conductance.warnings == resistance.warnings
    assert len(conductance.warnings) == 3


def test_conductance_below_zero_is_named(tmp_path):
    assert "conductances of 0 or below in 2 segments" in warned(tmp_path, LTP - 2e-6, LTD - 2e-6)


def test_many_warnings_of_a_kind_are_counted(tmp_path):
    named = [(f"LTP cycle {k} (S)", [1e-6, 2e-6, 3e-6]) for k in range(1, 21)]
    data = read(tmp_path, columns(*named))
    assert sum("too few pulses" in w for w in data.warnings) == 5
    assert "15 more segments" in suspicious(data)


def test_unknown_columns_beside_readings_are_named(tmp_path):
    data = read(tmp_path, columns(("pulse", range(31)), ("G (S)", LTP), ("foo", LTD)))
    assert "column 3 (foo) is not used" in suspicious(data)


# ---------------------------------------------------------------- fuzz


def seeds() -> dict[str, bytes]:
    """Good files of every kind, which the fuzz test breaks."""
    trace = np.concatenate([LTP, LTD[1:]])
    conditions = [
        [i, b, d, c, 50 * c, v * 1e6]
        for d in "ab"
        for c in (1, 2)
        for b, x in (("LTP", LTP), ("LTD", LTD))
        for i, v in enumerate(x[:12])
    ]
    header = ["pulse", "branch", "device", "cycle", "field (G)", "G (uS)"]
    wide = columns(
        *((f"{b} cycle {c} (uS)", x) for c in (1, 2) for b, x in (("LTP", LTP), ("LTD", LTD)))
    )
    current = columns(("V_read (mV)", [100] * 61), ("I (nA)", trace * 1e8))
    short = long_rows(ltp=LTP[:12], ltd=LTD[:12])
    return {
        "long": text_of([header, *conditions]).encode(),
        "wide": text_of(wide).encode(),
        "trace": text_of(columns(("R (kOhm)", 1e-3 / trace))).encode(),
        "plain": text_of(np.column_stack([LTP, LTD])).encode(),
        "german": in_dialect(short, ";", ",").encode("latin-1"),
        "utf16": text_of(short, "\t").encode("utf-16"),
        "current": ("# Keithley 2636B\nModel,X\n" + text_of(current)).encode(),
        "blanks": text_of(short, " ").encode(),
        "xlsx": workbook(("Run", short), ("More", wide)),
    }


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Content with a few bytes, lines or fields broken."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        kind, at = int(rng.integers(0, 9)), int(rng.integers(0, max(1, len(data))))
        lines = bytes(data).split(b"\n")
        k = int(rng.integers(0, len(lines)))
        if kind == 0 and data:
            data[at] = int(rng.integers(0, 256))
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 40))]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 8))).astype(np.uint8))
        elif kind == 4:
            data = bytearray(b"\n".join(lines[:k] + lines[k + int(rng.integers(1, 4)) :]))
        elif kind == 5:
            fields = re.split(rb"([,;\t ])", lines[k])
            rng.shuffle(fields)
            lines[k] = b"".join(fields)
            data = bytearray(b"\n".join(lines))
        elif kind == 6:
            bits = [b"nan", b"inf", b"-1", b"0", b"1e400", b'"', b"LTX", b"9.9E37", b"\xb5", b"1,2"]
            data[at : at + 3] = bits[int(rng.integers(0, len(bits)))]
        elif kind == 7:
            names = [b"R (foo)", b"I (nA)", b"LTP", b"0 G", b"", b"(((", b"/", b"cycle 9", b"#"]
            fields = lines[0].split(b",")
            fields[int(rng.integers(0, len(fields)))] = names[int(rng.integers(0, len(names)))]
            data = bytearray(b"\n".join([b",".join(fields), *lines[1:]]))
        else:
            data = bytearray(b"\n".join([*lines, *lines[:k]]))
    return bytes(data)


def outcome(path: Path) -> PulseData | str:
    """Data, or the text of the PulseDataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return read_pulses(path)
    except PulseDataError as error:
        return str(error)


def assert_sound(path: Path) -> bool:
    """The file gives whole segments or one line that names it; true for segments."""
    result = outcome(path)
    if isinstance(result, str):
        assert result.startswith(str(path))
        assert result.isprintable()
        return False
    assert result.segments
    for s in result.segments:
        assert s.branch in ("LTP", "LTD")
        assert s.pulses.shape == s.values.shape == s.lines.shape
        assert np.all(np.isfinite(s.values))
        assert np.all(np.diff(s.pulses) > 0)
    return True


@pytest.mark.parametrize("name", list(seeds()))
def test_mutated_files_give_data_or_one_line(tmp_path, name):
    content = seeds()[name]
    broken = [mutated(content, np.random.default_rng([k, len(name)])) for k in range(60)]
    sound = [assert_sound(write(tmp_path, b)) for b in broken]
    assert set(sound) == {True, False}


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
def test_mutated_parts_of_a_workbook_give_data_or_one_line(tmp_path, part):
    """Behind the checksums of the archive, where flipped bytes do not reach otherwise."""
    content = seeds()["xlsx"]
    sound = []
    for k in range(30):
        rng = np.random.default_rng(k)
        broken = changed_part(content, part, lambda xml, rng=rng: mutated(xml, rng))
        sound.append(assert_sound(write(tmp_path, broken, "data.xlsx")))
    assert False in sound


@quick
@given(st.binary(max_size=300))
def test_any_bytes_give_data_or_one_line(tmp_path, content):
    assert_sound(write(tmp_path, content))


@settings(quick, max_examples=150)
@given(st.lists(st.lists(st.text("0123456789.,-eLTPDG ()#µ;", max_size=6), max_size=4), max_size=8))
def test_any_table_gives_data_or_one_line(tmp_path, rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    assert_sound(write(tmp_path, text.getvalue()))


@pytest.mark.parametrize("readings", ["5e4\n3", "5e4\n3\n5e4", "1\n1"])
def test_very_few_readings_give_no_warning_of_numpy(tmp_path, readings):
    assert_sound(write(tmp_path, f"R (Ohm)\n{readings}\n"))


def test_segments_say_what_they_are():
    segment = Segment("LTP", LTP, LTP, "a", 2, 150.0, 1.3, 1e-4)
    assert segment.name == "LTP of device a, cycle 2, 150 G, 1.3 V, 0.0001 s"


# ---------------------------------------------------------------- repeated protocols


def saturated(rng, n=60, noise=0.02):
    """LTP that saturates long before its last pulse, then LTD: the switch hides in the noise."""
    up, down = relax(n, 1.0, 9.0, n / 12), relax(n, 9.0, 1.0, n / 8)
    trace = np.concatenate([up, down[1:]])
    return trace + noise * 8 * rng.standard_normal(trace.size)


def test_cycles_of_one_trace_share_their_length(tmp_path):
    rng = np.random.default_rng(0)
    trace = np.concatenate([saturated(rng)[:-1] for _ in range(20)])
    data = read(tmp_path, [["conductance (uS)"], *[[f"{v:.5f}"] for v in trace]])
    assert {s.values.size for s in data.segments[1:-1]} == {61}


def test_columns_of_one_protocol_share_their_switch(tmp_path):
    rng = np.random.default_rng(1)
    columns = [saturated(rng) for _ in range(16)]
    rows = [[f"cycle {i + 1} (uS)" for i in range(16)], *zip(*columns, strict=True)]
    data = read(tmp_path, rows)
    assert {s.values.size for s in data.segments} == {61}


def test_a_switch_the_readings_show_stays_where_it_is(tmp_path):
    """One column of a sharp zigzag switches two readings later: that is no noise."""
    sharp = np.concatenate([np.arange(20.0), np.arange(20.0, -1, -1)])
    late = np.concatenate([np.arange(22.0), np.arange(18.0, -1, -1)])
    columns = [sharp] * 5 + [late]
    rows = [[f"cycle {i + 1} (uS)" for i in range(6)], *zip(*columns, strict=True)]
    data = read(tmp_path, rows)
    lengths = [s.values.size for s in data.segments if s.branch == "LTP"]
    assert lengths[:5] == [21] * 5
    assert lengths[5] == 22
