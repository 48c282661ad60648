"""The joint model in the field: kept in the card, drawn, stored, exported; intervals that hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from crossbar.preset_source import preset_source
from crossbar.probe import measure_tile
from device_models import CardFit, fit_card, load_card
from device_models.card import BRANCHES, LAYER_KEYS, TwoLayers, card_from_dict
from device_models.curves import ExponentialMixture
from device_models.exports import neurosim_json
from device_models.exports.lookup_table import lookup_table, table_csv
from device_models.fit import fit_curves
from device_models.pulses import PulseData, Segment
from experiments.figures.fit import draw_fit
from experiments.fitting.fit_report import make_report, report_text

N = np.arange(41.0)
FIELDS = (0.0, 40.0, 80.0, 120.0, 200.0, 280.0, 340.0)
LAYERS = TwoLayers(90.0, 300.0, 25.0, 40.0, (0.0, 340.0), FIELDS)
PARTS = {
    "LTP": (
        ExponentialMixture(10.0, (-8.0,), (12.0,)),
        ExponentialMixture(13.0, (-10.0,), (12.0,)),
    ),
    "LTD": (ExponentialMixture(2.0, (8.0,), (9.0,)), ExponentialMixture(3.0, (10.0,), (9.0,))),
}


def truth(branch: str, field_G: float, layers: TwoLayers = LAYERS) -> np.ndarray:
    """Response in uS at the pulses N."""
    share = float(layers.antiparallel_fraction(field_G))
    parallel, antiparallel = (law(N) for law in PARTS[branch])
    return (1 - share) * parallel + share * antiparallel


def measured(
    noise: float, seed: int, devices: int = 1, coercivity_std_G: float = 0.0, gain: float = 0.0
) -> PulseData:
    """Readings at all fields of devices whose soft coercivity and size differ [S]."""
    rng, segments = np.random.default_rng(seed), []
    for device in range(devices):
        moved = LAYERS.theta
        moved[0] += coercivity_std_G * rng.standard_normal()
        layers, size = LAYERS.with_theta(moved), 1 + gain * rng.standard_normal()
        for field_G in FIELDS:
            for branch in BRANCHES:
                values = size * truth(branch, field_G, layers)
                values = 1e-6 * (values + noise * rng.standard_normal(len(N)))
                segments.append(Segment(branch, N, values, str(device), field_G=field_G))
    return PulseData("conductance", "S", tuple(segments), "layers.csv", "0" * 64)


@pytest.fixture(scope="module")
def one() -> CardFit:
    return fit_card(measured(0.1, seed=1), bootstrap=0)


@pytest.fixture(scope="module")
def many() -> CardFit:
    return fit_card(measured(0.05, 3, devices=24, coercivity_std_G=6.0, gain=0.05), bootstrap=0)


def test_the_card_holds_two_curves_a_branch_and_the_layers(one):
    assert one.joint is not None
    assert [c.name for c in one.card.curves] == [
        *("LTP parallel", "LTD parallel", "LTP antiparallel", "LTD antiparallel"),
    ]
    assert one.card.fields_G == FIELDS
    assert one.card.uncertainty.parameters[-4:] == (
        *("field coercivity_soft_G", "field coercivity_hard_G"),
        *("field log_width_soft_G", "field log_width_hard_G"),
    )
    errors = one.card.uncertainty.standard_errors()[-4:]
    widths = [1, 1, one.card.layers.width_soft_G, one.card.layers.width_hard_G]
    assert np.allclose(errors * widths, one.card.layers.standard_errors_G, rtol=1e-6)


def test_the_card_is_the_curves_of_the_fit_at_its_fields(one):
    """What reports and figures show at the fields is what the card answers."""
    for branch, law in zip(one.branches, one.laws, strict=True):
        shown = one.card.conductance(branch.branch, N, branch.field_G)
        assert np.allclose(shown, law(N), rtol=1e-9)


def test_the_card_is_the_truth_between_its_fields(one):
    for field_G in np.arange(0, 341, 10.0):
        for branch in BRANCHES:
            off = one.card.conductance(branch, N, field_G) / 1e-6 - truth(branch, field_G)
            assert np.abs(off).max() < 0.15, (branch, field_G)


def test_intervals_of_layers_and_responses_hold_the_truth():
    """15 trials: of four magnetic numbers and eight responses each, 95 % within their intervals."""
    held = []
    for seed in range(15):
        card = fit_card(measured(0.3, seed), law="exponential_mixture_1", bootstrap=0).card
        assert card.layers is not None
        matrix = np.array(card.uncertainty.fit)
        errors = np.sqrt(np.diag(matrix))
        held += list(np.abs(card.layers.theta - LAYERS.theta) <= 1.96 * errors[-4:])
        at = 0
        for curve in card.curves:
            own = slice(at, at := at + len(curve.law.theta_names))
            slopes = curve.law.jacobian(np.array([0.0, 20.0]))
            std = np.sqrt(np.einsum("qi,ij,qj->q", slopes, matrix[own, own], slopes))
            wanted = 1e-6 * PARTS[curve.branch][curve.alignment == "antiparallel"](N[[0, 20]])
            held += list(np.abs(curve.law([0.0, 20.0]) - wanted) <= 1.96 * std)
    assert len(held) == 15 * 12
    assert 0.9 <= np.mean(held) <= 0.995


def test_draws_of_the_fit_follow_its_covariance(one):
    drawn = one.card.sample(400, seed=0, vary=["fit"])
    thetas = np.array([d.layers.theta for d in drawn])
    errors = one.card.uncertainty.standard_errors()[-4:]
    assert np.allclose(thetas.std(axis=0), errors, rtol=0.15)
    assert np.all(np.abs(thetas.mean(axis=0) - one.card.layers.theta) < 4 * errors / 20)
    assert [d.sha256 for d in one.card.sample(2, seed=4)] == [
        d.sha256 for d in one.card.sample(2, seed=4)
    ]


def test_how_devices_differ_in_field_and_size_is_found_and_drawn(many):
    """Of 24 devices: coercivities 6 G apart, sizes 5 %."""
    assert many.joint is not None
    own = np.random.default_rng(3)
    moved = []
    for _ in range(24):
        moved.append((6.0 * own.standard_normal(), own.standard_normal()))
        own.standard_normal((len(FIELDS) * 2, len(N)))
    coercivities, sizes = np.std(moved, axis=0, ddof=1) * [1, 0.05]
    drawn = many.card.sample(300, seed=1, vary=["d2d"])
    soft = np.array([d.layers.coercivity_soft_G for d in drawn])
    assert soft.std() == pytest.approx(coercivities, rel=0.2)
    tops = np.array([float(d.conductance("LTP", 40.0, 0.0)) for d in drawn])
    assert tops.std() / tops.mean() == pytest.approx(sizes, rel=0.25)
    hard = np.array([d.layers.coercivity_hard_G for d in drawn])
    assert hard.std() < 0.5 * soft.std()


def test_drawn_layers_are_layers_however_wide_the_covariance(one):
    """Widths stay positive, coercivities rise from 0: what is none is drawn again."""
    matrix = np.array(one.card.uncertainty.fit)
    scale = np.ones(len(matrix))
    scale[-4:] = np.array([80.0, 150.0, 1.5, 1.5]) / np.sqrt(np.diag(matrix)[-4:])
    wide = tuple(tuple(row) for row in matrix * np.outer(scale, scale))
    card = replace(one.card, uncertainty=replace(one.card.uncertainty, fit=wide))
    drawn = [d.layers for d in card.sample(300, seed=2, vary=["fit"])]
    assert all(0 <= d.coercivity_soft_G <= d.coercivity_hard_G for d in drawn)
    assert all(min(d.width_soft_G, d.width_hard_G) > 0 for d in drawn)
    assert np.std([d.coercivity_soft_G for d in drawn]) > 20


def test_a_drawn_card_goes_everywhere_at_any_field(one, tmp_path):
    """Written, read, plotted, exported to all, driven as a tile."""
    drawn = one.card.sample(1, seed=7)[0]
    card = load_card(drawn.save(tmp_path / "drawn.json"))
    assert card.sha256 == drawn.sha256
    assert card.layers == drawn.layers
    assert len(card.plot().axes[0].lines) == len(FIELDS)
    for field_G in (0.0, 61.5, 333.0):
        low, high = card.conductance_range(field_G)
        assert lookup_table(card, field_G).conductance[-1] == pytest.approx(high)
        assert json.loads(neurosim_json(card, field_G))["min_conductance_S"] == pytest.approx(low)
        assert f"{field_G:g} G" in table_csv(card, field_G)
        assert f"Magnetic field: {field_G:g} G" in preset_source(card, field_G)
    tile = measure_tile(card, n_devices=2)
    assert tile.fields_G == FIELDS
    assert [s.branch for s in tile.segments[:4:2]] == ["LTP", "LTD"]


def test_one_branch_alone_has_a_joint_model_too():
    segments = tuple(s for s in measured(0.1, 5).segments if s.branch == "LTP")
    fit = fit_curves(replace(measured(0.1, 5), segments=segments), bootstrap=0)
    assert fit.joint is not None
    assert len(fit.joint.parts) == 2
    assert len(fit.joint.parts_covariance) == 2 * len(fit.joint.parts[0].theta_names) + 4


def test_the_report_tells_layers_curves_and_range(one):
    report = make_report(one, [])
    text = report_text(report, "card.json")
    assert "LTD, antiparallel layers: exponential_mixture" in text
    assert re.search(r"coercivity soft (8|9)[0-9.]* ± [0-9.]+ G, coercivity hard", text)
    assert "known from 0 to 340 G, rising field after negative saturation" in text
    assert text.count("log_") == 0
    figure = draw_fit(report)
    lines = [line for axes in figure.axes for line in axes.lines]
    assert len(lines) >= 2 * len(FIELDS)
    assert not any("between its fields" in reason.text for reason in report.reasons)


def test_a_table_says_in_its_report_how_far_off_it_may_be():
    """Four fields are too few for the model; across 100 G the straight line misses the switch."""
    data = measured(0.05, 2)
    kept = tuple(s for s in data.segments if s.field_G in (0.0, 80.0, 120.0, 340.0))
    fit = fit_card(replace(data, segments=kept), law="exponential_mixture_1", bootstrap=0)
    assert fit.joint is None
    assert fit.card.interpolation_error > 0.05
    report = make_report(fit, [])
    assert "between the fields linear in conductance; error about" in report_text(report, "c.json")
    assert any("between its fields the card may be off" in r.text for r in report.reasons)


def test_standard_errors_are_stored(one):
    stored = card_from_dict(json.loads(one.card.to_json()))
    assert stored.layers == one.card.layers
    assert set(stored.to_dict()["field_model"]["standard_errors_G"]) == set(LAYER_KEYS)
