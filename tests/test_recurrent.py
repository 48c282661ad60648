"""Recurrent layers on crossbars compute what torch's own do, and learn."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from aihwkit.nn.conversion import convert_to_digital
from aihwkit.optim import AnalogSGD
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from crossbar import to_crossbar
from crossbar.reads.converters import periphery
from crossbar.rpu import TILES

CARD = "lsmo_pvdf_co"
LENGTH, N, WIDTH, HIDDEN = 5, 3, 4, 6

LAYERS = {
    "LSTM": nn.LSTM(WIDTH, HIDDEN),
    "LSTM of two layers, both directions": nn.LSTM(WIDTH, HIDDEN, 2, bidirectional=True),
    "GRU": nn.GRU(WIDTH, HIDDEN, batch_first=True),
    "GRU without bias": nn.GRU(WIDTH, HIDDEN, 2, bias=False, bidirectional=True),
    "RNN": nn.RNN(WIDTH, HIDDEN, batch_first=True),
    "RNN with ReLU": nn.RNN(WIDTH, HIDDEN, 2, nonlinearity="relu"),
}


def on_tiles(model: nn.Module, tile: str = "memristor") -> nn.Module:
    return to_crossbar(deepcopy(model), CARD, tile=tile, io=periphery(perfect=True))


def states(layer: nn.RNNBase, *batch: int) -> tuple[Tensor, ...] | Tensor:
    size = layer.num_layers * (2 if layer.bidirectional else 1), *batch, HIDDEN
    hidden, cell = torch.randn(size), torch.randn(size)
    return (hidden, cell) if layer.mode == "LSTM" else hidden


def tensors(result) -> list[Tensor]:
    """Outputs and states as one list."""
    outputs, state = result
    outputs = [outputs] if isinstance(outputs, Tensor) else list(pad_packed_sequence(outputs))
    return [*outputs, *(state if isinstance(state, tuple) else [state])]


def assert_alike(expected, got) -> None:
    for a, b in zip(tensors(expected), tensors(got), strict=True):
        assert a.shape == b.shape
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_recurrent_layer_is_torchs(kind, tile):
    """With and without a batch and first states, and turned back to digital."""
    digital = LAYERS[kind]
    model = on_tiles(digital, tile)
    shape = (N, LENGTH, WIDTH) if digital.batch_first else (LENGTH, N, WIDTH)
    for x, state in (
        (torch.randn(shape), None),
        (torch.randn(shape), states(digital, N)),
        (torch.randn(LENGTH, WIDTH), None),
        (torch.randn(LENGTH, WIDTH), states(digital)),
    ):
        assert_alike(digital(x, state), model(x, state))
    back = convert_to_digital(nn.Sequential(model))[0]
    assert type(back) is type(digital)
    assert_alike(digital(x, state), back(x, state))


@pytest.mark.parametrize("kind", LAYERS)
def test_packed_sequences_are_torchs(kind):
    digital = LAYERS[kind]
    model, ragged = on_tiles(digital), [torch.randn(n, WIDTH) for n in (5, 2, 2, 4)]
    for packed in (
        pack_sequence(ragged, enforce_sorted=False),
        pack_padded_sequence(torch.randn(LENGTH, N, WIDTH), torch.tensor([5, 3, 1])),
    ):
        state = states(digital, int(packed.batch_sizes[0]))
        for given in (None, state):
            expected, got = digital(packed, given), model(packed, given)
            assert_alike(expected, got)
            assert torch.allclose(expected[0].data, got[0].data, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_at_the_inputs_are_torchs(kind):
    digital, gradients = LAYERS[kind], []
    x = torch.randn(N, LENGTH, WIDTH)
    for layer in (digital, on_tiles(digital)):
        given = x.clone().requires_grad_()
        layer(given)[0].square().sum().backward()
        gradients.append(given.grad)
    assert torch.allclose(*gradients, atol=1e-5)


def test_dropout_lies_between_the_layers_while_training():
    torch.manual_seed(0)
    model = on_tiles(nn.RNN(WIDTH, HIDDEN, 2, dropout=0.9))
    x = torch.randn(LENGTH, N, WIDTH)
    assert not torch.equal(model(x)[0], model(x)[0])
    assert torch.equal(model.eval()(x)[0], model(x)[0])


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_of_the_weights_are_torchs(kind, tile):
    """What the tiles gather over all steps is torch's gradient, layer by layer."""
    digital = deepcopy(LAYERS[kind])
    model, x = on_tiles(digital, tile), torch.randn(N, LENGTH, WIDTH)
    for layer in (digital, model):
        layer(x)[0].square().sum().backward()
    names = [n for n, _ in digital.named_parameters() if n.startswith("weight_ih_")]
    suffixes = [name.removeprefix("weight_ih_") for name in names]
    for suffix, *layers in zip(suffixes, model.inputs, model.states, strict=True):
        for part, layer in zip(("ih", "hh"), layers, strict=True):
            context = layer.analog_module.analog_ctx
            inputs, gradients = context.analog_input, context.analog_grad_output
            rows, d = (torch.cat(t).flatten(0, -2) for t in (inputs, gradients))
            expected = getattr(digital, f"weight_{part}_{suffix}").grad
            assert torch.allclose(d.t() @ rows, expected, atol=1e-4)


def test_an_lstm_on_tiles_learns_to_add():
    """Mean loss of the last ten steps against the first ten; it fell to 0.14 when written."""
    torch.manual_seed(0)
    network = nn.ModuleDict({"lstm": nn.LSTM(1, 8, batch_first=True), "head": nn.Linear(8, 1)})
    to_crossbar(network, CARD)
    optimizer, losses = AnalogSGD(network.parameters(), lr=0.1), []
    optimizer.regroup_param_groups()
    for _ in range(80):
        x = torch.randn(32, 4, 1)
        optimizer.zero_grad()
        loss = (network["head"](network["lstm"](x)[0][:, -1]) - x.sum(1)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_a_frozen_matrix_freezes_its_own_tile():
    digital = nn.GRU(WIDTH, HIDDEN, 2)
    digital.weight_hh_l1.requires_grad_(False)
    model = on_tiles(digital)
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    names = "analog_ctx", "out_scaling_alpha"
    assert sorted(frozen) == [f"states.1.analog_module.{name}" for name in names]
