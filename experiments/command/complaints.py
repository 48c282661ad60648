"""Faults that pydantic finds in settings, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

MAX_SHOWN = 60
"""Characters of a value that a complaint shows."""

_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "list_type": "must be a list",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "finite_number": "must be finite",
    "greater_than": "must be above {gt:.10g}",
    "greater_than_equal": "must be at least {ge:.10g}",
    "less_than": "must be below {lt:.10g}",
    "less_than_equal": "must be at most {le:.10g}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "model_type": "must be a group of settings",
    "dict_type": "must be a group of settings",
    "model_attributes_type": "must be a group of settings",
    "value_error": "{error}",
}
"""What pydantic finds, in our words; behind them stands the value."""


def complaints(error: ValidationError, config: Mapping[str, Any]) -> list[str]:
    """One sentence for each wrong key; kinds of which it could be one are joined by "or"."""
    found: dict[str, list[Any]] = {}
    for item in error.errors(include_url=False):
        key = _key(item["loc"], config)
        if item["type"].startswith("union_tag"):  # what tells the alternatives apart
            tag = item["ctx"]["discriminator"].strip("'")
            key, item["input"] = _key((*item["loc"], tag), config), item["input"].get(tag)
        found.setdefault(key, []).append(item)
    # A list of which one entry is wrong need not be told that it is no number.
    deepest = {k: v for k, v in found.items() if not any(o.startswith(f"{k}[") for o in found)}
    return [_complaint(key, items, config) for key, items in deepest.items()]


def _complaint(key: str, items: list[Any], config: Mapping[str, Any]) -> str:
    kind, value = items[0]["type"], items[0].get("input")
    if kind in ("missing", "union_tag_not_found"):
        return f"{key} is missing"
    if kind == "extra_forbidden":
        return f"{key} is no setting"
    words = " or ".join(dict.fromkeys(_words(item) for item in items)).replace(" or must be", " or")
    if isinstance(value, Mapping):
        return f"{key}: {words}" if key else words
    shown = repr(value)
    return f"{key} {words}, got {shown[:MAX_SHOWN]}{'...' * (len(shown) > MAX_SHOWN)}"


def _words(item: Any) -> str:
    context = dict(item.get("ctx", {}))
    if "expected_tags" in context:
        context["expected_tags"] = context["expected_tags"].replace("'", "")
    return _WORDS.get(item["type"], item["msg"]).format(**context)


def _key(place: tuple[int | str, ...], config: Any) -> str:
    """The key on the command line; names of alternatives in `place` are no part of it."""
    key = ""
    for i, part in enumerate(place):
        if isinstance(config, list) and isinstance(part, int):
            key += f"[{part}]"
            config = config[part]
        elif isinstance(config, Mapping) and (part in config or i == len(place) - 1):
            key += f".{part}" if key else str(part)
            config = config.get(part)
    return key
