"""What a NaN or an infinity does on a memristor tile: refused in learning, local in a read."""

from __future__ import annotations

import re

import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.optim import AnalogSGD
from torch import nn

from crossbar import pulsed_device
from crossbar.arrays.array import MemristorArray
from crossbar.finite import NonFiniteError
from crossbar.random import RandomStream
from crossbar.reads.converters import Converters, periphery
from crossbar.reads.read import convolve, convolve_back, crossbar_product
from crossbar.reads.window import Window
from crossbar.recipes import Recipe, make_recipe, recipe_settings
from crossbar.recipes.minibatch import Minibatch
from crossbar.tile import MemristorRPUConfig
from device_models import load_card

NAN, INF = float("nan"), float("inf")
RECIPES = {
    "mixed_precision": {},
    "sgd": {},
    "sgd with momentum": {"momentum": 0.5},
    "tiki_taka_v2": {},
}
SHAPES = {"vectors": ((6, 18), (6, 5)), "images": ((3, 2, 6, 6), (3, 5, 4, 4))}


def recipe_on(name: str) -> Recipe:
    """A recipe on 5 x 18 noisy devices that has already learned a little."""
    device = pulsed_device(load_card("lsmo_pvdf_co").with_spread(step_c2c=0.1, write_noise=0.02))
    stream, settings = RandomStream(3), recipe_settings(name.split()[0], **RECIPES[name])

    def make_array(number: int) -> MemristorArray:
        return MemristorArray(5, 18, device, stream, 1 + number)

    recipe = make_recipe(make_array, settings, Converters(periphery()))
    recipe.array.program(torch.zeros(5, 18))
    recipe.update(Minibatch(*minibatch("vectors")), 0.01)
    return recipe


def minibatch(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    x, d = (torch.randn(shape, generator=generator) for shape in SHAPES[kind])
    return x, d


def remembered(recipe: Recipe) -> list[torch.Tensor]:
    """Everything a recipe and its stream remember, as tensors."""

    def tensors(state: dict) -> list[torch.Tensor]:
        return [
            tensor
            for value in state.values()
            for tensor in (tensors(value) if isinstance(value, dict) else [torch.as_tensor(value)])
        ]

    stream = recipe.array.stream.state()
    devices = {k: v for k, v in recipe.array.snapshot().items() if k in ("state", "noise")}
    return [*tensors(recipe.state()), *tensors(devices), stream["generator"].clone()]


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["inputs x", "gradients d"])
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", RECIPES)
def test_a_minibatch_that_is_not_finite_is_refused_and_changes_nothing(name, kind, where, value):
    recipe, (x, d) = recipe_on(name), minibatch(kind)
    before = remembered(recipe)
    (x if where == "inputs x" else d).view(-1)[[7, 9]] = value
    window = Window((3, 3)) if kind == "images" else None
    with pytest.raises(NonFiniteError) as caught:
        recipe.update(Minibatch(x, d, window), 0.01)
    total = (x if where == "inputs x" else d).numel()
    assert str(caught.value) == (
        f"{where}: 2 of {total} entries are not finite; "
        "no pulse was fired and nothing was accumulated"
    )
    assert all(torch.equal(a, b) for a, b in zip(before, remembered(recipe), strict=True))
    recipe.update(Minibatch(*minibatch(kind), window), 0.01)
    assert all(t.isfinite().all() for t in remembered(recipe) if t.is_floating_point())


@pytest.mark.parametrize("name", ["mixed_precision", "sgd with momentum"])
def test_a_gradient_that_overflows_is_refused(name):
    """Finite inputs and gradients whose products float32 does not hold."""
    recipe = recipe_on(name)
    before = remembered(recipe)
    with pytest.raises(NonFiniteError, match="the gradient of a minibatch overflows; no pulse"):
        recipe.update(Minibatch(torch.full((2, 18), 1e30), torch.full((2, 5), 1e30)), 0.01)
    assert all(torch.equal(a, b) for a, b in zip(before, remembered(recipe), strict=True))


@pytest.mark.parametrize("name", RECIPES)
def test_large_numbers_with_a_finite_sum_are_no_reason_to_refuse(name):
    """Their sum overflows; the numbers, and what mixed precision accumulates, do not."""
    recipe = recipe_on(name)
    recipe.update(Minibatch(torch.full((4, 18), 3e38), torch.full((4, 5), 1e-40)), 0.01)
    assert all(t.isfinite().all() for t in remembered(recipe) if t.is_floating_point())


@pytest.mark.parametrize("rate", [NAN, INF, -0.1, 1e31])
@pytest.mark.parametrize("name", RECIPES)
def test_a_learning_rate_is_checked_where_it_is_used(name, rate):
    recipe = recipe_on(name)
    before = remembered(recipe)
    message = re.escape(f"the learning rate must lie from 0 to 1e+30, got {rate}; no pulse")
    with pytest.raises(ValueError, match=message):
        recipe.update(Minibatch(*minibatch("vectors")), rate)
    assert all(torch.equal(a, b) for a, b in zip(before, remembered(recipe), strict=True))


