"""Convolutions on images against aihwkit's layer, which unfolds them, on the same tile."""

from __future__ import annotations

import pytest
import torch
from aihwkit.nn import AnalogConv2d
from torch import nn


from crossbar.device import CardDevice
from crossbar.periphery import periphery
from crossbar.tile import MemristorConv2d, MemristorRPUConfig, PulseUpdate

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
            update=PulseUpdate(recipe=recipe),
        )
        made.append(kind.from_digital(digital, config))
    return made


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("perfect", [True, False], ids=["perfect", "converters"])
def test_images_give_what_patches_give(window, perfect):
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
