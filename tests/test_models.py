"""Networks: the paper's shapes and parameter counts, every option, and their crossbar versions."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from aihwkit.optim import AnalogAdam
from aihwkit.optim.context import AnalogContext
from aihwkit.simulator.tiles.base import SimulatorTileWrapper
from torch import nn

from crossbar import count_crossbar_weights, load_plain_state, plain_state, rpu_config, to_crossbar
from crossbar.activation import EMActivation
from crossbar.networks import BLOCK_ORDERS, DOWNSAMPLING, MODELS, PaperCNN, build_model
from crossbar.networks.folding import can_fold
from crossbar.reads import periphery
from crossbar.recipes import RECIPES
from device_models import load_card

FIELDS = [50.0 * i for i in range(8)]


def relu(_: int) -> nn.Module:
    return nn.ReLU()


def shapes(model: nn.Module, image: torch.Tensor) -> list[tuple[int, ...]]:
    """Shape after each activation layer for one image."""
    seen = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[1:])))
        for m in model.modules()
        if isinstance(m, nn.ReLU | EMActivation)
    ]
    model.eval()(image)
    for hook in hooks:
        hook.remove()
    return seen


def test_paper_shapes():
    """Fig. 5a: 28x28x3 -> 12x12x6 -> 4x4x16 -> 120 -> 84 -> 10."""
    model = PaperCNN(relu)
    assert shapes(model, torch.zeros(1, 1, 28, 28)) == [(6, 12, 12), (16, 4, 4), (120,), (84,)]
    assert model(torch.zeros(2, 3, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("training", [True, False, "own statistics"])
@pytest.mark.parametrize("downsampling", DOWNSAMPLING)
def test_folded_block_is_the_plain_one(training, downsampling, monkeypatch):
    """Scores, gradients and running statistics in float64, with unequal channels."""
    plain = PaperCNN(relu, downsampling=downsampling).double()
    norm = plain.features[0]
    for tensor in (norm.weight.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 2.0)
    norm.bias.data.normal_()
    folded = copy.deepcopy(plain)
    images, results = torch.randn(8, 1, 28, 28, dtype=torch.float64), []
    for model, fold in ((plain, False), (folded, True)):
        if not fold:
            monkeypatch.setattr("crossbar.networks.paper_cnn.can_fold", lambda *_: False)
        model.train(training is True)
        if training == "own statistics":
            model.features[0].running_mean = model.features[0].running_var = None
        scores = model(images)
        scores.square().sum().backward()
        monkeypatch.undo()
        buffers = [b for b in model.buffers() if b is not None]
        results.append([scores, *(p.grad for p in model.parameters()), *buffers])
    for expected, got in zip(*results, strict=True):
        assert torch.allclose(expected, got, rtol=1e-9, atol=1e-12)


def test_only_a_digital_block_of_grey_images_is_folded():
    norm, conv, images = nn.BatchNorm2d(3), nn.Conv2d(3, 6, 5), torch.randn(2, 1, 28, 28)
    assert can_fold(norm, conv, images)
    assert not can_fold(norm, nn.Conv2d(3, 6, 5, padding=2), images)
    assert not can_fold(norm, conv, images.clone().requires_grad_())
    assert not can_fold(nn.Identity(), conv, images)
    assert not can_fold(norm, to_crossbar(nn.Sequential(conv), "lsmo_pvdf_co")[0], images)


def test_paper_parameter_counts():
    """Ledger 3.1: 45 664 trainable, +68 for four Linear(16, 1), +12 for SET1."""

    def count(make):
        return sum(p.numel() for p in PaperCNN(make).parameters())

    assert count(relu) == 45_664
    assert count(lambda _: EMActivation(fields_G=FIELDS)) == 45_664 + 68
    assert count(lambda _: EMActivation()) == 45_664 + 12


@pytest.mark.parametrize("downsampling", DOWNSAMPLING)
@pytest.mark.parametrize("block_order", BLOCK_ORDERS)
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_reading_of_the_paper_trains(downsampling, block_order, kernel_size, in_channels):
    model = PaperCNN(
        relu,
        downsampling=downsampling,
        block_order=block_order,
        kernel_size=kernel_size,
        in_channels=in_channels,
    )
    model(torch.randn(4, 1, 28, 28)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_caption_order_puts_batchnorm_last_in_a_block():
    """C3: two activations stand next to each other after the conv blocks."""
    kinds = [type(m) for m in PaperCNN(relu, block_order="caption").classifier]
    assert kinds[:3] == [nn.ReLU, nn.Linear, nn.BatchNorm1d]


@pytest.mark.parametrize("name", MODELS)
def test_each_activation_gets_its_own_position(name):
    asked = []
    model = build_model(name, lambda i: (asked.append(i), nn.ReLU())[1])
    assert asked == list(range(len(asked)))
    assert model(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_wrong_names_are_listed():
    with pytest.raises(ValueError, match="paper_cnn, mlp, residual_cnn"):
        build_model("lenet", relu)
    with pytest.raises(ValueError, match="pool_before, pool_after, stride"):
        PaperCNN(relu, downsampling="none")
    with pytest.raises(ValueError, match="mixed_precision, sgd, tiki_taka_v2"):
        rpu_config(None, "adam")


def test_crossbar_holds_the_papers_44490_weights():
    model = to_crossbar(PaperCNN(relu), "lsmo_pvdf_co")
    assert count_crossbar_weights(model) == 44_490


def test_each_layer_has_its_own_field():
    fields = [0.0, 350.0, 100.0, 250.0, 150.0]
    model = to_crossbar(PaperCNN(relu), "lsmo_pvdf_co", fields, tile="aihwkit")
    configs = [m.analog_module.rpu_config for m in model.modules() if hasattr(m, "analog_module")]
    assert [c.device.device.field_G for c in configs] == fields
    seeds = [c.device.device.construction_seed for c in configs]
    assert len(set(seeds)) == len(seeds)
    with pytest.raises(ValueError, match="2 fields for 5 crossbar layers"):
        to_crossbar(PaperCNN(relu), "lsmo_pvdf_co", [0.0, 50.0])


@pytest.mark.parametrize("name", MODELS)
def test_mapping_to_a_perfect_crossbar_keeps_the_function(name):
    """Weights are representable, so without converters the outputs agree to rounding."""
    torch.manual_seed(0)
    model = build_model(name, relu).eval()
    images = torch.randn(3, 1, 28, 28)
    before = model(images)
    io = periphery(perfect=True)
    after = to_crossbar(model, "lsmo_pvdf_co", tile="aihwkit", io=io).eval()(images)
    assert torch.allclose(before, after, atol=1e-4)


def trained_steps(recipe: str, steps: int):
    """Model and optimiser after a few steps, and the function that continues them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    spread = {"step_c2c": 0.1, "step_d2d": 0.1, "range_d2d": 0.1}
    settings = {"recipe": recipe, "tile": "aihwkit", "io": periphery(perfect=True)}
    to_crossbar(model, load_card("lsmo_pvdf_co").with_spread(**spread), **settings)
    optimizer = AnalogAdam(model.parameters(), lr=1e-2)
    optimizer.regroup_param_groups()
    x, y = torch.randn(16, 6), torch.randint(0, 2, (16,))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model, x


