"""What all figures have in common: their colours, and how they become files."""

from __future__ import annotations

import io
import warnings

from matplotlib.figure import Figure

COLOURS = ("#1f1f1f", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#a67c00", "#56b4e9", "#7f7f7f")
"""Colours that stay apart for colour-blind readers, dark enough for a white page."""


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    data = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; text beside the picture shows it.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(data, format="png", dpi=144)
    return data.getvalue()
