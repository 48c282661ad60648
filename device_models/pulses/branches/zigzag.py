"""Reversals of a trace that stand out of its noise, found on the smoothed readings."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from device_models.pulses.branches.noise import noise_of
from device_models.pulses.types import FloatArray

# A reversal returns between these shares of the range; drift and slow noise return less.
REVERSAL_SHARES = (0.03, 0.6)
N_THRESHOLDS = 25
REVERSAL_NOISE = 7.0
# A trace is smoothed until a reversal of this share would stand out of its noise.
SMOOTHED_SHARE = 0.2
# A first or last branch: it may be small against the others where most steps go its way.
END_SHARE = 0.1
END_READINGS = 5
END_STEPS = 0.8


def find_reversals(trace: FloatArray) -> list[int]:
    """Indices of the extremes between the branches of a trace of shape (n,), rising."""
    smooth, noise = _smoothed(trace)
    reversals = _most_stable(_zigzags(smooth, _thresholds(smooth, noise)))
    first = _small_start(trace, smooth, noise, reversals)
    turned = [trace.size - 1 - turn for turn in reversals[::-1]]
    last = _small_start(trace[::-1], smooth[::-1], noise, turned)
    return [*first, *reversals, *(trace.size - 1 - turn for turn in last)]


def _smoothed(trace: FloatArray) -> tuple[FloatArray, float]:
    """Running median as wide as the noise asks for, and the noise that is left in it."""
    noise = noise_of(trace)
    for width in range(3, 103, 2):
        left = 1.25 * noise / np.sqrt(width)
        if REVERSAL_NOISE * left <= SMOOTHED_SHARE * np.ptp(trace) or width > trace.size / 12:
            break
    return median_filter(trace, width, mode="nearest"), float(left)


def _thresholds(smooth: FloatArray, noise: float) -> list[float]:
    """Retreats that may count as a reversal, rising."""
    span = float(np.ptp(smooth))
    low, high = (share * span for share in REVERSAL_SHARES)
    low = min(max(low, REVERSAL_NOISE * noise), high)
    return [float(x) for x in np.geomspace(low, high, N_THRESHOLDS)] if span > 0 else [high]


def _most_stable(choices: list[list[int]]) -> list[int]:
    """The reversals whose number holds over the widest stretch of thresholds."""
    counts = [len(turns) for turns in choices]
    return choices[max(range(len(counts)), key=lambda i: (counts.count(counts[i]), i))]


def _small_start(
    trace: FloatArray, smooth: FloatArray, noise: float, reversals: list[int]
) -> list[int]:
    """Where a first branch ends that is small against the range of the trace; empty without one."""
    end = reversals[0] if reversals else trace.size - 1
    part = smooth[: end + 1]
    rises = part[-1] > part[0]
    turn = int(np.argmin(part) if rises else np.argmax(part))
    # The median takes the last reading before a jump for an outlier.
    while turn + 1 < end and (trace[turn + 1] < trace[turn]) == rises:
        turn += 1
    size = abs(float(part[turn] - part[0]))
    steps = np.diff(trace[: turn + 1])
    if turn + 1 < END_READINGS or size < max(END_SHARE * np.ptp(smooth), REVERSAL_NOISE * noise):
        return []
    along = np.mean(steps < 0 if rises else steps > 0)
    return [turn] if along >= END_STEPS else []


def _zigzags(trace: FloatArray, thresholds: list[float]) -> list[list[int]]:
    """Zigzag for each of the rising thresholds; turns at one are among those at the one below."""
    first = _zigzag(trace, thresholds[0])
    # The stretches before the first and after the last turn count with their extremes.
    marks = {0, trace.size - 1, *first}
    for low, high in ((0, first[0] if first else trace.size), (first[-1] if first else 0, None)):
        end = trace[low:high]
        marks |= {low + int(np.argmin(end)), low + int(np.argmax(end))} if end.size else set()
    at = sorted(marks)
    return [first, *([at[i] for i in _zigzag(trace[at], t)] for t in thresholds[1:])]


def _zigzag(trace: FloatArray, threshold: float) -> list[int]:
    """Extremes between which the trace moves by more than `threshold`, the first and last not."""
    turns: list[int] = []
    low = high = trace[0]
    low_at = high_at = 0
    rising = 0
    for i, value in enumerate(trace.tolist()):
        if value > high:
            high, high_at = value, i
        if value < low:
            low, low_at = value, i
        if rising >= 0 and high - value > threshold:
            if rising:
                turns.append(high_at)
            rising, low, low_at = -1, value, i
            high, high_at = value, i
        elif rising <= 0 and value - low > threshold:
            if rising:
                turns.append(low_at)
            rising, high, high_at = 1, value, i
            low, low_at = value, i
    return turns
