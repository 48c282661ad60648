"""EM activation: the formula against numpy, the table against the formula."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.configs import SingleRPUConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crossbar import EMActivation, replace_activations
from crossbar.activation import (
    ENCODINGS,
    FORMS,
    NORMALISATIONS,
    QUANTITIES,
    interpolation_cpu,
    interpolation_torch,
)
from crossbar.activation.grid import Encoding, PulseGrid, choose_grid
from crossbar.kernels import threads
from device_models import DeviceCard, ExponentialMixture
from device_models.card import Curve
from device_models.curves import LogStep, MonotoneSpline

FIELDS = (0.0, 75.0, 150.0)


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


MIXTURES = "curves.parts.exponential_mixture"


def mixtures(layer: EMActivation) -> nn.Module:
    """The module that holds the curves of the paper's card."""
    return layer.get_submodule(MIXTURES)


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
    layer = seeded(hidden=hidden, form="exact", **options)
    x = np.random.default_rng(0).normal(size=(4, 5)) * 3
    out = layer(torch.tensor(x)).detach().numpy()
    assert np.allclose(out, by_hand(layer, card, x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("hidden", [0, 4])
@pytest.mark.parametrize("form", FORMS)
def test_gradients(encoding, quantity, hidden, form):
    """Numerical against analytic gradient in float64, for the input and for every parameter."""
    layer = seeded(encoding=encoding, quantity=quantity, hidden=hidden, trainable=True, form=form)
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
    assert extra == {f"{MIXTURES}.{name}" for name in ("log_lowest", "log_size", "log_tau")}
    trained(torch.randn(8)).sum().backward()
    assert mixtures(trained).log_tau.grad.abs().min() > 0


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
        ({"form": "triton"}, "table, exact"),
        ({"hidden": -1}, "hidden"),
        ({"fields_G": []}, "fields_G must name at least one"),
        (
            {"fields_G": [600.0]},
            "^card 'lsmo_pvdf_co': known from 0 to 500 G, asked at field_G=600$",
        ),
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


BOUND = 1e-5
"""Largest deviation of the table from the formula, relative to the largest value."""

STEEP = 1e-4
"""The same of the slope of a curve, relative to its steepest."""


def worst(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a.double() - b).abs().max() / b.abs().max()).item()


def results(layer: EMActivation, x: torch.Tensor, grad: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradient of the input and of every parameter."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    out = layer(x)
    out.backward(grad)
    return {"out": out.detach(), "x": x.grad} | {k: p.grad for k, p in layer.named_parameters()}


def exact_results(layer, x, grad) -> dict[str, torch.Tensor]:
    """The same by the formula in float64."""
    reference = copy.deepcopy(layer).double()
    reference.form = "exact"
    return results(reference, x.double(), grad.double())


def weights_of(layer: EMActivation) -> torch.Tensor:
    """By how much each curve counts at most in the output, n_curves."""
    weight = layer.weight.detach().double().abs()
    return (weight if layer.hidden_weight is None else weight @ layer.hidden_weight.abs().double())[
        0
    ]


def steepest_slopes(layer: EMActivation) -> torch.Tensor:
    """Steepest slope of every curve in the input, n_curves."""
    x = torch.linspace(-2, 2, 8001, dtype=torch.float64)
    curves = layer.responses(layer.pulse_number(x)).detach()
    return (curves.diff(dim=0).abs() / x.diff()[:, None]).amax(0)


def inputs(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Points over the range of both bounded encodings, close where the curves are steep."""
    steep = -2 + torch.logspace(-6, 0, 300)
    return torch.cat([torch.linspace(-9, 9, 1501), torch.linspace(-2, 2, 801), steep]).to(dtype)


@settings(max_examples=60, deadline=None)
@given(
    fields=st.lists(st.floats(0, 350), min_size=1, max_size=6),
    encoding=st.sampled_from(("clip", "sigmoid")),
    normalisation=st.sampled_from(NORMALISATIONS),
    quantity=st.sampled_from(QUANTITIES),
    hidden=st.sampled_from((0, 0, 3)),
    trainable=st.booleans(),
    dtype=st.sampled_from((torch.float32, torch.float64)),
    seed=st.integers(0, 2**31),
)
def test_table_is_the_formula(
    fields, encoding, normalisation, quantity, hidden, trainable, dtype, seed
):
    """Value and every gradient, for any curves and weights, against the formula in float64."""
    torch.manual_seed(seed)
    options = {"encoding": encoding, "normalisation": normalisation, "quantity": quantity}
    layer = EMActivation(fields_G=fields, hidden=hidden, trainable=trainable, **options).to(dtype)
    with torch.no_grad():
        for p in (layer.weight, layer.bias):
            p.copy_(torch.randn_like(p))
        if hidden:  # no kinks: on one of them both one-sided slopes are right
            layer.hidden_bias.copy_(layer.hidden_weight.abs().sum(1) * 8)
    x = inputs(dtype)
    grad = torch.randn_like(x)
    got, expected = results(layer, x, grad), exact_results(layer, x, grad)
    assert got.keys() == expected.keys()
    # Curves whose weighted sum nearly cancels leave less than the sum of their sizes.
    curves = layer.responses(torch.linspace(0, 64, 65, dtype=dtype)).abs().amax(0)
    if not hidden:
        cancel = (curves * layer.weight.abs()).sum() / expected["out"].abs().max()
        assert worst(got["out"], expected["out"]) < BOUND * max(1, cancel / 10)
    bound = 3 * BOUND if hidden else BOUND
    steepest = (weights_of(layer) * steepest_slopes(layer)).sum() * grad.abs().max()
    assert worst(got["x"], expected["x"]) < STEEP * max(1, steepest / expected["x"].abs().max())
    for name in expected.keys() - {"out", "x"}:
        # Sums over all inputs: where the terms nearly cancel, their rounding is what is left.
        cancel = grad.norm() * curves.max() / expected[name].abs().max()
        assert worst(got[name], expected[name]) < bound * max(1, cancel / 10), name


@settings(max_examples=60, deadline=None)
@given(
    taus=st.lists(st.floats(1, 200), min_size=1, max_size=4),
    rising=st.booleans(),
    n_pulses=st.sampled_from((32, 64, 100, 200)),
)
def test_grid_holds_any_mixture_down_to_time_constants_of_one_pulse(taus, rising, n_pulses):
    """Value and slope of the polynomial in numpy, against law and derivative."""
    law = ExponentialMixture(1.0, tuple((-1.0 if rising else 1.0) for _ in taus), tuple(taus))
    encoding = Encoding(n_pulses, -2.0, 2.0)
    grid = choose_grid(lambda n: law(n)[:, None], encoding, BOUND)
    assert grid is not None
    n = np.concatenate([np.linspace(0, n_pulses, 999), np.geomspace(1e-3, n_pulses, 500)])
    z = grid.pole - grid.stretch_pulses / (n + grid.bend_pulses)
    series = np.polynomial.Chebyshev(grid.chebyshev_from_values @ law(grid.pulses))
    assert np.abs(series(z) - law(n)).max() < 1e-6 * np.ptp(law(n))
    slope = series.deriv()(z) * grid.stretch_pulses / (n + grid.bend_pulses) ** 2
    assert np.abs(slope - law.derivative(n)).max() < BOUND * np.abs(law.derivative(n)).max()


def test_a_function_with_a_jump_has_no_grid():
    step = choose_grid(lambda n: (n > 20.0)[:, None] * 1.0, Encoding(64, -2.0, 2.0), BOUND)
    assert step is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_nodes", [16, 40])
def test_kernels_of_numba_and_torch_agree(dtype, n_nodes):
    layer = seeded()
    grid = PulseGrid(Encoding(64, -2.0, 2.0), 20.0, n_nodes)
    basis = torch.from_numpy(grid.coefficients_from_values) @ layer.responses(
        torch.from_numpy(grid.pulses)
    )
    x, grad = torch.randn(3, 5001, dtype=dtype), torch.randn(3, 5001, dtype=dtype)
    arguments = (basis.detach(), layer.weight.to(dtype), layer.bias.to(dtype), grid)
    one, other = (
        interpolation_cpu.forward(x, *arguments),
        interpolation_torch.forward(x, *arguments),
    )
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert worst(one[0], other[0].double()) < tolerance
    backward_cpu = interpolation_cpu.backward(x, grad, basis.detach(), one[1], grid)
    backward_any = interpolation_torch.backward(x, grad, basis.detach(), other[1], grid)
    for got, expected in zip(backward_cpu, backward_any, strict=True):
        assert worst(torch.as_tensor(got), expected.double()) < tolerance


@pytest.mark.parametrize("hidden", [0, 3])
def test_table_off_the_cpu(monkeypatch, hidden):
    """What a GPU runs, run on the CPU: the same numbers as the compiled kernels."""
    layer = seeded(hidden=hidden, trainable=True).float()
    x, grad = inputs(), torch.randn(inputs().shape, dtype=torch.float32)
    expected = results(layer, x, grad)
    monkeypatch.setattr("crossbar.activation.interpolation._kernels", lambda x: interpolation_torch)
    for name, value in results(layer, x, grad).items():
        assert worst(value, expected[name].double()) < BOUND, name


def test_results_do_not_depend_on_threads():
    layer = seeded().float()
    x, grad = torch.randn(2, 200_001, dtype=torch.float32).unbind()
    threads = torch.get_num_threads()
    runs = []
    try:
        for n in (1, 2, 3, 3, 2, 1):
            torch.set_num_threads(n)
            runs.append(results(layer, x, grad))
    finally:
        torch.set_num_threads(threads)
    for run in runs[1:]:
        assert all(torch.equal(run[name], runs[0][name]) for name in run)


def test_without_openmp_one_thread_does_the_work(monkeypatch):
    layer = seeded().float()
    x, grad = torch.randn(2, 40_000, dtype=torch.float32).unbind()
    expected = results(layer, x, grad)
    monkeypatch.setattr(threads, "_openmp", lambda: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    for name, value in results(layer, x, grad).items():
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize("form", FORMS)
def test_beyond_the_clip_the_gradient_is_zero(form):
    layer = seeded(form=form)
    beyond = torch.tensor([-50.0, -2 - 1e-9, 2 + 1e-9, 50.0, float("inf"), -float("inf")])
    ends = torch.tensor([-2.0, 2.0])
    assert (results(layer, beyond, torch.ones(6))["x"] == 0).all()
    assert (results(layer, ends, torch.ones(2))["x"] != 0).all()


@pytest.mark.parametrize("encoding", ["clip", "sigmoid"])
def test_nan_comes_out_as_nan(encoding):
    layer = seeded(encoding=encoding).float()
    x = torch.tensor([0.5, float("nan"), -0.5], dtype=torch.float32)
    got = results(layer, x, torch.ones(3, dtype=torch.float32))
    assert got["out"].isnan().tolist() == [False, True, False]
    assert got["weight"].isnan().all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(4, 6, 5, 7).transpose(1, 3),
        lambda: torch.randn(4, 6, 5, 7).to(memory_format=torch.channels_last),
        lambda: torch.randn(1, 6).expand(5, 6),
        lambda: torch.randn(40)[::3],
        lambda: torch.randn(()),
        lambda: torch.randn(0, 3),
        lambda: torch.randn(1),
        lambda: torch.randn(1024),
        lambda: torch.randn(1025),
        lambda: torch.randn(16 * 1024 + 1),
    ],
)
def test_any_shape_and_layout(make):
    layer = seeded()
    x = make()
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(leaf)
    assert out.shape == x.shape
    out.sum().backward()  # its gradient is expanded: no stride at all
    exact = copy.deepcopy(layer)
    exact.form = "exact"
    assert torch.allclose(out, exact(x), rtol=1e-6, atol=1e-6)
    assert leaf.grad.shape == x.shape
    assert layer.weight.grad.shape == layer.weight.shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_half_precision_out(dtype):
    layer = seeded().float()
    x = torch.randn(50, dtype=torch.float32)
    expected = layer(x.to(dtype).float())
    for out in (layer(x.to(dtype)), copy.deepcopy(layer).to(dtype)(x.to(dtype))):
        assert out.dtype == dtype
        assert torch.allclose(out.float(), expected, atol=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model = nn.Sequential(nn.Linear(50, 50, dtype=torch.float32), layer)
        out = model(x)
    out.float().sum().backward()
    assert out.dtype == torch.bfloat16
    assert layer.weight.grad.isfinite().all()


def test_raw_input_and_whole_numbers_take_the_formula():
    assert seeded(encoding="raw")._grid is None
    layer = seeded()
    whole = torch.arange(-3, 4)
    assert torch.allclose(layer(whole), layer(whole.double()), rtol=1e-6, atol=1e-6)


def test_torch_compile_takes_the_formula():
    layer, x = seeded(), torch.linspace(-3, 3, 40)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(x), layer(x), rtol=1e-6, atol=1e-6)


def test_second_derivative_is_refused_with_the_way_out():
    layer = seeded()
    x = torch.randn(5, requires_grad=True)
    with pytest.raises(RuntimeError, match="form='exact'"):
        torch.autograd.grad(layer(x).sum(), x, create_graph=True)


@pytest.mark.filterwarnings("error:the curves are too steep")
@pytest.mark.parametrize("trainable", [False, True])
def test_evaluation_never_uses_an_old_table(trainable):
    """Every way in which a parameter or a constant can change between two calls in eval."""
    layer = seeded(trainable=trainable).eval()
    x = torch.linspace(-2, 2, 50)

    def check() -> torch.Tensor:
        exact = copy.deepcopy(layer)
        exact.form = "exact"
        with torch.no_grad():
            out = layer(x)
            assert torch.allclose(out, exact(x), rtol=1e-5, atol=1e-4)
        return out

    seen = [check()]
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(x).square().mean().backward()
    optimizer.step()
    seen.append(check())
    with torch.no_grad():
        layer.weight.mul_(2)
    seen.append(check())
    layer.weight.data.add_(0.1)
    seen.append(check())
    state = {k: v.clone() for k, v in layer.state_dict().items()}
    state[f"{MIXTURES}.log_tau"] += 0.3
    layer.load_state_dict(state)
    seen.append(check())
    state[f"{MIXTURES}.log_lowest"] = state[f"{MIXTURES}.log_lowest"] + 0.2
    layer.load_state_dict(state, assign=True)
    seen.append(check())
    with torch.no_grad():
        layer.centre.add_(0.5)
    seen.append(check())
    with torch.no_grad():
        layer.curves.shares.copy_(layer.curves.shares.flip(0))
    seen.append(check())
    layer.float()
    x = x.float()
    check()
    assert all(not torch.allclose(a, b) for a, b in pairwise(seen))


def test_a_table_kept_in_inference_mode_serves_training():
    layer = seeded()
    with torch.inference_mode():
        layer(torch.randn(3))
    layer(torch.randn(3)).sum().backward()
    assert layer.weight.grad is not None


def test_copies_and_checkpoints():
    """A copy is independent; the state has the same keys in both forms, and no table in it."""
    layer, exact = seeded(), seeded(form="exact")
    layer(torch.randn(3))
    assert layer.state_dict().keys() == exact.state_dict().keys()
    assert set(layer.state_dict()) == {
        *("weight", "bias", "centre", "scale", "curves.shares"),
        *(f"{MIXTURES}.{name}" for name in ("log_lowest", "log_size", "log_tau", "owner")),
    }
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        mixtures(twin).log_tau.add_(0.2)
        twin.weight.neg_()
    x = torch.randn(20)
    assert torch.allclose(layer(x), exact(x), rtol=1e-6, atol=1e-6)
    exact.load_state_dict(twin.state_dict())
    assert torch.allclose(twin(x), exact(x), rtol=1e-6, atol=1e-6)


def test_a_state_of_the_old_form_is_refused_in_one_line():
    """As 0.1 wrote it: curves of fields, with their owners."""
    model = nn.Sequential(nn.Linear(2, 2), seeded())
    state = model.state_dict()
    old = {"1._owner": torch.ones(6, 18), "1.offset": torch.ones(6), "1.weight": torch.ones(1, 6)}
    with pytest.raises(
        RuntimeError, match=r"^1: this state is of fieldcrossbar 0\.1.*anew$"
    ) as found:
        model.load_state_dict(state | old)
    assert "\n" not in str(found.value)


def test_curves_that_grow_too_steep_fall_back_to_the_formula():
    layer = seeded(trainable=True)
    with torch.no_grad():
        mixtures(layer).log_tau.sub_(8)
    x = torch.linspace(-2, 2, 400)
    with pytest.warns(UserWarning, match="too steep"):
        out = layer(x)
    layer.form = "exact"
    assert torch.equal(out, layer(x))


@pytest.mark.filterwarnings("error:the curves are too steep")
@pytest.mark.parametrize("trainable", [False, True])
def test_training_ends_alike_in_both_forms(trainable):
    def trained(form: str) -> tuple[float, torch.Tensor]:
        torch.manual_seed(1)
        activation = EMActivation(fields_G=FIELDS, form=form, trainable=trainable)
        model = nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        x = torch.randn(64, 4)
        y = (x[:, :1] * x[:, 1:2]).tanh()
        for _ in range(200):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        return loss.item(), model(x).detach()

    (table, out), (exact, expected) = trained("table"), trained("exact")
    assert exact < 0.1
    assert table == pytest.approx(exact, rel=1e-2)
    assert torch.allclose(out, expected, atol=1e-2)


def test_kernels_work_where_nothing_may_be_written(tmp_path):
    """A cache folder that cannot be used costs time, not the run."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    script = (
        "import torch, numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from crossbar import EMActivation\n"
        "layer = EMActivation(); layer(torch.randn(9)).sum().backward()\n"
        "print(layer.weight.grad.shape)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(blocked)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "[1, 2]" in done.stdout


@pytest.mark.parametrize("quantity", ["conductance", "resistance"])
def test_measured_laws_work_as_activation(quantity):
    """A card of logarithmic steps and splines: the steps exactly, the splines within 1 %."""
    n, knots = np.linspace(0, 40, 81), (0.0, 3.0, 12.0, 40.0)
    laws = {
        "LTP": LogStep(1.0, 0.5, 6.0),
        "LTD": MonotoneSpline(8.0, (-2.0, -2.5, -1.0, -1.0, -0.5), knots),
    }
    curves = tuple(Curve(branch, 0.0, law) for branch, law in laws.items())
    card = DeviceCard("two", "two laws", "measured", "", "conductance", "1", 40, curves)
    layer = EMActivation(card, quantity=quantity, normalisation="common")
    found = layer.responses(torch.from_numpy(n)).numpy()
    for column, branch in enumerate(("LTD", "LTP")):
        wanted = laws[branch](n) if quantity == "conductance" else 1 / laws[branch](n)
        wanted = (wanted - wanted.min()) / np.ptp(wanted)
        own = (found[:, column] - found[:, column].min()) / np.ptp(found[:, column])
        bound = 1e-12 if branch == "LTP" else 0.025
        assert np.abs(own - wanted).max() < bound


def test_a_conductance_through_zero_has_no_resistance():
    curves = (
        Curve("LTP", 0.0, ExponentialMixture(1.0, (-2.0,), (9.0,))),
        Curve("LTD", 0.0, ExponentialMixture(-1.0, (2.0,), (9.0,))),
    )
    card = DeviceCard("zero", "", "measured", "", "conductance", "1", 40, curves)
    with pytest.raises(ValueError, match="use quantity='conductance'"):
        EMActivation(card)
    assert torch.isfinite(EMActivation(card, quantity="conductance")(torch.randn(50))).all()
