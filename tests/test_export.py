"""Exports of a card: aihwkit source, NeuroSim parameters, lookup tables, and their command."""

from __future__ import annotations

import ast
import csv
import dataclasses
import io
import json
import math
import os
import runpy

import numpy as np
import pytest
from aihwkit.simulator.configs.devices import PiecewiseStepDevice
from aihwkit.simulator.parameters.enums import RPUDataType
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crossbar import ZEROS, pulsed_device
from crossbar.preset_source import class_name, preset_source
from crossbar.probe import probe
from device_models import CardError, DeviceCard, ExponentialMixture
from device_models.card import BRANCHES, Conditions, Curve, Spread
from device_models.curves import MonotoneSpline
from device_models.exports.lookup_table import crosssim_files, lookup_table, table_csv
from device_models.exports.neurosim import (
    NeuroSimParameters,
    dnn_lines,
    mlp_lines,
    neurosim_json,
    neurosim_parameters,
)
from device_models.exports.neurosim_curve import (
    NeuroSimBranch,
    a_of_label,
    fit_branch,
    label_of_a,
    normalised_curve,
)
from device_models.plain_text import one_line
from experiments import export_card

NASTY = [
    '"""; import os',
    "'''\nraise SystemExit\n'''",
    "ends with a backslash \\",
    '\\""" + __import__(\'os\').getcwd() + """',
    "{name} {0} %s",
    "line\u2028separator\u2029\x85\x0c\x00 and \u202eturned\u202c, half a \ud800 pair",
    "*/ #include <stdlib.h>\n#define maxConductance 0",
    "",
]

SPREAD = Spread(step_c2c=0.3, write_noise=0.02, step_d2d=0.1, range_d2d=0.05)


def neurosim_card(labels: tuple[float, float], n_pulses: int = 64, unit: str = "S") -> DeviceCard:
    """Card that is exactly what NeuroSim draws for the labels (LTP > 0, LTD < 0), 1 to 5 units."""
    low, high = 1.0, 5.0
    curves = []
    for branch, label in zip(BRANCHES, labels, strict=True):
        a = abs(a_of_label(label))
        size = (high - low) / -math.expm1(-1 / a)
        start, sign = (low, 1) if branch == "LTP" else (high, -1)
        law = ExponentialMixture(start + sign * size, (-sign * size,), (a * n_pulses,))
        curves.append(Curve(branch, 0.0, law))
    return DeviceCard("one", "one", "measured", "", "conductance", unit, n_pulses, tuple(curves))


def nasty_card(card: DeviceCard, text: str) -> DeviceCard:
    return dataclasses.replace(card, name=text, title=text, caveat=text)


# aihwkit source


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize(("field_G", "spread"), [(150.0, Spread()), (37.5, SPREAD)])
def test_preset_has_every_parameter_of_the_device(card, tmp_path, zero, field_G, spread):
    card = dataclasses.replace(card, spread=spread)
    file = tmp_path / "preset.py"
    file.write_text(preset_source(card, field_G, zero))
    preset = runpy.run_path(str(file))[class_name(card, field_G)]()
    device = pulsed_device(card, field_G, zero=zero)
    for item in dataclasses.fields(PiecewiseStepDevice):
        assert getattr(preset, item.name) == getattr(device, item.name), item.name
    in_cpp = [str(d.as_bindings(RPUDataType.FLOAT)) for d in (preset, device)]
    assert in_cpp[0] == in_cpp[1]


@pytest.mark.parametrize("branch", BRANCHES)
def test_preset_answers_pulses_like_the_device(card, branch):
    scope: dict = {}
    exec(compile(preset_source(card, 150.0), "preset.py", "exec", dont_inherit=True), scope)
    preset = scope["LsmoPvdfCo150GPresetDevice"]()
    weights = probe(preset, branch, card.n_pulses)
    assert np.array_equal(weights, probe(pulsed_device(card, 150.0), branch, card.n_pulses))
    assert np.ptp(weights) > 1.9


def test_preset_says_what_it_is(card):
    doc = preset_doc(preset_source(card, 150.0))
    for part in (card.title, card.kind, one_line(card.caveat), card.sha256, "150 G"):
        assert part in doc


