"""Readings at rest before and after a branch: a stretch without response is no part of it.

A flat stretch counts as rest only where no smooth branch explains the readings as well: an LTP that
relaxes into its plateau ends smoothly, one that is no longer pulsed stops.
"""

from __future__ import annotations

import numpy as np

from device_models.pulses.branches.noise import direction, noise_of
from device_models.pulses.branches.relaxations import smooth_misfits
from device_models.pulses.branches.smooth import mixture_misfit, smooth_misfit
from device_models.pulses.types import FloatArray

# Readings that a rest has at least, and a branch beside it.
FEWEST_AT_REST = 6
FEWEST_MOVING = 3
# Squared misfit, in squares of the noise, that a rest saves at least against a smooth branch.
SAVED_BEFORE, SAVED_AFTER = 15.0, 25.0
# Misfits below this share of the range are no evidence.
FINEST = 0.001
# Shares of its fastest pace at which a branch leaves a rest, and at which it stops.
LEAVES, STOPS = 0.4, 0.1
# Change of a stretch over its standard error from which it is no rest, before a branch and after.
LEAST_CERTAIN, STEADY = 4.0, 3.0
# A rest drifts by less than this share of the range.
DRIFT = 0.05
# Readings a smooth curve is compared with; longer stretches as means.
MOST = 200
# Readings around the rough end of a rest at which it may end.
SEARCHED = 4


def rest_after(branch: FloatArray, saved: float = SAVED_AFTER) -> int:
    """Readings at rest at the end of a branch of shape (n,) that rises or falls; 0 for none."""
    # The first reading on the level is that of the last pulse.
    readings = rest_before(branch[::-1], saved, STOPS) - 1
    return readings if readings >= FEWEST_AT_REST else 0


def rest_before(branch: FloatArray, saved: float = SAVED_BEFORE, pace: float = LEAVES) -> int:
    """Readings at rest at the start of a branch of shape (n,) that rises or falls; 0 for none.

    Next to the rest the branch moves at least at this share of its fastest pace; `saved` is the
    misfit that the rest has to save.
    """
    n, span = branch.size, float(np.ptp(branch))
    if n < FEWEST_AT_REST + FEWEST_MOVING or span == 0:
        return 0
    branch = branch / span
    if np.ptp(branch[:FEWEST_AT_REST]) > min(6 * max(noise_of(branch), FINEST), 0.3):
        return 0
    readings = _end_of_rest(branch)
    if readings < FEWEST_AT_REST or n - readings < FEWEST_MOVING:
        return 0
    # The slow end of a branch is worth more than a rest less.
    steady = STEADY if pace == STOPS else LEAST_CERTAIN
    if not (is_flat(branch[:readings], branch, steady) and _pace(branch, readings) >= pace):
        return 0
    return readings if _saved(branch, readings) > saved else 0


def _noise(branch: FloatArray, readings: int) -> float:
    """Noise of single readings; of a short branch its corner would count as noise."""
    at_rest = 1.15 * float(np.std(branch[:readings], ddof=1))
    return max(min(noise_of(branch), at_rest), FINEST)


def _end_of_rest(branch: FloatArray) -> int:
    """Readings at rest where a level, then a smooth curve from its last reading on fit best."""
    count = np.arange(1.0, branch.size + 1)
    level = np.cumsum(branch**2) - np.cumsum(branch) ** 2 / count
    after = smooth_misfits(branch)[1].min(axis=0)
    total = (level + after)[: branch.size - FEWEST_MOVING]
    readings = 1 + int(np.argmin(total))
    if readings < FEWEST_AT_REST:
        return 0
    if after[0] - total.min() < SAVED_BEFORE / 2 * _noise(branch, readings) ** 2:
        return 0
    last = min(readings + SEARCHED, branch.size - FEWEST_MOVING)
    near = range(readings - SEARCHED, last + 1)
    return min(near, key=lambda n: float(level[n - 1]) + mixture_misfit(_moving(branch, n)))


def _moving(branch: FloatArray, readings: int) -> FloatArray:
    """The branch from the level of its rest on, a few hundred readings at most."""
    start = branch[:readings].mean()
    return np.concatenate([[start], branch[readings : readings + MOST]])


def _pace(branch: FloatArray, readings: int) -> float:
    """How fast the branch moves next to its rest, as a share of its fastest pace."""
    moving = _moving(branch, readings)
    width = max(1, moving.size // 8)
    paces = np.abs(moving[width:] - moving[:-width])
    return float(paces[:2].max() / max(paces.max(), 1e-300))


def _saved(branch: FloatArray, readings: int) -> float:
    """Squared misfit that a rest saves against a smooth curve, in squares of the noise."""
    block = -(-branch.size // MOST)
    at_rest = _means(branch[:readings], block)
    moving = _means(branch[readings:], block)
    whole = np.concatenate([at_rest, moving])
    apart = float(np.sum((at_rest - at_rest.mean()) ** 2)) + mixture_misfit(moving)
    noise = _noise(branch, readings)
    variance = max(noise**2 / block, FINEST**2, apart / whole.size)
    return (smooth_misfit(whole) - apart) / variance


def _means(values: FloatArray, block: int) -> FloatArray:
    if block == 1 or values.size < 2 * block:
        return values
    result: FloatArray = values[: values.size // block * block].reshape(-1, block).mean(axis=1)
    return result


def is_flat(part: FloatArray, trace: FloatArray, certain: float = LEAST_CERTAIN) -> bool:
    """Whether a part of a trace changes by less than `certain` standard errors, and by little."""
    third = max(1, part.size // 3)
    drift = abs(float(part[-third:].mean() - part[:third].mean()))
    unsure = 2 * float(np.std(part)) * np.sqrt(2 / third)
    return abs(direction(part)) < certain and drift < DRIFT * float(np.ptp(trace)) + unsure
