"""Messages in the language of the command line: `read_voltage_V=0.1` becomes `--read-voltage 0.1`.

Reader and fit advise in Python, as their users call them; here, at the command's boundary, options
of theirs become flags that a shell takes as they stand. Quoted cells of a file stay as they are.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

FLAGS = {
    "amplitude_V": "--amplitude",
    "bootstrap": "--bootstrap",
    "branch": "--branch",
    "columns": "--column",
    "condition": "--condition",
    "cycle": "--cycle",
    "decimal": "--decimal",
    "delimiter": "--delimiter",
    "device": "--device",
    "encoding": "--encoding",
    "field_G": "--field",
    "files_are": "--files-are",
    "keep_rest": "--keep-rest",
    "kind": "--kind",
    "law": "--law",
    "layout": "--layout",
    "ltd": "--ltd",
    "ltp": "--ltp",
    "overwrite": "--overwrite",
    "quantity": "--quantity",
    "read_voltage_V": "--read-voltage",
    "reference": "--reference",
    "reverse": "--reverse",
    "seed": "--seed",
    "sheet": "--sheet",
    "title": "--title",
    "unit": "--unit",
    "where": "--where",
    "wide_of": "--wide-of",
    "width_s": "--width",
}
"""Python option of reading and fitting: its flag."""

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "blank"}
"""Characters that a shell would swallow or a person not see, by their word."""

_OUTSIDE = r"(?<![\w./\\-])"
_ANY = "|".join(FLAGS)
_OPTION = r"(?:the )?options? "
_NAME = re.compile(_OUTSIDE + rf"(?:{_OPTION})?({_ANY})=")
_NAMED = re.compile(_OUTSIDE + rf"{_OPTION}({_ANY})(?: and ({_ANY}))?\b")
# Words that are Python and no English; "unit" and the like only where they are asked for.
_BARE = re.compile(_OUTSIDE + rf"({'|'.join(name for name in FLAGS if '_' in name)})\b(?!=)")
_ASKED = re.compile(r"\bgive (quantity|unit|branch|sheet)\b(?![\w=])")
_SELECT = re.compile(" and use select\\b")
_ZERO = re.compile(_OUTSIDE + r"zero='(\w+)'")
_LITERAL = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?|True|False|None|\.\.\."""
)
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")
_CLOSING = {"{": "}", "[": "]", "(": ")"}


def spoken(text: str) -> str:
    """`text` with the options it advises as flags of the command line."""
    parts, at = [], 0
    while at < len(text):
        part, at = _next_part(text, at)
        parts.append(part)
    return "".join(parts)


def flags(name: str, value: Any) -> str:
    """Option `name` at `value` as a shell takes it: one flag, or one an entry of a mapping."""
    flag = FLAGS[name]
    if isinstance(value, bool):
        return flag if value else f"no {flag}"
    if isinstance(value, Mapping):
        return " ".join(_word(flag, f"{_heading(k)}={_plain(v)}") for k, v in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_word(flag, _plain(v)) for v in value)
    plain = _plain(value)
    return _word(flag, DELIMITERS.get(plain, plain) if name == "delimiter" else plain)


def _next_part(text: str, at: int) -> tuple[str, int]:
    """What stands for the text from `at` on, and where it goes on."""
    if found := _NAME.match(text, at):
        end = _literal_end(text, found.end())
        literal = _value(text[found.end() : end])
        if literal is not None:
            return flags(found[1], literal[0]), end
    for pattern, write in _WORDS:
        if found := pattern.match(text, at):
            return write(found), found.end()
    if found := _QUOTED.match(text, at):
        return found[0], found.end()
    return text[at], at + 1


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_NAMED, lambda m: FLAGS[m[1]] + (f" and {FLAGS[m[2]]}" if m[2] else "")),
    (_BARE, lambda m: FLAGS[m[1]]),
    (_ASKED, lambda m: f"give {FLAGS[m[1]]}"),
    (_SELECT, lambda m: ""),
    # A choice of the training, whose settings are hydra's.
    (_ZERO, lambda m: f"crossbar.zero={m[1]}"),
)


def _literal_end(text: str, start: int) -> int:
    """Where the Python literal that starts at `start` ends; `start` where there is none."""
    closing: list[str] = []
    at = start
    while at < len(text):
        found = _LITERAL.match(text, at)
        if text[at] in _CLOSING:
            closing.append(_CLOSING[text[at]])
        elif closing and text[at] == closing[-1]:
            closing.pop()
        elif not closing and found is None:
            return start
        at = found.end() if found else at + 1
        if not closing:
            return at
    return start


def _value(literal: str) -> tuple[Any] | None:
    """The value of a Python literal, in a tuple; None where it is none."""
    try:
        return (ast.literal_eval(literal),)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _heading(key: object) -> str:
    """A column as `--column` and `--where` take it: its number, or its heading as text."""
    text = _plain(key)
    return f'"{text}"' if isinstance(key, str) and re.fullmatch("[0-9]{1,6}", text) else text


def _plain(value: object) -> str:
    return "" if value is None else "..." if value is ... else str(value)


def _word(flag: str, value: str) -> str:
    """`flag value`; with an equals sign where the value itself would look like a flag."""
    return f"{flag}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"
