"""Logs with several kinds of row: reads are found or named, pulses before them are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_pulses import assert_sound, mutated
from test_roles import LTD, LTP, RAMP, TRACE, assert_trace, ends, said, table, uses
from traces import quick

from device_models.pulses import PulseData, PulseDataError, read_pulses

STATES = np.r_[LTP[1:], LTD[1:]]
VOLTS = np.r_[[2.5] * 20, [-2.5] * 20]


def read(folder: Path, text: str, **options) -> PulseData:
    path = folder / "data.csv"
    path.write_text(text)
    return read_pulses(path, **options)


def log(
    heading: str, write: str, idle: str, read_row: str, n_writes: int = 1, n_reads: int = 1
) -> str:
    """A log of pulses and reads; {v} is the amplitude, {i} the current in uA at 0.1 V."""
    lines = [heading]
    for volt, state in zip(VOLTS, STATES, strict=True):
        values = {"v": f"{volt:g}", "i": f"{0.1 * state:.9g}", "r": f"{1 / state:.9g}"}
        lines += [write.format(**values)] * n_writes
        lines += [idle.format(**values)] if idle else []
        lines += [read_row.format(**values)] * n_reads
    return "\n".join(lines) + "\n"


def assert_states(data: PulseData, n_writes: int = 1, amplitude: bool = True) -> None:
    """The states after each pulse, in uS, with the pulses counted."""
    ltp, ltd = data.segments
    np.testing.assert_allclose(ltp.values, LTP[1:] * 1e-6, rtol=1e-8)
    np.testing.assert_allclose(ltd.values, LTD * 1e-6, rtol=1e-8)
    np.testing.assert_array_equal(ltp.pulses, n_writes * np.arange(1, 21))
    np.testing.assert_array_equal(ltd.pulses, n_writes * np.arange(21))
    assert [s.amplitude_V for s in data.segments] == ([2.5, -2.5] if amplitude else [None, None])


WORDS = log("step,Voltage (V),Current (uA)", "write,{v},99", "idle,0,1e-5", "read,0.1,{i}")


def test_read_rows_are_found_by_their_word(tmp_path):
    data = read(tmp_path, WORDS)
    assert_states(data)
    assert "'read': 40 of 120; left out are 40 of pulses and 40 of other kinds" in said(data)
    assert data.segments[0].lines[0] == 4
    assert uses(data) == [
        *("left out: it holds words", "read voltage [V]", "readings of current in uA"),
        *("pulse number", "pulse amplitude [V]"),
    ]


def test_rows_of_an_invented_log_with_time(tmp_path):
    text = """Time (s),step,Voltage (V),Current (A)
