"""Colours that stay apart for colour-blind readers, dark enough for a white page."""

COLOURS = ("#1f1f1f", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#a67c00", "#56b4e9", "#7f7f7f")
