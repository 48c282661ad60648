"""Lookup tables of a card: the change of the conductance with one pulse, and how it scatters.

The table says for each branch, conductance and cumulative probability how far one pulse moves the
device: the law's step (`device_models.steps`) plus a normal scatter of `step_c2c` times the step.
A simulator adds such changes up, so only what stays with the device goes in. Left out are write
noise, which is drawn anew with every pulse (the difference of two readings would count it twice
and then sum it up), and device-to-device spread; the files state both, for the simulator to add.

CrossSim (Sandia, training in V2.0) reads two files of the layout `crosssim_files` writes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from device_models.card import BRANCHES, DeviceCard
from device_models.errors import InputError
from device_models.plain_text import one_line
from device_models.steps import step_size

FloatArray = NDArray[np.float64]

PERCENTILES = (0.1, 1.0, 5.0, *(float(p) for p in range(10, 91, 10)), 95.0, 99.0, 99.9)
N_CONDUCTANCES = 101
CROSSSIM_CONDUCTANCES = 501
"""CrossSim takes the nearest conductance, without interpolation; its own tables have as many."""

CROSSSIM_PROBABILITIES = 101
CROSSSIM_NAMES = {"LTP": "dG_increasing.txt", "LTD": "dG_decreasing.txt"}


@dataclass(frozen=True)
class LookupTable:
    """Changes of the conductance with one pulse, in the card's conductance unit.

    `conductance`: evenly spaced over the card's range (n,); `probability`: cumulative, rising
    (m,) [1]; `change`: by branch, the change that a pulse stays below with that probability
    (m, n), negative for LTD.
    """

    conductance: FloatArray
    probability: FloatArray
    change: Mapping[str, FloatArray]


def lookup_table(
    card: DeviceCard,
    field_G: float = 0.0,
    n_conductances: int = N_CONDUCTANCES,
    percentiles: Sequence[float] = PERCENTILES,
) -> LookupTable:
    """Table of `card` at `field_G` [G] at percentiles between 0 and 100, exclusive, rising.

    Raises InputError for a field outside the card's range, for percentiles that do not rise
    between 0 and 100, for fewer than two conductances, and for changes that overflow.
    """
    probability = np.asarray(percentiles, dtype=float) / 100
    if probability.size == 0 or np.any(np.diff([0, *probability, 1]) <= 0):
        raise InputError(f"percentiles must rise between 0 and 100, got {tuple(percentiles)!r}")
    if n_conductances < 2:
        raise InputError(f"n_conductances must be at least 2, got {n_conductances}")
    low, high = card.conductance_range(field_G)
    conductance = np.linspace(low, high, n_conductances)
    scatter = card.spread.step_c2c * norm.ppf(probability)
    change = {}
    for branch in BRANCHES:
        step = step_size(card, branch, conductance, field_G)
        with np.errstate(over="ignore"):
            change[branch] = step + np.outer(scatter, np.abs(step))
        if not np.all(np.isfinite(change[branch])):
            raise InputError(f"the {branch} changes are out of the range of numbers")
    return LookupTable(conductance, probability, change)


def table_csv(card: DeviceCard, field_G: float = 0.0) -> str:
    """The table as CSV: lines behind # say what it is, then one row a branch and conductance."""
    table = lookup_table(card, field_G)
    unit = f"_{card.conductance_unit}" if card.conductance_unit != "1" else ""
    columns = [f"dG{unit}_p{100 * p:.6g}" for p in table.probability]
    text = io.StringIO()
    for line in _header(card, field_G):
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["branch", f"conductance{unit}", *columns])
    for branch, change in table.change.items():
        for conductance, changes in zip(table.conductance, change.T, strict=True):
            writer.writerow([branch, *_numbers([conductance, *changes])])
    return text.getvalue()


def crosssim_files(card: DeviceCard, field_G: float = 0.0) -> dict[str, str]:
    """Contents of CrossSim's `dG_increasing.txt` and `dG_decreasing.txt`, by name.

    One line of text, one with the conductances, one with the cumulative probabilities, then one
    a probability with the change at each conductance; numbers in the card's conductance unit,
    separated by commas. CrossSim wants the probabilities evenly spaced from 0 to 1 and takes the
    nearest: the first and the last stand for half a step, whose middle is what they hold.
    """
    probability = np.linspace(0, 1, CROSSSIM_PROBABILITIES)
    quarter = probability[1] / 4
    percentiles = 100 * np.clip(probability, quarter, 1 - quarter)
    table = lookup_table(card, field_G, CROSSSIM_CONDUCTANCES, tuple(percentiles))
    text = "Conductances; cumulative probabilities; changes, a row a probability. "
    text += "; ".join(_header(card, field_G))
    return {
        name: "\n".join(
            [text]
            + [
                ",".join(_numbers(row))
                for row in (table.conductance, probability, *table.change[branch])
            ]
        )
        + "\n"
        for branch, name in CROSSSIM_NAMES.items()
    }


def _header(card: DeviceCard, field_G: float) -> list[str]:
    """What the table is, a line each, each on one line whatever the card's texts hold."""
    spread = card.spread
    low, high = card.conductance_range(field_G)
    unit = card.conductance_unit if card.conductance_unit != "1" else "in arbitrary units"
    return [
        "change of the conductance with one pulse",
        f"card: {one_line(card.name)}",
        f"title: {one_line(card.title)}",
        f"kind: {card.kind}",
        f"caveat: {one_line(card.caveat)}",
        f"sha256: {card.sha256}",
        f"field: {field_G:g} G",
        f"pulses: {card.conditions.words() or 'not stated'}",
        f"in the changes: step of the law, normal scatter of {spread.step_c2c:g} times the step",
        f"left out: write noise of {spread.write_noise * (high - low) / 2:g} {unit} (std around "
        f"the state after a pulse, does not add up), device-to-device spread of the step "
        f"{spread.step_d2d:g} and of the ends of the range {spread.range_d2d:g} half ranges",
    ]


def _numbers(values: ArrayLike) -> list[str]:
    return [f"{value:.9g}" for value in np.asarray(values)]
