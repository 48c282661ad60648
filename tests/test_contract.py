"""What layers and compiled kernels take: the shapes that torch's layers take, and no others."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.simulator.parameters.mapping import MappingParameter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from crossbar import EMActivation, pulsed_device
from crossbar.activation import interpolation_cpu
from crossbar.arrays import MemristorArray, response_cpu
from crossbar.kernels.contract import address, plain
from crossbar.random import RandomStream
from crossbar.reads import (
    Converters,
    Window,
    convolve,
    convolve_back,
    crossbar_product,
    periphery,
    read_cpu,
)
from crossbar.recipes import RECIPES, Minibatch, make_recipe, recipe_settings
from crossbar.tile import MemristorConv2d, MemristorRPUConfig

FINE = {"out_noise": 0.0, "dac_bits": 24, "adc_bits": 32}
OPTIONS = {
    "plain": {},
    "padding": {"padding": (1, 2)},
    "stride and dilation": {"stride": (2, 1), "dilation": (1, 2), "padding": (0, 1)},
}


@cache
def layers(kind: str) -> tuple[nn.Module, nn.Module]:
    """A digital layer and its twin on a memristor tile with converters that hardly round."""
    torch.manual_seed(0)
    digital = nn.Linear(5, 3) if kind == "linear" else nn.Conv2d(2, 3, (3, 2), **OPTIONS[kind])
    with torch.no_grad():
        digital.weight.mul_(0.3)  # into the range of the devices, so that no scale is needed
    io = {"forward": periphery(**FINE), "backward": periphery(**FINE)}
    config = MemristorRPUConfig(mapping=MappingParameter(), **io)
    analog = (AnalogLinear if kind == "linear" else MemristorConv2d).from_digital(digital, config)
    digital.weight.data.copy_(analog.get_weights()[0].view(digital.weight.shape))
    return digital, analog


VIEWS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1) if x.dim() else x,
    "every second": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
    "expanded": lambda x: x[:1].expand(x.shape) if x.dim() and len(x) else x,
    "flipped sign": torch._neg_view,
    "float64": torch.Tensor.double,
    "float16": torch.Tensor.half,
    "integers": torch.Tensor.long,
    "complex": lambda x: x.to(torch.complex64),
}
LINEAR_SHAPES = st.one_of(
    st.lists(st.integers(0, 7), max_size=4),
    st.lists(st.integers(0, 4), max_size=3).map(lambda shape: [*shape, 5]),
)
IMAGE_SHAPES = st.one_of(
    st.lists(st.integers(0, 6), max_size=5),
    st.tuples(st.integers(0, 3), st.just(2), st.integers(0, 7), st.integers(0, 7)),
    st.tuples(st.integers(1, 3), st.integers(0, 7), st.integers(0, 7)),
)


def results(layer: nn.Module, given_: Tensor, view: str) -> list[Tensor] | type[Exception]:
    """Output, gradients at the input and of the weights; or the exception that is raised."""
    given_ = given_.clone().requires_grad_()
    layer.zero_grad()
    try:
        out = layer(VIEWS[view](given_))
    except Exception as error:
        return type(error)
    out.square().sum().backward()
    if not hasattr(layer, "analog_module"):
        return [out, given_.grad, layer.weight.grad.flatten(1)]
    tile = layer.analog_module
    x, d = tile.analog_ctx.analog_input[0], tile.analog_ctx.analog_grad_output[0]
    tile.analog_ctx.reset()
    tile.set_learning_rate(1e-6)
    tile.tile.recipe.reset()
    tile.update(x, d)
    return [out, given_.grad, tile.tile.recipe.memory / 1e-6]


def assert_alike(kind: str, shape: list[int], view: str) -> None:
    values = torch.rand(list(shape), generator=torch.Generator().manual_seed(1))
    theirs, ours = (results(layer, values, view) for layer in layers(kind))
    if not isinstance(theirs, list) or not isinstance(ours, list):
        assert ours == theirs
        return
    for expected, got in zip(theirs, ours, strict=True):
        assert got.shape == expected.shape
        assert torch.allclose(got, expected, rtol=1e-3, atol=1e-3)


@settings(deadline=None, max_examples=120)
@given(LINEAR_SHAPES, st.sampled_from(sorted(VIEWS)))
@example([2, 4], "contiguous")
@example([2, 6], "contiguous")
@example([5, 1], "contiguous")
@example([], "contiguous")
@example([0, 5], "contiguous")
@example([5], "contiguous")
def test_a_linear_layer_takes_what_torchs_takes(kernels, shape, view):
    assert_alike("linear", shape, view)


@settings(deadline=None, max_examples=200)
@given(IMAGE_SHAPES, st.sampled_from(sorted(VIEWS)), st.sampled_from(sorted(OPTIONS)))
@example([2, 1, 6, 6], "contiguous", "plain")
@example([1, 2, 2, 6], "contiguous", "plain")
@example([1, 2, 6, 1], "contiguous", "plain")
@example([0, 2, 6, 6], "contiguous", "plain")
@example([2, 6, 6], "expanded", "padding")
@example([1, 2, 0, 4], "contiguous", "padding")
def test_a_convolution_takes_what_torchs_takes(kernels, shape, view, kind):
    assert_alike(kind, shape, view)


WEIGHT, STREAM, CONVERTERS = torch.ones(3, 5), RandomStream(1), Converters(periphery(**FINE))
KERNEL, WINDOW, GAIN = torch.ones(3, 12), Window((3, 2)), torch.tensor(1.0)
ARRAY = MemristorArray(3, 5, pulsed_device("lsmo_pvdf_co"), STREAM, 1)
GRID = EMActivation("lsmo_pvdf_co", fields_G=(0.0,))


def fire(**changed: Tensor) -> None:
    """The compiled pulses with one of their tensors replaced."""
    usual = {
        "state": ARRAY.state,
        "reading": ARRAY.reading,
        "w_min": ARRAY.w_min,
        "w_max": ARRAY.w_max,
        "hit": torch.tensor([0, 14]),
        "counts": torch.zeros(2),
        "scale": torch.ones(2),
    }
    response_cpu.fire(ARRAY.response, **(usual | changed))


def polynomial(step: str, x: Tensor, basis: Tensor, other: Tensor) -> None:
    """A pass of the compiled activation; `other` is the weight, or the incoming gradient."""
    grid = GRID._grid
    if step == "forward":
        interpolation_cpu.forward(x, basis, other, torch.zeros(1), grid)
    else:
        coefficients = torch.ones(grid.n_nodes, dtype=torch.float64).numpy()
        interpolation_cpu.backward(x, other, basis, coefficients, grid)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: crossbar_product(WEIGHT, torch.ones(4, 6), CONVERTERS, STREAM), "(4, 6) do not"),
        (
            lambda: crossbar_product(WEIGHT, torch.ones(4, 5).double(), CONVERTERS, STREAM),
            "torch.float32 on cpu does not read torch.float64 on cpu",
        ),
        (
            lambda: read_cpu.read_vectors(WEIGHT, torch.ones(4, 6), CONVERTERS, STREAM),
            "vectors must have the shape (4, 5), got (4, 6)",
        ),
        (
            lambda: read_cpu.read_vectors(WEIGHT.double(), torch.ones(4, 5), CONVERTERS, STREAM),
            "weights must be contiguous torch.float32 numbers on the CPU, got contiguous "
            "torch.float64 on cpu",
        ),
        (
            lambda: read_cpu.read_patches(
                KERNEL, torch.ones(1, 1, 6, 6), WINDOW, CONVERTERS, STREAM, 1.0
            ),
            "weights must have the shape (3, 6), got (3, 12)",
        ),
        (
            lambda: read_cpu.read_vectors(
                torch.ones(2**19 + 1, 1), torch.ones(1, 1), CONVERTERS, STREAM
            ),
            "lines must have up to 524288 entries, got 524289",
        ),
        (
            lambda: read_cpu.read_patches_back(
                KERNEL, torch.ones(1, 3, 4, 4), (1, 2, 6, 6), WINDOW, CONVERTERS, STREAM, 1.0
            ),
            "gradients must have the shape (1, 3, 4, 5), got (1, 3, 4, 4)",
        ),
        (
            lambda: convolve(KERNEL, torch.ones(2, 6, 6), WINDOW, CONVERTERS, STREAM, GAIN),
            "images of the shape (2, 6, 6) do not fit a crossbar of 3 x 12 with the kernel (3, 2): "
            "it reads n x 2 x rows x columns",
        ),
        (
            lambda: convolve(KERNEL, torch.ones(1, 2, 2, 6), WINDOW, CONVERTERS, STREAM, GAIN),
            "images of 2 x 6 pixels, padded to 2 x 6, are smaller than the kernel (3, 2)",
        ),
        (
            lambda: convolve_back(
                KERNEL, torch.ones(1, 3, 4, 4), (1, 2, 6, 6), WINDOW, CONVERTERS, STREAM, GAIN
            ),
            "gradients must have the shape (1, 3, 4, 5), got (1, 3, 4, 4)",
        ),
        (lambda: ARRAY.fire(torch.ones(5, 3)), "pulses must have the shape (3, 5), got (5, 3)"),
        (lambda: fire(hit=torch.tensor([3, 15])), "must lie from 0 to 14, got 3 to 15"),
        (lambda: fire(hit=torch.tensor([-1, 3])), "must lie from 0 to 14, got -1 to 3"),
        (lambda: fire(hit=torch.ones(2)), "got contiguous torch.float32"),
        (lambda: fire(scale=torch.ones(1)), "steps must have the shape (2,), got (1,)"),
        (lambda: fire(w_min=torch.ones(5)), "lower ends must have the shape (3, 5), got (5,)"),
        (lambda: fire(counts=torch.ones(3)), "pulses must have the shape (2,), got (3,)"),
    ],
)
def test_a_kernel_says_what_does_not_fit(call, message):
    with pytest.raises(RuntimeError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("step", ["forward", "backward"])
def test_the_polynomial_takes_what_fits_its_grid(step):
    nodes = GRID._grid.n_nodes
    x, basis = torch.ones(7), torch.ones(nodes, 2, dtype=torch.float64)
    other = torch.ones(2 if step == "forward" else 7)
    polynomial(step, x, basis, other)
    for wrong in (
        (x.half(), basis, other),
        (x.expand(3, 7).t(), basis, other),
        (x, basis, torch.ones(3)),
        (x, basis[:-1], other) if step == "forward" else (x[:5], basis, other),
    ):
        with pytest.raises(RuntimeError, match="must"):
            polynomial(step, *wrong)


@pytest.mark.parametrize("name", RECIPES)
def test_a_minibatch_that_does_not_fit_is_refused(name):
    """Inputs, gradients and their numbers, of vectors and of images; nothing changes."""
    recipe = make_recipe(
        lambda number: MemristorArray(3, 12, pulsed_device("lsmo_pvdf_co"), STREAM, 1 + number),
        recipe_settings(name),
        CONVERTERS,
    )
    images, gradients = torch.ones(2, 2, 6, 6), torch.ones(2, 3, 4, 5)
    for batch in (
        Minibatch(torch.ones(4, 13), torch.ones(4, 3)),
        Minibatch(torch.ones(4, 12), torch.ones(4, 2)),
        Minibatch(torch.ones(4, 12), torch.ones(5, 3)),
        Minibatch(torch.ones(4, 12).double(), torch.ones(4, 3)),
        Minibatch(images[:, :1], gradients, WINDOW),
        Minibatch(images, gradients[..., 1:], WINDOW),
        Minibatch(images[:1], gradients, WINDOW),
    ):
        with pytest.raises(RuntimeError, match=r"must have the shape|do not fit|does not read"):
            recipe.update(batch, 1.0)
    assert recipe.array.effective.abs().max() < 1e-7
    for batch in (
        Minibatch(torch.ones(12), torch.ones(3)),
        Minibatch(torch.ones(0, 12), torch.ones(0, 3)),
        Minibatch(images, gradients, WINDOW),
        Minibatch(images[:0], gradients[:0], WINDOW),
    ):
        recipe.update(batch, 0.01)
        assert recipe.array.effective.isfinite().all()


def test_one_vector_is_learned_as_a_batch_of_one_is():
    """Its features are no rows that a minibatch could be cut into."""
    weights = []
    for shape in ((), (1,)):
        array = MemristorArray(3, 12, pulsed_device("lsmo_pvdf_co"), RandomStream(1), 1)
        recipe = make_recipe(lambda _, array=array: array, recipe_settings("sgd"), CONVERTERS)
        x, d = torch.linspace(-1, 1, 12), torch.tensor([0.5, -0.2, 0.1])
        recipe.update(Minibatch(x.expand(*shape, 12), d.expand(*shape, 3)), 0.1)
        weights.append(array.effective)
    assert torch.equal(*weights)
    assert weights[0].abs().max() > 0.01


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"kernel": (0, 2)}, "kernel must be two whole numbers from 1, got (0, 2)"),
        ({"padding": (-1, 0)}, "padding must be two whole numbers from 0, got (-1, 0)"),
        ({"padding": "same"}, "padding must be two whole numbers from 0, got 'same'"),
        ({"stride": (1, 2.0)}, "stride must be two whole numbers from 1, got (1, 2.0)"),
    ],
)
def test_a_window_is_made_of_whole_numbers(window, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Window(**({"kernel": (2, 2)} | window))


def test_an_address_is_that_of_the_numbers_themselves():
    x = torch.rand(4, 3)
    assert address("x", x, 4, 3) == x.data_ptr()
    for view in (x.t(), torch._neg_view(x)):
        with pytest.raises(RuntimeError, match="x must be contiguous"):
            address("x", view, *view.shape)
        assert torch.equal(plain(view), view)
        assert address("x", plain(view), *view.shape) != x.data_ptr()


def test_the_listed_noise_is_of_single_precision_whatever_the_default(monkeypatch):
    """The compiled reads take it for float32: doubles would come out as other numbers."""
    from crossbar import random

    monkeypatch.setattr(random, "_gaussian_list", random._gaussian_list.__wrapped__)
    torch.set_default_dtype(torch.float64)
    try:
        numbers, _ = RandomStream(1).list_and_place()
    finally:
        torch.set_default_dtype(torch.float32)
    assert numbers.dtype == torch.float32
