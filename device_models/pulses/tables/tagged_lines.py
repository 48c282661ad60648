"""The lines of a table that lies on its side, by what their tags are, and their traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from device_models.pulses.table import Source
from device_models.pulses.tables.programming import Told
from device_models.pulses.tables.row_traces import Trace, trimmed
from device_models.pulses.tables.settings import read_settings
from device_models.pulses.tables.tag_lines import Line

UNITS = {"field_G": "field (G)", "amplitude_V": "amplitude (V)", "width_s": "width (s)"}


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines that belong to the table, by what their tags are."""

    all: Sequence[Line]
    source: Source
    told: Told

    def of(self, *roles: str) -> list[Line]:
        """Lines whose tag has one of these roles, in the order of the file."""
        return [line for line in self.all if line.role in roles]

    @property
    def pulses(self) -> list[Line]:
        """Lines of pulse numbers."""
        return self.of("pulse")

    @property
    def named(self) -> list[Line]:
        """Lines whose tags are no known word: names of devices, if anything."""
        return self.of("unknown")

    @property
    def pulses_differ(self) -> bool:
        """Lines state other pulses for one branch than lines above them."""
        said = {line.line: tuple(pulse_labels(line).items()) for line in self.all if line.settings}
        branches = {_branch(line) for line in self.all if line.line in said}
        kinds = {(_branch(line), said[line.line]) for line in self.all if line.line in said}
        return len(kinds) > len(branches)

    def traces(self) -> Iterator[Trace]:
        """Every line of readings, those of named devices too, in the order of the file."""
        with_pulses = self.pulses_differ
        for line in self.all:
            if line.role == "value":
                yield _trace(line, self.source, with_pulses)
            elif line.role == "unknown":
                yield _of_device(line)


def _trace(line: Line, source: Source, with_pulses: bool) -> Trace:
    """The line as a trace with the labels of its tag, and what it states about its own pulses."""
    heading = line.heading
    assert heading is not None
    labels = _cells(pulse_labels(line), source) if with_pulses else {}
    if line.owner:
        labels["device"] = line.owner
    for name in ("branch", "device", "cycle"):
        if getattr(heading, name) is not None:
            labels[name] = str(getattr(heading, name))
    for name, column in UNITS.items():
        if getattr(heading, name) is not None:
            labels |= _cells({column: getattr(heading, name)}, source)
    if heading.number is not None:
        labels.setdefault("cycle" if heading.branch else "device", heading.number)
    return trimmed(Trace(line.line, line.cells, line.fields, labels, heading))


def pulse_labels(line: Line) -> dict[str, float]:
    """Amplitude [V] and width [s] by heading, as a line states them for its own branch."""
    stated, branch = read_settings([line.settings]), _branch(line)
    values = {
        UNITS["amplitude_V"]: stated.amplitude_of(branch),
        UNITS["width_s"]: stated.width_of(branch),
    }
    return {name: value for name, value in values.items() if value is not None}


def _branch(line: Line) -> str:
    return (line.heading.branch or "") if line.heading else ""


def _cells(values: Mapping[str, float], source: Source) -> dict[str, str]:
    return {name: f"{value:g}".replace(".", source.decimal) for name, value in values.items()}


def _of_device(line: Line) -> Trace:
    return trimmed(Trace(line.line, line.cells, line.fields, {"device": line.tag[:40]}))
