"""What the compact model accepts: checks that name the value and say what was wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.errors import InputError

FloatArray = NDArray[np.float64]


def check_positive(holder: object, *names: str) -> None:
    """Raise InputError for the first of these attributes that is not above 0."""
    for name in names:
        if not getattr(holder, name) > 0:
            raise InputError(f"{name} must be positive, got {getattr(holder, name)!r}")


def check_at_least(holder: object, low: float, *names: str) -> None:
    """Raise InputError for the first of these attributes below `low`."""
    for name in names:
        if not getattr(holder, name) >= low:
            raise InputError(f"{name} must be at least {low:g}, got {getattr(holder, name)!r}")


def checked_pulse(
    amplitude_V: ArrayLike, width_s: ArrayLike, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Amplitude [V] and width [s] of a pulse, each one value or one per device of `shape`."""
    amplitude, width = np.asarray(amplitude_V, dtype=float), np.asarray(width_s, dtype=float)
    if not np.all(np.isfinite(amplitude)):
        raise InputError(f"amplitude_V must be finite, got {amplitude_V!r}")
    if not np.all((width >= 0) & np.isfinite(width)):
        raise InputError(f"width_s must be finite and not negative, got {width_s!r}")
    for name, given in (("amplitude_V", amplitude), ("width_s", width)):
        if given.ndim and given.shape != shape:
            raise InputError(
                f"{name} has shape {given.shape}: one value or one per device of {shape}"
            )
    return amplitude, width


def checked_waveform(time_s: ArrayLike, voltage_V: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Times [s] that never go back and the voltages [V] there, both of shape `(n,)`."""
    time, voltage = np.asarray(time_s, dtype=float), np.asarray(voltage_V, dtype=float)
    if time.ndim != 1 or time.shape != voltage.shape:
        raise InputError(
            f"time_s and voltage_V must be two lists of one length, got shapes {time.shape} "
            f"and {voltage.shape}"
        )
    if not (np.all(np.isfinite(time)) and np.all(np.isfinite(voltage))):
        raise InputError("time_s and voltage_V must be finite")
    if np.any(np.diff(time) < 0):
        first = int(np.argmax(np.diff(time) < 0))
        raise InputError(
            f"time_s must not go back: {time[first]:g} s is followed by {time[first + 1]:g} s"
        )
    return time, voltage


def checked_fluorine(fluorine: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Fluorine states, 0 to 1, of devices of `shape` from one value or one per device."""
    start = np.asarray(fluorine, dtype=float)
    if not np.all((start >= 0) & (start <= 1)):
        raise InputError(f"fluorine must lie between 0 and 1, got {fluorine!r}")
    try:
        return np.broadcast_to(start, shape)
    except ValueError:
        raise InputError(
            f"fluorine has shape {start.shape}: one value or one per device of {shape}"
        ) from None
