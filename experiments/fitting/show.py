"""`fit_device --show`: how a file was understood, before any fit, as tables and a small plot."""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from device_models.files import check_outputs, write_together
from device_models.plain_text import visible
from device_models.pulses import PulseData, Segment
from experiments.command.quantities import count, numbered, si, span, spans_decades
from experiments.command.severity import Severity, severity_of
from experiments.command.spoken import spoken
from experiments.command.text_plot import Panel, text_plot
from experiments.figures.show import draw_readings
from experiments.figures.style import png
from experiments.fitting.conditions import split_conditions
from experiments.fitting.fit_input import choose, read
from experiments.fitting.fit_options import inputs

MOST_ROWS = 24
"""Segments are put together until the table has no more rows than this."""

MOST_COLUMNS = 24
LEAST_WIDTH, MOST_WIDTH = 60, 120
PLOT_ROWS = 10
OPTIONS = (
    ("a column is something else, or none", "--column '2=G (uS)'  --column '3='"),
    ("columns are cycles, devices, conditions", "--wide-of cycle"),
    ("only some rows count", "--where step=read"),
    ("quantity and unit", "--quantity current --unit nA --read-voltage 0.1"),
    ("one device, cycle or condition of several", "--device NAME  --cycle 1  --condition NAME"),
    ("the other branch is in another file", "--ltp FILE --ltd FILE"),
)
BRANCHES = {("LTP", "LTD"): "LTP and LTD", ("LTP",): "LTP only", ("LTD",): "LTD only"}


def show(given: argparse.Namespace) -> str:
    """How the file of a command is understood; draws the picture where one is asked for."""
    picture = Path(given.show) if given.show else None
    if picture is not None:
        check_outputs([picture], overwrite=given.overwrite, inputs=inputs(given))
    data = read(given)
    if given.device or given.cycle is not None or given.condition:
        data = choose(data, given)
    text = describe(data)
    if picture is None:
        return text
    image = png(draw_readings(data))
    write_together({picture: image}, overwrite=given.overwrite, inputs=inputs(given))
    return f"{text}\n\nPicture: {picture}"


def describe(data: PulseData, width: int | None = None) -> str:
    """How a measurement was understood, in lines of at most `width` characters."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    width = min(max(width, LEAST_WIDTH), MOST_WIDTH)
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    _print(console, _head_lines(data))
    if data.columns:
        console.print(_columns_table(data))
    console.print(_segments_table(data))
    _print(console, [""])
    for line in plot_lines(data, width):
        console.print(Text(line), soft_wrap=True)
    if data.warnings:
        _print(console, ["", "What is left out or suspicious"])
        _print_warnings(console, data.warnings)
    _print(console, ["", "If this is wrong"])
    console.print(_options_table())
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines)


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(Text(visible(line)))


def _print_warnings(console: Console, warnings: Sequence[str]) -> None:
    """Warnings in the words of the command line, the loudest first, indented where they wrap."""
    table = Table.grid(padding=(0, 1))
    for warning in sorted(dict.fromkeys(warnings), key=lambda w: -severity_of(w)):
        mark = "-" if severity_of(warning) == Severity.NOTE else "!"
        table.add_row(f" {mark}", Text(visible(spoken(warning))))
    console.print(table)


def _head_lines(data: PulseData) -> list[str]:
    unit = {"1": "arbitrary units"}.get(data.unit, data.unit)
    files = list(dict.fromkeys(s.file for s in data.segments if s.file))
    where = f"{count(len(files), 'file')}: {', '.join(files[:6])}" if files else data.source
    many = [count(data.n_readings, "reading"), count(len(data.segments), "segment")]
    many += [count(len(data.devices), "device"), count(len(data.cycles), "cycle")]
    lines = [f"{where}{', ...' if len(files) > 6 else ''}"]
    lines += [f"{data.quantity} in {unit}, {BRANCHES[data.branches]}: {', '.join(many)}"]
    if data.read_noise is not None:
        lines.append(f"a single read scatters by {si(data.read_noise, data.unit)}")
    if conditions := list(split_conditions(data)):
        lines.append(
            f"{count(len(conditions), 'condition')}: {', '.join(conditions[:8])}; a card holds "
            "one: --condition NAME or --each-condition"
        )
    return [*lines, ""]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _columns_table(data: PulseData) -> Table:
    table = _table("Columns", "", "column", "taken as")
    for i, column in enumerate(data.columns[:MOST_COLUMNS], 1):
        table.add_row(str(i), Text(visible(column.name)), Text(visible(column.use)))
    if len(data.columns) > MOST_COLUMNS:
        table.add_row("", f"{len(data.columns) - MOST_COLUMNS} more", "")
    table.add_row("", "", "")
    return table


Key = Callable[[Segment], tuple[str, ...]]


COLUMNS = ("branch", "device", "cycle", "condition", "n", "pulses", "first", "last", "lines")


def _segments_table(data: PulseData) -> Table:
    """One row a segment, or a row for several where there would be too many."""
    groups = grouped(data.segments)
    rows = [_row(own, data.unit) for own in groups[:MOST_ROWS]]
    if len(groups) > MOST_ROWS:
        rest = [s for own in groups[MOST_ROWS:] for s in own]
        more = f"{len(groups) - MOST_ROWS} more rows", f"{sum(s.values.size for s in rest):,}"
        rows.append((more[0], "", "", "", more[1], "", "", "", ""))
    told = [i for i, name in enumerate(COLUMNS) if name != "condition" or any(r[i] for r in rows)]
    table = _table("Branches", *(COLUMNS[i] for i in told))
    for row in rows:
        table.add_row(*(Text(visible(row[i])) for i in told))
    return table


def grouped(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments by branch, condition, device and cycle, less of these where they are too many."""
    keys: tuple[Key, ...] = (
        lambda s: (s.branch, s.file, _condition(s), s.device, str(s.cycle)),
        lambda s: (s.branch, _condition(s), s.device),
        lambda s: (s.branch, _condition(s)),
    )
    groups: dict[tuple[str, ...], list[Segment]] = {}
    for key in keys:
        groups = {}
        for segment in segments:
            groups.setdefault(key(segment), []).append(segment)
        if len(groups) <= MOST_ROWS:
            break
    return list(groups.values())


