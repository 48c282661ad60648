"""Text of strangers, shown so that it stays text: names in a store, values, errors."""

from __future__ import annotations

import sys

_MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {c: f"\\{c}" for c in "\\|`*[]~"}
)


def visible(text: object, keep: str = "") -> str:
    r"""`text` with what does not print as escapes (`\x1b`, `\ud800`, `\n`), `keep` left alone."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def markdown(text: str) -> str:
    """`text` as the content of a Markdown cell; no mark of a table, a link or HTML is left."""
    return visible(text).translate(_MARKDOWN)


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a list keeps its ends."""
    if len(text) <= limit:
        return text
    entries = text.strip("[]").split(",")
    ends = f"[{entries[0]},…,{entries[-1]}]"
    if text.startswith("[") and len(ends) <= limit:
        return ends
    return f"{text[: limit - 1]}…"


def one_line(error: object, limit: int = 200) -> str:
    """The text of an error in one line of at most `limit` characters."""
    return shortened(visible(" ".join(str(error).split())), limit)


def warn(line: str) -> None:
    """Tell on standard error, in one line, what the command goes on without."""
    print(f"warning: {visible(line)}", file=sys.stderr)
