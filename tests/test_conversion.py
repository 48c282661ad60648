"""Networks on crossbars: every kind of layer computes what torch's does, all convert or none."""

from __future__ import annotations

import warnings
from copy import deepcopy

import numpy as np
import pytest
import torch
from aihwkit.nn.conversion import convert_to_analog, convert_to_digital
from aihwkit.optim import AnalogSGD
from aihwkit.simulator.tiles.module import TileModule
from torch import nn
from torch.nn.utils import parametrizations, prune

from crossbar import MemristorRPUConfig, crossbar_layers, pulsed_device, rpu_config, to_crossbar
from crossbar.reads.converters import periphery
from crossbar.recipes import Minibatch
from crossbar.rpu import TILES
from crossbar.tile import MemristorConv2d, MemristorTile
from device_models import load_card

CARD = "lsmo_pvdf_co"
PERFECT = periphery(perfect=True)

CONVOLUTIONS = {
    "1-d": (nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), (3, 11)),
    "1-d, same": (nn.Conv1d(3, 4, 4, padding="same"), (3, 11)),
    "2-d": (nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 2)), (3, 9, 8)),
    "2-d, same": (nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)), (3, 9, 8)),
    "2-d, valid": (nn.Conv2d(3, 4, 3, padding="valid", bias=False), (3, 9, 8)),
    "2-d, reflected": (nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode="reflect"), (3, 9, 8)),
    "2-d, circular same": (nn.Conv2d(3, 4, 4, padding="same", padding_mode="circular"), (3, 9, 8)),
    "2-d, groups": (nn.Conv2d(4, 6, 3, groups=2, padding=1), (4, 9, 8)),
    "depthwise": (nn.Conv1d(4, 8, 3, groups=4, bias=False), (4, 9)),
    "3-d": (nn.Conv3d(2, 3, (2, 3, 2), stride=(1, 2, 1), padding=(1, 0, 1)), (2, 4, 7, 5)),
    "3-d, groups": (nn.Conv3d(2, 4, 2, groups=2, padding="same"), (2, 4, 5, 3)),
}


def on_tiles(model: nn.Module, tile: str = "memristor", **settings) -> nn.Module:
    """`model` on tiles without converters and noise."""
    return to_crossbar(model, CARD, tile=tile, io=PERFECT, **settings)