def test_a_training_step_says_it_in_one_line():
    """The whole way: a loss that is no number, aihwkit's layer and optimizer."""
    layer = AnalogLinear(4, 3, rpu_config=MemristorRPUConfig())
    optimizer = AnalogSGD(layer.parameters(), lr=0.1)
    before = layer.get_weights(apply_weight_scaling=False)[0]
    layer(torch.ones(2, 4)).sum().mul(NAN).backward()
    with pytest.raises(NonFiniteError, match=r"^gradients d: 6 of 6 entries are not finite; no "):
        optimizer.step()
    assert torch.equal(layer.get_weights(apply_weight_scaling=False)[0], before)


@pytest.mark.parametrize("value", [NAN, INF])
def test_weights_that_are_not_finite_are_not_programmed(value):
    """One of them: the digital scale, and with it all other weights, would be none either."""
    layer = AnalogLinear(4, 3, rpu_config=MemristorRPUConfig())
    layer.analog_module.rpu_config.mapping.weight_scaling_omega = 0.3
    before = layer.get_weights()
    weight = torch.ones(3, 4)
    weight[1, 2] = value
    with pytest.raises(
        NonFiniteError, match=r"^weights: 1 of 12 entries are not finite; no device"
    ):
        layer.set_weights(weight, torch.ones(3))
    assert all(torch.equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


@pytest.mark.parametrize(
    "path", ["array.state", "array.noise", "memory", "fast.state", "chopper", "magnitude"]
)
def test_a_stored_state_that_is_not_finite_is_not_restored(path):
    recipe = recipe_on("tiki_taka_v2")
    before = remembered(recipe)
    state = {**recipe.state(), "array": recipe.array.snapshot()}
    *folders, name = path.split(".")
    (state[folders[0]] if folders else state)[name].view(-1)[0] = NAN
    message = rf"stored {name}: 1 of \d+ entries are not finite; no device was restored"
    restore = recipe.array.restore if path.startswith("array") else recipe.restore
    with pytest.raises(NonFiniteError, match=message):
        restore(state["array"] if path.startswith("array") else state)
    assert all(torch.equal(a, b) for a, b in zip(before, remembered(recipe), strict=True))


def test_a_state_dict_that_is_not_finite_is_not_loaded():
    layer, other = (AnalogLinear(4, 3, rpu_config=MemristorRPUConfig()) for _ in range(2))
    state = layer.state_dict()
    state["analog_module.analog_tile_state"]["analog_tile_weights"][0, 0] = NAN
    with pytest.raises(NonFiniteError, match="weights: 1 of 12 entries are not finite"):
        other.load_state_dict(state)


CONVERTERS = {"converters": periphery(out_noise=0.1), "perfect": periphery(perfect=True)}


@pytest.mark.parametrize("io", CONVERTERS.values(), ids=CONVERTERS)
def test_a_vector_that_is_not_finite_spoils_its_own_output_alone(io, kernels):
    vectors = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    vectors[[3, 17], 2] = torch.tensor([NAN, INF])
    out = crossbar_product(torch.ones(5, 7), vectors, Converters(io), RandomStream(1))
    assert not out[[3, 17]].isfinite().any()
    assert out.isfinite().all(1).sum() == 18


@pytest.mark.parametrize("io", CONVERTERS.values(), ids=CONVERTERS)
@pytest.mark.parametrize("size", [(6, 7), (5, 8)])
def test_a_weight_that_is_no_number_spoils_its_own_output_alone(io, size, kernels):
    weight = torch.ones(size)
    weight[2, 3] = NAN
    for matrix, line in ((weight, 2), (weight.t(), 3)):
        vectors = torch.rand(11, matrix.shape[1])
        out = crossbar_product(matrix, vectors, Converters(io), RandomStream(1))
        assert out.isnan().any(0).tolist() == [i == line for i in range(len(matrix))]


WINDOWS = {"3x3": Window((3, 3)), "strided": Window((3, 2), (2, 1), dilation=(1, 2))}


@pytest.mark.parametrize("io", CONVERTERS.values(), ids=CONVERTERS)
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("where", ["weight", "image"])
def test_convolutions_have_a_nan_where_torch_has_one(io, window, where, kernels):
    """Forward and backward; without padding, which torch leaves out of its product."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, 7, 6, generator=generator) + 0.1
    weight = torch.rand(5, window.entries(2), generator=generator) + 0.1
    settings = window, Converters(io), RandomStream(1), torch.tensor(1.0)
    gradients = torch.rand(window.output_shape(weight.shape, images.shape)) + 0.1
    if where == "weight":
        weight[1, 3] = NAN
    else:
        images[1, 0, 3, 3] = gradients[1, 2, 1, 1] = NAN
    options = window.stride, window.padding, window.dilation
    kernel = weight.view(5, 2, *window.kernel)
    forward = nn.functional.conv2d(images, kernel, None, *options)
    backward = torch.nn.grad.conv2d_input(images.shape, kernel, gradients, *options)
    assert 0 < forward.isnan().sum() < forward.numel()
    assert torch.equal(convolve(weight, images, *settings).isnan(), forward.isnan())
    ours = convolve_back(weight, gradients, images.shape, *settings)
    assert torch.equal(ours.isnan(), backward.isnan())
