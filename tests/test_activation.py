"""EM activation against the formula written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.configs import SingleRPUConfig
from torch import nn

from crossbar import EMActivation, replace_activations
from crossbar.activation import ENCODINGS, NORMALISATIONS, QUANTITIES

FIELDS = (0.0, 75.0, 150.0)


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def seeded(**options) -> EMActivation:
    torch.manual_seed(0)
    return EMActivation(fields_G=FIELDS, **options)


def by_hand(layer: EMActivation, card, x: np.ndarray) -> np.ndarray:
    """The paper's activation element by element: encode, look up curves, normalise, reduce."""
    n_max = card.n_pulses
    encode = {
        "clip": lambda v: np.clip(n_max / 2 + n_max / 4 * v, 0, n_max),
        "sigmoid": lambda v: n_max / (1 + np.exp(-v)),
        "raw": lambda v: v,
    }[layer.encoding]
    pulses = encode(x)
    grid = np.arange(n_max + 1)
    read = card.response if layer.quantity == "resistance" else card.conductance
    tables = [read(branch, grid, f) for f in FIELDS for branch in ("LTD", "LTP")]
    low, high = min(t.min() for t in tables), max(t.max() for t in tables)
    out = np.full(x.shape, layer.bias.item())
    columns = []
    for i, (field, branch) in enumerate((f, b) for f in FIELDS for b in ("LTD", "LTP")):
        y = read(branch, pulses, field)
        if layer.normalisation == "zscore":
            columns.append((y - tables[i].mean()) / tables[i].std())
        else:
            columns.append((y - low) / (high - low))
    stacked = np.stack(columns, -1)
    if layer.hidden_weight is not None:
        hidden = stacked @ layer.hidden_weight.detach().numpy().T
        stacked = np.maximum(hidden + layer.hidden_bias.detach().numpy(), 0)
    return out + stacked @ layer.weight.detach().numpy()[0]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("hidden", [0, 8])
def test_exact_form_is_the_formula(card, encoding, normalisation, quantity, hidden):
    options = {"encoding": encoding, "normalisation": normalisation, "quantity": quantity}
    layer = seeded(hidden=hidden, **options)
    x = np.random.default_rng(0).normal(size=(4, 5)) * 3
    out = layer(torch.tensor(x)).detach().numpy()
    assert np.allclose(out, by_hand(layer, card, x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("hidden", [0, 4])
def test_gradients(encoding, quantity, hidden):
    """Numerical against analytic gradient in float64, for the input and for every parameter."""
    layer = seeded(encoding=encoding, quantity=quantity, hidden=hidden, trainable=True)
    x = torch.tensor([-1.7, -0.4, 0.3, 1.1], requires_grad=True)
    parameters = list(layer.parameters())
    assert len(parameters) == (7 if hidden else 5)

    def outputs(x, *parameters):
        names = [name for name, _ in layer.named_parameters()]
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(outputs, (x, *parameters))


def test_shape_is_kept_and_positions_are_independent():
    layer = seeded()
    x = torch.randn(2, 3, 4, 5)
    out = layer(x)
    assert out.shape == x.shape
    assert torch.allclose(layer(x.flatten()), out.flatten())


def test_curves_are_frozen_unless_asked():
    frozen, trained = EMActivation(fields_G=FIELDS), EMActivation(fields_G=FIELDS, trainable=True)
    assert {n for n, _ in frozen.named_parameters()} == {"weight", "bias"}
    extra = {n for n, _ in trained.named_parameters()} - {"weight", "bias"}
    assert extra == {"offset", "amplitudes", "log_tau"}
    trained(torch.randn(8)).sum().backward()
    assert trained.log_tau.grad.abs().min() > 0


def test_zscore_curves_have_mean_0_and_std_1():
    layer = seeded()
    values = layer.responses(torch.arange(65.0))
    assert values.shape == (65, 6)
    assert torch.allclose(values.mean(0), torch.zeros(6), atol=1e-12)
    assert torch.allclose(values.std(0, correction=0), torch.ones(6), atol=1e-12)


def test_clip_saturates_beyond_the_measured_pulses():
    layer = seeded()
    assert layer(torch.tensor([2.0, 50.0])).unique().numel() == 1
    assert layer(torch.tensor([-2.0, -50.0])).unique().numel() == 1


def test_linear_of_16_adds_17_parameters():
    """Ledger 3.1: four Linear(16, 1) layers are 68 parameters."""
    layer = EMActivation(fields_G=[50.0 * i for i in range(8)])
    assert layer.n_curves == 16
    assert sum(p.numel() for p in layer.parameters()) == 17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "linear"}, "clip, sigmoid, raw"),
        ({"normalisation": "minmax"}, "zscore, common"),
        ({"quantity": "current"}, "resistance, conductance"),
        ({"hidden": -1}, "hidden"),
        ({"fields_G": []}, "at least one field"),
        ({"fields_G": [500.0]}, "0 to 350 G"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        EMActivation(**options)


def test_replacing_reaches_every_activation_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    assert replace_activations(model, EMActivation) is model
    found = [m for m in model.modules() if isinstance(m, EMActivation)]
    assert len(found) == 2
    assert found[0] is not found[1]
    assert model(torch.randn(5, 3)).shape == (5, 2)
    with pytest.raises(ValueError, match="no ReLU found"):
        replace_activations(model, EMActivation)
    assert isinstance(replace_activations(nn.ReLU(), EMActivation), EMActivation)


def test_converting_a_network_keeps_the_activation_digital():
    model = nn.Sequential(nn.Linear(3, 3), EMActivation(hidden=4))
    analog = convert_to_analog(model, SingleRPUConfig())
    assert sum(isinstance(m, AnalogLinear) for m in analog.modules()) == 1


def test_sixteen_curves_can_make_a_relu():
    """16 curves of one variable span enough to fit a ReLU to 5 % of its range."""
    layer = EMActivation(fields_G=[50.0 * i for i in range(8)])
    x = torch.linspace(-1.9, 1.9, 200)
    responses = layer.responses(layer.pulse_number(x))
    design = torch.cat([responses, torch.ones(200, 1)], 1)
    target = x.relu().unsqueeze(1)
    fit = torch.linalg.lstsq(design, target, driver="gelsd").solution
    assert (design @ fit - target).abs().max() < 0.095
