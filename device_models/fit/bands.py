"""Bands: how responses scatter over the cycles of a device and from device to device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from device_models.fit.branch import Branch
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]

END_SHARE = 0.05
"""Share of the pulse numbers that counts as the end of a branch."""

MIN_CYCLES = 4
CHANCE = 0.01
"""A drift that chance makes less often than this is one."""


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of one branch at one field in conductance, (n,) each; `cluster` numbers `clusters`.

    What a `Branch` of a fit has too, without its weights.
    """

    branch: str
    field_G: float
    pulses: FloatArray
    values: FloatArray
    cluster: NDArray[np.int64]
    clusters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Band:
    """Scatter of one branch at one field, each (n,) over `pulses` and in conductance [S or 1].

    `mean`: mean of the devices; `cycle_std`: std over the cycles of a device, noise of pulses and
    reads included, NaN where no device has two; `device_std`: std from device to device beyond
    what their cycles explain (all of it where each has one cycle), NaN for a single device;
    `readings`: how many there are.
    """

    branch: str
    field_G: float
    pulses: FloatArray
    mean: FloatArray
    cycle_std: FloatArray
    device_std: FloatArray
    readings: NDArray[np.int64]
    n_devices: int
    n_cycles: int

    @property
    def std(self) -> FloatArray:
        """Std of a reading of any device in any cycle, (n,), as far as it is known."""
        return np.sqrt(np.nan_to_num(self.cycle_std) ** 2 + np.nan_to_num(self.device_std) ** 2)

    def at_end(self, name: str) -> float:
        """Root mean square of "cycle_std", "device_std" or "std" over the end of the branch.

        NaN where it is not known; pulse numbers that less than half of the cycles reached do not
        count.
        """
        usual = 2 * self.readings >= self.readings.max()
        last = self.pulses[usual][-1]
        late = usual & (self.pulses >= last - END_SHARE * (last - self.pulses[0]))
        known = np.asarray(getattr(self, name))[late]
        known = known[np.isfinite(known)]
        return float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")


@dataclass(frozen=True)
class Drift:
    """How the level of one branch at one field moves over the cycles of its devices.

    `correlation` of level and cycle number within devices, `change` from the first to the last
    cycle [S or 1], `chance` that chance alone makes as large a correlation.
    """

    branch: str
    field_G: float
    n_cycles: int
    correlation: float
    change: float
    chance: float

    @property
    def real(self) -> bool:
        """Whether chance does not explain it."""
        return self.chance < CHANCE


def bands(data: PulseData) -> tuple[Band, ...]:
    """Bands of a measurement, of a device or a tile: fields rising, LTP before LTD.

    Readings of all amplitudes, widths and conditions count alike: select those of one before.
    """
    return tuple(band_of(own) for own in all_readings(data))


def all_readings(data: PulseData) -> tuple[Readings, ...]:
    """Readings of every branch at every field, fields rising, LTP before LTD."""
    return tuple(
        _readings(own, data.quantity)
        for field_G in sorted({s.field_G or 0.0 for s in data.segments})
        for branch in data.branches
        if (own := [s for s in data.select(branch=branch) if _is_shown(s, field_G, data)])
    )


def band_of(readings: Readings | Branch) -> Band:
    """Band of one branch at one field.

    One-way analysis of variance at every pulse number, with as many cycles as each device has.
    """
    pulses, table, device = _table(readings)
    there = np.isfinite(table)
    count = np.stack([there[device == d].sum(axis=0) for d in range(device.max() + 1)])
    total = np.where(there, table, 0.0)
    sums = np.stack([total[device == d].sum(axis=0) for d in range(device.max() + 1)])
    own = sums / np.maximum(count, 1)
    n_readings, n_devices = count.sum(axis=0), (count > 0).sum(axis=0)
    squares = np.where(there, (table - own[device]) ** 2, 0.0).sum(axis=0)
    within = _ratio(squares, n_readings - n_devices)
    centre = sums.sum(axis=0) / n_readings
    between = _ratio((count * (own - centre) ** 2).sum(axis=0), n_devices - 1)
    size = _ratio(n_readings - (count**2).sum(axis=0) / n_readings, n_devices - 1)
    variance = np.maximum(between - np.nan_to_num(within), 0.0) / size
    return Band(
        readings.branch,
        readings.field_G,
        pulses,
        np.where(count > 0, own, 0.0).sum(axis=0) / n_devices,
        np.sqrt(within),
        np.sqrt(variance),
        n_readings,
        len(count),
        int(np.bincount(device).max()),
    )


