"""The measurement a command asks for: its files read, then one device, cycle or condition of it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from device_models.pulses import PulseData, PulseDataError, read_branches, read_pulses
from experiments.command.quantities import listed
from experiments.fitting.conditions import choose_condition, only, pulse_note
from experiments.fitting.fit_options import reader_options


def read(given: argparse.Namespace) -> PulseData:
    """Everything the files hold. Raises PulseDataError."""
    options = reader_options(given)
    if given.data is not None:
        return read_pulses(given.data, **options)
    return read_branches(given.ltp, given.ltd, files_are=given.files_are, **options)


def choose(data: PulseData, given: argparse.Namespace) -> PulseData:
    """The device, cycle and condition asked for; PulseDataError where there is none such.

    A device that the file does not name takes the name given.
    """
    data = _of_cycle(_of_device(data, given.device), given.cycle)
    if given.each_condition:
        return data
    chosen = choose_condition(data, given.condition)
    note = pulse_note(chosen)
    return replace(chosen, warnings=(*chosen.warnings, note)) if note else chosen


def _of_device(data: PulseData, device: str | None) -> PulseData:
    if device is None:
        return data
    if device not in data.devices and data.devices == ("1",):
        return replace(data, segments=tuple(replace(s, device=device) for s in data.segments))
    kept = data.select(device=device)
    if not kept:
        raise PulseDataError(
            f"{data.source}: no device {device!r}; there are {listed(data.devices)}"
        )
    return only(data, kept)


def _of_cycle(data: PulseData, cycle: int | None) -> PulseData:
    if cycle is None:
        return data
    kept = data.select(cycle=cycle)
    if not kept:
        cycles = listed(data.cycles)
        raise PulseDataError(f"{data.source}: no cycle {cycle}; there are {cycles}")
    return only(data, kept)
