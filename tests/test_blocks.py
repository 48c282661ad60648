"""A layer of several tiles is one read: against aihwkit's separate tiles, torch, and theory."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from aihwkit.nn import AnalogConv2d, AnalogLinear
from aihwkit.optim import AnalogSGD
from aihwkit.simulator.parameters.mapping import MappingParameter
from aihwkit.simulator.tiles.array import TileModuleArray
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from crossbar import to_crossbar
from crossbar.conversion import count_crossbar_weights
from crossbar.device import CardDevice
from crossbar.random import RandomStream
from crossbar.reads.blocks import block_sizes, checked_blocks
from crossbar.reads.converters import Converters, periphery
from crossbar.reads.read import convolve, convolve_back, crossbar_product
from crossbar.reads.window import Window
from crossbar.tile import MemristorConv2d, MemristorRPUConfig, MemristorTile

NOISELESS = Converters(periphery(out_noise=0.0))
ONE = torch.tensor(1.0)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 3000), st.integers(-1, 700))
def test_tiles_are_those_of_aihwkit(size, largest):
    theirs = TileModuleArray.get_split_sizes(None, size, largest)
    assert block_sizes(size, largest) == tuple(theirs)


@given(st.integers(1, 300), st.integers(1, 30), st.integers(1, 600))
def test_a_channels_kernel_stays_on_one_tile_where_it_fits(channels, kernel, largest):
    sizes = block_sizes(channels * kernel, largest, kernel)
    assert sum(sizes) == channels * kernel
    assert max(sizes) <= largest
    if kernel <= largest:
        assert all(size % kernel == 0 for size in sizes)
        assert max(sizes) - min(sizes) <= kernel


@pytest.mark.parametrize("blocks", [(3, 3), (8, -1), (4, 3)])
def test_tiles_that_do_not_make_up_the_layer_are_refused(blocks):
    with pytest.raises(RuntimeError, match=re.escape(f"tiles of {blocks} lines do not make up 7")):
        checked_blocks(blocks, 7, 1 if sum(blocks) != 7 or min(blocks) < 0 else 2)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 20),
    st.integers(1, 80),
    st.booleans(),
)
def test_vectors_are_read_tile_by_tile(kernels, blocks, out_size, number, transposed):
    """Equal to the sum of what each tile alone gives for its part of the vector."""
    weight, vectors = numbers(out_size, sum(blocks)), numbers(number, sum(blocks), seed=1)
    weight = weight.t().contiguous().t() if transposed else weight
    got = crossbar_product(weight, vectors, NOISELESS, RandomStream(1), blocks)
    parts = zip(weight.split(blocks, 1), vectors.split(blocks, 1), strict=True)
    expected = sum(crossbar_product(*part, NOISELESS, RandomStream(1)) for part in parts)
    assert_same_levels(got, expected)


def assert_same_levels(got: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal but for one number of a hundred, which may lie at the edge of a level."""
    differ = ~torch.isclose(got, expected, rtol=1e-4, atol=1e-5)
    assert differ.float().mean() <= 0.01
    assert (got - expected).abs().max() < 0.2