def gradient_at(layer, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    y.square().sum().backward()
    return y.detach(), x.grad


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_convolution_computes_what_torchs_does(kind, tile):
    """Outputs, gradients at the inputs, inputs without a batch, and back to digital."""
    digital, shape = CONVOLUTIONS[kind]
    layer = on_tiles(deepcopy(digital), tile)
    assert not isinstance(layer, nn.Conv2d) or isinstance(layer, MemristorConv2d)
    x = torch.randn(2, *shape)
    for expected, got in zip(gradient_at(digital, x), gradient_at(layer, x), strict=True):
        assert torch.allclose(expected, got, atol=1e-5)
    assert torch.allclose(layer(x[0]), digital(x[0]), atol=1e-5)
    back = convert_to_digital(nn.Sequential(layer))[0]
    assert type(back) is type(digital)
    assert repr(back) == repr(digital)
    assert torch.allclose(back(x), digital(x), atol=1e-5)


def gathered_gradient(layer: nn.Module) -> torch.Tensor:
    """Gradient of the weights, out x in, that the tiles of a layer would make pulses of."""
    gradients = []
    for tile in (m for m in layer.modules() if isinstance(m, TileModule)):
        context = tile.analog_ctx
        x, d = torch.cat(context.analog_input), torch.cat(context.analog_grad_output)
        gradients.append(Minibatch(x, d, tile.window if x.dim() == 4 else None).gradient())
    return torch.cat(gradients)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_convolution_learns_from_images_of_several_sizes_at_once(kind, tile):
    """The gradient is the one that torch sums over the calls, and a step makes pulses of it."""
    digital, (channels, *pixels) = CONVOLUTIONS[kind]
    digital = deepcopy(digital)
    layer = on_tiles(deepcopy(digital), tile)
    sizes = pixels, [n + 2 for n in pixels], [pixels[0] + 3, *(n - 1 for n in pixels[1:])]
    inputs = [torch.randn(1 + i, channels, *size) for i, size in enumerate(sizes)]
    for model in (digital, layer):
        sum(model(x).square().sum() for x in inputs).backward()
    expected, got = digital.weight.grad, gathered_gradient(layer)
    assert torch.allclose(got.view_as(expected), expected, rtol=1e-3, atol=1e-3)
    AnalogSGD(layer.parameters(), lr=0.01).step()
    assert torch.isfinite(convert_to_digital(nn.Sequential(layer))[0].weight).all()


@pytest.mark.parametrize("tile", TILES)
def test_a_linear_layer_takes_inputs_of_any_shapes_between_two_steps(tile):
    layer = on_tiles(nn.Linear(4, 3), tile)
    optimizer = AnalogSGD(layer.parameters(), lr=0.1)
    for shape in [(4,), (4,), (5, 4), (2, 3, 4), (2, 7, 4)]:
        layer(torch.randn(shape)).sum().backward()
    optimizer.step()
    assert not layer.analog_module.analog_ctx.has_gradient()


def test_a_bare_layer_is_given_back_on_tiles():
    assert isinstance(to_crossbar(nn.Linear(3, 2), CARD).analog_module, MemristorTile)
    assert crossbar_layers(nn.Linear(3, 2)) == [""]


def test_a_shared_layer_stays_one_with_one_set_of_devices():
    shared = nn.Linear(4, 4)
    model = on_tiles(nn.ModuleDict({"a": shared, "b": nn.Sequential(shared), "c": nn.Linear(4, 4)}))
    assert model["a"] is model["b"][0]
    assert crossbar_layers(nn.Sequential(shared, shared)) == ["0"]
    assert len([m for m in model.modules() if isinstance(m, TileModule)]) == 2


class Renamed(nn.Linear):
    """A subclass that computes the same."""


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Mixed(nn.Module):
    """One of everything that stays digital, and a layer that does not."""

    def __init__(self):
        super().__init__()
        self.move, self.renamed = nn.Linear(4, 4), Renamed(4, 4)
        self.doubled = Doubled(4, 4)
        self.embedding, self.bilinear = nn.Embedding(5, 4), nn.Bilinear(4, 4, 2)
        self.up = nn.ConvTranspose2d(2, 2, 3)
        self.tied = nn.Linear(4, 5)
        self.tied.weight = self.embedding.weight
        self.normed = parametrizations.weight_norm(nn.Linear(4, 4))
        self.pruned = prune.random_unstructured(nn.Linear(4, 4), "weight", 0.5)
        self.hooked = nn.Linear(4, 4)
        self.hooked.weight.register_hook(lambda g: g)
        self.attention = nn.MultiheadAttention(4, 2, add_bias_kv=True)
        self.lstm = nn.LSTM(4, 4, proj_size=2)
        self.norm, self.batch = nn.LayerNorm([3, 4]), nn.BatchNorm2d(3)
        self.position = nn.Parameter(torch.zeros(1, 7, 4))


def test_what_stays_digital_is_named_with_the_reason():
    model = Mixed()
    assert crossbar_layers(model) == ["move", "renamed"]
    with pytest.warns(UserWarning, match="not on crossbars: ") as caught:
        to_crossbar(model, CARD)
    assert len(caught) == 1
    text = str(caught[0].message)
    named = text.removeprefix("not on crossbars: ").split(", ")
    assert named == [
        "position (Mixed)",
        "doubled (Doubled: its class computes something of its own)",
        "embedding.weight (Embedding)",
        "bilinear.weight (Bilinear)",
        "up.weight (ConvTranspose2d)",
        "tied (Linear: another layer has the same weight)",
        "normed (ParametrizedLinear: its weight is computed from other parameters)",
        "pruned (Linear: its weight is computed from other parameters)",
        "hooked (Linear: its weight has hooks)",
        "attention (MultiheadAttention: add_bias_kv and add_zero_attn are digital only)",
        "lstm (LSTM: proj_size is digital only)",
    ]
    assert isinstance(model.renamed.analog_module, MemristorTile)
    query = torch.randn(3, 1, 4)
    assert model.attention(query, query, query)[0].shape == query.shape


def test_nothing_is_said_where_nothing_stays_digital():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_crossbar(model, CARD)


@pytest.mark.parametrize(
    ("last", "settings", "message"),
    [
        (nn.Linear(4, 2), {"weights_G": [0.0, 50.0, 999.0]}, "0 to 500 G"),
        (nn.Linear(4, 2), {"weights_G": [0.0]}, "1 fields for 3 crossbar layers"),
        (nn.Linear(4, 2), {"zero": "g_min"}, "zero='g_min': weights from 0 to 2 have one sign"),
        (nn.Linear(4, 2), {"recipe": "adam"}, "recipe must be one of"),
        (nn.Linear(4, 2).double(), {}, r"2 holds torch.float64, tiles compute in torch.float32"),
        (nn.LazyLinear(2), {}, "2 has no weights yet: run one batch"),
    ],
)
@pytest.mark.parametrize("tile", TILES)
def test_a_network_is_never_half_converted(last, settings, message, tile):
    model = nn.Sequential(nn.Conv1d(2, 2, 3, groups=2), nn.Linear(4, 4), deepcopy(last))
    before = list(model.modules())
    with pytest.raises(ValueError, match=message) as caught:
        to_crossbar(model, CARD, tile=tile, **settings)
    assert "\n" not in str(caught.value)
    assert list(model.modules()) == before


@pytest.mark.parametrize(
    "field_G",
    [100, 100.0, np.float32(100), np.int64(100), np.array(100.0), torch.tensor(100.0)],
    ids=lambda f: type(f).__name__,
)
def test_a_field_is_any_kind_of_number(field_G):
    for given in (field_G, [field_G], np.array([field_G], dtype=float)):
        model = to_crossbar(nn.Sequential(nn.Linear(2, 2)), CARD, given)
        assert model[0].analog_module.rpu_config.device.field_G == 100.0
    assert pulsed_device(CARD, field_G).field_G == 100.0


@pytest.mark.parametrize("field_G", [True, np.True_, "100", float("nan"), float("inf"), None, 1j])
def test_what_is_no_field_is_named(field_G):
    for given in (field_G, [field_G]):
        with pytest.raises(ValueError, match="a field must be a finite number") as caught:
            to_crossbar(nn.Sequential(nn.Linear(2, 2)), CARD, given)
        assert repr(field_G)[:10] in str(caught.value)
    with pytest.raises(ValueError, match="a field must be a finite number"):
        pulsed_device(CARD, field_G)


def test_hooks_and_mode_go_with_the_layer():
    model, seen = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).eval(), []
    model[1].train()
    handle = model[0].register_forward_hook(lambda *_: seen.append("forward"))
    model[0].register_forward_pre_hook(lambda *_: seen.append("before"))
    model[1].register_full_backward_hook(lambda *_: seen.append("backward"))
    on_tiles(model)
    assert [m.training for m in model] == [False, True]
    assert not model[0].analog_module.training
    model(torch.randn(2, 3)).sum().backward()
    assert seen == ["before", "forward", "backward"]
    handle.remove()
    model(torch.randn(2, 3))
    assert seen[3:] == ["before"]