0.2,write,2.5,1.375e-4\n0.3,idle,0,2e-11\n0.4,read,0.1,11.00e-7
0.6,write,2.5,1.775e-4\n0.7,idle,0,2e-11\n0.8,read,0.1,14.20e-7
1.0,write,2.5,2.038e-4\n1.1,idle,0,2e-11\n1.2,read,0.1,16.30e-7
1.4,write,2.5,2.237e-4\n1.5,idle,0,2e-11\n1.6,read,0.1,17.90e-7
1.8,write,2.5,2.375e-4\n1.9,idle,0,2e-11\n2.0,read,0.1,19.00e-7
2.2,write,-2.5,1.638e-4\n2.3,idle,0,2e-11\n2.4,read,0.1,13.10e-7
2.6,write,-2.5,1.363e-4\n2.7,idle,0,2e-11\n2.8,read,0.1,10.90e-7
3.0,write,-2.5,1.225e-4\n3.1,idle,0,2e-11\n3.2,read,0.1,9.80e-7
3.4,write,-2.5,1.150e-4\n3.5,idle,0,2e-11\n3.6,read,0.1,9.20e-7
"""
    for options in ({}, {"where": {"step": "read"}}, {"where": {2: "read"}}):
        data = read(tmp_path, text, **options)
        assert (data.unit, data.amplitudes_V) == ("S", (-2.5, 2.5))
        found = [(b, n) for b, _, _, n, *_ in ends(data)]
        assert found == [("LTP", 5), ("LTD", 5)]
        ltp, ltd = data.segments
        np.testing.assert_allclose(ltp.values[[0, -1]], [11e-6, 19e-6])
        np.testing.assert_allclose(ltd.values[[1, -1]], [13.1e-6, 9.2e-6])
        assert "left out are 9 of pulses and 9 of other kinds" in said(data)


@quick
@given(
    n_writes=st.integers(1, 6),
    n_reads=st.integers(1, 3),
    words=st.sampled_from([("write", "read"), ("PROGRAM", "Measure"), ("pulse", "verify")]),
)
def test_pulses_between_reads_are_counted(tmp_path, n_writes, n_reads, words):
    text = log(
        "mode,V (V),I (uA)", words[0] + ",{v},9", "", words[1] + ",0.1,{i}", n_writes, n_reads
    )
    data = read(tmp_path, text)
    assert_states(data, n_writes)
    again = f"{40 * (n_reads - 1)} rows are left out: reads before another one"
    assert (again in said(data)) == (n_reads > 1)


def noisy(states: np.ndarray, n_reads: int, scatter: float) -> np.ndarray:
    """Reads of each state, shape (states * n_reads,), to six digits."""
    noise = np.random.default_rng(1).normal(size=(states.size, n_reads))
    return np.round((states[:, None] + scatter * noise).ravel(), 6)


@pytest.mark.parametrize("n_reads", [2, 5])
def test_rows_of_one_state_are_averaged(tmp_path, n_reads):
    reads = noisy(STATES, n_reads, 0.05)
    lines = ["kind,V (V),I (uA)"]
    for volt, same in zip(VOLTS, reads.reshape(-1, n_reads), strict=True):
        lines += [f"write,{volt},9", *(f"read,0.1,{0.1 * v:.9g}" for v in same)]
    numbers = table("pulse,G (uS)", np.repeat(np.arange(1, 41), n_reads), reads)
    for text in ("\n".join(lines), numbers):
        data = read(tmp_path, text)
        means = reads.reshape(-1, n_reads).mean(axis=1) * 1e-6
        found = np.concatenate([data.segments[0].values, data.segments[1].values[1:]])
        np.testing.assert_allclose(found, means, rtol=1e-9)
        pooled = np.sqrt(reads.reshape(-1, n_reads).var(axis=1, ddof=1).mean())
        assert data.read_noise == pytest.approx(pooled * 1e-6, rel=1e-6)
        assert f"{40 * n_reads} rows are reads of 40 states, up to {n_reads}" in said(data)


def test_rows_of_one_pulse_that_differ_are_an_error(tmp_path):
    twice = np.repeat(TRACE, 2) * np.tile([1, 2], 41)
    text = table("pulse,G (uS)", np.repeat(np.arange(41), 2), twice)
    with pytest.raises(PulseDataError, match=r"neither rise nor fall|given twice"):
        read(tmp_path, text)


def test_decimal_commas_survive_the_mean(tmp_path):
    reads = noisy(TRACE, 2, 0.05)
    numbers = np.repeat(np.arange(41), 2)
    rows = [f"{n};{v}".replace(".", ",") for n, v in zip(numbers, reads, strict=True)]
    data = read(tmp_path, "pulse;G (uS)\n" + "\n".join(rows))
    means = reads.reshape(-1, 2).mean(axis=1) * 1e-6
    np.testing.assert_allclose(data.segments[0].values, means[:21])


@pytest.mark.parametrize(
    ("heading", "write", "idle", "read_row", "amplitude"),
    [
        ("V (V),I (uA)", "{v},99", "0,1e-5", "0.1,{i}", True),
        ("V (V),I (uA)", "{v},99", "", "-0.1,-{i}", True),
        ("V_pulse (V),V_read (V),I (uA)", "{v},,", "", ",0.1,{i}", True),
        ("V_pulse (V),V_read (V),I (uA)", "{v},0,5", "0,0,0", "0,0.1,{i}", True),
        ("V_write (V),R (MOhm)", "{v},", "", ",{r}", True),
        ("kind,V (V),R (MOhm)", "set,{v},", "", "read,0.1,{r}", True),
        ("kind,R (MOhm)", "write,", "", "read,{r}", False),
    ],
)
def test_reads_of_logs_of_other_forms(tmp_path, heading, write, idle, read_row, amplitude):
    data = read(tmp_path, log(heading, write, idle, read_row))
    if "MOhm" in heading:
        assert data.quantity == "resistance"
        np.testing.assert_allclose(data.segments[0].values, 1e6 / LTP[1:], rtol=1e-7)
    else:
        assert_states(data)
    assert [s.branch for s in data.segments] == ["LTP", "LTD"]
    assert (data.segments[0].amplitude_V == 2.5) == amplitude
    assert "read rows are those where" in said(data)


def test_words_of_pulses_are_branches_where_no_voltage_is_given(tmp_path):
    lines = ["kind,G (uS)"]
    for volt, state in zip(VOLTS, STATES, strict=True):
        lines += ["set," if volt > 0 else "reset,", f"read,{state:.9g}"]
    data = read(tmp_path, "\n".join(lines))
    assert_states(data, amplitude=False)


def test_a_state_before_the_first_pulse_is_pulse_0(tmp_path):
    text = WORDS.replace("Current (uA)\n", f"Current (uA)\nread,0.1,{0.1 * LTP[0]:.9g}\n")
    data = read(tmp_path, text)
    assert_trace(data, 1e-6)
    assert data.segments[0].pulses[0] == 0


def test_several_words_choose_rows(tmp_path):
    rows = [
        f"{c},{k},{v * (2 if c == 'B' else 1):.9g}"
        for v in TRACE
        for c in "AB"
        for k in ("read", "check")
    ]
    text = "channel,kind,G (uS)\n" + "\n".join(rows)
    data = read(tmp_path, text, where={"channel": "B", "kind": "check"})
    assert_trace(data, 2e-6)
    assert "channel is B and kind is check: 41 of 164" in said(data)


def test_numbers_choose_rows(tmp_path):
    text = table("channel,G (uS)", np.tile([1, 2], 41), np.repeat(TRACE, 2))
    assert_trace(read(tmp_path, text, where={"channel": "2.0"}), 1e-6)
    assert_trace(read(tmp_path, text, where={1: "1"}), 1e-6)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"kind": "read"}, "option where: no column 'kind'; columns are 'step', 'Voltage (V)'"),
        ({9: "read"}, "option where: no column '9'"),
        ({"step": "sense"}, "no 'sense' in column 1 (step); it holds 'write', 'idle', 'read'"),
        ({"step": "read", "Voltage (V)": "2.5"}, "option where: no row has all of"),
    ],
)
def test_rows_that_are_not_there_are_named(tmp_path, where, message):
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, WORDS, where=where)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        # Set and reset by turns, a sweep, and steps of amplitude: every row is a reading or none.
        "V (V),I (A)\n" + "1.0,1e-4\n-1.5,1e-6\n" * 20,
        "V (V),I (A)\n"
        + "".join(
            f"{v:g},{v**3 + v:g}\n" for v in np.r_[np.arange(-2, 2, 0.1), np.arange(2, -2, -0.1)]
        ),
        "V (V),I (A)\n" + "".join(f"{0.5 + 0.1 * k:g},{k:g}\n" for k in range(30)),
    ],
)
def test_voltages_that_do_not_come_back_after_pulses_choose_no_rows(tmp_path, text):
    with pytest.raises(PulseDataError, match="a current needs its read voltage"):
        read(tmp_path, text)


def test_rows_of_one_kind_stay(tmp_path):
    text = "kind,G (uS)\n" + "\n".join(f"read,{v:.9g}" for v in TRACE)
    data = read(tmp_path, text)
    assert_trace(data, 1e-6)
    assert "left out" not in said(data)


def test_a_log_without_headings_is_asked_about(tmp_path):
    text = WORDS.split("\n", 1)[1]
    with pytest.raises(PulseDataError) as caught:
        read(tmp_path, text)
    literal = "columns={1: 'kind', 2: 'V (V)', 3: 'I (A)'}"
    assert str(caught.value).endswith(f"say what the columns are, for example {literal}")
    assert_states(read(tmp_path, text, columns={1: "kind", 2: "V (V)", 3: "I (uA)"}))


def test_columns_that_the_caller_names_are_believed(tmp_path):
    text = WORDS.replace("Voltage (V)", "x1").replace("Current (uA)", "x2")
    data = read(tmp_path, text, columns={"x1": "V (V)", "x2": "I (uA)"})
    assert_states(data)
    with pytest.raises(PulseDataError, match="read voltage"):
        read(tmp_path, WORDS, columns={"step": None, "Voltage (V)": None})


SEEDS = {
    "log": WORDS,
    "no words": log("V (V),I (uA)", "{v},99", "0,1e-5", "0.1,{i}"),
    "repeats": RAMP,
    "negative": table("red,blue", -1e-10 * TRACE, -1.7e-10 * TRACE),
    "no heading": table("", np.arange(41) + 0.01, TRACE, 2 * TRACE),
    "conditions": table("T (K),pulse,G (uS),G smooth (uS)", np.repeat([300, 350], 41),
                        *(np.tile(x, 2) for x in (np.arange(41), TRACE, TRACE))),
    "counters": table("index,Pulse Number,R (kOhm),I (uA)", np.arange(41), np.arange(41),
                      1 / TRACE, TRACE),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files_of_these_kinds_give_data_or_one_line(tmp_path, name):
    path, sound = tmp_path / "data.csv", set()
    for k in range(40):
        path.write_bytes(mutated(SEEDS[name].encode(), np.random.default_rng([k, len(name)])))
        sound.add(assert_sound(path))
    assert True in sound