WINDOWS = {
    "3x3": Window((3, 3), padding=(1, 1)),
    "strided": Window((3, 2), (2, 1), (0, 1), (1, 2)),
    "1x1": Window((1, 1), (2, 2)),
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("size", [(9, 8), (4, 4), (30, 40)])
def test_images_are_read_tile_by_tile(kernels, window, size):
    """Forward the channels, backward the outputs of each tile on their own; then the sum."""
    channels, outputs, kernel = (2, 3, 1), (4, 7), window.entries(1)
    images, weight = numbers(5, 6, *size), numbers(11, 6 * kernel, seed=1)
    settings = window, NOISELESS, RandomStream(1), torch.tensor(0.5)
    blocks = tuple(c * kernel for c in channels)
    got = convolve(weight, images, *settings, blocks)
    parts = zip(weight.split(blocks, 1), images.split(channels, 1), strict=True)
    assert_same_levels(got, sum(convolve(*part, *settings) for part in parts))
    gradients = numbers(*got.shape, seed=2)
    back = convolve_back(weight, gradients, images.shape, *settings, outputs)
    parts = zip(weight.split(outputs), gradients.split(outputs, 1), strict=True)
    expected = sum(convolve_back(*part, images.shape, *settings) for part in parts)
    assert_same_levels(back, expected)


def test_results_do_not_depend_on_the_threads():
    """Vectors, images and gradients of several tiles, of units that are cut into parts."""
    weight, threads, results = numbers(600, 540), torch.get_num_threads(), []
    window, converters = Window((3, 3), padding=(1, 1)), Converters(periphery())
    vectors, images = numbers(70, 540), numbers(9, 60, 3, 3)
    gradients = numbers(9, 600, 3, 3)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            stream = RandomStream(1)
            read = window, converters, stream, ONE
            results.append(
                (
                    crossbar_product(weight, vectors, converters, stream, (270, 270)),
                    crossbar_product(weight.t(), gradients[:, :, 0, 0], converters, stream),
                    convolve(weight, images, *read, (270, 270)),
                    convolve_back(weight, gradients, images.shape, *read, (300, 300)),
                )
            )
    finally:
        torch.set_num_threads(threads)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_every_tile_has_noise_of_its_own(kernels):
    """Sum of the noise of three tiles, each of its own part's largest entry; zeros have none."""
    io = periphery(out_noise=0.3, adc_bits=16)
    vectors = torch.cat([torch.full((400, 2), scale) for scale in (1.0, 2.0, 0.0, 4.0)], 1)
    weight = torch.zeros(50, 8)
    out = crossbar_product(weight, vectors, Converters(io), RandomStream(3), (2, 2, 2, 2))
    std = 0.3 * (1 + 4 + 16) ** 0.5
    assert stats.kstest(out[::7].flatten(), "norm", (0, std)).pvalue > 1e-3
    assert out.std().item() == pytest.approx(std, rel=0.02)
    assert abs(torch.corrcoef(out[:, :2].t())[0, 1]) < 0.2


def test_noise_of_images_adds_up_tile_by_tile(kernels):
    """Forward the two halves of the channels, backward those of the outputs, at every position."""
    io, window = Converters(periphery(out_noise=0.3, adc_bits=16)), Window((1, 1))
    scales = torch.tensor([1.0, 1.0, 2.0, 2.0])[None, :, None, None]
    images, weight = scales.expand(30, 4, 8, 8).contiguous(), torch.zeros(4, 4)
    std = 0.3 * 5**0.5
    for out in (
        convolve(weight, images, window, io, RandomStream(3), ONE, (2, 2)),
        convolve_back(weight, images, images.shape, window, io, RandomStream(4), ONE, (2, 2)),
    ):
        assert stats.kstest(out.flatten(), "norm", (0, std)).pvalue > 1e-3
        assert out.std().item() == pytest.approx(std, rel=0.05)
        for first, second in pairwise(out.unbind(1)):
            assert not torch.equal(first, second)


def layers(digital: nn.Module, tile: int) -> list[nn.Module]:
    """`digital` on one memristor tile with blocks, and on aihwkit's array of separate tiles."""
    kinds = {nn.Linear: (AnalogLinear, AnalogLinear), nn.Conv2d: (MemristorConv2d, AnalogConv2d)}
    mapping = MappingParameter(max_input_size=tile, max_output_size=tile)
    io = {"forward": periphery(out_noise=0.0), "backward": periphery(out_noise=0.0)}
    made = []
    for kind, tiles in zip(kinds[type(digital)], (None, TileModuleArray), strict=True):
        device = CardDevice(construction_seed=3, zero="mid_range")
        config = MemristorRPUConfig(device=device, mapping=deepcopy(mapping), **io)
        made.append(kind.from_digital(digital, config, tiles))
    return made


LAYERS = {
    "linear": (lambda: nn.Linear(50, 33), (6, 50), 20),
    "convolution": (lambda: nn.Conv2d(8, 40, 3, padding=1), (3, 8, 5, 6), 36),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_gives_what_aihwkits_tiles_give_together(kernels, kind):
    """Outputs, gradients at the inputs and, after a step, weights; aihwkit cuts, reads and adds."""
    make, shape, tile = LAYERS[kind]
    torch.manual_seed(0)
    digital, x, results = make(), numbers(*shape), []
    for parameter in digital.parameters():
        parameter.data.mul_(0.5)
    for layer in layers(digital, tile):
        given_ = x.clone().requires_grad_()
        out = layer(given_)
        (out * numbers(*out.shape, seed=1)).sum().backward()
        optimizer = AnalogSGD(layer.parameters(), lr=0.01)
        optimizer.step()
        results.append((out, given_.grad, layer.get_weights()[0].flatten(1)))
    assert len(list(layers(digital, tile)[1].analog_tiles())) > 2
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape
        assert_same_levels(ours, theirs)


def test_a_large_layer_is_one_tile_and_comes_back():
    """Weights, their number, a state dict and the way back to torch do not know of its tiles."""
    torch.manual_seed(0)
    digital = nn.Sequential(nn.Conv2d(80, 4, 3), nn.Flatten(), nn.Linear(1200, 600))
    model = to_crossbar(deepcopy(digital), "lsmo_pvdf_co", seed=1)
    tiles = [m for m in model.modules() if isinstance(m, MemristorTile)]
    assert [t.tile.in_blocks for t in tiles] == [(360, 360), (400, 400, 400)]
    assert [t.tile.out_blocks for t in tiles] == [(4,), (300, 300)]
    assert count_crossbar_weights(model) == sum(p.numel() for p in digital.parameters()) - 604
    for layer, before in ((model[0], digital[0]), (model[2], digital[2])):
        back = layer.to_digital(layer)
        assert torch.allclose(back.weight, before.weight, atol=1e-6)
        assert torch.equal(back.bias, before.bias)
    other = to_crossbar(deepcopy(digital), "lsmo_pvdf_co", seed=2)
    other.load_state_dict(model.state_dict())
    copy = deepcopy(model)
    x = numbers(2, 80, 7, 12)[:, :, :, :12]
    expected = nn.Sequential(*model[:1])(x)
    for again in (other, copy):
        assert again[0].analog_module.tile.in_blocks == (360, 360)
        assert torch.equal(again[0](x), expected)


def test_a_kernel_larger_than_a_tile_is_read_from_patches():
    config = MemristorRPUConfig(mapping=MappingParameter(max_input_size=20))
    layer = MemristorConv2d(2, 3, 5, rpu_config=config)
    assert not layer.analog_module.takes_images()
    assert layer.analog_module.tile.in_blocks == (17, 17, 16)
    assert layer(numbers(2, 2, 7, 7)).shape == (2, 3, 3, 3)
