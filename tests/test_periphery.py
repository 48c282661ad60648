"""Converters of the memristor tile against aihwkit's own, noise off, and their noise."""

from __future__ import annotations

import math

import pytest
import torch
from aihwkit.simulator.configs import SingleRPUConfig
from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType
from aihwkit.simulator.parameters.io import IOParameters
from aihwkit.simulator.tiles.analog import AnalogTile
from aihwkit.simulator.tiles.analog_mvm import AnalogMVM

from crossbar.random import LONG, RandomStream
from crossbar.reads import Converters, crossbar_product, periphery

NOISELESS = {
    "default": periphery(out_noise=0.0),
    "coarse": periphery(out_noise=0.0, dac_bits=3, adc_bits=4),
    "perfect": periphery(perfect=True),
    "narrow output": IOParameters(
        out_noise=0.0, out_bound=0.5, bound_management=BoundManagementType.NONE
    ),
    "no converters": IOParameters(
        out_noise=0.0, inp_res=0, out_res=0, bound_management=BoundManagementType.NONE
    ),
    "levels by number": IOParameters(
        out_noise=0.0, inp_res=31, out_res=63, bound_management=BoundManagementType.NONE
    ),
    "unmanaged": IOParameters(
        out_noise=0.0,
        noise_management=NoiseManagementType.NONE,
        bound_management=BoundManagementType.NONE,
    ),
}


@pytest.mark.parametrize("io", NOISELESS.values(), ids=NOISELESS)
@pytest.mark.parametrize("shape", [(1,), (5, 1), (4, 7), (3, 4, 7), (2, 3, 4, 7)])
@pytest.mark.parametrize("columns", [False, True])
def test_product_is_aihwkits_with_the_noise_off(io, shape, columns, kernels):
    """Equal but where a value lies on the edge between two levels: none of 100, or one level."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(6, shape[-1], generator=generator)
    vectors = torch.randn(shape, generator=generator)
    vectors[..., :1] *= torch.randint(0, 2, (*shape[:-1], 1), generator=generator)
    if columns and vectors.dim() == 3:
        vectors = vectors.transpose(1, 2).contiguous().transpose(1, 2)
    given = vectors.clone()
    ours = crossbar_product(weight, vectors, Converters(io), RandomStream(1))
    theirs = AnalogMVM.matmul(weight, vectors.clone(), io)
    differ = ~torch.isclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert differ.float().mean() <= 0.01
    assert torch.equal(vectors, given)


def test_output_noise_has_its_size(kernels):
    """Std of the output at weight 0: noise and the rounding of the ADC, within 3 %."""
    for n in (500, LONG):  # numbers drawn one by one, and from the list
        io = IOParameters(out_noise=0.3, out_res=0, bound_management=BoundManagementType.NONE)
        vectors = torch.full((n, 3), 2.0)
        weight = torch.zeros(20, 3)
        output = crossbar_product(weight, vectors, Converters(io), RandomStream(5))
        assert output.std().item() == pytest.approx(2 * 0.3, rel=0.03)
        assert abs(output.mean().item()) < 0.02


def test_a_vector_of_zeros_gives_zeros_without_noise(kernels):
    """As in aihwkit's C++ tiles: gradients behind a pooling layer are full of such vectors."""
    vectors = torch.tensor([[0.0, 0.0], [1e-3, -1e-3]])
    io = periphery(out_noise=0.3)
    output = crossbar_product(torch.ones(50, 2), vectors, Converters(io), RandomStream(1))
    assert torch.equal(output[0], torch.zeros(50))
    assert output[1].std().item() == pytest.approx(3e-4, rel=0.4)
    cpp = AnalogTile(50, 2, SingleRPUConfig(forward=io))
    assert torch.equal(cpp.tile.forward(vectors)[0], torch.zeros(50))


def test_large_noise_is_gaussian_and_does_not_repeat():
    stream = RandomStream(3)
    first, second = (stream.add_normal_(torch.zeros(2 * LONG), 1.0) for _ in range(2))
    assert not torch.equal(first, second)
    for noise in (first, second):
        assert noise.mean().abs() < 0.02
        assert noise.std().item() == pytest.approx(1, rel=0.02)
        assert (noise**4).mean().item() == pytest.approx(3, rel=0.05)
    assert torch.corrcoef(torch.stack([first, second]))[0, 1].abs() < 0.02


def test_stream_goes_on_from_its_state():
    stream, like = RandomStream(7), torch.empty(5)
    stream.normal(like)
    state = stream.state()
    expected = [stream.normal(like), stream.uniform(like), stream.poisson(torch.ones(5))]
    other = RandomStream(8)
    other.restore(state)
    got = [other.normal(like), other.uniform(like), other.poisson(torch.ones(5))]
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))
    assert not torch.equal(RandomStream(1).normal(like), RandomStream(2).normal(like))


@pytest.mark.parametrize(
    ("io", "message"),
    [
        (IOParameters(), "bound_management NONE, got ITERATIVE; use crossbar.periphery"),
        (
            IOParameters(
                bound_management=BoundManagementType.NONE, noise_management=NoiseManagementType.MAX
            ),
            "noise_management must be NONE or ABS_MAX, got MAX",
        ),
        (IOParameters(bound_management=BoundManagementType.NONE, ir_drop=1.0), "no ir_drop=1.0"),
    ],
)
def test_what_the_tile_does_not_know_is_refused(io, message):
    with pytest.raises(ValueError, match=message) as caught:
        Converters(io)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, True, "0.1", None])
def test_noise_that_is_no_size_is_refused_wherever_it_comes_in(value):
    """By the helper, for any tile, and by the converters, for a hand-made configuration."""
    with pytest.raises(ValueError, match="out_noise must be"):
        periphery(out_noise=value)
    io = periphery()
    io.out_noise = value
    with pytest.raises(ValueError, match="out_noise must be"):
        Converters(io)


@pytest.mark.parametrize("name", ["inp_res", "out_res", "inp_bound", "out_bound"])
def test_converters_that_are_no_numbers_are_refused(name):
    io = periphery()
    setattr(io, name, math.nan)
    with pytest.raises(ValueError, match=f"{name} must be a number, got nan"):
        Converters(io)


@pytest.mark.parametrize("bits", [1, 33, 7.5, True, "7"])
def test_bits_are_whole_numbers(bits):
    with pytest.raises(ValueError, match="dac_bits must be a whole number from 2 to 32"):
        periphery(dac_bits=bits)
