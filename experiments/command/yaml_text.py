"""YAML of strangers: plain values only, and no more of them than the text is long.

An alias lets a file of a kilobyte stand for more entries than a memory holds.
"""

from __future__ import annotations

from typing import Any

import yaml

from device_models.errors import InputError

MAX_NESTING = 32
"""Levels of brackets; the scanner's time grows with their square."""


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias stands in it")
        return super().compose_node(parent, index)

    def fetch_flow_collection_start(self, kind: Any) -> None:
        if self.flow_level >= MAX_NESTING:
            raise yaml.YAMLError("nested too deeply")
        super().fetch_flow_collection_start(kind)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def read_yaml(text: str) -> Any:
    """The value in `text`. Raises InputError where it is no YAML or not plain values."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise InputError("nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(str(error)) from None


def write_yaml(value: Any) -> str:
    """`value` as text that `read_yaml` reads, its keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)
