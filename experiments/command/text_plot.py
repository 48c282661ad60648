"""Plots made of characters, for terminals: dots of braille in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BLANK = 0x2800
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of the eight dots of a braille character, 4 rows x 2 columns."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One frame: its title, points x (n,) and y (n,), and the words below its x axis."""

    title: str
    x: FloatArray
    y: FloatArray
    left: str
    right: str


def text_plot(
    panels: Sequence[Panel], low: float, high: float, labels: tuple[str, str], size: tuple[int, int]
) -> list[str]:
    """Lines of panels side by side over one y axis from `low` to `high`.

    `labels`: of the upper and the lower end of the axis; `size`: columns and rows of characters
    of a panel.
    """
    width, height = size
    margin = max(len(label) for label in labels)
    sides = [labels[0], *[""] * (height - 2), labels[1]]
    bodies = [_braille(p, low, high, width, height) for p in panels]
    head = "  ".join(f" {p.title:<{width}} " for p in panels)
    rows = ["  ".join(f"│{body[i]}│" for body in bodies) for i in range(height)]
    foot = "  ".join(f"└{'─' * width}┘" for _ in panels)
    ends = "  ".join(f" {p.left}{p.right:>{max(width - len(p.left), 0)}} " for p in panels)
    blank = " " * margin
    lines = [f"{blank} {head}"]
    lines += [f"{side:>{margin}} {row}" for side, row in zip(sides, rows, strict=True)]
    return [line.rstrip() for line in (*lines, f"{blank} {foot}", f"{blank} {ends}")]


def _braille(panel: Panel, low: float, high: float, width: int, height: int) -> list[str]:
    cells = np.zeros((height, width), dtype=int)
    x = _position(panel.x, float(panel.x.min()), float(panel.x.max()), 2 * width)
    y = 4 * height - 1 - _position(panel.y, low, high, 4 * height)
    np.bitwise_or.at(cells, (y // 4, x // 2), DOTS[y % 4, x % 2])
    return ["".join(chr(BLANK + int(cell)) for cell in row) for row in cells]


def _position(values: FloatArray, low: float, high: float, n: int) -> NDArray[np.int64]:
    """Which of `n` dots each value falls on."""
    share = (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)
    return np.clip((share * (n - 1)).round(), 0, n - 1).astype(np.int64)
