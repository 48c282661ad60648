"""Text of strangers inside files that we write."""

from __future__ import annotations


def one_line(text: str) -> str:
    """`text` on one line, printable characters only, runs of anything else as one space.

    Line ends of every kind, control characters, marks that turn the reading direction and halves
    of surrogate pairs go, so that the text stays inside a comment and can be encoded.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
