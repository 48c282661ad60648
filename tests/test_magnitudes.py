"""Numbers from the smallest to the largest of float32 through reads and pulse counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_recipes import SIZE, recipe_on, tiki_taka
from torch.nn import functional

from crossbar.random import RandomStream
from crossbar.reads import Converters, Window, convolve, convolve_back, crossbar_product, periphery
from crossbar.recipes import RECIPES, Minibatch, recipe_settings
from crossbar.recipes.analog_sgd import expected_pulses, shares

LARGEST, SPACING = torch.finfo(torch.float32).max, 2.0**-149
magnitudes = st.floats(-149, 127).map(lambda exponent: 2.0**exponent)

CONVERTERS = {
    "default": periphery(out_noise=0.0),
    "coarse": periphery(out_noise=0.0, dac_bits=3, adc_bits=4),
    "fine": periphery(out_noise=0.0, dac_bits=24, adc_bits=32),
}


def read_in_float64(weight, vectors, converters, gain=1.0):
    """The read of `Converters` in float64, vectors as columns (... x in x positions)."""
    vectors = vectors.double()
    peak = vectors.abs().amax(-2, keepdim=True)
    levels = vectors / torch.where(peak > 0, converters.dac_unit * peak, 1)
    products = (weight.double() * converters.gain) @ levels.round()
    bound = converters.output_bound
    return products.round().clamp(-bound, bound) * converters.adc_unit * peak * gain


def assert_same_read(got, expected, step):
    """Equal within `step`, where a level is at its edge; what float32 does not hold is infinite."""
    assert not got.isnan().any()
    got, expected = (values.double().clamp(-LARGEST, LARGEST) for values in (got, expected))
    assert ((got - expected).abs() <= step + 2 * SPACING).all()


def step_of(converters, peak):
    """What one level of the DAC, one of the ADC and the digits of float32 make of `peak`."""
    return (1.01 * (converters.adc_unit + converters.dac_unit) + 1e-5) * peak


def halves(shape, left, right):
    """Gaussian numbers of two magnitudes, side by side."""
    values = scaled(shape, 1.0, seed=2).double()
    middle = shape[-1] // 2
    return torch.cat([left * values[..., :middle], right * values[..., middle:]], -1).float()


def scaled(shape, *scales, seed=0):
    """Gaussian numbers times a power of two, another one for each of the first axis."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2) / 2
    factors = torch.tensor(scales, dtype=torch.float64).view(-1, *[1] * (len(shape) - 1))
    return (values.double() * factors).float()


@settings(deadline=None, max_examples=40)
@given(st.lists(magnitudes, min_size=9, max_size=9), st.sampled_from(sorted(CONVERTERS)))
def test_vectors_of_any_magnitude(kernels, scales, io):
    converters, vectors = Converters(CONVERTERS[io]), scaled((9, 6), *scales)
    weight = scaled((4, 6), 1.0, seed=1)
    got = crossbar_product(weight, vectors, converters, RandomStream(1))
    expected = read_in_float64(weight, vectors.t(), converters).t()
    peak = vectors.double().abs().amax(1, keepdim=True)
    assert_same_read(got, expected, step_of(converters, peak))


WINDOWS = {"3x3": Window((3, 3)), "strided": Window((3, 2), (2, 1), dilation=(1, 2))}
apart = st.floats(-149, 40).map(lambda exponent: 2.0**exponent)


@settings(deadline=None, max_examples=40)
@given(
    scales=st.lists(magnitudes, min_size=3, max_size=3),
    parts=st.tuples(apart, apart),
    window=st.sampled_from(sorted(WINDOWS)),
    io=st.sampled_from(sorted(CONVERTERS)),
)
def test_images_of_any_magnitude(kernels, scales, parts, window, io):
    """Each image has its own, and one has two halves of magnitudes far apart."""
    converters, window = Converters(CONVERTERS[io]), WINDOWS[window]
    images = torch.cat([scaled((3, 2, 7, 6), *scales), halves((1, 2, 7, 6), *parts)])
    weight = scaled((5, window.entries(2)), 1.0, seed=1)
    got = convolve(weight, images, window, converters, RandomStream(1), torch.tensor(0.5))
    patches = window.patches(images).flatten(4).flatten(1, 3)
    expected = read_in_float64(weight, patches, converters, 0.5)
    peak = patches.double().abs().amax(1, keepdim=True)
    assert_same_read(got.flatten(2), expected, 0.5 * step_of(converters, peak))


