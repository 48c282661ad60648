"""Networks built from plain keywords: the paper's CNN, an MLP and a small residual CNN.

Each takes `activation`, a function of the activation's position (0, 1, ...) that makes the
module to put there, so that every position can have its own curves. Images come in as
n x 1 x 28 x 28; networks with `in_channels` 3 see the grey image three times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossbar.choices import check_choice

Activation = Callable[[int], nn.Module]

DOWNSAMPLING = ("pool_before", "pool_after", "stride")
BLOCK_ORDERS = ("methods", "caption")


class PaperCNN(nn.Module):
    """The paper's network (Methods, Fig. 5a): two conv blocks and three linear blocks.

    28 x 28 x 3 -> 12 x 12 x 6 -> 4 x 4 x 16 -> 256 -> 120 -> 84 -> 10, each block
    BatchNorm -> conv or linear -> activation. What the paper leaves open or says in two ways is
    a keyword (ledger 1f and 3.2):

    in_channels: 3 as printed (C6) or 1.
    channels: output channels of the conv layers; 16 is stated, 6 is the LeNet choice.
    kernel_size: 5 (Methods) or 3 (main text, C4).
    downsampling: `pool_before` the activation (keeps "4 x 4 x 16 EM responses" literal),
        `pool_after` it (tutorial order) or `stride` 2 convolutions. Never mentioned in the paper.
    block_order: `methods` BatchNorm -> linear -> activation, or `caption` of Fig. 5
        activation -> linear -> BatchNorm (C3).
    """

    def __init__(
        self,
        activation: Activation,
        *,
        in_channels: int = 3,
        channels: Sequence[int] = (6, 16),
        kernel_size: int = 5,
        downsampling: str = "pool_before",
        hidden: Sequence[int] = (120, 84),
        block_order: str = "methods",
        n_classes: int = 10,
    ):
        super().__init__()
        check_choice("downsampling", downsampling, DOWNSAMPLING)
        check_choice("block_order", block_order, BLOCK_ORDERS)
        self.in_channels = in_channels
        position = 0
        features: list[nn.Module] = []
        for width_in, width in zip([in_channels, *channels], channels, strict=False):
            features += _conv_block(
                width_in, width, kernel_size, downsampling, activation(position)
            )
            position += 1
        self.features = nn.Sequential(*features)
        flat = _flat_size(self.features, in_channels)
        linear: list[nn.Module] = []
        for width_in, width in zip([flat, *hidden], hidden, strict=False):
            linear += _linear_block(width_in, width, block_order, activation(position))
            position += 1
        last = hidden[-1] if hidden else flat
        self.classifier = nn.Sequential(*linear, nn.BatchNorm1d(last), nn.Linear(last, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        norm, conv, *others = self.features
        if images.shape[1] == 1 and can_fold(norm, conv, images):
            features = folded_block(cast(nn.BatchNorm2d, norm), cast(nn.Conv2d, conv), images)
        else:
            features = conv(norm(images.expand(-1, self.in_channels, -1, -1)))
        for module in others:
            features = module(features)
        return self.classifier(features.flatten(1))


class MLP(nn.Module):
    """Linear layers 784 -> hidden -> 10, each after a BatchNorm."""

    def __init__(
        self, activation: Activation, *, hidden: Sequence[int] = (256, 128), n_classes: int = 10
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width_in = 28 * 28
        for position, width in enumerate(hidden):
            layers += _linear_block(width_in, width, "methods", activation(position))
            width_in = width
        self.layers = nn.Sequential(
            *layers, nn.BatchNorm1d(width_in), nn.Linear(width_in, n_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1))


class ResidualCNN(nn.Module):
    """Small residual CNN: a stem, one residual block at each width, mean pooling, a linear head."""

    def __init__(
        self,
        activation: Activation,
        *,
        in_channels: int = 1,
        widths: Sequence[int] = (16, 32),
        n_classes: int = 10,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            activation(0),
        )
        blocks = []
        for i, (width_in, width) in enumerate(zip([widths[0], *widths], widths, strict=False)):
            blocks.append(
                ResidualBlock(width_in, width, activation(1 + 2 * i), activation(2 + 2 * i))
            )
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.blocks(self.stem(images.expand(-1, self.in_channels, -1, -1)))
        return self.head(features.mean((2, 3)))


class ResidualBlock(nn.Module):
    """conv -> BatchNorm -> activation -> conv -> BatchNorm, halving the image, plus a shortcut."""

    def __init__(self, width_in: int, width: int, first: nn.Module, second: nn.Module):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            first,
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(width_in, width, 1, stride=2, bias=False), nn.BatchNorm2d(width)
        )
        self.activation = second

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


def can_fold(norm: nn.Module, conv: nn.Module, images: Tensor) -> bool:
    """Whether `folded_block` computes what `conv(norm(images))` does, gradients included."""
    return (
        type(norm) is nn.BatchNorm2d
        and type(conv) is nn.Conv2d
        and norm.momentum is not None
        and norm.affine
        and conv.groups == 1
        and set(conv.padding) == {0}
        and not images.requires_grad
    )


def folded_block(norm: nn.BatchNorm2d, conv: nn.Conv2d, images: Tensor) -> Tensor:
    """`conv(norm(images))` for grey images (n x 1 x rows x columns) that every channel sees.

    The norm's factors and the sum over equal channels are put into the kernels: one channel is
    read instead of all, and no gradient at the images is computed for the sake of the factors.
    """
    gain: Tensor = norm.weight
    shift: Tensor = norm.bias
    mean, var, seen = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if norm.training or mean is None or var is None:
        own_mean, own_var = images.new_zeros(1), images.new_zeros(1)
        images = functional.batch_norm(images, own_mean, own_var, None, None, True, 1.0, norm.eps)
        if norm.training and mean is not None and var is not None and seen is not None:
            mean.lerp_(own_mean, norm.momentum or 0.0)
            var.lerp_(own_var, norm.momentum or 0.0)
            seen.add_(1)
    else:
        gain = gain * (var + norm.eps).rsqrt()
        shift = shift - gain * mean
    kernels = (conv.weight * gain[:, None, None]).sum(1, keepdim=True)
    bias = torch.mv(conv.weight.sum((2, 3)), shift)
    if conv.bias is not None:
        bias = bias + conv.bias
    return functional.conv2d(images, kernels, bias, conv.stride, 0, conv.dilation)


MODELS = {"paper_cnn": PaperCNN, "mlp": MLP, "residual_cnn": ResidualCNN}


def build_model(name: str, activation: Activation, **keywords: Any) -> nn.Module:
    """Network by name (`paper_cnn`, `mlp`, `residual_cnn`) with its own keywords."""
    check_choice("model", name, MODELS)
    return MODELS[name](activation, **keywords)


def _conv_block(
    width_in: int, width: int, kernel_size: int, downsampling: str, activation: nn.Module
) -> list[nn.Module]:
    stride = 2 if downsampling == "stride" else 1
    conv = nn.Conv2d(width_in, width, kernel_size, stride=stride)
    tail: list[nn.Module] = [activation]
    if downsampling == "pool_before":
        tail = [nn.MaxPool2d(2), activation]
    elif downsampling == "pool_after":
        tail = [activation, nn.MaxPool2d(2)]
    return [nn.BatchNorm2d(width_in), conv, *tail]


def _linear_block(width_in: int, width: int, order: str, activation: nn.Module) -> list[nn.Module]:
    linear = nn.Linear(width_in, width)
    if order == "methods":
        return [nn.BatchNorm1d(width_in), linear, activation]
    return [activation, linear, nn.BatchNorm1d(width)]


@torch.no_grad()
def _flat_size(features: nn.Sequential, in_channels: int) -> int:
    """Number of features after the conv blocks, found without touching BatchNorm statistics."""
    training = features.training
    try:
        return features.eval()(torch.zeros(1, in_channels, 28, 28)).numel()
    except RuntimeError as error:
        raise ValueError(f"the conv blocks do not fit a 28 x 28 image: {error}") from None
    finally:
        features.train(training)
