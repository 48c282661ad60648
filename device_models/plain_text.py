"""Text of strangers inside files that we write and messages that we print."""

from __future__ import annotations

MAX_MESSAGE = 600


def one_line(text: str) -> str:
    """`text` on one line, printable characters only, runs of anything else as one space.

    Line ends of every kind, control characters, marks that turn the reading direction and halves
    of surrogate pairs go, so that the text stays inside a comment and can be encoded.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def visible(text: object, keep: str = "") -> str:
    r"""`text` with what does not print as escapes (`\x1b`, `\ud800`, `\n`), `keep` left alone."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def message(text: object, limit: int = MAX_MESSAGE) -> str:
    """`text` as an error shows it: one line of at most `limit` characters, all of them visible.

    The middle is left out: a message starts with the file and ends with what is wrong.
    """
    clean = visible(" ".join(str(text).split()))
    if len(clean) <= limit:
        return clean
    half = limit // 2
    return f"{clean[: half - 5]} ... {clean[-half:]}"
