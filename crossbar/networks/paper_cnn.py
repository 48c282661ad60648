"""The paper's network, every open point of it a keyword."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from crossbar.choices import check_choice
from crossbar.networks.blocks import (
    GREY,
    Activation,
    Shape,
    as_channels,
    in_words,
    linear_block,
    seen_channels,
)
from crossbar.networks.folding import can_fold, folded_block
from device_models.errors import InputError

DOWNSAMPLING = ("pool_before", "pool_after", "stride")
BLOCK_ORDERS = ("methods", "caption")


class PaperCNN(nn.Module):
    """The paper's network (Methods, Fig. 5a): two conv blocks and three linear blocks.

    28 x 28 x 3 -> 12 x 12 x 6 -> 4 x 4 x 16 -> 256 -> 120 -> 84 -> 10, each block
    BatchNorm -> conv or linear -> activation. What the paper leaves open or says in two ways is
    a keyword (ledger 1f and 3.2):

    input_shape: channels, rows and columns of the images; 28 x 28 in the paper.
    in_channels: 3 as printed (C6), a grey image seen three times; 1; None: those of the images.
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
        input_shape: Shape = GREY,
        in_channels: int | None = 3,
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
        self.in_channels = seen_channels(in_channels, input_shape)
        position = 0
        features: list[nn.Module] = []
        for width_in, width in zip([self.in_channels, *channels], channels, strict=False):
            features += _conv_block(
                width_in, width, kernel_size, downsampling, activation(position)
            )
            position += 1
        self.features = nn.Sequential(*features)
        flat = _flat_size(self.features, self.in_channels, input_shape)
        linear: list[nn.Module] = []
        for width_in, width in zip([flat, *hidden], hidden, strict=False):
            linear += linear_block(width_in, width, block_order, activation(position))
            position += 1
        last = hidden[-1] if hidden else flat
        self.classifier = nn.Sequential(*linear, nn.BatchNorm1d(last), nn.Linear(last, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        norm, conv, *others = self.features
        if images.shape[1] == 1 and can_fold(norm, conv, images):
            features = folded_block(cast(nn.BatchNorm2d, norm), cast(nn.Conv2d, conv), images)
        else:
            features = conv(norm(as_channels(images, self.in_channels)))
        for module in others:
            features = module(features)
        scores: Tensor = self.classifier(features.flatten(1))
        return scores


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


@torch.no_grad()
def _flat_size(features: nn.Sequential, in_channels: int, input_shape: Shape) -> int:
    """Number of features after the conv blocks, found without touching BatchNorm statistics."""
    training = features.training
    try:
        one = torch.zeros(1, in_channels, *input_shape[1:])
        return int(features.eval()(one).numel())
    except RuntimeError as error:
        words = in_words(input_shape)
        raise InputError(f"the conv blocks do not fit a {words} image: {error}") from None
    finally:
        features.train(training)
