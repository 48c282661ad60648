"""What the networks are made of: the linear block, and images as a network's channels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Activation = Callable[[int], nn.Module]
"""Makes the module of an activation's position (0, 1, ...), so that each can have its curves."""

Shape = tuple[int, int, int]
"""Of an image: channels, rows, columns."""

GREY: Shape = (1, 28, 28)
"""The images of the paper, of Fashion-MNIST and of MNIST."""


def linear_block(width_in: int, width: int, order: str, activation: nn.Module) -> list[nn.Module]:
    """BatchNorm, linear, activation; in the order `caption` activation, linear, BatchNorm."""
    linear = nn.Linear(width_in, width)
    if order == "methods":
        return [nn.BatchNorm1d(width_in), linear, activation]
    return [activation, linear, nn.BatchNorm1d(width)]


def seen_channels(in_channels: int | None, input_shape: Shape) -> int:
    """Channels a network sees: `in_channels`, or those of the images where it is None.

    Raises ValueError where images of several channels are to be seen as another number of them.
    """
    channels = input_shape[0]
    if in_channels is None or in_channels == channels or channels == 1:
        return in_channels or channels
    raise ValueError(
        f"in_channels={in_channels} does not fit images of {channels} channels: "
        f"choose in_channels={channels} (only grey images are seen several times)"
    )


def as_channels(images: Tensor, in_channels: int) -> Tensor:
    """Images n x c x h x w as n x `in_channels` x h x w: a grey one is seen several times."""
    return images.expand(-1, in_channels, -1, -1)


def in_words(shape: Shape) -> str:
    """`28 x 28` for grey images, `3 x 32 x 32` for others."""
    return " x ".join(map(str, shape[1:] if shape[0] == 1 else shape))