@pytest.mark.parametrize("recipe", RECIPES)
def test_checkpoint_restores_tiles_without_pickled_code(recipe):
    """Weights, hidden device parameters and digital buffers are all back, bit for bit.

    Except chi, the accumulator of mixed precision, which aihwkit does not take back.
    """
    model, x = trained_steps(recipe, 8)
    file = io.BytesIO()
    torch.save(plain_state(model), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other, _ = trained_steps(recipe, 1)
    assert not torch.equal(other.eval()(x), model.eval()(x))
    load_plain_state(other, state)
    assert torch.equal(other.eval()(x), model.eval()(x))
    assert comparable(plain_state(other)) == comparable(state)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_optimizer_made_before_the_state_was_loaded_still_trains_the_tiles(recipe):
    """aihwkit gives a loaded tile a new context, which no optimizer would know."""
    model, _ = trained_steps(recipe, 1)
    contexts = [p for p in model.parameters() if isinstance(p, AnalogContext)]
    load_plain_state(model, plain_state(model))
    loaded = [p for p in model.parameters() if isinstance(p, AnalogContext)]
    assert len(loaded) == 2
    assert all(old is new for old, new in zip(contexts, loaded, strict=True))
    tiles = [m for m in model.modules() if isinstance(m, SimulatorTileWrapper)]
    assert all(new.analog_tile is tile for new, tile in zip(loaded, tiles, strict=True))


def comparable(value):
    """Nested state as plain Python, hidden parameters by name and without chi."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if not isinstance(value, dict):
        return value
    if names := value.get("analog_tile_hidden_parameter_names"):
        hidden = dict(zip(names, value["analog_tile_hidden_parameters"], strict=True))
        hidden.pop("hidden_weights_chi", None)
        value = {**value, "analog_tile_hidden_parameters": hidden}
    return {k: comparable(v) for k, v in value.items()}


def test_state_of_another_network_is_refused():
    model, _ = trained_steps("sgd", 0)
    with pytest.raises(KeyError, match="another network"):
        load_plain_state(nn.Linear(2, 2), plain_state(model))
