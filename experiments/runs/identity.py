"""The folder that follows from what a run is.

Two runs with one identity compute the same numbers, bit for bit, so the second is refused or
goes on with the first. What belongs to an identity is for those to say who train; here it is any
plain containers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run_folder(place: str | Path, label: str, identity: Mapping[str, Any]) -> Path:
    """Folder of the run below `place`: `label` and a hash of `identity` (plain containers)."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Path(place).expanduser() / f"{label}-{digest}"
