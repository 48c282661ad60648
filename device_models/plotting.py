"""The figure of a card: conductance or resistance against the pulse number.

The only module here that imports matplotlib; `DeviceCard.plot` imports it when it is called.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from device_models.card import BRANCHES, DeviceCard
from device_models.errors import InputError
from device_models.plain_text import one_line

__all__ = ["Figure", "draw_card", "si_scale"]

FloatArray = NDArray[np.float64]
Values = Callable[[str, float], FloatArray]
"""Values of a branch at a field [G] at every pulse drawn."""

MAX_FIELDS = 8
MAX_PULSES = 512
MAX_TITLE = 170
SYMBOLS = {"S": "S", "ohm": "Ω"}
PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def draw_card(card: DeviceCard, quantity: str = "conductance") -> Figure:
    """LTP and LTD curves of `card`, one line a field [G], at most eight fields evenly chosen.

    With several fields a second row shows the change that the field makes [%]. `quantity`:
    "conductance" or "resistance". Raises InputError for another one, and where a conductance of
    0 or below has no resistance.
    """
    fields = _evenly(card.fields_G, MAX_FIELDS)
    pulses = np.unique(np.linspace(0, card.n_pulses, min(card.n_pulses, MAX_PULSES) + 1).round())
    value = _values(card, quantity, pulses)
    values = {(b, field_G): value(b, field_G) for b in BRANCHES for field_G in fields}
    rows = 2 if len(fields) > 1 and all(np.all(v > 0) for v in values.values()) else 1
    figure = Figure(figsize=(9, 1.2 + 2.6 * rows), layout="constrained")
    # A stranger's title is text, not mathematics.
    figure.suptitle(_title(card), fontsize=10, parse_math=False)
    panels = figure.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
    unit, factor = si_scale(_unit(card, quantity), max(np.abs(v).max() for v in values.values()))
    for column, branch in enumerate(BRANCHES):
        ends = {field_G: card.measured_pulses(branch, field_G) for field_G in fields}
        own = {f: np.where(pulses <= ends[f], values[branch, f], np.nan) for f in fields}
        _draw_branch(list(panels[:, column]), branch, pulses, own, factor)
    panels[0, 0].set_ylabel(f"{quantity.capitalize()} [{unit}]")
    if rows == 2:
        panels[1, 0].set_ylabel(f"Change from {fields[0]:g} G [%]")
    _legend(panels[0, 1], shown=len(fields), of=len(card.fields_G))
    return figure


def si_scale(unit: str, largest: float) -> tuple[str, float]:
    """Unit with the prefix that suits values up to `largest`, and the factor to it.

    `unit`: "S", "ohm", or "1" for arbitrary units, which take no prefix.
    """
    if unit == "1":
        return "arb. unit", 1.0
    power = 3 * int(np.floor(np.log10(largest) / 3)) if 0 < largest < np.inf else 0
    power = min(max(power, min(PREFIXES)), max(PREFIXES))
    return PREFIXES[power] + SYMBOLS[unit], 10.0**-power


def _draw_branch(
    panels: list[Axes],
    branch: str,
    pulses: FloatArray,
    values: dict[float, FloatArray],
    factor: float,
) -> None:
    """One branch: its values at each field [G] above, their change from the first field below."""
    first = next(iter(values.values()))
    for i, (field_G, value) in enumerate(values.items()):
        colour = colormaps["viridis"](0.9 * i / max(len(values) - 1, 1))
        panels[0].plot(pulses, factor * value, color=colour, label=f"{field_G:g} G")
        for axes in panels[1:]:
            axes.plot(pulses, 100 * (value / first - 1), color=colour)
    panels[0].set_title(branch)
    panels[-1].set_xlabel(f"{branch} pulse number")
    for axes in panels:
        axes.grid(alpha=0.3)


def _values(card: DeviceCard, quantity: str, pulses: FloatArray) -> Values:
    if quantity == "conductance":
        return lambda branch, field_G: card.conductance(branch, pulses, field_G)
    if quantity != "resistance":
        raise InputError(f"quantity must be conductance or resistance, got {quantity!r}")
    return lambda branch, field_G: _inverse(card, card.conductance(branch, pulses, field_G))


def _inverse(card: DeviceCard, conductance: FloatArray) -> FloatArray:
    if conductance.min() <= 0:
        raise InputError(f"card {card.name!r} has conductances of 0 or below, so no resistance")
    return 1 / conductance


def _unit(card: DeviceCard, quantity: str) -> str:
    if card.conductance_unit == "1":
        return "1"
    return "S" if quantity == "conductance" else "ohm"


def _evenly(values: tuple[float, ...], most: int) -> list[float]:
    """At most `most` of the values, the first and the last among them."""
    index = np.linspace(0, len(values) - 1, min(len(values), most)).round()
    return [values[int(i)] for i in index]


def _title(card: DeviceCard) -> str:
    name = one_line(card.title[:1000]) or one_line(card.name[:1000]) or "device"
    name = name if len(name) <= MAX_TITLE else f"{name[: MAX_TITLE - 3]}..."
    return "\n".join(textwrap.wrap(f"{name} ({card.kind})", 100))


def _legend(axes: Axes, shown: int, of: int) -> None:
    title = "Field" if shown == of else f"Field ({shown} of {of})"
    axes.legend(title=title, fontsize=8, title_fontsize=8, ncols=2 if shown > 4 else 1)
