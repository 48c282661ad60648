"""Text of strangers inside files that we write and messages that we print."""

from __future__ import annotations

MAX_MESSAGE = 600


def one_line(text: str) -> str:
    """`text` on one line, printable characters only, runs of anything else as one space.

    Line ends of every kind, control characters, marks that turn the reading direction and halves
    of surrogate pairs go, so that the text stays inside a comment and can be encoded.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def message(text: str) -> str:
    """`text` as an error shows it: one line, ? for what cannot be printed, cut where too long.

    The middle is left out: a message starts with the file and ends with what is wrong.
    """
    clean = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    if len(clean) <= MAX_MESSAGE:
        return clean
    half = MAX_MESSAGE // 2
    return f"{clean[: half - 5]} ... {clean[-half:]}"
