"""What reading a pulse measurement gives: segments, the data set, and the one error it raises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from device_models.errors import FieldCrossbarError
from device_models.plain_text import message

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class PulseDataError(FieldCrossbarError, ValueError):
    """A measurement that cannot be read: one line with file, line, column and what is wrong."""

    def __init__(self, text: str):
        super().__init__(message(text))


def note_once(warnings: list[str], text: str) -> None:
    """Add a warning that is not there yet."""
    if text not in warnings:
        warnings.append(text)


def common(values: Iterable[float | None]) -> float | None:
    """The one value among `values` that are stated; None where none is, or several are."""
    stated = {v for v in values if v is not None}
    return stated.pop() if len(stated) == 1 else None


def show(cell: str) -> str:
    """A cell as quoted text, cut to a length that fits a message."""
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What readings belong to, as far as a heading or an option says it; None where it does not."""

    branch: str | None = None
    device: str | None = None
    cycle: int | None = None
    field_G: float | None = None
    amplitude_V: float | None = None
    width_s: float | None = None
    condition: str | None = None

    @property
    def labelled(self) -> bool:
        """Whether any label is given."""
        return any(getattr(self, f.name) is not None for f in fields(Labels))


@dataclass(frozen=True, eq=False)
class Segment:
    """One uninterrupted LTP or LTD stretch of one device in one cycle.

    `pulses` and `values` have shape (n,); `pulses` counts within the branch, 0 is the state before
    its first pulse where the file has it. `values` are in `PulseData.unit`, `amplitude_V` is one
    number or shape (n,) for amplitude-stepped trains; `lines`, shape (n,), are lines of the file.
    `condition` names what else the readings were taken under, as the file calls it ("300 K", the
    name of a sheet); `file` is the file they stand in where several were read together.
    """

    branch: str
    pulses: FloatArray
    values: FloatArray
    device: str = "1"
    cycle: int = 1
    field_G: float | None = None
    amplitude_V: float | FloatArray | None = None
    width_s: float | None = None
    lines: IntArray | None = None
    condition: str = ""
    file: str = ""

    @property
    def name(self) -> str:
        """How messages call the segment: branch, device, cycle and the conditions it has."""
        text = f"{self.branch} of device {self.device}, cycle {self.cycle}"
        if self.field_G is not None:
            text += f", {self.field_G:g} G"
        if isinstance(self.amplitude_V, float):
            text += f", {self.amplitude_V:g} V"
        if self.width_s is not None:
            text += f", {self.width_s:g} s"
        return f"{text}, {self.condition}" if self.condition else text


@dataclass(frozen=True)
class ColumnUse:
    """How one column of a file was understood: its name, and its use in words."""

    name: str
    use: str


@dataclass(frozen=True, eq=False)
class PulseData:
    """A pulse measurement: quantity ("resistance" or "conductance"), unit ("ohm", "S" or "1").

    `sha256` is that of the file's bytes. `warnings` name what is suspicious and what was left out,
    one line each; the readings themselves are never changed. `columns` say how each column was
    understood. `read_noise` is the std of a single read where each state was read several times,
    in `unit`; None where it was read once. `read_voltage_V` and `temperature_K` are what the file
    or the options state, None where they do not or state several.
    """

    quantity: str
    unit: str
    segments: tuple[Segment, ...]
    source: str
    sha256: str
    warnings: tuple[str, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    read_noise: float | None = None
    read_voltage_V: float | None = None
    temperature_K: float | None = None

    def select(
        self,
        branch: str | None = None,
        device: str | None = None,
        cycle: int | None = None,
        field_G: float | None = None,
        condition: str | None = None,
    ) -> tuple[Segment, ...]:
        """Segments that match every argument given, in the order of the file."""
        return tuple(
            s
            for s in self.segments
            if (branch is None or s.branch == branch)
            and (device is None or s.device == str(device))
            and (cycle is None or s.cycle == cycle)
            and (field_G is None or s.field_G == field_G)
            and (condition is None or s.condition == condition)
        )

    def under(self, condition: str) -> PulseData:
        """The measurement under one of its `conditions`; PulseDataError where it is none."""
        kept = self.select(condition=condition)
        if not kept:
            known = ", ".join(map(repr, self.conditions)) or "none"
            raise PulseDataError(
                f"{self.source}: no condition {show(condition)}; conditions are {known}"
            )
        return replace(self, segments=kept)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches there are, LTP before LTD."""
        return tuple(b for b in ("LTP", "LTD") if any(s.branch == b for s in self.segments))

    @property
    def devices(self) -> tuple[str, ...]:
        """Device labels in the order of the file."""
        return tuple(dict.fromkeys(s.device for s in self.segments))

    @property
    def cycles(self) -> tuple[int, ...]:
        """Cycle numbers, rising."""
        return tuple(sorted({s.cycle for s in self.segments}))

    @property
    def fields_G(self) -> tuple[float, ...]:
        """Fields the file states, rising [G]; empty where it states none."""
        return tuple(sorted({s.field_G for s in self.segments if s.field_G is not None}))

    @property
    def amplitudes_V(self) -> tuple[float, ...]:
        """Amplitudes the file states, rising [V]."""
        given = [np.ravel(s.amplitude_V) for s in self.segments if s.amplitude_V is not None]
        return tuple(np.unique(np.concatenate([np.empty(0), *given])).tolist())

    @property
    def widths_s(self) -> tuple[float, ...]:
        """Pulse widths the file states, rising [s]."""
        return tuple(sorted({s.width_s for s in self.segments if s.width_s is not None}))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions beside field, amplitude and width that the file states, in its order."""
        return tuple(dict.fromkeys(s.condition for s in self.segments if s.condition))

    @property
    def n_readings(self) -> int:
        """Readings in all segments; one shared by two branches counts in both."""
        return sum(s.values.size for s in self.segments)