def preset_doc(source: str) -> str:
    """Words of the class's docstring; the module holds imports and one class of data only."""
    module = ast.parse(source)
    kinds = [type(node) for node in module.body]
    assert kinds == [ast.Expr, ast.ImportFrom, ast.ImportFrom, ast.ClassDef]
    imported = [node.module for node in module.body if isinstance(node, ast.ImportFrom)]
    assert imported == ["dataclasses", "aihwkit.simulator.configs.devices"]
    preset = module.body[-1]
    assert isinstance(preset, ast.ClassDef)
    first, *rest = preset.body
    assert isinstance(first, ast.Expr)
    assert {type(node) for node in rest} == {ast.AnnAssign}
    return " ".join((ast.get_docstring(preset) or "").split())


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(), max_size=200))
def test_text_of_strangers_stays_in_the_docstring(card, text):
    check_nasty_preset(card, text)


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_stays_in_the_docstring(card, text):
    check_nasty_preset(card, text)


def check_nasty_preset(card: DeviceCard, text: str) -> None:
    source = preset_source(nasty_card(card, text))
    assert one_line(text) in preset_doc(source)
    source.encode()


@pytest.mark.parametrize(
    ("name", "field_G", "expected"),
    [
        ("lsmo_pvdf_co", 150.0, "LsmoPvdfCo150GPresetDevice"),
        ("HfO2 (run 3)", -12.5, "HfO2Run3Minus12p5GPresetDevice"),
        ("2D-MoS2", 0.0, "Card2DMoS20GPresetDevice"),
        ("Gerät", 1e-7, "Gerat1eMinus07GPresetDevice"),
        ("忆阻器", 0.0, "Card0GPresetDevice"),
        ("x" * 500, 1e7, "X" + "x" * 59 + "1e07GPresetDevice"),
    ],
)
def test_class_name(card, name, field_G, expected):
    assert class_name(dataclasses.replace(card, name=name), field_G) == expected
    assert expected.isidentifier()


def test_a_weight_zero_that_pulses_do_not_move_is_an_error():
    """LTP ends at 2 and LTD at 4, where they stay: nothing moves a device at 3."""
    rise = MonotoneSpline(1.0, (0.5, 0.25, 0.25, 0.0), (0.0, 30.0, 60.0))
    fall = MonotoneSpline(5.0, (-0.5, -0.25, -0.25, 0.0), (0.0, 30.0, 60.0))
    curves = (Curve("LTP", 0.0, rise), Curve("LTD", 0.0, fall))
    card = DeviceCard("flat", "flat", "measured", "", "conductance", "S", 60, curves)
    with pytest.raises(ValueError, match="do not move the weight 0"):
        preset_source(card, zero="mid_range")


# NeuroSim


@pytest.mark.parametrize(
    ("label", "a"),
    [
        (0.01, 126.268958),
        (0.1, 12.625807),
        (1, 1.251653),
        (2, 0.609035),
        (3, 0.386830),
        (5, 0.192406),
        (7, 0.090139),
        (8, 0.052781),
        (9, 0.022810),
    ],
)
def test_labels_mean_what_neurosim_looks_up(label, a):
    """Entries of getParamA's table, six decimals, in MLP+NeuroSim V3.0 and DNN+NeuroSim V2.1."""
    assert a_of_label(label) == pytest.approx(a, abs=6e-7)
    assert a_of_label(-label) == -a_of_label(label)


@settings(deadline=None)
@given(st.floats(0.01, 9.0), st.sampled_from([-1, 1]))
def test_label_is_the_distance_from_the_straight_line(label, sign):
    """Measured on the curve: perpendicular distance in units of 0.07, above the line for A > 0."""
    a = a_of_label(sign * label)
    x = np.linspace(0, 1, 20_001)
    y = normalised_curve(a, x)
    distance = (y - x) / math.sqrt(2)
    assert sign * distance.max() > 0 or sign * distance.min() > 0
    assert np.abs(distance).max() / 0.07 == pytest.approx(label, rel=1e-4)
    assert float(label_of_a(a)) == pytest.approx(sign * label, rel=1e-9)


