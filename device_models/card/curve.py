"""One curve of a card: the response of a branch at one field, or in one magnetic alignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from device_models.curves import Law

BRANCHES = ("LTP", "LTD")
ALIGNMENTS = ("parallel", "antiparallel")


@dataclass(frozen=True)
class Curve:
    """Fitted response of one branch (LTP or LTD); `fit` holds its quality.

    At one field [G] of a card that tabulates fields; or in one `alignment` of the two magnetic
    layers ("parallel", "antiparallel") of a card that models them, then `field_G` is None.
    `n_pulses`: pulses it was measured over, None for all those of the card [1].
    """

    branch: str
    field_G: float | None
    law: Law
    fit: Mapping[str, Any] = field(default_factory=dict)
    n_pulses: float | None = None
    alignment: str | None = None

    @property
    def part(self) -> str:
        """How messages and parameters call what the curve is of: "50 G", "parallel"."""
        return f"{self.field_G:g} G" if self.field_G is not None else str(self.alignment)

    @property
    def name(self) -> str:
        """How messages and parameters call the curve: "LTP 50 G", "LTD antiparallel"."""
        return f"{self.branch} {self.part}"
