"""What stored runs of the first version call otherwise, so that they are found and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DATA = "fashion_mnist"
"""The images: there were no others, and no name."""

MEMRISTOR = "tile"
"""Name of `crossbar=memristor`."""

UPDATE = {
    "granularity": 0.0,
    "desired_bl": 31,
    "chunks": 8,
    "momentum": 0.0,
    "fast_pulses": 10.0,
    "fast_lr": 1.0,
    "transfer_every": 1,
    "reads_per_transfer": 0,
    "transfer_lr": 0.2,
    "buffer_momentum": 0.1,
    "chop_probability": 0.1,
}
"""Settings of all recipes: each run was stored with all of them, at these values mostly."""

ADAM_MOMENTUM = 0.9
"""Stood in the settings of every run with Adam, which reads none."""


def without_unread(config: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration of a stored run without the momentum that Adam did not read."""
    optimizer = config.get("optimizer")
    if not isinstance(optimizer, Mapping) or optimizer.get("name") != "adam":
        return dict(config)
    read = {key: value for key, value in optimizer.items() if key != "momentum"}
    return {**config, "optimizer": read}
