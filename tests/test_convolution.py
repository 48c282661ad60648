"""Convolutions on images against aihwkit's layer, which unfolds them, on the same tile."""

from __future__ import annotations

import pytest
import torch
from aihwkit.nn import AnalogConv2d
from aihwkit.simulator.parameters.enums import NoiseManagementType
from torch import nn

from crossbar import CardDevice
from crossbar.random import RandomStream
from crossbar.reads import Converters, Window, convolve, convolve_back, periphery
from crossbar.recipes import recipe_settings
from crossbar.tile import MemristorConv2d, MemristorRPUConfig

WINDOWS = {
    "5x5": ((5, 5), (1, 1), (0, 0), (1, 1)),
    "1x1": ((1, 1), (2, 2), (0, 0), (1, 1)),
    "stride and padding": ((3, 2), (2, 1), (1, 2), (1, 1)),
    "dilation": ((3, 3), (2, 3), (2, 1), (2, 1)),
    "full padding": ((4, 3), (1, 1), (3, 0), (1, 2)),
}


def layers(window, *, perfect: bool, recipe: str = "mixed_precision"):
    torch.manual_seed(0)
    digital = nn.Conv2d(3, 5, *window)
    made = []
    for kind in (AnalogConv2d, MemristorConv2d):
        config = MemristorRPUConfig(
            device=CardDevice(construction_seed=3),
            forward=periphery(perfect=perfect, out_noise=0.0),
            backward=periphery(perfect=perfect, out_noise=0.0),
            update=recipe_settings(recipe),
        )
        made.append(kind.from_digital(digital, config))
    return made


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("perfect", [True, False], ids=["perfect", "converters"])
def test_images_give_what_patches_give(window, perfect, kernels):
    """Outputs, gradients at the images and the accumulated gradient of the kernels."""
    images = torch.randn(4, 3, 11, 13)
    results = []
    for layer in layers(window, perfect=perfect):
        x = images.clone().requires_grad_()
        y = layer(x)
        y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(1)))
        tile = layer.analog_module
        context = tile.analog_ctx
        tile.set_learning_rate(1e-3)
        tile.update(context.analog_input[0], context.analog_grad_output[0])
        results.append((y, x.grad, tile.tile.recipe.memory, tile.tile.get_weights()))
    for patches, image in zip(*results, strict=True):
        assert patches.shape == image.shape
        assert torch.allclose(patches, image, atol=1e-5)


def test_a_single_image_needs_no_batch():
    for layer in layers(WINDOWS["5x5"], perfect=True):
        image = torch.randn(3, 11, 13, generator=torch.Generator().manual_seed(2))
        assert torch.allclose(layer(image), layer(image[None])[0], atol=1e-6)


def test_rows_of_stochastic_pulses_are_the_patches():
    """Both layers hand the same rows to the recipe, so the same pulses are drawn."""
    weights = []
    images = torch.randn(4, 3, 11, 13, generator=torch.Generator().manual_seed(3))
    for layer in layers(WINDOWS["stride and padding"], perfect=True, recipe="sgd"):
        layer(images).square().sum().backward()
        context, tile = layer.analog_module.analog_ctx, layer.analog_module
        tile.set_learning_rate(1e-3)
        tile.update(context.analog_input[0], context.analog_grad_output[0])
        weights.append(tile.tile.get_weights())
    assert torch.allclose(*weights, atol=1e-3)


GAIN = torch.tensor(0.5)


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_noise_is_drawn_for_every_read(window, kernels):
    """Std over 600 images of a crossbar of zeros, forward and summed over the patches backward.

    Each read adds noise of 0.3 of its largest entry, so a pixel gets it from every patch that
    sees it: a sum of squares that torch's own transposed convolution of ones gives.
    """
    io = periphery(out_noise=0.3, adc_bits=16)
    window, converters, stream = Window(*window), Converters(io), RandomStream(3)
    images = torch.ones(600, 2, 9, 8)
    weight = torch.zeros(4, 2 * window.kernel[0] * window.kernel[1])
    out = convolve(weight, images, window, converters, stream, GAIN)
    read = out[out != 0]  # patches of padding alone are not read
    assert read.std().item() == pytest.approx(0.5 * 0.3, rel=0.03)
    assert read.mean().abs() < 0.01
    assert torch.corrcoef(out[:2].flatten(1))[0, 1].abs() < 0.4
    gradients = torch.full(out.shape, -2.0)
    back = convolve_back(weight, gradients, images.shape, window, converters, stream, GAIN)
    options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    reads = torch.nn.grad.conv2d_input(
        (1, 2, 9, 8), torch.ones(1, 2, *window.kernel), torch.ones(1, 1, *out.shape[2:]), **options
    )
    assert torch.allclose(back.std(0), 0.5 * 2 * 0.3 * reads[0].sqrt(), rtol=0.2)
    assert back.var(0).sum().item() == pytest.approx((0.3**2 * reads).sum().item(), rel=0.03)


def test_results_do_not_depend_on_the_threads():
    window, converters = Window((5, 5)), Converters(periphery())
    images, gradients = torch.randn(7, 3, 12, 12), torch.randn(7, 6, 8, 8)
    weight, threads, results = torch.randn(6, 75), torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            settings = window, converters, RandomStream(1), GAIN
            out = convolve(weight, images, *settings)
            results.append((out, convolve_back(weight, gradients, images.shape, *settings)))
    finally:
        torch.set_num_threads(threads)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_a_bound_is_kept_and_nan_comes_out():
    """Narrow outputs are clipped patch by patch; a NaN is not rounded away."""
    io = periphery(out_noise=0.0)
    io.out_bound = 0.5
    window, settings = Window((2, 2)), (Converters(io), RandomStream(1), torch.tensor(1.0))
    images = torch.rand(2, 1, 5, 5) + 0.5
    out = convolve(torch.ones(1, 4), images, window, *settings)
    largest = torch.nn.functional.max_pool2d(images, 2, 1)
    assert torch.allclose(out, 0.5 * largest)
    back = convolve_back(
        torch.ones(1, 4), torch.full_like(out, 2.0), images.shape, window, *settings
    )
    assert back.max().item() == pytest.approx(4 * 0.5 * 2)
    images[0, 0, 0, 0] = float("nan")
    out = convolve(torch.ones(1, 4), images, window, *settings)
    assert out[0, 0, 0, 0].isnan()
    assert out[1].isfinite().all()


def test_an_image_of_any_size_is_read():
    """Lines longer than the list of random numbers are left to torch."""
    images = torch.ones(1, 1, 1030, 1030)
    settings = Window((2, 2)), Converters(periphery()), RandomStream(1), GAIN
    out = convolve(torch.zeros(1, 4), images, *settings)
    assert out.std().item() == pytest.approx(0.5 * 0.06, rel=0.2)
    assert convolve_back(torch.zeros(1, 4), out, images.shape, *settings).isfinite().all()


def test_an_unmanaged_backward_pass_takes_patches():
    """Without noise management twice the gradient is not twice the result: no factor moves."""
    config = MemristorRPUConfig()
    config.backward.noise_management = NoiseManagementType.NONE
    layer = MemristorConv2d(1, 2, 3, rpu_config=config)
    assert not layer.analog_module.takes_images()
    assert layer(torch.randn(2, 1, 5, 5)).shape == (2, 2, 3, 3)