@settings(deadline=None, max_examples=40)
@given(
    scales=st.lists(magnitudes, min_size=3, max_size=3),
    parts=st.tuples(apart, apart),
    window=st.sampled_from(sorted(WINDOWS)),
    io=st.sampled_from(sorted(CONVERTERS)),
)
def test_gradients_of_any_magnitude(kernels, scales, parts, window, io):
    """Backward: a pixel adds up what the positions that see it have read."""
    converters, window = Converters(CONVERTERS[io]), WINDOWS[window]
    shape = (4, 2, 7, 6)
    weight = scaled((5, window.entries(2)), 1.0, seed=1)
    _, *out = window.output_shape(weight.shape, shape)
    gradients = torch.cat([scaled((3, *out), *scales), halves((1, *out), *parts)])
    stream, gain = RandomStream(1), torch.tensor(0.5)
    got = convolve_back(weight, gradients, shape, window, converters, stream, gain)
    columns = gradients.flatten(2)
    reads = read_in_float64(weight.t(), columns, converters, 0.5)
    steps = 0.5 * step_of(converters, columns.double().abs().amax(1, keepdim=True))
    options = {"dilation": window.dilation, "stride": window.stride}
    expected, step = (
        functional.fold(values, shape[2:], window.kernel, **options)
        for values in (reads, (steps + SPACING).expand_as(reads))
    )
    assert_same_read(got, expected, step + 1e-6 * expected.abs())


@settings(deadline=None, max_examples=100)
@given(
    st.lists(magnitudes, min_size=8, max_size=8),
    st.lists(magnitudes, min_size=8, max_size=8),
    st.floats(1e-6, 1e6),
)
def test_pulses_of_any_magnitude(x_scales, d_scales, rate):
    """Rate times the product, the largest of a column clipped at the longest train."""
    x, d = scaled((8, 6, 1), *x_scales), scaled((8, 4, 1), *d_scales, seed=1)
    share, size, largest = shares(x)
    pulses, length = expected_pulses(largest, d, rate, 31)
    assert (pulses.abs() <= length).all()
    assert torch.equal(size, share.abs())
    exact = x.double() / torch.where(largest > 0, largest.double(), 1)
    expected = (rate * largest.double() * d.double()).clamp(-31, 31) @ exact.transpose(1, 2)
    assert torch.allclose((pulses @ share.transpose(1, 2)).double(), expected, 1e-5, 3 * SPACING)


@pytest.mark.parametrize("scales", [(1e-37, 1e-38), (1e37, 1e37), (1e37, 1e-37), (1e-10, 1e-12)])
@pytest.mark.parametrize("images", [False, True])
def test_a_fast_device_sees_the_wanted_pulses_at_any_magnitude(scales, images):
    window = Window((3, 3), padding=(1, 1)) if images else None
    shapes = ((8, 2, 6, 6), (8, 5, 6, 6)) if images else ((128, 18), (128, 5))
    recipe = recipe_on(tiki_taka(fast_pulses=4.0, reads_per_transfer=0), torch.zeros(5, 18))
    seen: list[float] = []
    fire = recipe.fast.array.fire
    recipe.fast.array.fire = lambda pulses: (seen.append(pulses.abs().mean().item()), fire(pulses))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x, d = (
            scale * torch.randn(shape, generator=generator)
            for shape, scale in zip(shapes, scales, strict=True)
        )
        recipe.update(Minibatch(x, d, window), 0.0)
    assert sum(seen) / 20 == pytest.approx(4.0, rel=0.07)


@pytest.mark.parametrize("scales", [(3e-38, 1e-40), (1e-45, 1e-45), (3e38, 1e-45), (1e-45, 3e38)])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_stays_finite(kernels, name, scales):
    recipe = recipe_on(recipe_settings(name), torch.zeros(SIZE))
    x, d = (scale * torch.ones(4, n) for scale, n in zip(scales, reversed(SIZE), strict=True))
    for _ in range(3):
        recipe.update(Minibatch(x, d), 0.01)
    assert recipe.array.effective.isfinite().all()
    assert recipe.memory.isfinite().all()
