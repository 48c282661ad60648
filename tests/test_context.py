"""Tiles keep the manners of torch parameters: frozen, zeroed, copied and loaded as those are."""

from __future__ import annotations

import pickle
import warnings
from copy import deepcopy

import pytest
import torch
from aihwkit.optim import AnalogAdam, AnalogSGD
from aihwkit.optim.context import AnalogContext
from aihwkit.simulator.parameters.enums import NoiseManagementType
from torch import nn

from crossbar import MemristorRPUConfig, to_crossbar
from crossbar.checkpoint import load_plain_state, plain_state
from crossbar.reads.converters import periphery
from crossbar.rpu import TILES
from crossbar.tile import MemristorConv2d

CARD = "lsmo_pvdf_co"
COPIES = {"deepcopy": deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


def network(tile: str, weights_G: float = 0.0, freeze: bool = False) -> nn.Sequential:
    """A convolution, frozen on request, and a linear layer on tiles."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2))
    model[0].weight.requires_grad_(not freeze)
    return to_crossbar(model, CARD, weights_G, tile=tile)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 20) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        backward(model, generator)
        optimizer.step()


def backward(model: nn.Module, generator: torch.Generator | None = None) -> None:
    images = torch.rand(16, 1, 4, 4, generator=generator)
    labels = (images.mean((1, 2, 3)) > 0.5).long()
    nn.functional.cross_entropy(model(images), labels, reduction="sum").backward()


def analog_optimizer(model: nn.Module, kind: type = AnalogSGD, **settings) -> AnalogSGD:
    """An optimizer whose learning rate on tiles is high enough for pulses in every step."""
    tiles = [p for p in model.parameters() if isinstance(p, AnalogContext)]
    digital = [p for p in model.parameters() if not isinstance(p, AnalogContext)]
    groups = [{"params": digital, "lr": 0.01}, {"params": tiles, "lr": 0.5, **settings}]
    return kind(groups, lr=0.01)


def crossbar_weights(layer: nn.Module) -> torch.Tensor:
    return layer.analog_module.tile.get_weights()


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("when", ["before", "the layer, after", "the tile, after", *COPIES])
def test_a_frozen_layer_stays_bit_for_bit_while_its_neighbour_moves(tile, when):
    model = network(tile, freeze=when not in ("the layer, after", "the tile, after"))
    if when in COPIES:
        model = COPIES[when](model)
    if when == "the layer, after":
        model[0].requires_grad_(False)
    if when == "the tile, after":
        model[0].analog_module.analog_ctx.requires_grad_(False)
    before = [crossbar_weights(model[i]) for i in (0, 3)]
    scale = model[0].analog_module.out_scaling_alpha.clone()
    bias = model[0].analog_module.bias.clone()
    train(model, analog_optimizer(model))
    assert torch.equal(crossbar_weights(model[0]), before[0])
    assert not torch.equal(crossbar_weights(model[3]), before[1])
    layer = model[0].analog_module
    assert torch.equal(layer.out_scaling_alpha, scale) == (when != "the tile, after")
    assert torch.equal(layer.bias, bias) == (when == "the layer, after")
    model[0].requires_grad_(True)
    train(model, analog_optimizer(model))
    assert not torch.equal(crossbar_weights(model[0]), before[0])


@pytest.mark.parametrize("tile", TILES)
def test_gradients_pass_through_a_frozen_layer(tile):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    model[1].requires_grad_(False)
    to_crossbar(model, CARD, tile=tile, io=periphery(perfect=True))
    x = torch.randn(4, 3, requires_grad=True)
    model(x).sum().backward()
    expected = torch.ones(4, 2) @ model[1].get_weights()[0] @ model[0].get_weights()[0]
    assert torch.allclose(x.grad, expected, atol=1e-5)
    assert not model[1].analog_module.analog_ctx.has_gradient()


def test_a_frozen_bias_stays_while_the_weights_move():
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].bias.requires_grad_(False)
    to_crossbar(model, CARD)
    tile = model[0].analog_module
    assert not tile.bias.requires_grad
    assert tile.analog_ctx.requires_grad


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("zero", ["optimizer", "model"])
def test_zero_grad_drops_what_was_gathered(tile, zero):
    model = network(tile)
    optimizer = analog_optimizer(model)
    before = crossbar_weights(model[3])
    backward(model)
    (optimizer if zero == "optimizer" else model).zero_grad()
    optimizer.step()
    assert torch.equal(crossbar_weights(model[3]), before)
    backward(model)
    backward(model)
    assert len(model[3].analog_module.analog_ctx.analog_input) == 2
    for _ in range(20):
        optimizer.step()
        backward(model)
    assert not torch.equal(crossbar_weights(model[3]), before)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("kind", [AnalogSGD, AnalogAdam])
def test_an_optimizer_made_before_a_state_was_loaded_still_moves_the_devices(tile, kind):
    model = network(tile)
    optimizer = analog_optimizer(model, kind)
    train(model, optimizer, 2)
    model.load_state_dict(network(tile).state_dict())
    before = crossbar_weights(model[3])
    assert torch.equal(before, crossbar_weights(network(tile)[3]))
    train(model, optimizer)
    assert not torch.equal(crossbar_weights(model[3]), before)


@pytest.mark.parametrize("tile", TILES)
def test_a_state_of_another_field_or_card_is_refused_and_names_both(tile):
    model = network(tile, 150.0)
    before = crossbar_weights(model[0])
    with pytest.raises(ValueError, match=r"at 0 G .* at 150 G") as caught:
        model.load_state_dict(network(tile, 0.0).state_dict())
    assert str(caught.value).startswith("0.analog_module: the state is of card lsmo_pvdf_co (")
    assert "\n" not in str(caught.value)
    assert torch.equal(crossbar_weights(model[0]), before)
    assert model[0].analog_module.analog_ctx.analog_tile is model[0].analog_module


@pytest.mark.parametrize("recipe", ["mixed_precision", "sgd", "tiki_taka_v2"])
@pytest.mark.parametrize("tile", TILES)
def test_a_state_of_any_recipe_knows_its_field(tile, recipe):
    states = [
        to_crossbar(nn.Sequential(nn.Linear(2, 2)), CARD, field_G, recipe=recipe, tile=tile)
        for field_G in (0.0, 50.0)
    ]
    states[0].load_state_dict(states[0].state_dict())
    with pytest.raises(ValueError, match=r"at 50 G .* at 0 G"):
        states[0].load_state_dict(states[1].state_dict())


def test_a_plain_optimizer_is_told_once_that_no_device_moves():
    model = network("memristor")
    before = crossbar_weights(model[3])
    told = "no device moved: .* use aihwkit.optim.AnalogSGD"
    with pytest.warns(UserWarning, match=told) as caught:
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 20)
    assert len(caught) == 2, "one for each tile; Python shows equal ones once"
    assert torch.equal(crossbar_weights(model[3]), before)


@pytest.mark.parametrize("kind", [AnalogSGD, AnalogAdam])
def test_weight_decay_is_told_not_to_reach_the_devices(kind):
    model = network("memristor")
    with pytest.warns(UserWarning, match="weight_decay acts on digital scales and biases only"):
        train(model, kind(model.parameters(), lr=0.01, weight_decay=0.1))
    model = network("memristor")
    optimizer = analog_optimizer(model, kind)
    optimizer.param_groups[0]["weight_decay"] = 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, optimizer)


def test_a_usual_training_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = network("memristor")
        optimizer = analog_optimizer(model, momentum=0.9)
        backward(model)
        train(model, optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        twin = deepcopy(model)
        twin.load_state_dict(model.state_dict())
        load_plain_state(twin, plain_state(model))
        train(twin, analog_optimizer(twin))


@pytest.mark.parametrize("tile", TILES)
def test_read_weights_are_the_layers_weights(tile):
    """With the scales that training moves, from reads without noise."""
    layer = nn.Sequential(nn.Linear(4, 3))
    layer = to_crossbar(layer, CARD, tile=tile, io=periphery(perfect=True))[0]
    layer.analog_module.out_scaling_alpha.data[1] = 3.0
    for expected, got in zip(layer.get_weights(), layer.analog_module.read_weights(), strict=True):
        assert torch.allclose(expected, got, atol=1e-5)


def test_a_loaded_state_with_other_converters_chooses_how_images_are_read():
    """Unmanaged backward reads are not linear: they take patches, whose gradients are right."""
    perfect, unmanaged = periphery(perfect=True), periphery(out_noise=0.0)
    unmanaged.noise_management = NoiseManagementType.NONE
    unmanaged.inp_res = unmanaged.out_res = -1
    configs = [MemristorRPUConfig(forward=perfect, backward=b) for b in (perfect, unmanaged)]
    digital, x = nn.Conv2d(1, 2, 3), 0.1 * torch.randn(2, 1, 5, 5)
    layers = [MemristorConv2d.from_digital(digital, config) for config in configs]
    states = [deepcopy(layer.state_dict()) for layer in layers]
    for layer, state, takes_images in zip(layers, states[::-1], (False, True), strict=True):
        layer.load_state_dict(state)
        assert layer.analog_module.takes_images() == takes_images
        gradients = []
        for model in (digital, layer):
            image = x.clone().requires_grad_()
            model(image).square().mean().backward()
            gradients.append(image.grad)
        assert torch.allclose(*gradients, atol=1e-5)