@pytest.mark.parametrize("label", [0.0, 0.005, 9.5, -10.0])
def test_labels_neurosim_does_not_know_are_refused(label):
    with pytest.raises(ValueError, match=r"from 0\.01 to 9"):
        a_of_label(label)


hundredths = st.integers(1, 900).map(lambda k: k / 100)


@settings(deadline=None, max_examples=40)
@given(hundredths, hundredths, st.integers(2, 3000))
@example(9.0, 0.01, 2)
def test_parameters_to_card_to_parameters(ltp, ltd, n_pulses):
    """A device that NeuroSim can draw comes back as it was, whatever its number of pulses."""
    card = neurosim_card((ltp, -ltd), n_pulses)
    p = neurosim_parameters(card)
    assert (p.ltp.label, p.ltd.label) == (ltp, -ltd)
    assert max(p.ltp.max_error, p.ltd.max_error) < 1e-6
    assert (p.min_conductance_S, p.max_conductance_S) == pytest.approx((1.0, 5.0))
    assert p.n_levels == n_pulses
    n = np.arange(n_pulses + 1)
    for branch in BRANCHES:
        assert np.allclose(1 + 4 * p.share(branch, n), card.conductance(branch, n))


@pytest.mark.parametrize("field_G", [0.0, 150.0, 175.0])
def test_reported_errors_are_those_of_the_curve(card, field_G):
    p = neurosim_parameters(card, field_G)
    low, high = card.conductance_range(field_G)
    n = np.arange(card.n_pulses + 1)
    for branch, fitted in (("LTP", p.ltp), ("LTD", p.ltd)):
        share = (card.conductance(branch, n, field_G) - low) / (high - low)
        error = p.share(branch, n) - share
        assert fitted.rms_error == pytest.approx(np.sqrt(np.mean(error**2)))
        assert fitted.max_error == pytest.approx(np.abs(error).max())
        for nearby in (fitted.label - 0.01, fitted.label + 0.01):
            other = dataclasses.replace(fitted, label=round(nearby, 2))
            worse = dataclasses.replace(p, ltp=other, ltd=other).share(branch, n) - share
            assert np.mean(worse**2) > np.mean(error**2)


def test_signs_say_which_way_a_branch_bends(card):
    """LTD falls fast at first: negative. LTP of the card speeds up: negative; saturating: above."""
    p = neurosim_parameters(card)
    assert p.ltd.label < -8
    assert -2 < p.ltp.label < 0


def test_a_poor_fit_is_said(card):
    ltp, ltd = neurosim_parameters(card).notes
    assert "does not describe" not in ltp
    assert "does not describe this branch well" in ltd
    assert "RMS 4.3%" in ltd


def test_cycle_to_cycle_sigma_of_equal_steps_is_the_spread_of_a_step():
    """64 steps of 1/64 of the range each, 30 % spread."""
    card = dataclasses.replace(neurosim_card((0.01, -0.01)), spread=SPREAD)
    assert neurosim_parameters(card).sigma_c2c == pytest.approx(0.3 / 64, rel=1e-3)


def test_cycle_to_cycle_sigma_makes_the_walk_as_wide_as_the_card_does():
    """Variances of both branches together: NeuroSim adds sigma^2 a pulse, the card (s dG)^2."""
    card = dataclasses.replace(neurosim_card((4.0, -6.0)), spread=SPREAD)
    steps = [np.diff(card.conductance(branch, np.arange(65))) / 4 for branch in BRANCHES]
    variance = sum(np.sum((0.3 * step) ** 2) for step in steps)
    assert 128 * neurosim_parameters(card).sigma_c2c ** 2 == pytest.approx(variance)


def test_device_to_device_sigma_is_the_std_of_the_labels_of_faster_and_slower_devices():
    """2000 devices, step size spread by 10 %: a device k times as fast has A / k; within 8 %."""
    card = dataclasses.replace(neurosim_card((3.0, -3.0)), spread=SPREAD)
    speed = 1 + 0.1 * np.random.default_rng(0).standard_normal(2000)
    labels = label_of_a(a_of_label(3.0) / speed)
    assert neurosim_parameters(card).sigma_d2d == pytest.approx(labels.std(), rel=0.08)