def test_parts_of_one_layer_are_devices_of_their_own():
    digital = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Linear(600, 2))
    card = load_card(CARD).with_spread(range_d2d=0.1)
    model = to_crossbar(deepcopy(digital), card, io=PERFECT)
    arrays = [m.tile.array for m in model.modules() if isinstance(m, MemristorTile)]
    assert len({a.w_max.flatten()[0].item() for a in arrays}) == len(arrays) == 5
    again = to_crossbar(digital, card, io=PERFECT)
    for tile, other in zip(model.modules(), again.modules(), strict=True):
        if isinstance(tile, MemristorTile):
            assert torch.equal(tile.tile.array.w_max, other.tile.array.w_max)


def test_the_bare_configuration_is_what_to_crossbar_builds():
    """aihwkit's own conversion with it gives the same devices, weights and outputs."""
    torch.manual_seed(0)
    digital = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).eval()
    model = to_crossbar(deepcopy(digital), load_card(CARD).with_spread(range_d2d=0.1))
    x = torch.randn(3, 1, 4, 4)
    configs = []
    for index in (0, 2):
        device = model[index].analog_module.rpu_config.device
        configs.append(MemristorRPUConfig(device=device))
        assert rpu_config(device) == configs[-1]
        kind = type(model[index])
        twin = kind.from_digital(digital[index], configs[-1])
        for name in ("effective", "state", "w_min"):
            ours, theirs = (getattr(m.analog_module.tile.array, name) for m in (twin, model[index]))
            assert torch.equal(ours, theirs)
    whole = convert_to_analog(digital, MemristorRPUConfig(forward=PERFECT, backward=PERFECT))
    assert torch.allclose(whole.eval()(x), digital(x), atol=1e-5)
