"""Tiles of a layer that is larger than one tile: blocks of its matrix, with converters a tile.

A read goes through the blocks along its inputs: each has a DAC, a product, output noise and an ADC
of its own, and what they give is added up in digital. Blocks along the outputs read the same
vectors and change nothing; in the backward pass the two change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Sizes = tuple[int, ...]


def block_sizes(size: int, largest: int, whole: int = 1) -> Sizes:
    """Sizes of the tiles, up to `largest`, along `size` lines of a layer; as even as aihwkit's.

    `whole`: lines that stay together, as the kernel of one channel of images does where a tile
    has room for it. A `largest` of 0 or less puts all lines on one tile.
    """
    if largest <= 0:
        return (size,)
    if whole > largest or size % whole:
        whole = 1
    lines, most = size // whole, largest // whole
    number = max(1, -(-lines // most))
    each, more = divmod(lines, number)
    return tuple((each + (i < more)) * whole for i in range(number))


def parts_of(blocks: Sequence[int]) -> Iterator[slice]:
    """The stretch of lines of each block."""
    start = 0
    for size in blocks:
        yield slice(start, start + size)
        start += size


def checked_blocks(blocks: Sequence[int], size: int, whole: int = 1) -> Sizes:
    """`blocks`, or one block where there are none; RuntimeError where they do not make `size`.

    Nor may one hold a part of `whole` lines.
    """
    if not blocks:
        return (size,)
    if sum(blocks) != size or any(block < 1 or block % whole for block in blocks):
        raise RuntimeError(
            f"tiles of {tuple(blocks)} lines do not make up {size} lines in multiples of {whole}"
        )
    return tuple(blocks)
