"""Small files of the kinds that laboratories have, and the one right reading of each.

All values are invented; the files stand in `tests/cases`. A row of the table is a branch: its
readings as they stand in the file, first and last. Where one trace is cut, the next branch also
starts with the reading before it, which is not counted here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from device_models import PulseData, PulseDataError, read_branches, read_pulses
from device_models.pulses import Segment

CASES = Path(__file__).parent / "cases"
Row = tuple[str, int, float, float]


@dataclass(frozen=True)
class Case:
    """A file, the options it needs, and what is read: branches in any order, words of warnings."""

    file: str
    rows: list[Row]
    unit: str = "S"
    quantity: str = "conductance"
    devices: int = 1
    cycles: int = 1
    conditions: int = 0
    says: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


U, M = 1e-6, 1e6
CASE_TABLE = [
    Case(
        "02_transposed.csv",
        [
            ("LTP", 6, 1.2 * U, 6.1 * U),
            ("LTD", 6, 6.1 * U, 1.4 * U),
            ("LTP", 6, 1.5 * U, 6.8 * U),
            ("LTD", 6, 6.8 * U, 1.6 * U),
        ],
        devices=2,
    ),
    Case(
        "03_rows_ragged.txt",
        [
            ("LTP", 6, 2.1e-9, 8.1e-8),
            ("LTD", 5, 8.3e-8, 4.1e-9),
            ("LTP", 7, 2.3e-9, 8.5e-8),
            ("LTD", 6, 8.6e-8, 2.4e-9),
        ],
        unit="1",
        cycles=2,
    ),
    Case(
        "04_log_row_kinds.csv",
        [("LTP", 5, 11.0 * U, 19.0 * U), ("LTD", 4, 13.1 * U, 9.2 * U)],
        says=["left out are 9 of pulses and 9 of other kinds"],
    ),
    Case(
        "05_metadata_block.csv",
        [("LTP", 5, 2.00 * U, 4.55 * U), ("LTD", 4, 3.45 * U, 2.15 * U)],
    ),
    Case(
        "06_moving_average.csv",
        [("LTP", 5, 41.0 * U, 54.2 * U), ("LTD", 4, 49.0 * U, 42.1 * U)],
        says=["average"],
    ),
    Case(
        "07_pulse_n_unit_per_width.csv",
        [
            ("LTP", 5, 0.316, 53.04),
            ("LTP", 5, 0.322, 54.08),
            ("LTD", 5, 59.16, 1.122),
            ("LTD", 5, 60.32, 1.144),
        ],
        unit="1",
        cycles=2,
        says=["nA/um"],
    ),
    Case(
        "08_bracket_is_a_name.csv",
        [
            ("LTP", 5, 2.0e-5, 3.5e-5),
            ("LTD", 4, 2.9e-5, 2.1e-5),
            ("LTP", 5, 1.8e-5, 3.4e-5),
            ("LTD", 4, 2.8e-5, 1.9e-5),
        ],
        unit="1",
        devices=2,
    ),
    Case(
        "09_conditions_two_heading_rows.txt",
        [
            ("LTD", 5, 50e3, 68e3),
            ("LTP", 4, 47e3, 25e3),
            ("LTD", 5, 61e3, 82e3),
            ("LTP", 4, 63e3, 44e3),
        ],
        unit="ohm",
        quantity="resistance",
    ),
    Case(
        "10_sheets.xlsx",
        [
            ("LTP", 5, 3.1e-4, 4.2e-4),
            ("LTD", 5, 4.2e-4, 3.1e-4),
            ("LTP", 5, 5.0e-4, 6.3e-4),
            ("LTD", 5, 6.3e-4, 5.0e-4),
        ],
        unit="1",
        conditions=2,
    ),
    Case(
        "12_stray_number.txt",
        [("LTD", 5, 7.0 * M, 9.6 * M), ("LTP", 4, 6.2 * M, 3.6 * M)],
        unit="ohm",
        quantity="resistance",
        says=["1.9E-7", "current"],
    ),
    Case(
        "13_fractional_pulses.csv",
        [("LTP", 6, 3.1e-8, 27.5e-8), ("LTD", 6, 12e-8, 3.2e-8)],
        unit="1",
        says=["fraction"],
    ),
    Case(
        "14_small_fall_then_rise.csv",
        [("LTD", 8, 90 * M, 166 * M), ("LTP", 8, 100 * M, 39 * M)],
        unit="ohm",
        quantity="resistance",
    ),
    Case(
        "15_half_selected.csv",
        [
            ("LTP", 5, 20.0 * U, 30.0 * U),
            ("LTD", 4, 26.0 * U, 20.5 * U),
            # The last reading at rest is the state before the first pulse.
            ("LTP", 5, 18.3 * U, 28.0 * U),
            ("LTD", 5, 24.0 * U, 18.5 * U),
        ],
        devices=2,
        says=["rest"],
    ),
    Case(
        "16_identical_devices.csv",
        [("LTP", 5, 1.0 * U, 4.9 * U), ("LTD", 5, 4.9 * U, 1.2 * U)] * 3,
        devices=3,
    ),
    Case(
        "18_pulse_n_becomes_device.csv",
        [("LTP", 5, 1.0, 3.2), ("LTD", 4, 2.2, 1.1), ("LTP", 5, 1.3, 3.7), ("LTD", 4, 2.6, 1.4)],
        unit="1",
        devices=2,
    ),
    Case(
        "19_decades_from_pulse_1.csv",
        [("LTP", 10, 2e-9, 3.5e-5), ("LTD", 10, 3.4e-5, 5e-9)],
    ),
    Case(
        "20_repeats_and_ramp.csv",
        [
            ("LTP", 5, 6.003333333333333e-9 / 0.2, 9.003333333333333e-9 / 0.2),
            ("LTD", 4, 8.103333333333333e-9 / 0.2, 6.303333333333333e-9 / 0.2),
        ],
        says=["stepped"],
    ),
    Case(
        "24_log_law_over_decades_ltd.csv",
        [("LTD", 8, 61 * U, 0.45 * U), ("LTP", 7, 1.9 * U, 6.1 * U)],
    ),
    *(
        Case(
            f"{name}.csv",
            [
                ("LTP", 30, 0.997 * factor, 9.870 * factor),
                ("LTD", 30, 9.857 * factor, 1.000 * factor),
                ("LTP", 30, 1.075 * factor, 9.686 * factor),
                ("LTD", 30, 9.656 * factor, 1.064 * factor),
                ("LTP", 30, 0.929 * factor, 8.971 * factor),
                ("LTD", 30, 8.961 * factor, 0.863 * factor),
            ],
            devices=3,
        )
        for name, factor in (
            ("25_three_devices_nS", 1e-9),
            ("26_three_devices_pS", 1e-12),
            ("27_three_devices_uS", 1e-6),
        )
    ),
    Case(
        "29_idle_after.csv",
        # The end of a saturated branch and a rest after it look alike: kept, and said.
        [("LTP", 50, 10.8056 * U, 20.0487 * U), ("LTD", 150, 19.1369 * U, 10.1114 * U)],
        says=["saturated, or at rest"],
    ),
    Case(
        "30_one_protocol_cut_differently.csv",
        [
            row
            for first, last in ((156.6, 62.51), (158.1, 68.94), (159.7, 75.36), (161.2, 81.79))
            for row in (("LTD", 10, 118.3 * M, 186.4 * M), ("LTP", 10, first * M, last * M))
        ],
        unit="ohm",
        quantity="resistance",
        devices=4,
        options={"wide_of": "device"},
    ),
    Case(
        "31_small_first_branch.csv",
        [("LTD", 10, 14.0 * U, 9.2 * U), ("LTP", 10, 13.0 * U, 25.9 * U)],
    ),
    Case(
        "32_s_shaped_noise_free.csv",
        [("LTP", 31, 1.0 * U, 20.0 * U), ("LTD", 31, 20.0 * U, 1.0 * U)],
    ),
    Case(
        "33_symmetric_s_shape.csv",
        [("LTP", 61, 1.0072 * U, 20.0246 * U), ("LTD", 61, 20.0075 * U, 1.0016 * U)],
    ),
    Case(
        "34_nearly_symmetric_s_shape.csv",
        [("LTP", 41, 0.9909 * U, 20.0250 * U), ("LTD", 41, 19.9788 * U, 1.0389 * U)],
    ),
    Case(
        "36_equal_columns.csv",
        [("LTP", 21, 10.013 * U, 19.987 * U), ("LTD", 19, 17.925 * U, 10.236 * U)] * 3,
        devices=3,
        options={"wide_of": "device"},
    ),
    Case(
        "37_instrument_export.csv",
        [("LTP", 20, 10.0 * U, 19.579 * U), ("LTD", 20, 20.0 * U, 10.087 * U)],
        unit="1",
    ),
]


@pytest.mark.parametrize("case", CASE_TABLE, ids=lambda case: case.file)
def test_a_case_reads_right(case: Case) -> None:
    data = read_quietly(CASES / case.file, **case.options)
    assert sorted(own_rows(data)) == [
        (branch, n, pytest.approx(first, rel=1e-12), pytest.approx(last, rel=1e-12))
        for branch, n, first, last in sorted(case.rows)
    ]
    assert (data.quantity, data.unit) == (case.quantity, case.unit)
    found = len(data.devices), len(data.cycles), len(data.conditions)
    assert found == (case.devices, case.cycles, case.conditions)
    told = " ".join(data.warnings).lower()
    assert [word for word in case.says if word.lower() not in told] == []


def test_two_files_one_a_branch() -> None:
    data = read_branches(
        ltp=[CASES / "01_pair_potentiation.txt"], ltd=[CASES / "01_pair_depression.txt"]
    )
    assert own_rows(data) == [("LTP", 6, 2.10e-3, 3.02e-3), ("LTD", 6, 3.02e-3, 2.15e-3)]
    assert (data.unit, len(data.devices)) == ("1", 1)
    in_siemens = read_branches(
        ltp=[CASES / "01_pair_potentiation.txt"],
        ltd=[CASES / "01_pair_depression.txt"],
        unit="S",
    )
    assert in_siemens.unit == "S"


def test_negative_currents_are_never_exchanged() -> None:
    """LTP is where the size of the current grows, whatever the sign of the read voltage."""
    path = CASES / "11_negative_currents.txt"
    rows = [
        ("LTD", 5, 3.6e-10, 1.4e-10),
        ("LTD", 5, 6.12e-10, 2.38e-10),
        ("LTP", 6, 1.00e-10, 5.30e-10),
        ("LTP", 6, 1.70e-10, 9.01e-10),
    ]
    data = read_quietly(path)
    assert sorted(own_rows(data)) == rows
    assert any("negative throughout: their size counts" in w for w in data.warnings)
    assert len(data.conditions) == 2
    over_voltage = read_quietly(path, quantity="current", unit="A", read_voltage_V=-0.1)
    assert sorted(own_rows(over_voltage)) == [
        (branch, n, pytest.approx(10 * first), pytest.approx(10 * last))
        for branch, n, first, last in rows
    ]


def test_only_ltp_columns_without_a_heading() -> None:
    data = read_quietly(CASES / "22_only_ltp_columns_no_heading.csv")
    assert own_rows(data) == [
        ("LTP", 5, 5.1e-12, 8.4e-12),
        ("LTP", 5, 5.0e-12, 13.2e-12),
        ("LTP", 5, 6.0e-12, 6.4e-12),
    ]
    assert data.unit == "1"
    assert any("0 in all columns" in warning for warning in data.warnings)


@pytest.mark.parametrize(
    ("file", "words"),
    [("21_time_trace.txt", "time"), ("23_cycle_is_not_pulse.csv", "neither rise nor fall")],
)
def test_what_is_no_pulse_response_is_refused_by_what_it_looks_like(file: str, words: str) -> None:
    with pytest.raises(PulseDataError, match=words):
        read_pulses(CASES / file)


def test_a_rest_before_the_branches_is_no_part_of_them() -> None:
    data = read_quietly(CASES / "28_idle_before.csv")
    counts = {branch: n for branch, n, *_ in own_rows(data)}
    assert counts["LTP"] == pytest.approx(50, abs=2)
    assert counts["LTD"] == pytest.approx(50, abs=1)
    assert any("rest" in warning for warning in data.warnings)
    kept = read_pulses(CASES / "28_idle_before.csv", keep_rest=True)
    assert kept.n_readings > 200


def own_rows(data: PulseData) -> list[Row]:
    """Branch, number of readings, first and last of every segment, without the shared first one."""
    rows = []
    last_line: dict[str, int] = {}
    for s in data.segments:
        own = s.values[1:] if _starts_shared(s, last_line) else s.values
        rows.append((s.branch, own.size, float(own[0]), float(own[-1])))
    return rows


def _starts_shared(segment: Segment, last_line: dict[str, int]) -> bool:
    """Whether the first reading is the last one of the segment before, of the same trace."""
    assert segment.lines is not None
    trace = f"{segment.device} {segment.condition}"
    shared = last_line.get(trace) == segment.lines[0]
    last_line[trace] = int(segment.lines[-1])
    return shared


def read_quietly(path: Path, **options: Any) -> PulseData:
    """The file read with every warning of numpy or scipy an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_pulses(path, **options)
