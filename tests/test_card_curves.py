"""A card's curves in torch: against the card, and their gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossbar import EMActivation
from crossbar.curves import QUANTITIES, CardCurves
from crossbar.curves.field import part_shares
from device_models import DeviceCard, ExponentialMixture
from device_models.card import Curve, FieldTable, TwoLayers
from device_models.curves import (
    GeometricExponential,
    GeometricLogistic,
    Law,
    Logistic,
    LogStep,
    MonotoneSpline,
    PowerLaw,
    StretchedExponential,
)

N_PULSES = 40

EXACT: dict[str, tuple[Law, Law]] = {
    "mixture": (
        ExponentialMixture(9.0, (-3.0, 0.0, -5.0), (4.0, 8.0, 20.0)),
        ExponentialMixture(2.0, (3.0, 4.0), (3.0, 25.0)),
    ),
    "mixture_through_zero": (
        ExponentialMixture(9.0, (-10.0,), (4.0,)),
        ExponentialMixture(-1.0, (3.0, 4.0), (3.0, 25.0)),
    ),
    "power_law": (PowerLaw(1.0, 0.5, 6.0, -0.7), PowerLaw(9.0, -0.5, 6.0, 0.4)),
    "log_step": (LogStep(1.0, 0.5, 6.0), LogStep(9.0, -0.6, 9.0)),
    "logistic": (Logistic(1.0, 9.0, 20.0, 5.0), Logistic(9.0, -7.0, 15.0, 4.0)),
    "geometric_exponential": (
        GeometricExponential(1e-3, 3.0, 9.0), GeometricExponential(1.0, -2.0, 12.0),
    ),
    "geometric_logistic": (
        GeometricLogistic(1e-3, 3.0, 20.0, 5.0), GeometricLogistic(1.0, -2.0, 15.0, 4.0),
    ),
    "two_laws": (LogStep(1.0, 0.5, 6.0), ExponentialMixture(2.0, (3.0, 4.0), (3.0, 25.0))),
}  # fmt: skip


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def table_card(up: Law, down: Law, quantity: str = "conductance") -> DeviceCard:
    """Two fields: the laws, and mixtures in another range."""
    curves = (
        Curve("LTP", 0.0, up),
        Curve("LTD", 0.0, down),
        Curve("LTP", 100.0, ExponentialMixture(12.0, (-11.0,), (9.0,))),
        Curve("LTD", 100.0, ExponentialMixture(1.5, (10.5,), (7.0,))),
    )
    unit = "1" if quantity == "conductance" else "ohm"
    return DeviceCard("table", "", "measured", "", quantity, unit, N_PULSES, curves)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_field_is_the_card(card, quantity):
    """Every 5 G of the range, both branches, between whole pulses too."""
    low, high = card.field_model.range_G
    fields, n = np.arange(low, high + 1, 5.0), np.linspace(0, card.n_pulses, 257)
    found = CardCurves(card, fields, quantity=quantity)(torch.from_numpy(n)).numpy()
    read = card.response if quantity == card.quantity else card.conductance
    wanted = np.stack([read(branch, n, f) for f in fields for branch in ("LTD", "LTP")], -1)
    assert np.abs(found / wanted - 1).max() < 1e-12


def test_the_activation_is_the_card_between_fields(card):
    """Normalised responses of both forms, every 5 G."""
    fields, n = np.arange(0.0, 355.0, 5.0), np.linspace(0, card.n_pulses, 200)
    layer = EMActivation(card, fields)
    found = layer.responses(torch.from_numpy(n)).numpy()
    for column, (field, branch) in enumerate((f, b) for f in fields for b in ("LTD", "LTP")):
        own, whole = card.response(branch, n, field), card.response(branch, np.arange(65.0), field)
        wanted = (own - whole.mean()) / whole.std()
        assert np.abs(found[:, column] - wanted).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        (name, quantity)
        for name in EXACT
        for quantity in QUANTITIES
        if (name, quantity) != ("mixture_through_zero", "resistance")  # no card has such
    ],
)
@pytest.mark.parametrize("trainable", [False, True])
def test_laws_are_those_of_the_card(name, quantity, trainable):
    """Laws in torch against numpy, at a field of the table and between two."""
    up, down = EXACT[name]
    pair = (up, down) if quantity == "conductance" else (down, up)
    card = table_card(*pair, quantity=quantity)
    curves = CardCurves(card, [0.0, 30.0], quantity=quantity, trainable=trainable)
    assert len(list(curves.parameters())) > 0 if trainable else not list(curves.parameters())
    n = np.linspace(0, N_PULSES, 333).reshape(3, 111)
    found = curves(torch.from_numpy(n)).detach().numpy()
    for column, (field, branch) in enumerate((f, b) for f in (0.0, 30.0) for b in ("LTD", "LTP")):
        wanted = card.response(branch, n, field)
        assert found[..., column] == pytest.approx(wanted, rel=1e-11, abs=1e-13)


def test_splines_and_stretched_exponentials_are_followed():
    up = MonotoneSpline(1.0, (2.0, 2.5, 1.0, 1.0, 0.5), (0.0, 3.0, 12.0, 40.0))
    down = StretchedExponential(9.0, -7.0, 12.0, 1.5)
    card = table_card(up, down)
    n = np.linspace(0, N_PULSES, 101)
    for quantity, read in (("conductance", card.conductance), ("resistance", None)):
        found = CardCurves(card, [0.0], quantity=quantity)(torch.from_numpy(n)).numpy()
        for column, branch in enumerate(("LTD", "LTP")):
            wanted = read(branch, n) if read else 1 / card.conductance(branch, n)
            assert np.abs(found[:, column] - wanted).max() < 1e-2 * np.ptp(wanted)


@settings(max_examples=60, deadline=None)
@given(
    fields=st.lists(st.floats(0, 500), min_size=2, max_size=9, unique=True),
    asked=st.lists(st.floats(0, 1), min_size=1, max_size=9),
    layers=st.tuples(*[st.floats(5, 200)] * 4),
)
def test_shares_are_those_of_the_card(fields, asked, layers):
    fields = sorted(fields)
    two = TwoLayers(min(layers[:2]), max(layers[:2]), *layers[2:], range_G=(fields[0], fields[-1]))
    field_G = np.clip(fields[0] + np.array(asked) * (fields[-1] - fields[0]), fields[0], fields[-1])
    for model, n_parts in ((FieldTable(tuple(fields)), len(fields)), (two, 2)):
        shares = part_shares(model, torch.from_numpy(field_G), n_parts).numpy()
        assert shares.sum(1) == pytest.approx(np.ones(len(asked)))
        for row, (k, share) in zip(shares, zip(*model.place(field_G), strict=True), strict=True):
            assert row[k + 1] == pytest.approx(share, abs=1e-12)
            assert row[k] == pytest.approx(1 - share, abs=1e-12)


def test_gradients_reach_pulses_parameters_and_field(card):
    """Analytic against numerical, for the two layers and for a table; a field has a slope."""
    for source, fields in ((card, [12.0, 95.0, 300.0]), (table_card(*EXACT["two_laws"]), [40.0])):
        curves = CardCurves(source, quantity="resistance", trainable=True)
        pulses = torch.linspace(0.5, 38, 4, requires_grad=True)
        field_G = torch.tensor(fields, requires_grad=True)
        names, parameters = zip(*curves.named_parameters(), strict=True)

        def outputs(pulses, field_G, *values, curves=curves, names=names):
            state = dict(zip(names, values, strict=True))
            return torch.func.functional_call(curves, state, (pulses, field_G)) / curves.unit

        assert torch.autograd.gradcheck(outputs, (pulses, field_G, *parameters))
        (slope,) = torch.autograd.grad(curves(pulses, field_G).sum(), field_G)
        assert (slope != 0).all()


def test_fields_of_a_call_are_those_of_the_module(card):
    fields, pulses = [0.0, 35.0, 350.0], torch.linspace(0, 64, 20)
    for source in (card, table_card(*EXACT["mixture"])):
        own = fields[:2]
        assert torch.equal(
            CardCurves(source, own)(pulses), CardCurves(source)(pulses, torch.tensor(own))
        )
    own = CardCurves(table_card(*EXACT["mixture"]), [100.0])
    assert own(pulses).shape == (20, 2)
    with pytest.raises(ValueError, match="hold the parts of their own fields only"):
        own(pulses, torch.tensor([35.0]))
    with pytest.raises(ValueError, match="give field_G with the call"):
        CardCurves(card)(pulses)


def test_mixtures_that_learn_stay_positive_and_monotone(card):
    """After steps that would turn amplitudes around, resistances rise and fall as before."""
    torch.manual_seed(0)
    curves = CardCurves(card, [0.0, 200.0], trainable=True)
    with torch.no_grad():
        for parameter in curves.parameters():
            parameter.add_(2 * torch.randn_like(parameter))
    resistance = curves(torch.linspace(0, 64, 65)).detach()
    assert (resistance > 0).all()
    down, up = resistance[:, 0::2].diff(dim=0), resistance[:, 1::2].diff(dim=0)
    assert (down > 0).all()
    assert (up < 0).all()


def test_single_branches_and_single_precision(card):
    torch.set_default_dtype(torch.float32)
    curves = CardCurves(card, [75.0], branches=("LTP",), quantity="conductance")
    n = torch.linspace(0, 64, 30)
    found = curves(n)
    assert found.dtype == torch.float32
    assert found.shape == (30, 1)
    wanted = card.conductance("LTP", n.double().numpy(), 75.0)
    assert np.abs(found[:, 0].double().numpy() / wanted - 1).max() < 2e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields_G": [501.0]}, "^card 'lsmo_pvdf_co': known from 0 to 500 G"),
        ({"quantity": "current"}, "resistance, conductance"),
        ({"branches": ["up"]}, "LTP, LTD"),
        ({"branches": []}, "at least one"),
        ({"fields_G": []}, "at least one"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        CardCurves("lsmo_pvdf_co", **options)
