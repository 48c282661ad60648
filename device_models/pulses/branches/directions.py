"""Which way readings run along their branch: against it, nowhere, or in reversed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from device_models.pulses.branches.noise import direction, noise_of
from device_models.pulses.types import FloatArray, Segment

FEWEST = 10
# Change from the first to the last third over its standard error; span over noise.
CERTAIN, NOWHERE, STRUCTURED = 6.0, 4.0, 4.0


def towards(segment: Segment) -> FloatArray:
    """Readings turned so that they should rise."""
    return segment.values if segment.branch == "LTP" else -segment.values


def wrong_direction(segment: Segment) -> str | None:
    """A branch that clearly runs against what its label says."""
    if segment.values.size < 3 or direction(towards(segment)) > -CERTAIN:
        return None
    verb = "falls" if segment.branch == "LTP" else "rises"
    return f"the conductance {verb} along {segment.branch} pulses; check branch and quantity"


def goes_nowhere(segment: Segment) -> str | None:
    """Readings that end where they began, within their noise, and do nothing between."""
    values = segment.values
    if values.size < FEWEST or abs(direction(values)) > NOWHERE:
        return None
    noise = noise_of(values)
    smooth = uniform_filter1d(values, 5, mode="nearest")
    if noise == 0 or np.ptp(smooth) > STRUCTURED * noise:
        return None
    return (
        f"the readings neither rise nor fall along {segment.branch} pulses, as at rest or where "
        f"one state is read again and again"
    )


def reversed_order(segments: Sequence[Segment]) -> list[str]:
    """All segments of one branch run against it, while those of the other run as they should."""
    against: dict[str, list[bool]] = {}
    for s in segments:
        against.setdefault(s.branch, []).append(wrong_direction(s) is not None)
    wrong = [branch for branch, found in against.items() if all(found)]
    if len(wrong) != 1 or sum(any(found) for found in against.values()) > 1:
        return []
    return [
        f"the rows of {wrong[0]} may be stored in reversed order, the last pulse first: "
        f"reverse={wrong[0]!r} reads them from their end"
    ]
