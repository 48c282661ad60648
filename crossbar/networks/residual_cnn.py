"""A small residual CNN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from crossbar.networks.blocks import GREY, Activation, Shape, as_channels, seen_channels


class ResidualCNN(nn.Module):
    """Small residual CNN: a stem, one residual block at each width, mean pooling, a linear head.

    Images of any size; `in_channels` None: those of `input_shape`.
    """

    def __init__(
        self,
        activation: Activation,
        *,
        input_shape: Shape = GREY,
        in_channels: int | None = None,
        widths: Sequence[int] = (16, 32),
        n_classes: int = 10,
    ):
        super().__init__()
        self.in_channels = seen_channels(in_channels, input_shape)
        self.stem = nn.Sequential(
            nn.Conv2d(self.in_channels, widths[0], 3, padding=1, bias=False),
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
        features = self.blocks(self.stem(as_channels(images, self.in_channels)))
        scores: Tensor = self.head(features.mean((2, 3)))
        return scores


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
        joined: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return joined
