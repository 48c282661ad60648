"""Several files read as one measurement: which readings come from where, and what is asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from mutations import changed, check_mutations

from device_models import PulseDataError, fit_card, read_branches, read_pulses

N = np.arange(16)
UP = 4e-6 - 3e-6 * np.exp(-N / 5)
DOWN = 1e-6 + 3e-6 * np.exp(-N / 4)


def column(folder: Path, name: str, values: np.ndarray) -> Path:
    """A file of readings alone, one a line, as many instruments save them."""
    path = folder / name
    path.write_text("".join(f"{v:.6e}\n" for v in values))
    return path


def pulses(folder: Path, name: str, values: np.ndarray, heading: str = "G (uS)") -> Path:
    """A file with pulse numbers and readings in the unit of the heading."""
    path = folder / name
    rows = [f"{i},{1e6 * v:.6f}" for i, v in enumerate(values)]
    path.write_text("\n".join([f"pulse,{heading}", *rows]) + "\n")
    return path


def files(folder: Path, stems: list[str], gains: list[float]) -> tuple[list[Path], list[Path]]:
    ups = [pulses(folder, f"up_{s}.csv", g * UP) for s, g in zip(stems, gains, strict=True)]
    downs = [pulses(folder, f"down_{s}.csv", g * DOWN) for s, g in zip(stems, gains, strict=True)]
    return ups, downs


def test_two_files_of_bare_readings_are_two_branches(tmp_path):
    up, down = column(tmp_path, "ltp.txt", UP), column(tmp_path, "ltd.txt", DOWN)
    data = read_branches([up], [down], unit="S")
    (ltp,), (ltd,) = data.select("LTP"), data.select("LTD")
    assert len(data.segments) == 2
    assert (ltp.values[0], ltp.values[-1]) == pytest.approx((UP[0], UP[-1]), rel=1e-6)
    assert (ltd.values[0], ltd.values[-1]) == pytest.approx((DOWN[0], DOWN[-1]), rel=1e-6)
    assert (ltp.file, ltd.file) == ("ltp.txt", "ltd.txt")
    assert (ltp.lines[0], ltd.lines[-1]) == (1, 16)
    assert (data.quantity, data.unit, data.devices) == ("conductance", "S", ("1",))
    assert not any("only LT" in w for w in data.warnings)


def test_unlabelled_readings_stay_in_arbitrary_units_with_one_warning(tmp_path):
    data = read_branches([column(tmp_path, "a", UP)], [column(tmp_path, "b", DOWN)])
    assert data.unit == "1"
    said = [w for w in data.warnings if "arbitrary units" in w]
    assert len(said) == 1
    assert said[0].startswith("a and 1 more: ")


def test_the_hash_is_that_of_the_hashes_in_order(tmp_path):
    up, down = column(tmp_path, "a", UP), column(tmp_path, "b", DOWN)
    hashes = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (up, down)]
    data = read_branches([up], [down])
    assert data.sha256 == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_a_card_of_two_files_is_that_of_one_file(tmp_path):
    up, down = pulses(tmp_path, "ltp.csv", UP), pulses(tmp_path, "ltd.csv", DOWN)
    rows = [f"{b},{i},{1e6 * v:.6f}" for b, own in (("LTP", UP), ("LTD", DOWN))
            for i, v in enumerate(own)]  # fmt: skip
    one = tmp_path / "one.csv"
    one.write_text("\n".join(["branch,pulse,G (uS)", *rows]) + "\n")
    together, alone = fit_card(read_branches([up], [down])), fit_card(read_pulses(one))
    assert together.card.curves == alone.card.curves
    assert together.card.source["file"] == "ltp.csv + ltd.csv"


def test_several_files_are_asked_for_what_they_are(tmp_path):
    ups, downs = files(tmp_path, ["1", "2", "3"], [1.0, 1.1, 1.2])
    with pytest.raises(PulseDataError, match="files_are='device' or files_are='cycle'"):
        read_branches(ups, downs)


@pytest.mark.parametrize("kind", ["device", "cycle"])
def test_several_files_are_devices_or_cycles_as_said(tmp_path, kind):
    gains = [1.0, 1.1, 1.2]
    data = read_branches(*files(tmp_path, ["1", "2", "3"], gains), files_are=kind)
    labels = {"device": (("1", "2", "3"), (1,)), "cycle": (("1",), (1, 2, 3))}[kind]
    assert (data.devices, data.cycles) == labels
    for branch, curve in (("LTP", UP), ("LTD", DOWN)):
        for segment, gain in zip(data.select(branch), gains, strict=True):
            assert segment.values == pytest.approx(gain * curve, rel=1e-5)
    assert any("paired in the order given: up_1.csv with down_1.csv" in w for w in data.warnings)


@pytest.mark.parametrize(
    ("word", "kind"), [("cycle", "cycle"), ("dev", "device"), ("cell", "device")]
)
def test_names_of_files_say_what_they_are(tmp_path, word, kind):
    stems = [f"{word}{i}" for i in (1, 2)]
    data = read_branches(*files(tmp_path, stems, [1.0, 1.1]))
    assert (len(data.devices), len(data.cycles)) == ((2, 1) if kind == "device" else (1, 2))
    other = "cycle" if kind == "device" else "device"
    assert any(f"files_are={other!r}" in w for w in data.warnings)


def test_names_that_say_nothing_or_two_things_are_asked(tmp_path):
    for stems in (["a", "b"], ["recycled1", "recycled2"]):
        with pytest.raises(PulseDataError, match="files_are="):
            read_branches(*files(tmp_path, stems, [1.0, 1.1]))


def test_devices_of_a_file_stay_apart_from_those_of_another(tmp_path):
    def wide(name: str, gain: float, curve: np.ndarray) -> Path:
        path = tmp_path / name
        rows = [f"{i},{1e6 * gain * v:.6f},{1.05e6 * gain * v:.6f}" for i, v in enumerate(curve)]
        path.write_text("\n".join(["pulse,G device A (uS),G device B (uS)", *rows]) + "\n")
        return path

    ups = [wide("u1", 1.0, UP), wide("u2", 2.0, UP)]
    downs = [wide("d1", 1.0, DOWN), wide("d2", 2.0, DOWN)]
    data = read_branches(ups, downs, files_are="device")
    assert data.devices == ("1.A", "1.B", "2.A", "2.B")
    assert data.select("LTD", device="2.B")[0].values[0] == pytest.approx(2.1 * DOWN[0], rel=1e-5)


def test_numbers_in_names_that_do_not_match_are_said(tmp_path):
    ups, downs = files(tmp_path, ["1", "2"], [1.0, 1.1])
    data = read_branches(ups, downs[::-1], files_are="device")
    assert any("up_1.csv and down_2.csv differ" in w for w in data.warnings)


def test_a_missing_partner_is_said(tmp_path):
    ups, downs = files(tmp_path, ["1", "2"], [1.0, 1.1])
    data = read_branches(ups, downs[:1], files_are="device")
    assert any("LTP of 2 files, LTD of 1" in w for w in data.warnings)


def test_one_branch_alone_says_so_once(tmp_path):
    data = read_branches(ltp=[pulses(tmp_path, "a.csv", UP)])
    assert data.branches == ("LTP",)
    assert [w for w in data.warnings if "only" in w] == [
        "only LTP in the files; a card needs both branches"
    ]


def test_a_file_with_both_branches_is_no_branch(tmp_path):
    trace = pulses(tmp_path, "trace.csv", np.concatenate([UP, DOWN]))
    named = tmp_path / "named.csv"
    rows = [f"{i},{1e6 * a},{1e6 * b}" for i, (a, b) in enumerate(zip(UP, DOWN, strict=True))]
    named.write_text("\n".join(["pulse,LTP (uS),LTD (uS)", *rows]) + "\n")
    down = pulses(tmp_path, "down.csv", DOWN)
    with pytest.raises(PulseDataError, match=r"trace\.csv: given as LTP and holds LTD too"):
        read_branches([trace], [down])
    with pytest.raises(PulseDataError, match=r"named\.csv.*contradicts the option branch='LTP'"):
        read_branches([named], [down])


def test_exchanged_files_are_warned_of_and_not_fitted(tmp_path):
    up, down = pulses(tmp_path, "up.csv", UP), pulses(tmp_path, "down.csv", DOWN)
    data = read_branches([down], [up])
    assert any("the conductance falls along LTP pulses" in w for w in data.warnings)
    with pytest.raises(ValueError, match="does not rise along LTP"):
        fit_card(data)


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("R (kOhm)", r"up\.csv: conductance beside resistance in ohm of .*down\.csv"),
        ("G", r"down\.csv: no unit beside conductance in S of .*up\.csv"),
    ],
)
def test_files_of_different_quantity_or_unit_are_refused(tmp_path, heading, message):
    up = pulses(tmp_path, "up.csv", UP)
    down = pulses(tmp_path, "down.csv", DOWN if heading == "G" else 1e-12 / DOWN, heading)
    with pytest.raises(PulseDataError, match=message):
        read_branches([up], [down])


def test_what_makes_no_pair_of_files_is_one_line(tmp_path):
    up = pulses(tmp_path, "up.csv", UP)
    for ltp, ltd, options, message in (
        ([], [], {}, "no file"),
        ([up], [up], {}, "given twice"),
        ([tmp_path], [up], {}, "a folder"),
        ([up], [tmp_path / "none.csv"], {}, "none.csv: No such file"),
        ([up], [], {"branch": "LTP"}, "the lists ltp and ltd say it already"),
        ([up], [], {"files_are": "chips"}, "expected 'device', 'cycle'"),
    ):
        with pytest.raises(PulseDataError, match=message) as caught:
            read_branches(ltp, ltd, **options)
        assert "\n" not in str(caught.value)


def test_options_of_the_reader_hold_for_every_file(tmp_path):
    up = pulses(tmp_path, "up.csv", UP, "I (nA)")
    down = pulses(tmp_path, "down.csv", DOWN, "I (nA)")
    data = read_branches([up], [down], read_voltage_V=0.1)
    assert data.select("LTP")[0].values[0] == pytest.approx(UP[0] * 1e-3 / 0.1, rel=1e-5)
    assert data.unit == "S"


def test_what_both_branches_show_together_is_said(tmp_path):
    """LTD that starts far from the end of LTP shows only when both are there."""
    up, down = pulses(tmp_path, "up.csv", UP), pulses(tmp_path, "down.csv", 0.5 * DOWN)
    data = read_branches([up], [down])
    assert any("starts" in w and "LTD of device 1" in w for w in data.warnings)


def test_damaged_pairs_of_files_give_data_or_one_line(tmp_path):
    """Digits, lines and headings changed in one file of a good pair."""
    good = pulses(tmp_path, "good.csv", DOWN)
    text = pulses(tmp_path, "up.csv", UP).read_bytes()

    def attempt(path: Path) -> None:
        data = read_branches([path], [good])
        assert data.branches == ("LTP", "LTD")
        assert all(np.isfinite(s.values).all() for s in data.segments)

    folder = tmp_path / "broken"
    folder.mkdir()
    outcomes = check_mutations(changed(text, 300), folder, "up.csv", attempt, (PulseDataError,))
    assert min(outcomes["fine"], outcomes["refused"]) > 30
