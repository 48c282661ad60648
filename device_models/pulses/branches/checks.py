"""What is suspicious in a pulse measurement: warnings in words, the readings stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from device_models.pulses.branches.directions import (
    goes_nowhere,
    reversed_order,
    towards,
    wrong_direction,
)
from device_models.pulses.branches.noise import direction, noise_of
from device_models.pulses.types import FloatArray, Segment

FEW_PULSES = 10
MOST_OF_A_KIND = 5
# Shares of the range of a segment.
BACKWARD_SHARE = 0.10
OUTLIER_SHARE = 0.05
FLAT_SHARE = 0.01
GAP_SHARE = 0.20
DRIFT_SHARE = 0.05
# A correlation with the cycle number over its standard error, and cycles it needs.
DRIFT_SCORE = 5.0
FEWEST_CYCLES = 5


def check_segments(segments: Sequence[Segment], quantity: str, unit: str) -> list[str]:
    """Warnings on conductances: single segments, then how they fit together; few of each kind."""
    if quantity == "resistance":
        # A share of the range of a resistance says little where it spans decades.
        segments = [replace(s, values=1 / s.values) for s in segments if s.values.all()]
    warnings: list[str] = []
    checks: tuple[Callable[[Segment], str | None], ...] = (
        _few_pulses,
        wrong_direction,
        goes_nowhere,
        _runs_backwards,
        _is_flat_at_the_end,
        _has_outliers,
        _is_stepped,
    )
    for check in checks:
        found = [f"{s.name}: {text}" for s in segments if (text := check(s))]
        warnings += few_of_each(found)
    warnings += reversed_order(segments)
    warnings += few_of_each(list(_gaps(segments)))
    warnings += few_of_each(list(_lengths(segments)))
    warnings += few_of_each(list(_drifts(segments)))
    warnings += _apart(segments)
    warnings += _branches(segments)
    if unit == "S" and (low := [s for s in segments if s.values.min() <= 0]):
        count = sum(int(np.sum(s.values <= 0)) for s in low)
        warnings.append(
            f"conductances of 0 or below in {len(low)} segments ({count} readings), first "
            f"{low[0].name}"
        )
    return warnings


def few_of_each(warnings: list[str]) -> list[str]:
    """The first few warnings of a kind, and how many more there are."""
    more = len(warnings) - MOST_OF_A_KIND
    if more <= 0:
        return warnings
    return [*warnings[:MOST_OF_A_KIND], f"{more} more segments with the warning above"]


def _line(segment: Segment, index: int) -> str:
    return "" if segment.lines is None else f"line {segment.lines[index]}"


def _few_pulses(segment: Segment) -> str | None:
    n = segment.values.size
    return f"too few pulses: {n} readings, {FEW_PULSES} or more tell a shape" if n < 10 else None


def _runs_backwards(segment: Segment) -> str | None:
    """A stretch that loses more than the noise and a tenth of the range, seen on running means."""
    values = towards(segment)
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
    """A branch that starts far from the end of the one before it in the same cycle."""
    for before, after in (_in_time(*pair) for pair in _pairs(segments)):
        if after.pulses[0] != 0 or min(before.values.size, after.values.size) < 3:
            continue
        gap = abs(float(np.median(before.values[-3:]) - after.values[0]))
        span, noise = (max(f(before.values), f(after.values)) for f in (np.ptp, noise_of))
        if gap > max(GAP_SHARE * span, 5 * noise):
            yield (
                f"{after.name}: starts {gap / np.ptp(after.values):.0%} of its range from where "
                f"its {before.branch} ends ({_line(after, 0)})"
            )


def _in_time(ltp: Segment, ltd: Segment) -> tuple[Segment, Segment]:
    """The two branches of a cycle as they follow each other; LTP first where nothing tells."""
    if ltp.file != ltd.file or ltp.lines is None or ltd.lines is None:
        return ltp, ltd
    return (ltd, ltp) if ltd.lines.max() <= ltp.lines.min() else (ltp, ltd)


def _lengths(segments: Sequence[Segment]) -> Iterator[str]:
    for ltp, ltd in _pairs(segments):
        n, m = ltp.pulses[-1], ltd.pulses[-1]
        if abs(n - m) > 1:
            text = f"different branch lengths, LTP to pulse {n:g}, LTD to pulse {m:g}"
            yield f"{ltp.name}: {text}{_longer_is_flat(ltp, ltd)}"


def _longer_is_flat(ltp: Segment, ltd: Segment) -> str:
    """What is to be said of a longer branch that does not move past the end of the other."""
    short, long = sorted((ltp, ltd), key=lambda s: float(s.pulses[-1]))
    more = long.values[long.pulses > short.pulses[-1]]
    if more.size < FEW_PULSES or np.ptp(more) > 8 * max(noise_of(more), 1e-3 * np.ptp(long.values)):
        return ""
    if abs(direction(more)) > 4:
        return ""
    return (
        f"; the last {more.size} readings of the {long.branch} no longer move: saturated, or at "
        f"rest without pulses"
    )


def _is_stepped(segment: Segment) -> str | None:
    amplitude = segment.amplitude_V
    if not isinstance(amplitude, np.ndarray):
        return None
    driven = amplitude[amplitude != 0]
    if np.unique(driven).size < 2:
        return None
    return (
        f"the amplitude is stepped from {driven[0]:g} to {driven[-1]:g} V: the response to the "
        f"pulse number is that to this ramp"
    )


def _drifts(segments: Sequence[Segment]) -> Iterator[str]:
    """Level or range of a branch that changes with the cycle number."""
    kinds: dict[tuple[object, ...], list[Segment]] = {}
    for s in segments:
        amplitude = s.amplitude_V if isinstance(s.amplitude_V, float) else None
        key = (s.branch, s.device, s.field_G, s.width_s, amplitude, s.condition, s.file)
        kinds.setdefault(key, []).append(s)
    for found in kinds.values():
        cycles = np.array([s.cycle for s in found], dtype=float)
        if len(found) < FEWEST_CYCLES or np.ptp(cycles) == 0:
            continue
        ends = np.array([[np.median(s.values[:3]), np.median(s.values[-3:])] for s in found])
        span = float(np.mean([np.ptp(s.values) for s in found]))
        own = replace(found[0], cycle=0).name.replace(", cycle 0", "")
        for what, trend in (("level", ends.mean(axis=1)), ("range", abs(ends[:, 1] - ends[:, 0]))):
            text = _trend(cycles, trend, span)
            if text:
                yield f"{own}: its {what} {text}"


def _trend(cycles: FloatArray, values: FloatArray, span: float) -> str | None:
    """How values change with the cycle number where they clearly do."""
    if span == 0 or np.ptp(values) < 1e-12 * span or np.ptp(values) == 0:
        return None
    cycles = (cycles - cycles.mean()) / np.ptp(cycles)
    values = (values - values.mean()) / span
    slope = float(np.dot(cycles, values) / np.dot(cycles, cycles))
    r = slope * float(np.std(cycles) / np.std(values))
    share = abs(slope)
    score = abs(r) * np.sqrt((cycles.size - 2) / max(1 - r**2, 1e-12))
    if score < DRIFT_SCORE or share < DRIFT_SHARE:
        return None
    verb = "rises" if slope > 0 else "falls"
    return (
        f"{verb} with the cycle number (r = {r:.2f}, {share:.0%} of its range over "
        f"{cycles.size} cycles)"
    )


def _apart(segments: Sequence[Segment]) -> Iterator[str]:
    """Readings that are not one pulse apart."""
    steps = [float(np.median(np.diff(s.pulses))) if s.pulses.size > 1 else 1.0 for s in segments]
    far = [(s, step) for s, step in zip(segments, steps, strict=True) if step > 1]
    if far:
        yield (
            f"{len(far)} segments have readings more than one pulse apart, first {far[0][0].name} "
            f"({far[0][1]:g} pulses): the noise of single pulses cannot be known"
        )


def _pairs(segments: Sequence[Segment]) -> list[tuple[Segment, Segment]]:
    """LTP with the LTD of the same device, cycle and conditions."""

    def key(s: Segment) -> tuple[object, ...]:
        amplitude = abs(s.amplitude_V) if isinstance(s.amplitude_V, float) else None
        return s.device, s.cycle, s.field_G, s.width_s, amplitude, s.condition

    falling = {key(s): s for s in segments if s.branch == "LTD"}
    return [(s, falling[key(s)]) for s in segments if s.branch == "LTP" and key(s) in falling]


def _branches(segments: Sequence[Segment]) -> list[str]:
    branches = {s.branch for s in segments}
    if len(branches) == 2:
        return []
    return [f"only {branches.pop()} in the file; a card needs both branches"]
