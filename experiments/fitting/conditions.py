"""Several conditions in one measurement: which there are, and the readings of one of them.

A condition is what the file calls one ("300 K", a sheet), or the pulse where a branch was measured
with several amplitudes or widths. A card holds one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from device_models.pulses import PulseData, PulseDataError, Segment
from experiments.command.quantities import listed

NOT_STATED = "not stated"
"""Name of the condition of readings without one beside readings with one."""


def split_conditions(data: PulseData) -> dict[str, PulseData]:
    """The measurement under each condition by its name; empty where there is one condition."""
    named = _named(data)
    label: Callable[[Segment], str] = _name if len(named) > 1 else _pulse
    names = named if len(named) > 1 else _pulses(data)
    if len(names) < 2:
        return {}
    steady = {b for b in data.branches if len({label(s) for s in data.select(b)}) == 1}
    return {
        name: only(
            data,
            # A branch with one pulse for all, such as a reset, belongs to every condition.
            tuple(
                s
                for s in data.segments
                if label(s) == name or (len(named) < 2 and s.branch in steady)
            ),
        )
        for name in names
    }


def only(data: PulseData, kept: tuple[Segment, ...]) -> PulseData:
    """The measurement with some of its segments, without warnings about the others."""
    names = {s.name for s in data.segments} - {s.name for s in kept}
    warnings = tuple(w for w in data.warnings if not any(w.startswith(f"{n}:") for n in names))
    return replace(data, segments=kept, warnings=warnings)


def choose_condition(data: PulseData, name: str | None) -> PulseData:
    """The readings of one condition; PulseDataError where it is none, or has to be said."""
    parts = split_conditions(data)
    if name is None:
        if len(_named(data)) > 1:
            raise PulseDataError(
                f"{data.source}: readings under {len(parts)} conditions ({listed(parts)}), a card "
                f"holds one; give condition={next(iter(parts))!r}, or --each-condition for all"
            )
        return data
    if not parts:
        only = data.conditions
        if name in only:
            return data
        known = repr(only[0]) if only else "not named"
        raise PulseDataError(f"{data.source}: no condition {name!r}; the only one is {known}")
    found = [own for own in parts if _plain(own) == _plain(name)]
    if len(found) != 1:
        raise PulseDataError(
            f"{data.source}: no condition {name!r}; there are {listed(parts)}, "
            f"such as condition={next(iter(parts))!r}"
        )
    return parts[found[0]]


def pulse_note(data: PulseData) -> str | None:
    """How to fit the other pulses of a measurement with several, if it has several."""
    names = list(split_conditions(data))
    if not names or len(_named(data)) > 1:
        return None
    return (
        f"measured with {len(names)} pulses ({listed(dict.fromkeys(names))}); "
        f"condition={names[0]!r} fits one of them, --each-condition all"
    )


def file_part(name: str) -> str:
    """A condition's name as part of a file's name."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("_.") or "condition"


def _name(segment: Segment) -> str:
    return segment.condition or NOT_STATED


def _named(data: PulseData) -> list[str]:
    """Conditions the file names, in its order; readings without one are under one of their own."""
    return list(dict.fromkeys(_name(s) for s in data.segments))


def _pulses(data: PulseData) -> list[str]:
    """Names of the pulses where every branch has the same several, or one for all."""
    of = [list(dict.fromkeys(_pulse(s) for s in data.select(b))) for b in data.branches]
    several = [names for names in of if len(names) > 1]
    if not several or any(set(names) != set(several[0]) for names in several):
        return []
    return several[0]


def _pulse(segment: Segment) -> str:
    """Size and width of the pulse; stepped trains are one of their kind."""
    amplitude = segment.amplitude_V
    parts = []
    if isinstance(amplitude, int | float):
        parts.append(f"{abs(amplitude):g} V")
    elif amplitude is not None:
        parts.append("stepped")
    if segment.width_s is not None:
        parts.append(f"{segment.width_s:g} s")
    return ", ".join(parts) or "amplitude not stated"


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
