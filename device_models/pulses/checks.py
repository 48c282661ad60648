"""What is suspicious in a pulse measurement: warnings in words, the readings stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from device_models.pulses.noise import direction, noise_of
from device_models.pulses.types import FloatArray, Segment

FEW_PULSES = 10
MOST_OF_A_KIND = 5
# Shares of the range of a segment.
BACKWARD_SHARE = 0.10
OUTLIER_SHARE = 0.05
FLAT_SHARE = 0.01
GAP_SHARE = 0.20


def check_segments(segments: Sequence[Segment], quantity: str, unit: str) -> list[str]:
    """Warnings on conductances: single segments, then how they fit together; few of each kind."""
    if quantity == "resistance":
        # A share of the range of a resistance says little where it spans decades.
        segments = [replace(s, values=1 / s.values) for s in segments if s.values.all()]
    warnings: list[str] = []
    checks: tuple[Callable[[Segment], str | None], ...] = (
        _few_pulses,
        _wrong_direction,
        _runs_backwards,
        _is_flat_at_the_end,
        _has_outliers,
    )
    for check in checks:
        found = [f"{s.name}: {text}" for s in segments if (text := check(s))]
        warnings += _shortened(found)
    warnings += _shortened(list(_gaps(segments)))
    warnings += _shortened(list(_lengths(segments)))
    warnings += _branches(segments)
    if unit == "S" and (low := [s for s in segments if s.values.min() <= 0]):
        warnings.append(f"conductances of 0 or below in {len(low)} segments, first {low[0].name}")
    return warnings


def _shortened(warnings: list[str]) -> list[str]:
    more = len(warnings) - MOST_OF_A_KIND
    if more <= 0:
        return warnings
    return [*warnings[:MOST_OF_A_KIND], f"{more} more segments with the warning above"]


def _line(segment: Segment, index: int) -> str:
    return "" if segment.lines is None else f"line {segment.lines[index]}"


def _few_pulses(segment: Segment) -> str | None:
    n = segment.values.size
    return f"too few pulses: {n} readings, {FEW_PULSES} or more tell a shape" if n < 10 else None


def _towards(segment: Segment) -> FloatArray:
    """Readings turned so that they should rise."""
    return segment.values if segment.branch == "LTP" else -segment.values


def _wrong_direction(segment: Segment) -> str | None:
    if segment.values.size < 3 or direction(_towards(segment)) > -6:
        return None
    verb = "falls" if segment.branch == "LTP" else "rises"
    return f"the conductance {verb} along {segment.branch} pulses; check branch and quantity"


def _runs_backwards(segment: Segment) -> str | None:
    """A stretch that loses more than the noise and a tenth of the range, seen on running means."""
    values = _towards(segment)
    if values.size < FEW_PULSES or direction(values) <= -6:
        return None
    smooth = uniform_filter1d(values, 5, mode="nearest")
    highest = np.maximum.accumulate(smooth)
    end = int(np.argmax(highest - smooth))
    start = int(np.argmax(smooth[: end + 1]))
    loss = highest[end] - smooth[end]
    limit = max(BACKWARD_SHARE * np.ptp(smooth), 8 * noise_of(values) / np.sqrt(5))
    if end - start < 3 or loss <= limit:
        return None
    share = loss / np.ptp(smooth)
    return (
        f"not monotone: goes back by {share:.0%} of its range from {_line(segment, start)} to "
        f"{_line(segment, end)}"
    )


def _is_flat_at_the_end(segment: Segment) -> str | None:
    """The last third changes by less than a hundredth of the range, as far as noise lets see."""
    # On the logarithm: an LTD that falls by decades moves on long after it looks flat.
    values = np.log(segment.values) if segment.values.min() > 0 else segment.values
    third, span = values.size // 3, np.ptp(values)
    if third < 4 or span == 0:
        return None
    tail = values[-third:]
    half = third // 2
    change = abs(float(tail[-half:].mean() - tail[:half].mean()))
    error = noise_of(tail) * np.sqrt(2 / half)
    if max(change, error) > FLAT_SHARE * span:
        return None
    return f"saturated: the last {third} readings change by less than {FLAT_SHARE:.0%} of its range"


def _has_outliers(segment: Segment) -> str | None:
    values = segment.values
    if values.size < FEW_PULSES:
        return None
    off = np.abs(values - median_filter(values, 7, mode="nearest"))[3:-3]
    spread = 1.4826 * float(np.median(off))
    limit = max(8 * spread, OUTLIER_SHARE * float(np.ptp(values)))
    found = np.flatnonzero(off > limit) + 3
    if found.size == 0:
        return None
    where = ", ".join(_line(segment, int(i)) for i in found[:5])
    return f"{found.size} outliers: {where}{', ...' if found.size > 5 else ''}"


def _gaps(segments: Sequence[Segment]) -> Iterator[str]:
    """LTD that starts far from the end of the LTP of the same device, cycle and conditions."""
    for ltp, ltd in _pairs(segments):
        if ltd.pulses[0] != 0 or min(ltp.values.size, ltd.values.size) < 3:
            continue
        gap = abs(float(np.median(ltp.values[-3:]) - ltd.values[0]))
        span = float(max(np.ptp(ltp.values), np.ptp(ltd.values)))
        if gap > max(GAP_SHARE * span, 5 * max(noise_of(ltp.values), noise_of(ltd.values))):
            yield (
                f"{ltd.name}: starts {gap / span:.0%} of the range from where its LTP ends "
                f"({_line(ltd, 0)})"
            )


def _lengths(segments: Sequence[Segment]) -> Iterator[str]:
    for ltp, ltd in _pairs(segments):
        n, m = ltp.pulses[-1], ltd.pulses[-1]
        if abs(n - m) > 1:
            yield f"{ltp.name}: different branch lengths, LTP to pulse {n:g}, LTD to pulse {m:g}"


def _pairs(segments: Sequence[Segment]) -> list[tuple[Segment, Segment]]:
    """LTP with the LTD of the same device, cycle and conditions."""

    def key(s: Segment) -> tuple[object, ...]:
        amplitude = abs(s.amplitude_V) if isinstance(s.amplitude_V, float) else None
        return s.device, s.cycle, s.field_G, s.width_s, amplitude

    falling = {key(s): s for s in segments if s.branch == "LTD"}
    return [(s, falling[key(s)]) for s in segments if s.branch == "LTP" and key(s) in falling]


def _branches(segments: Sequence[Segment]) -> list[str]:
    branches = {s.branch for s in segments}
    if len(branches) == 2:
        return []
    return [f"only {branches.pop()} in the file; a card needs both branches"]
