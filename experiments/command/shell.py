"""Commands as lines that a shell and hydra read back as they are meant."""

from __future__ import annotations

import re
import shlex

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def command_line(*words: str) -> str:
    """`words` as one line for a POSIX shell."""
    return shlex.join(words)


def override(key: str, value: str) -> str:
    """`key=value` for hydra, with quotes where the text `value` would be read as something else.

    Hydra takes commas, brackets and the like for its own grammar, and OmegaConf puts other
    settings in for `${...}`.
    """
    return f"{key}={value}" if _is_plain(key, value) else f"{key}={_quoted(value)}"


def _is_plain(key: str, value: str) -> bool:
    if "$" in value:
        return False
    try:
        return bool(OverridesParser.create().parse_override(f"{key}={value}").value() == value)
    except HydraException:
        return False


def _quoted(value: str) -> str:
    """`value` in single quotes; backslashes count only before a quote, the end and `${`."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", literal)
    return "'" + re.sub(r"(\\+)\Z", r"\1\1", escaped) + "'"
