"""Attention and torch's transformer layers on crossbars compute what torch's own do."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from aihwkit.nn.conversion import convert_to_digital
from aihwkit.optim import AnalogSGD
from torch import nn

from crossbar import crossbar_layers, to_crossbar
from crossbar.conversion import count_crossbar_weights
from crossbar.reads.converters import periphery
from crossbar.rpu import TILES
from crossbar.tile import MemristorTile

CARD = "lsmo_pvdf_co"
N, LENGTH, KEYS, WIDTH, HEADS = 3, 5, 6, 8, 2


def on_tiles(model: nn.Module, tile: str = "memristor") -> nn.Module:
    return to_crossbar(deepcopy(model), CARD, tile=tile, io=periphery(perfect=True))


def masks(kind: str) -> dict[str, torch.Tensor]:
    later = torch.ones(LENGTH, KEYS, dtype=torch.bool).triu(2)
    padding = torch.zeros(N, KEYS, dtype=torch.bool)
    padding[1, 4:] = True
    return {
        "none": {},
        "boolean": {"attn_mask": later, "key_padding_mask": padding},
        "added": {
            "attn_mask": torch.randn(LENGTH, KEYS),
            "key_padding_mask": torch.zeros(N, KEYS).masked_fill(padding, -math.inf),
        },
        "of each head": {"attn_mask": torch.randn(N * HEADS, LENGTH, KEYS)},
    }[kind]


@pytest.mark.parametrize("kind", ["none", "boolean", "added", "of each head"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"batch_first": True}, {"kdim": 4, "vdim": 7}, {"bias": False, "batch_first": True}],
    ids=["plain", "batch first", "other widths", "no bias"],
)
@pytest.mark.parametrize("tile", TILES)
def test_attention_is_torchs(kind, settings, tile):
    digital = nn.MultiheadAttention(WIDTH, HEADS, **settings).eval()
    model = on_tiles(digital, tile)
    inputs = [
        torch.randn(N, LENGTH, WIDTH),
        torch.randn(N, KEYS, settings.get("kdim", WIDTH)),
        torch.randn(N, KEYS, settings.get("vdim", WIDTH)),
    ]
    if not digital.batch_first:
        inputs = [t.transpose(0, 1) for t in inputs]
    masked = masks(kind)
    masked = masks(kind)
    for call in ({}, {"need_weights": False}, {"average_attn_weights": False}):
        expected, got = (m(*inputs, **call, **masked) for m in (digital, model))
        assert torch.allclose(expected[0], got[0], atol=1e-5)
        assert (expected[1] is None) == (got[1] is None)
        assert expected[1] is None or torch.allclose(expected[1], got[1], atol=1e-5)
    back = convert_to_digital(nn.Sequential(model))[0].eval()
    assert type(back) is nn.MultiheadAttention
    assert torch.allclose(back(*inputs)[0], digital(*inputs)[0], atol=1e-5)


def test_attention_without_a_batch_and_with_causal_masks():
    digital = nn.MultiheadAttention(WIDTH, HEADS).eval()
    model, x = on_tiles(digital), torch.randn(LENGTH, WIDTH)
    for expected, got in zip(digital(x, x, x), model(x, x, x), strict=True):
        assert torch.allclose(expected, got, atol=1e-5)
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    masked = digital(x, x, x, attn_mask=later, is_causal=True)[0]
    assert torch.allclose(masked, model(x, x, x, attn_mask=later, is_causal=True)[0], atol=1e-5)
    assert torch.allclose(masked, model(x, x, x, is_causal=True)[0], atol=1e-5)


def test_dropout_of_attention_is_torchs():
    digital, x = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.5), torch.randn(LENGTH, N, WIDTH)
    model = on_tiles(digital)
    assert model.training
    weights = model(x, x, x, average_attn_weights=False)[1]
    assert 0.3 < (weights == 0).float().mean() < 0.7
    assert (model.eval()(x, x, x)[1] > 0).all()


def test_the_four_projections_are_tiles_of_their_own_and_learn():
    torch.manual_seed(0)
    model = to_crossbar(nn.Sequential(nn.MultiheadAttention(WIDTH, HEADS)), CARD, 50.0)
    tiles = [m for m in model.modules() if isinstance(m, MemristorTile)]
    assert count_crossbar_weights(model) == 4 * WIDTH**2
    assert len({t.tile.stream.seed for t in tiles}) == 4
    assert all(t.rpu_config.device.field_G == 50.0 for t in tiles)
    before = [t.tile.get_weights() for t in tiles]
    optimizer = AnalogSGD(model.parameters(), lr=0.02)
    for _ in range(10):
        optimizer.zero_grad()
        x = torch.randn(LENGTH, N, WIDTH)
        (model[0](x, x.flip(0), x)[0] - x).square().sum().backward()
        optimizer.step()
    assert all(not torch.equal(t.tile.get_weights(), b) for t, b in zip(tiles, before, strict=True))


def test_a_frozen_input_projection_freezes_its_three_tiles():
    digital = nn.MultiheadAttention(WIDTH, HEADS)
    digital.in_proj_weight.requires_grad_(False)
    model = on_tiles(digital)
    trains = {n: p.requires_grad for n, p in model.named_parameters() if n.endswith("analog_ctx")}
    assert [n for n, on in trains.items() if on] == ["out_proj.analog_module.analog_ctx"]
    assert all(p.requires_grad for n, p in model.named_parameters() if n.endswith(".bias"))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tile", TILES)
def test_transformer_layers_are_torchs_in_training_and_in_evaluation(training, tile):
    """In evaluation torch's fused kernel would read the digital weights that are gone."""
    settings = {"dropout": 0.0, "batch_first": True}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, HEADS, 12, **settings), 2)
    decoder = nn.TransformerDecoderLayer(WIDTH, HEADS, 12, **settings)
    x, memory = torch.randn(N, LENGTH, WIDTH), torch.randn(N, KEYS, WIDTH)
    padding = torch.zeros(N, LENGTH, dtype=torch.bool)
    padding[0, 3:] = True
    for digital, inputs, options in (
        (encoder, (x,), {"src_key_padding_mask": padding}),
        (encoder, (x,), {}),
        (decoder, (x, memory), {"tgt_key_padding_mask": padding}),
    ):
        model = on_tiles(digital.train(training), tile)
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                expected, got = digital(*inputs, **options), model(*inputs, **options)
            seen = ~padding if options else torch.ones_like(padding)
            assert torch.allclose(expected[seen], got[seen], atol=1e-5)
    assert crossbar_layers(decoder) == ["self_attn", "multihead_attn", "linear1", "linear2"]
