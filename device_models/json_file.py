"""JSON files of strangers: of limited size and depth, without keys given twice or NaN."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from device_models.errors import FieldCrossbarError, InputError
from device_models.files import FileError, read_limited
from device_models.plain_text import message

MAX_DEPTH = 32
_TOO_DEEP = f"nested more than {MAX_DEPTH} deep"


class JSONFileError(FieldCrossbarError, ValueError):
    """A JSON file that cannot be used; one line that names the file and the place in it."""

    def __init__(self, text: str):
        super().__init__(message(text))


def read_json(path: str | Path, limit: int) -> Any:
    """Content of the JSON file at `path`, of at most `limit` bytes; a byte-order mark is skipped.

    Raises JSONFileError for everything else, also for what is no file.
    """
    try:
        text = read_limited(path, limit).decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
        _check_depth(content)
    except FileError as error:
        raise JSONFileError(str(error)) from None
    except OSError as error:
        raise JSONFileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise JSONFileError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise JSONFileError(f"{place}: not JSON: {error.msg}") from None
    except RecursionError:
        raise JSONFileError(f"{path}: {_TOO_DEEP}") from None
    except ValueError as error:
        raise JSONFileError(f"{path}: {error}") from None
    return content


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise InputError(f"key {key!r:.40} is given twice")
    return content


def _no_constant(text: str) -> None:
    raise InputError(f"{text} is not a number a JSON file may hold")


def _check_depth(content: Any) -> None:
    """Raise InputError for what nests deeper than anything that is written and read again."""
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise InputError(_TOO_DEEP)


def _inside(content: Any) -> list[Any]:
    if isinstance(content, dict):
        return list(content.values())
    return content if isinstance(content, list) else []