def test_what_neurosim_cannot_hold_is_said():
    card = dataclasses.replace(neurosim_card((3.0, -3.0)), spread=SPREAD)
    notes = " ".join(neurosim_parameters(card).notes)
    assert "write noise, 0.02 of half the range, is left out" in notes
    assert "0.05 of half the range, is left out" in notes
    assert "left out" not in " ".join(neurosim_parameters(neurosim_card((3.0, -3.0))).notes)


def test_arbitrary_units_have_no_absolute_conductance():
    content = json.loads(neurosim_json(neurosim_card((3.0, -3.0), unit="1")))
    assert not {"max_conductance_S", "min_conductance_S"} & set(content)
    assert content["on_off_ratio"] == pytest.approx(5)
    assert any("no absolute conductances" in note for note in content["notes"])
    assert not any(line.startswith("maxCond") for line in content["mlp_neurosim_cell_cpp"])


def test_a_range_that_starts_at_zero_has_no_ratio():
    card = neurosim_card((3.0, -3.0))
    curves = tuple(
        dataclasses.replace(c, law=dataclasses.replace(c.law, offset=c.law.offset - 1.5))
        for c in card.curves
    )
    content = json.loads(neurosim_json(dataclasses.replace(card, curves=curves)))
    assert "on_off_ratio" not in content
    assert any("not above zero" in note for note in content["notes"])
    assert not any("onoffratio" in line for line in content["dnn_neurosim_train_py"])


def test_conditions_of_the_card_are_magnitudes(card):
    p = neurosim_parameters(card)
    assert (p.write_voltage_ltp_V, p.write_voltage_ltd_V) == (1.3, 2.0)
    assert (p.read_voltage_V, p.write_pulse_width_ltp_s) == (0.01, 0.01)


def test_widths_of_the_branches_stay_apart(card):
    conditions = Conditions(ltp_pulse_width_s=1e-3, ltd_pulse_width_s=2e-3)
    lines = json.loads(neurosim_json(dataclasses.replace(card, conditions=conditions)))
    assert (lines["write_pulse_width_ltp_s"], lines["write_pulse_width_ltd_s"]) == (1e-3, 2e-3)
    assert "writePulseWidthLTD = 0.002;  // s" in lines["mlp_neurosim_cell_cpp"]


@pytest.mark.parametrize("value", [None, 0])
def test_conditions_that_are_not_stated_are_left_out(card, value):
    conditions = Conditions(read_voltage_V=value, ltp_amplitude_V=value)
    content = json.loads(neurosim_json(dataclasses.replace(card, conditions=conditions)))
    stated = {"read_voltage_V", "write_voltage_ltp_V", "write_pulse_width_ltp_s"}
    assert not stated & set(content)
    assert not any("Voltage" in line for line in content["mlp_neurosim_cell_cpp"])


def test_lines_for_neurosim():
    branch = NeuroSimBranch(2.5, 0.01, 0.02, 64)
    other = dataclasses.replace(branch, label=-4.0, n_levels=48)
    p = NeuroSimParameters(branch, other, 0.035, 0.1, 2e-6, 1e-7, 20.0)
    card = neurosim_card((2.5, -4.0))
    assert mlp_lines(card, 0.0, p) == [
        f"// card one (measured), 0 G, sha256 {card.sha256[:16]}",
        "maxConductance = 2e-06;  // S",
        "minConductance = 1e-07;  // S",
        "maxNumLevelLTP = 64;  // pulses",
        "maxNumLevelLTD = 48;  // pulses",
        "NL_LTP = 2.5;  // RMS error 1.00% of the range",
        "NL_LTD = -4;  // RMS error 1.00% of the range",
        "sigmaDtoD = 0.1;  // std of the labels",
        "sigmaCtoC = 0.035 * (maxConductance - minConductance);",
    ]
    assert dnn_lines(card, 0.0, p)[1:] == [
        "args.onoffratio = 20",
        "args.max_level = 64",
        "args.nonlinearityLTP = 2.5",
        "args.nonlinearityLTD = -4",
        "args.c2cVari = 0.035",
        "args.d2dVari = 0.1",
    ]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_stays_in_comments(card, text):
    nasty = nasty_card(card, text)
    content = json.loads(neurosim_json(nasty).encode())
    first, *lines = content["mlp_neurosim_cell_cpp"]
    assert first.startswith("// card ")
    assert "\\" not in first
    assert not any("\n" in line for line in (first, *lines))
    python = ast.parse("\n".join(content["dnn_neurosim_train_py"]))
    assert {type(node) for node in python.body} == {ast.Assign}


