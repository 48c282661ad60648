"""How well curves describe their readings. One range everywhere: that of the card at the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.devices import rounded
from device_models.fit.spread import PulseNoise

DECADES = 1.0
"""Decades from which on the relative error is told too."""


def field_ranges(branches: Sequence[Branch], laws: Sequence[Law]) -> dict[float, float]:
    """Conductance range at each field: largest minus smallest end of the curves as fitted."""
    ends: dict[float, list[float]] = {}
    for branch, law in zip(branches, laws, strict=True):
        ends.setdefault(branch.field_G, []).extend(law([0.0, branch.end]))
    return {field_G: max(own) - min(own) for field_G, own in ends.items()}


def half_range(branches: Sequence[Branch], laws: Sequence[Law]) -> float:
    """Half of the widest conductance range at one field."""
    return max(field_ranges(branches, laws).values()) / 2


def quality(
    branch: Branch, law: Law, noise: PulseNoise, conductance_range: float
) -> dict[str, Any]:
    """What a card says of the fit of a curve; errors over `conductance_range` [1].

    Where the mean response spans a decade or more, the median relative error of it too.
    """
    points = branch.points()
    content = {
        "n_readings": len(branch.values),
        "n_segments": len(branch.clusters),
        "rmse_over_range": rounded(rms(branch.values - law(branch.pulses)) / conductance_range),
        "rmse_of_mean_over_range": rounded(mean_misfit(branch, law) / conductance_range),
        "step_std_over_mean_step": rounded(noise.step_std / noise.mean_step),
    }
    if points.decades >= DECADES:
        relative = np.abs(law(points.pulses) / points.values - 1)
        content["median_relative_error"] = rounded(float(np.median(relative)))
    return content


def pooled(qualities: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The quality of curves at several fields as that of one: sums, and root mean squares."""
    content: dict[str, Any] = {}
    for key in qualities[0]:
        values = [own[key] for own in qualities if key in own]
        whole = key.startswith("n_")
        content[key] = sum(values) if whole else rounded(rms(np.array(values)))
    return content | {"n_fields": len(qualities)}


def mean_misfit(branch: Branch, law: Law) -> float:
    """Root mean square of what the curve leaves of the mean response, in its unit."""
    points = branch.points()
    return rms(points.values - law(points.pulses))


def rms(values: np.ndarray) -> float:
    """Root mean square of `values` (n,)."""
    return float(np.sqrt(np.mean(values**2)))