def drift(readings: Readings | Branch) -> Drift | None:
    """Drift of one branch at one field; None for fewer than four cycles, or cycles all alike.

    The level of a cycle is its mean distance from the mean of all cycles of its device.
    """
    _, table, device = _table(readings)
    cycle = np.array([float(c) for _, c in readings.clusters])
    level, number = np.zeros(len(cycle)), np.zeros(len(cycle))
    for d in range(device.max() + 1):
        own = device == d
        count = np.maximum(np.isfinite(table[own]).sum(axis=0), 1)
        away = table[own] - np.nansum(table[own], axis=0) / count
        level[own] = np.nansum(away, axis=1) / np.maximum(np.isfinite(away).sum(axis=1), 1)
        level[own] -= level[own].mean()
        number[own] = cycle[own] - cycle[own].mean()
    dof = len(cycle) - (device.max() + 1) - 1
    power = float(number @ number), float(level @ level)
    rounding = len(level) * (8 * np.finfo(float).eps * float(np.nanmax(np.abs(table)))) ** 2
    if dof < MIN_CYCLES - 2 or power[0] == 0 or power[1] <= rounding:
        return None
    product = float(number @ level)
    r = float(np.clip(product / np.sqrt(power[0] * power[1]), -1, 1))
    statistic = abs(r) * np.sqrt(dof / max(1 - r**2, np.finfo(float).eps))
    span = float(np.ptp(cycle))
    return Drift(
        readings.branch,
        readings.field_G,
        len(np.unique(cycle)),
        r,
        product / power[0] * span,
        float(2 * t.sf(statistic, dof)),
    )


def _is_shown(segment: Segment, field_G: float, data: PulseData) -> bool:
    """Whether the segment is at this field and has any conductance."""
    there = data.quantity == "conductance" or bool(np.any(segment.values > 0))
    return (segment.field_G or 0.0) == field_G and there


def _readings(segments: Sequence[Segment], quantity: str) -> Readings:
    """Readings of the segments of one branch at one field."""
    clusters = tuple(dict.fromkeys((s.device, s.cycle) for s in segments))
    number = {c: i for i, c in enumerate(clusters)}
    pulses = np.concatenate([s.pulses for s in segments])
    values = np.concatenate([s.values for s in segments])
    cluster = np.concatenate([np.full(s.values.size, number[s.device, s.cycle]) for s in segments])
    if quantity == "resistance":  # one of 0 or below has no conductance to show
        pulses, cluster, values = (x[values > 0] for x in (pulses, cluster, values))
        values = 1 / values
    first = segments[0]
    return Readings(first.branch, first.field_G or 0.0, pulses, values, cluster, clusters)


def _table(readings: Readings | Branch) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Pulse numbers (n,), readings of every cluster there (clusters, n), and its device.

    NaN where a cluster was not read; several readings of a cluster at a pulse number are averaged.
    """
    pulses, column = np.unique(readings.pulses, return_inverse=True)
    sums, counts = np.zeros((2, len(readings.clusters), len(pulses)))
    np.add.at(sums, (readings.cluster, column), readings.values)
    np.add.at(counts, (readings.cluster, column), 1)
    table = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    devices = list(dict.fromkeys(d for d, _ in readings.clusters))
    return pulses, table, np.array([devices.index(d) for d, _ in readings.clusters])


def _ratio(numerator: FloatArray, dof: NDArray[np.int64]) -> FloatArray:
    """The ratio, NaN where there is nothing to divide by."""
    return np.where(dof > 0, numerator / np.maximum(dof, 1), np.nan)
