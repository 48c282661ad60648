"""The field in a card: exact between its fields, a mixture of parts, and honest in a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models import CardError, DeviceCard, load_card
from device_models.card import BRANCHES, Curve, FieldTable, TwoLayers, card_from_dict
from device_models.curves import ExponentialMixture, LogStep, MonotoneSpline
from device_models.junction import CO, LSMO, Electrodes, antiparallel_fraction, resistance_ohm
from device_models.reconstruct import reconstruct_states

N = np.arange(65.0)
UP = ExponentialMixture(4.0, (-2.0, -1.0), (5.0, 30.0))
DOWN = ExponentialMixture(1.0, (2.0, 1.0), (4.0, 20.0))


def table_card(quantity: str = "conductance", fields: tuple[float, ...] = (0.0, 40.0, 100.0)):
    """A card of several fields whose curves grow by a tenth from field to field."""
    curves = []
    for i, field_G in enumerate(fields):
        size = 1 + 0.1 * i
        laws = {"LTP": UP, "LTD": DOWN} if quantity == "conductance" else {"LTP": DOWN, "LTD": UP}
        for branch, law in laws.items():
            scaled = ExponentialMixture(
                size * law.offset, tuple(size * a for a in law.amplitudes), law.tau_pulses
            )
            curves.append(Curve(branch, field_G, scaled))
    unit = "S" if quantity == "conductance" else "ohm"
    return DeviceCard("t", "table", "measured", "", quantity, unit, 64, tuple(curves))


def layered(quantity: str = "conductance") -> DeviceCard:
    """A card of two layers with laws of several kinds."""
    knots = (0.0, 20.0, 64.0)
    pairs = {
        ("LTP", "parallel"): UP,
        ("LTP", "antiparallel"): MonotoneSpline(0.5, (1.0, 0.5, 0.2, 0.1), knots),
        ("LTD", "parallel"): LogStep(3.0, -0.15, 5.0),
        ("LTD", "antiparallel"): DOWN,
    }
    if quantity == "resistance":
        pairs = {({"LTP": "LTD", "LTD": "LTP"}[b], a): law for (b, a), law in pairs.items()}
    curves = tuple(Curve(b, None, law, alignment=a) for (b, a), law in pairs.items())
    layers = TwoLayers(90.0, 300.0, 20.0, 40.0, (-50.0, 400.0), (0.0, 200.0))
    unit = "S" if quantity == "conductance" else "ohm"
    return DeviceCard("l", "", "measured", "", quantity, unit, 64, curves, layers=layers)


@pytest.mark.parametrize("field_G", np.arange(0.0, 501.0, 5.0))
def test_the_card_is_the_compact_model_at_every_field(card, field_G):
    """Every 5 G, both branches, all pulse numbers: within 2e-3 of the conductance."""
    for branch, state in reconstruct_states().items():
        wanted = 1 / resistance_ohm(state, field_G)
        assert np.allclose(card.conductance(branch, N, field_G), wanted, rtol=2e-3), branch


def test_a_table_of_the_eight_fields_would_not_be(card):
    """What the model is for: between 50 and 100 G a straight line is 5 % off."""
    states = reconstruct_states()
    ends = (1 / resistance_ohm(states["LTP"], f) for f in (50.0, 100.0))
    wanted = 1 / resistance_ohm(states["LTP"], 75.0)
    assert np.max(np.abs(sum(ends) / 2 / wanted - 1)) > 0.02


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
@pytest.mark.parametrize("make", [table_card, layered])
def test_a_field_mixes_parts_in_conductance(make, quantity):
    made = make(quantity)
    low, high = made.field_model.range_G
    fields = np.linspace(low, high, 23)
    first, share = made.field_model.place(fields)
    for branch in BRANCHES:
        parts = made.part_conductance(branch, N)
        for field_G, k, p in zip(fields, first, share, strict=True):
            second = parts[min(k + 1, len(parts) - 1)]
            wanted = (1 - p) * parts[k] + p * second
            assert np.allclose(made.conductance(branch, N, field_G), wanted, rtol=1e-12)
            value = wanted if quantity == "conductance" else 1 / wanted
            assert np.allclose(made.response(branch, N, field_G), value, rtol=1e-12)


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
@pytest.mark.parametrize("field_G", [-20.0, 95.0, 310.0])
def test_the_law_at_a_field_has_the_slope_of_its_values(quantity, field_G):
    for branch in BRANCHES:
        law = layered(quantity).law(branch, field_G)
        n, h = np.linspace(1, 60, 40), 1e-5
        slope = (law(n + h) - law(n - h)) / (2 * h)
        assert np.allclose(law.derivative(n), slope, rtol=1e-5, atol=1e-9)


def test_mixtures_with_the_same_time_constants_stay_as_short():
    other = ExponentialMixture(2.0, (-1.0, -0.5), UP.tau_pulses)
    mixed = UP.mixed_with(other, 0.3)
    assert mixed.tau_pulses == UP.tau_pulses
    assert np.allclose(mixed(N), 0.7 * UP(N) + 0.3 * other(N), rtol=1e-14)


@given(
    st.floats(-600, 600), st.floats(0, 200), st.floats(0, 200), st.floats(1, 90), st.floats(1, 90)
)
def test_one_field_is_placed_as_many_are(field_G, soft, more, width, other):
    model = TwoLayers(soft, soft + more, width, other, (-600.0, 600.0))
    first, share = model.place(field_G)
    k, one = model.place_one(field_G)
    assert k == first == 0
    assert one == pytest.approx(float(share), abs=1e-12)
    assert 0 <= one <= 1


@given(st.floats(0, 100))
def test_one_field_of_a_table_is_placed_as_many_are(field_G):
    model = FieldTable((0.0, 40.0, 100.0))
    first, share = model.place(np.array([field_G]))
    assert model.place_one(field_G) == (first[0], pytest.approx(share[0]))


def test_layers_are_those_of_the_junction(card):
    """The same p_AP as the magnets with their history: initialised at -2 kG, then to the field."""
    fields = np.linspace(0, 500, 41)
    share = card.field_model.place(fields)[1]
    assert np.allclose(share, antiparallel_fraction(fields, +1, LSMO, CO), atol=1e-12)
    swept = [float(Electrodes().apply(f)) for f in fields]
    assert np.allclose(share, swept, atol=1e-12)


@settings(deadline=None)
@given(st.floats(-100, 500), st.floats(10, 200), st.floats(0, 200), st.floats(5, 90))
def test_slopes_of_the_antiparallel_fraction(field_G, soft, more, width):
    model = TwoLayers(soft, soft + more, width, 1.5 * width, (-100.0, 500.0))
    steps = 1e-5 * np.array([width, width, 1.0, 1.0])
    for i, h in enumerate(steps):
        moved = [
            TwoLayers(*numbers, model.range_G).antiparallel_fraction(field_G)
            for numbers in (_numbers(model.theta + s * h * np.eye(4)[i]) for s in (1, -1))
        ]
        slope = float(moved[0] - moved[1]) / (2 * h)
        assert model.jacobian(field_G)[i] == pytest.approx(slope, rel=1e-4, abs=1e-9)


def _numbers(theta):
    # Not `with_theta`, which keeps coercivities in order: a slope looks to both sides.
    soft, hard, *logs = theta
    low, high = (soft, hard) if soft <= hard else (hard, soft)
    widths = np.exp(logs) if soft <= hard else np.exp(logs)[::-1]
    return low, high, *widths


def test_layers_at_other_coordinates():
    model = TwoLayers(90.0, 300.0, 20.0, 40.0, (0.0, 350.0), (0.0,), (1.0, 2.0, 3.0, 4.0))
    again = model.with_theta(model.theta)
    assert again.width_hard_G == pytest.approx(40.0)
    assert again.standard_errors_G is None
    with pytest.raises(CardError, match=r"coercivities must rise .* got 400 \(soft\)"):
        model.with_theta([400.0, 300.0, 3.0, 4.0])


@pytest.mark.parametrize("make", [table_card, layered])
def test_fields_outside_are_refused_with_card_and_range(make):
    made = make()
    low, high = made.field_model.range_G
    said = rf"card '{made.name}' is known from {low:g} to {high:g} G, asked at field_G=401"
    for ask in (made.law, made.measured_pulses):
        with pytest.raises(ValueError, match=said):
            ask("LTP", 401.0)
    with pytest.raises(ValueError, match=f"known from {low:g} to {high:g} G"):
        made.field_model.place([low, 401.0])


def test_measured_pulses_are_those_of_the_parts_that_are_read():
    made = table_card()
    short = tuple(
        replace(c, n_pulses=30.0) if c.field_G == 40 and c.branch == "LTP" else c
        for c in made.curves
    )
    made = replace(made, curves=short)
    ends = [made.measured_pulses("LTP", f) for f in (0.0, 20.0, 40.0, 70.0, 100.0)]
    assert ends == [64, 30, 30, 30, 64]
    assert made.measured_pulses("LTD", 40.0) == 64


def test_a_table_says_how_far_interpolation_is_off():
    """A curve that is off its neighbours' line by a known share of the range."""
    made = table_card(fields=(0.0, 50.0, 100.0))
    assert made.interpolation_error == pytest.approx(0.0, abs=1e-12)
    moved = tuple(
        replace(c, law=replace(c.law, offset=c.law.offset + 0.3)) if c.field_G == 50 else c
        for c in made.curves
    )
    bent = replace(made, curves=moved)
    # Both branches at 50 G move alike, so that the range there does not.
    ends = [made.conductance(b, [0, 64], 50.0) for b in BRANCHES]
    assert bent.interpolation_error == pytest.approx(0.3 / np.ptp(ends))
    stated = bent.to_dict()["field_model"]["interpolation_error_over_range"]
    assert stated == pytest.approx(bent.interpolation_error, rel=1e-3)
    assert table_card(fields=(0.0, 50.0)).interpolation_error is None
    assert layered().interpolation_error is None


