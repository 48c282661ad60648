"""Which readings curves are fitted to: the branches of a measurement, one pulse of each sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card import BRANCHES, Conditions
from device_models.errors import FieldCrossbarError
from device_models.fit.branch import Branch, shape_free
from device_models.fit.weighing import weighted
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]
Pulse = tuple[float | None, float | None]

MIN_READINGS = 4


class FitError(FieldCrossbarError, ValueError):
    """A measurement no card can be made of; the message is one line."""


def select_branches(data: PulseData) -> tuple[list[Branch], Conditions, list[str]]:
    """Branches to fit, the conditions they were taken under, and warnings.

    A card holds one pulse of each sign: where the data have several amplitudes or widths, the
    pair with the most readings is taken. Raises FitError, one line, also for readings under several
    conditions.
    """
    warnings: list[str] = []
    conditions = _other_conditions(data)
    chosen: dict[str, list[Segment]] = {}
    for branch in BRANCHES:
        own = [s for s in data.segments if s.branch == branch]
        if not own:
            continue
        pulse, chosen[branch], left = _one_pulse(own)
        if left:
            warnings.append(
                f"{branch}: several pulses in the file; fitted: {_pulse_name(pulse)}, "
                f"left out: {', '.join(_pulse_name(p) for p in left)}"
            )
        conditions |= _conditions(branch, chosen[branch])
    if any(s.field_G is None for own in chosen.values() for s in own):
        warnings.append("the file states no magnetic field; the card says 0 G")
    by_field: dict[tuple[float, str], list[Segment]] = {}
    for branch, own in chosen.items():
        for s in own:
            by_field.setdefault((s.field_G or 0.0, branch), []).append(s)
    firsts = {b: min(float(s.pulses.min()) for s in own) for b, own in chosen.items()}
    order = sorted(by_field, key=lambda key: (key[0], BRANCHES.index(key[1])))
    branches = [_branch(b, f, by_field[f, b], data, firsts[b]) for f, b in order]
    for branch, first in firsts.items():
        if first:
            conditions[f"{branch.lower()}_first_pulse"] = first
    return branches, Conditions(**conditions), warnings


def _other_conditions(data: PulseData) -> dict[str, Any]:
    """What the readings were taken under beside field and pulses; FitError for several names."""
    if len(data.conditions) > 1:
        names = ", ".join(data.conditions[:5])
        raise FitError(
            f"{data.source}: readings under {len(data.conditions)} conditions ({names}), a card "
            f"holds one; in Python data.under({data.conditions[0]!r}) is one of them"
        )
    conditions: dict[str, Any] = {"condition": data.conditions[0]} if data.conditions else {}
    if data.read_voltage_V is not None:
        conditions["read_voltage_V"] = data.read_voltage_V
    if data.temperature_K is not None and data.temperature_K > 0:
        conditions["temperature_K"] = data.temperature_K
    return conditions


def check_complete(data: PulseData) -> None:
    """Raise FitError, one line, where LTP or LTD readings are missing at one of the fields."""
    fields: dict[str, set[float]] = {b: set() for b in BRANCHES}
    for s in data.segments:
        fields[s.branch].add(s.field_G or 0.0)
    for branch, other in (BRANCHES, BRANCHES[::-1]):
        if not fields[branch]:
            there = [s for s in data.segments if s.branch == other]
            raise FitError(
                f"{data.source}: no {branch} readings, only {other} "
                f"({sum(s.values.size for s in there)} readings); a card needs both branches"
            )
        missing = sorted(fields[other] - fields[branch])
        if missing:
            raise FitError(
                f"{data.source}: no {branch} readings at {missing[0]:g} G; a card needs both "
                f"branches at every field"
            )


def _branch(
    branch: str, field_G: float, segments: Sequence[Segment], data: PulseData, first: float
) -> Branch:
    """Readings of one branch at one field; pulses count from the number `first` of the file."""
    segments = sorted(segments, key=lambda s: (s.device, s.cycle))
    pulses = np.concatenate([s.pulses for s in segments]) - first
    values = _conductance(np.concatenate([s.values for s in segments]), data, branch, field_G)
    if len(np.unique(pulses)) < MIN_READINGS:
        raise FitError(
            f"{data.source}: {branch} at {field_G:g} G: readings at {len(np.unique(pulses))} pulse "
            f"numbers, a curve needs {MIN_READINGS} or more"
        )
    clusters = tuple(dict.fromkeys((s.device, s.cycle) for s in segments))
    number = {c: i for i, c in enumerate(clusters)}
    cluster = np.concatenate([np.full(s.values.size, number[s.device, s.cycle]) for s in segments])
    draft = Branch(
        branch, field_G, tuple(segments), pulses, values, np.ones_like(values), cluster, clusters
    )
    for _ in range(2):
        _check_direction(draft, data.source)
        draft = weighted(draft)
    return replace(draft, first_pulse=first)


def _conductance(values: FloatArray, data: PulseData, branch: str, field_G: float) -> FloatArray:
    if data.quantity != "resistance":
        return values
    if np.any(values <= 0):
        raise FitError(
            f"{data.source}: {branch} at {field_G:g} G: a resistance of 0 or below has no "
            f"conductance"
        )
    return 1 / values


def _check_direction(branch: Branch, source: str) -> None:
    """The response must move at all, and the way of its branch."""
    points = branch.points()
    here = branch.pilot(points.pulses)
    change = branch.direction * float(here[-1] - here[0])
    largest = float(np.abs(points.values).max())
    wrong = shape_free(points, -branch.direction)
    misfit = float(points.weights @ (here - points.values) ** 2)
    other = float(points.weights @ (wrong(points.pulses) - points.values) ** 2)
    if change <= 1e-9 * largest or other < 0.5 * misfit:
        raise FitError(
            f"{source}: {branch.name}: the conductance does not {branch.verb} along "
            f"{branch.branch} pulses; check branch and quantity"
        )


def _one_pulse(segments: list[Segment]) -> tuple[Pulse, list[Segment], list[Pulse]]:
    """The pulse (amplitude, width) with the most readings, its segments, the pulses left out."""

    def pulse(s: Segment) -> Pulse:
        amplitude = s.amplitude_V if isinstance(s.amplitude_V, float | int) else None
        return amplitude, s.width_s

    readings: Counter[Pulse] = Counter()
    for s in segments:
        readings[pulse(s)] += s.values.size
    chosen = max(readings, key=lambda p: (readings[p], abs(p[0] or 0.0), p[1] or 0.0))
    left = [p for p in readings if p != chosen]
    return chosen, [s for s in segments if pulse(s) == chosen], left


def _pulse_name(pulse: Pulse) -> str:
    amplitude, width = pulse
    text = "amplitude not stated" if amplitude is None else f"{amplitude:g} V"
    return text if width is None else f"{text}, {width:g} s"


def _conditions(branch: str, segments: list[Segment]) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    key = branch.lower()
    first = segments[0]
    if isinstance(first.amplitude_V, np.ndarray):
        # A state before the first pulse was driven by 0 V.
        driven = first.amplitude_V[first.amplitude_V != 0]
        conditions[f"{key}_amplitudes_V"] = [float(driven[0]), float(driven[-1])]
    elif first.amplitude_V is not None:
        conditions[f"{key}_amplitude_V"] = float(first.amplitude_V)
    if first.width_s is not None:
        conditions[f"{key}_pulse_width_s"] = float(first.width_s)
    return conditions
