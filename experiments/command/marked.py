"""Parts of a text that a command writes: what stands between two marks of the README."""

from __future__ import annotations

from device_models.errors import InputError


def with_part(text: str, name: str, part: str) -> str:
    """`text` with `part` between its marks, `<!-- name: COMMAND -->` and `<!-- end of name -->`.

    Raises InputError where each mark is not there once, the end behind the start.
    """
    start, close, end = f"<!-- {name}:", "-->\n", f"<!-- end of {name} -->"
    head, begun, rest = text.partition(start)
    command, closed, old = rest.partition(close)
    if text.count(start) != 1 or text.count(end) != 1 or end not in old:
        raise InputError(f"the README needs one {start} ... --> and after it one {end}")
    return f"{head}{begun}{command}{closed}\n{part.strip()}\n\n{end}{old.split(end)[1]}"


def markdown_rows(rows: list[tuple[str, ...]], headings: tuple[str, ...]) -> str:
    """A table in Markdown."""
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