def _row(segments: Sequence[Segment], unit: str) -> tuple[str, ...]:
    """Cells of the table for segments of one branch."""
    sizes = [s.values.size for s in segments]
    firsts, lasts = ([float(s.values[i]) for s in segments] for i in (0, -1))
    devices = list(dict.fromkeys(s.device for s in segments))
    pulses = [float(f(s.pulses)) for f in (np.min, np.max) for s in segments]
    return (
        segments[0].branch,
        devices[0] if len(devices) == 1 else f"{len(devices)} devices",
        numbered(sorted({s.cycle for s in segments})),
        _condition(segments[0]),
        _whole(min(sizes), max(sizes)) + (f" x {len(segments)}" if len(segments) > 1 else ""),
        f"{min(pulses):g} to {max(pulses):g}",
        span(min(firsts), max(firsts), unit, 4),
        span(min(lasts), max(lasts), unit, 4),
        _lines(segments),
    )


def _whole(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _lines(segments: Sequence[Segment]) -> str:
    """Lines of the file the readings stand in, with the file where there are several."""
    lines = [s.lines for s in segments if s.lines is not None and s.lines.size]
    files = list(dict.fromkeys(s.file for s in segments if s.file))
    text = _whole(min(int(n.min()) for n in lines), max(int(n.max()) for n in lines))
    return f"{text}{' of ' + files[0] if len(files) == 1 else ''}" if lines else ""


def _condition(segment: Segment) -> str:
    """Condition, field, amplitude and width of a segment, as far as they are known."""
    parts = [segment.condition] if segment.condition else []
    if segment.field_G is not None:
        parts.append(f"{segment.field_G:g} G")
    if segment.amplitude_V is not None:
        volts = np.ravel(segment.amplitude_V)
        parts.append(" to ".join(f"{v:g}" for v in dict.fromkeys((volts[0], volts[-1]))) + " V")
    if segment.width_s is not None:
        parts.append(f"{segment.width_s:g} s")
    return ", ".join(parts)


def _options_table() -> Table:
    table = Table.grid(padding=(0, 1))
    for what, option in OPTIONS:
        table.add_row(f"  {what}:", option)
    return table


def plot_lines(data: PulseData, width: int) -> list[str]:
    """Readings against pulse number, LTP and LTD side by side over one axis."""
    values = np.concatenate([s.values for s in data.segments])
    low, high = float(values.min()), float(values.max())
    logarithmic = spans_decades(values)
    scale = np.log10 if logarithmic else np.asarray
    labels = si(high, data.unit), si(low, data.unit) + (" (log)" if logarithmic else "")
    margin = max(map(len, labels)) + 1
    own = (width - margin - 2) // max(len(data.branches), 1) - 3
    panels = [_panel(data, branch, scale) for branch in data.branches]
    ends = float(scale(low)), float(scale(high))
    return text_plot(panels, *ends, labels, (min(own, 60), PLOT_ROWS))


def _panel(data: PulseData, branch: str, scale: Callable[..., np.ndarray]) -> Panel:
    segments = data.select(branch)
    x = np.concatenate([s.pulses for s in segments])
    y = scale(np.concatenate([s.values for s in segments]))
    return Panel(branch, x, y, f"pulse {x.min():g}", f"{x.max():g}")
