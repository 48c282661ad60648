"""Noise and direction of a trace of readings, and the scale it is compared on."""

from __future__ import annotations

import numpy as np

from device_models.pulses.types import FloatArray

LOG_RATIO = 20.0


def noise_of(values: FloatArray) -> float:
    """Noise of single readings of a slowly changing trace, shape (n,), from fourth differences."""
    order = 4 if values.size >= 10 else 2
    if values.size <= order + 1:
        return 0.0
    # White noise of 1 gives differences of this variance; curvature leaves little in them.
    variance = 70.0 if order == 4 else 6.0
    return float(1.4826 * np.median(np.abs(np.diff(values, order))) / np.sqrt(variance))


def direction(values: FloatArray) -> float:
    """Change from the first to the last third over its standard error; + for rising readings."""
    third = max(1, values.size // 3)
    first, last = values[:third], values[-third:]
    change = float(last.mean() - first.mean())
    error = max(noise_of(values) * np.sqrt(2 / third), 1e-9 * float(np.ptp(values)), 1e-300)
    return float(change / error)


def scale_of(values: FloatArray) -> FloatArray:
    """The trace, or its logarithm where that spreads the readings and not only their noise."""
    if values.size < 3 or values.min() <= 0:
        return values
    if np.percentile(values, 99) < LOG_RATIO * np.percentile(values, 1):
        return values
    logs = np.log(values)
    roughness = [np.std(np.diff(v / np.ptp(v), 2)) for v in (values, logs)]
    return logs if roughness[1] < roughness[0] else values