def test_long_branches_are_sampled_evenly():
    """The label of a branch of 100,000 pulses is that of the same curve over 1000."""
    few, many = (neurosim_parameters(neurosim_card((6.0, -2.0), n)) for n in (1000, 100_000))
    assert (few.ltp.label, few.ltd.label) == (many.ltp.label, many.ltd.label) == (6.0, -2.0)


def test_a_straight_line_is_the_smallest_label():
    x = np.linspace(0, 1, 65)
    assert abs(fit_branch(x, x).label) == 0.01


# Lookup tables


def read_table(text: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """Heading and the numbers of each branch of a table as CSV, rows x columns."""
    rows = list(csv.reader(line for line in io.StringIO(text) if not line.startswith("#")))
    heading, *body = rows
    numbers = {b: np.array([r[1:] for r in body if r[0] == b], dtype=float) for b in BRANCHES}
    return heading, numbers


@pytest.mark.parametrize("field_G", [0.0, 150.0, 175.0, 350.0])
@pytest.mark.parametrize("branch", BRANCHES)
def test_stepping_through_the_table_gives_the_curve(card, branch, field_G):
    """Median of the CSV, linear between its conductances: 0.1 % of the range at every pulse."""
    heading, numbers = read_table(table_csv(card, field_G))
    median = heading.index("dG_S_p50") - 1
    g = [float(card.conductance(branch, 0, field_G))]
    for _ in range(card.n_pulses):
        table = numbers[branch]
        g.append(g[-1] + np.interp(g[-1], table[:, 0], table[:, median]))
    curve = card.conductance(branch, np.arange(card.n_pulses + 1), field_G)
    low, high = card.conductance_range(field_G)
    assert np.abs(g - curve).max() < 1e-3 * (high - low)


def test_table_says_what_it_is(card):
    lines = table_csv(card, 150.0).splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    assert "# kind: reconstructed" in comments
    assert f"# sha256: {card.sha256}" in comments
    assert "# field: 150 G" in comments
    assert lines[len(comments)].startswith("branch,conductance_S,dG_S_p0.1,dG_S_p1,dG_S_p5,")
    assert len(lines) == len(comments) + 1 + 2 * 101


def test_percentiles_are_those_of_pulses_on_a_tile(card):
    """One pulse on 20,000 devices with 30 % cycle-to-cycle spread; 3 % of a mean step."""
    card = dataclasses.replace(card, spread=Spread(step_c2c=0.3))
    device = pulsed_device(card, 150.0)
    percentiles = (5.0, 25.0, 50.0, 75.0, 95.0)
    table = lookup_table(card, 150.0, percentiles=percentiles)
    for branch in BRANCHES:
        weights = probe(device, branch, 1, 0.5, n_devices=20_000)
        change = (weights[1] - weights[0]) * device.scale.half_range
        start = device.scale.conductance(0.5)
        expected = [np.interp(start, table.conductance, row) for row in table.change[branch]]
        tolerance = 0.03 * abs(change.mean())
        assert np.percentile(change, percentiles) == pytest.approx(expected, abs=tolerance)


def test_only_what_stays_is_in_the_changes(card):
    """Write noise and device-to-device spread are stated, not added up."""
    noisy = dataclasses.replace(card, spread=dataclasses.replace(SPREAD, step_c2c=0.0))
    assert np.array_equal(lookup_table(noisy).change["LTP"], lookup_table(card).change["LTP"])
    low, high = card.conductance_range()
    assert f"write noise of {0.02 * (high - low) / 2:g} S" in table_csv(noisy)
    assert "step 0.1 and of the ends of the range 0.05" in table_csv(noisy)


def test_arbitrary_units_have_no_unit_in_the_heading():
    heading, numbers = read_table(table_csv(neurosim_card((3.0, -3.0), unit="1")))
    assert heading[:3] == ["branch", "conductance", "dG_p0.1"]
    assert numbers["LTD"][[0, -1], 0] == pytest.approx([1.0, 5.0])


def test_crosssim_reads_its_files(card, tmp_path):
    """As CrossSim V2.0 does: lines 2, 3 and the rest, evenly spaced, nearest values of a draw."""
    card = dataclasses.replace(card, spread=Spread(step_c2c=0.3))
    rng = np.random.default_rng(1)
    grids = []
    for branch, name in (("LTP", "dG_increasing.txt"), ("LTD", "dG_decreasing.txt")):
        path = tmp_path / name
        path.write_text(crosssim_files(card, 150.0)[name])
        g = np.genfromtxt(path, delimiter=",", skip_header=1, max_rows=1)
        cdf = np.genfromtxt(path, delimiter=",", skip_header=2, max_rows=1)
        change = np.genfromtxt(path, delimiter=",", skip_header=3)
        assert change.shape == (len(cdf), len(g))
        for axis in (g, cdf):
            assert np.ptp(np.diff(axis)) < 1e-4 * np.diff(axis).max()
        assert (cdf[0], cdf[-1]) == (0, 1)
        i = len(g) // 3
        step = lookup_table(card, 150.0, len(g), (50.0,)).change[branch][0, i]
        drawn = change[np.rint(rng.random(20_000) * (len(cdf) - 1)).astype(int), i]
        assert drawn.mean() == pytest.approx(step, rel=0.01)
        assert drawn.std() == pytest.approx(0.3 * abs(step), rel=0.03)
        grids.append((g, cdf))
    assert all(np.array_equal(a, b) for a, b in zip(*grids, strict=True))


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_stays_in_the_header(card, text):
    nasty, plain = table_csv(nasty_card(card, text)), table_csv(card)
    assert len(nasty.splitlines()) == len(plain.splitlines())
    for one, other in zip(nasty.splitlines(), plain.splitlines(), strict=True):
        assert one == other or (one.startswith("# ") and other.startswith("# "))
    for content in (nasty, *crosssim_files(nasty_card(card, text)).values()):
        content.encode()
    assert len(crosssim_files(nasty_card(card, text))["dG_increasing.txt"].splitlines()) == 104


@pytest.mark.parametrize("percentiles", [(), (0.0, 50.0), (50.0, 100.0), (50.0, 50.0), (9.0, 5.0)])
def test_percentiles_that_do_not_rise_are_refused(card, percentiles):
    with pytest.raises(ValueError, match="must rise between 0 and 100"):
        lookup_table(card, percentiles=percentiles)


def test_a_table_of_one_conductance_is_refused(card):
    with pytest.raises(ValueError, match="at least 2"):
        lookup_table(card, n_conductances=1)


def test_changes_that_overflow_are_refused():
    card = neurosim_card((3.0, -3.0))
    curves = tuple(
        dataclasses.replace(
            c, law=ExponentialMixture(c.law.offset * 1e307, (c.law.amplitudes[0] * 1e307,), (20.0,))
        )
        for c in card.curves
    )
    with pytest.raises(ValueError, match="out of the range of numbers"):
        table_csv(dataclasses.replace(card, curves=curves, spread=Spread(step_c2c=1e4)))


# The command


def run(*arguments: object) -> None:
    export_card.main([str(a) for a in arguments])


def test_command_writes_what_is_asked_for(card, tmp_path, capsys):
    preset, json_file, table = (tmp_path / n for n in ("p.py", "n.json", "t.csv"))
    run(
        *(card.name, "--field-G", 150, "--zero", "mid_range"),
        *("--aihwkit", preset, "--neurosim", json_file, "--crosssim", table),
    )
    assert preset.read_text() == preset_source(card, 150.0, "mid_range")
    assert json_file.read_text() == neurosim_json(card, 150.0)
    assert table.read_text() == table_csv(card, 150.0)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:3] == [str(preset), str(json_file), str(table)]
    assert all(line.startswith("note: ") for line in printed[3:])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.json", "p.py", "t.csv"]


