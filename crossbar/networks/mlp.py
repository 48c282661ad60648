"""A multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from crossbar.networks.blocks import GREY, Activation, Shape, linear_block


class MLP(nn.Module):
    """Linear layers pixels -> hidden -> classes, each after a BatchNorm."""

    def __init__(
        self,
        activation: Activation,
        *,
        input_shape: Shape = GREY,
        hidden: Sequence[int] = (256, 128),
        n_classes: int = 10,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width_in = math.prod(input_shape)
        for position, width in enumerate(hidden):
            layers += linear_block(width_in, width, "methods", activation(position))
            width_in = width
        self.layers = nn.Sequential(
            *layers, nn.BatchNorm1d(width_in), nn.Linear(width_in, n_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.layers(images.flatten(1))
        return scores
