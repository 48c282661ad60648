"""What the name of a file says about its branch, held against its readings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_models.pulses.types import Segment

WORDS = {
    "LTP": r"ltp|potentiation|potentiated|potentiating|potentiate",
    "LTD": r"ltd|depression|depressed|depressing|depress",
}


def contradictions(name: str, segments: Sequence[Segment], given: str | None) -> list[str]:
    """A warning where `name` says one branch and the readings are of the other alone.

    `given` is the branch that the caller says, if any.
    """
    said = [b for b, words in WORDS.items() if _says(name, words)]
    found = {s.branch for s in segments}
    if len(said) != 1 or len(found) != 1 or said[0] in found:
        return []
    other = found.pop()
    text = f"the name of the file says {said[0]}, the readings are read as {other}"
    if given is not None:
        return [f"{text}: check which file it is"]
    return [
        f"{text}: check file, quantity and the order of the rows; branch={said[0]!r} reads them as "
        f"{said[0]}, with reverse={said[0]!r} from the last row to the first"
    ]


def _says(name: str, words: str) -> bool:
    """One of the words stands in the name, also as a part of "LTPcurve"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=LTP|LTD)(?=[A-Z]?[a-z])", " ", name)
    return re.search(rf"(?<![a-z])(?:{words})(?![a-z])", apart.lower()) is not None