def test_command_writes_crosssims_own_files_into_a_folder(card, tmp_path):
    run(card.name, "--crosssim", tmp_path / "lut")
    written = {p.name: p.read_text() for p in (tmp_path / "lut").iterdir()}
    assert written == crosssim_files(card)


@pytest.mark.parametrize("text", NASTY)
def test_command_takes_cards_of_strangers(card, tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(nasty_card(card, text).to_dict()))
    out = [tmp_path / n for n in ("p.py", "n.json", "t.csv")]
    run(path, "--aihwkit", out[0], "--neurosim", out[1], "--crosssim", out[2])
    assert all(p.stat().st_size > 1000 for p in out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lsmo_pvdf_co"], "at least one of --aihwkit, --neurosim, --crosssim"),
        ([], "CARD"),
        (["nothing", "--neurosim", "n.json"], "no card named 'nothing'"),
        (["none.json", "--neurosim", "n.json"], "none.json: No such file"),
        (["lsmo_pvdf_co", "--field-G", "600", "--aihwkit", "p.py"], "--field-G: .* 0 to 500 G"),
        (["lsmo_pvdf_co", "--field-G", "nan", "--neurosim", "n.json"], "--field-G: .*got 'nan'"),
        (["lsmo_pvdf_co", "--field-G", "x", "--neurosim", "n.json"], "--field-G: .*got 'x'"),
        (["lsmo_pvdf_co", "--zero", "x", "--aihwkit", "p.py"], "--zero: invalid choice"),
        (["lsmo_pvdf_co", "--crosssim", "t.txt"], "--crosssim: t.txt must be a .csv"),
        (["lsmo_pvdf_co", "--neurosim", "a.csv", "--crosssim", "./a.csv"], "--crosssim: .*a.csv"),
        (["lsmo_pvdf_co", "--neurosim", "kept.csv"], "kept.csv: exists already"),
        (["lsmo_pvdf_co", "--neurosim", "n.json", "--crosssim", "kept.csv"], "kept.csv: exists"),
        (["lsmo_pvdf_co", "--neurosim", ".", "--overwrite"], "is a folder, not a regular file"),
        (["lsmo_pvdf_co", "--neurosim", "kept.csv/n.json"], "kept.csv/n.json: "),
        (["lsmo_pvdf_co", "--neurosim", "n" * 300], "name too long"),
        (["lsmo_pvdf_co", "--neurosim", "n.json", "--crosssim", "/proc/x"], "/proc/x/dG_"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    with pytest.raises(SystemExit, match=message) as caught:
        export_card.main(arguments)
    text = str(caught.value.code)
    assert text.startswith("error: ")
    assert "\n" not in text
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_text() == "mine"


def test_overwrite_replaces(card, tmp_path):
    path = tmp_path / "n.json"
    path.write_text("old")
    run(card.name, "--neurosim", path, "--overwrite")
    assert path.read_text() == neurosim_json(card)


def test_a_disk_that_fills_up_leaves_nothing_new_and_the_old_files_whole(
    card, tmp_path, monkeypatch
):
    old, sync, syncs = tmp_path / "t.csv", os.fsync, []

    def full(number):
        syncs.append(number)
        if len(syncs) == 2:
            raise OSError(28, "No space left on device")
        sync(number)

    old.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match=r"^error: .*t.csv: No space left on device$"):
        run(card.name, "--neurosim", tmp_path / "n.json", "--crosssim", old, "--overwrite")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert old.read_text() == "old"


def test_the_card_that_is_read_is_never_written_over(card, tmp_path):
    path = card.save(tmp_path / "card.json")
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=r"card.json: is read by this command and never") as caught:
        run(path, "--neurosim", path, "--overwrite")
    assert "--overwrite" not in str(caught.value)
    assert path.read_bytes() == before


def test_outputs_go_to_regular_files_only(card, tmp_path):
    """A fifo without a reader would also wait for one for ever."""
    fifo = tmp_path / "n.json"
    os.mkfifo(fifo)
    with pytest.raises(SystemExit, match="is a fifo, not a regular file"):
        run(card.name, "--neurosim", fifo, "--overwrite")
    assert fifo.is_fifo()


def test_preset_source_names_a_bad_card():
    with pytest.raises(CardError, match="no card named"):
        preset_source("nothing")