def test_the_stated_error_is_that_of_fields_left_out():
    """Against the card without each field in turn, also where it is stored in resistance."""
    for quantity in ("conductance", "resistance"):
        made = table_card(quantity, (0.0, 30.0, 70.0, 200.0))
        found = []
        for field_G in made.fields_G[1:-1]:
            without = replace(made, curves=tuple(c for c in made.curves if c.field_G != field_G))
            low, high = made.conductance_range(field_G)
            found += [
                np.max(np.abs(without.conductance(b, N, field_G) - made.conductance(b, N, field_G)))
                / (high - low)
                for b in BRANCHES
            ]
        assert made.interpolation_error == pytest.approx(max(found))


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
@pytest.mark.parametrize("make", [table_card, layered])
def test_both_kinds_are_stored_and_read_again(make, quantity, tmp_path):
    made = make(quantity)
    again = load_card(made.save(tmp_path / "card.json"))
    assert again.sha256 == made.sha256
    assert again.field_model == made.field_model
    assert again.fields_G == made.fields_G
    for field_G in np.linspace(*made.field_model.range_G, 7):
        for branch in BRANCHES:
            assert again.law(branch, field_G) == made.law(branch, field_G)


def test_a_curve_too_many_is_refused():
    content = layered().to_dict()
    content["curves"].append(content["curves"][0])
    with pytest.raises(CardError, match="2 LTP curves in parallel alignment, one expected"):
        card_from_dict(content)
