"""Text of strangers, shown so that it stays text: names in a store, values, errors."""

from __future__ import annotations

import sys

from device_models.plain_text import visible

_MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {c: f"\\{c}" for c in "\\|`*[]~"}
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


def warn(line: str) -> None:
    """Tell on standard error, in one line, what the command goes on without."""
    print(f"warning: {visible(line)}", file=sys.stderr)
