"""Bands around a response: what its fit does not know, and how cycles and devices scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from device_models.curves import Law
from device_models.fit.branches import Branch

FloatArray = NDArray[np.float64]

Z95 = float(norm.ppf(0.975))
END_SHARE = 0.1
"""Last part of a branch, as a share of its pulses, that counts as its end."""


@dataclass(frozen=True, eq=False)
class Band:
    """Response of many cycles and devices, shapes (n,), in the unit of the card.

    `cycle_std`: std over the cycles of a device; `device_std`: std over devices beyond that of
    their cycles; NaN where there is one cycle, or one device.
    """

    pulses: FloatArray
    mean: FloatArray
    cycle_std: FloatArray
    device_std: FloatArray

    def at_end(self, name: str) -> float:
        """Root mean square of "cycle_std" or "device_std" over the end; NaN where unknown."""
        n, std = self.pulses, getattr(self, name)
        last = n >= n[-1] - max(END_SHARE * (n[-1] - n[0]), 1e-9)
        known = std[last & np.isfinite(std)]
        return float(np.sqrt(np.mean(known**2))) if known.size else float("nan")


def band_of(branch: Branch) -> Band:
    """Band of the readings of a branch at every pulse number that was read."""
    n, at = np.unique(branch.pulses, return_inverse=True)
    table = np.full((len(branch.clusters), len(n)), np.nan)
    table[branch.cluster, at] = branch.values
    devices = list(dict.fromkeys(device for device, _ in branch.clusters))
    number = np.array([devices.index(device) for device, _ in branch.clusters])
    return band(n, table, number)


def band(pulses: FloatArray, table: FloatArray, device: NDArray[np.int64]) -> Band:
    """Band of a table (cycles of all devices, n) of readings, NaN where there are none.

    `device` (rows,) numbers the device each row belongs to, from 0.
    """
    there = np.isfinite(table)
    filled = np.where(there, table, 0.0)
    member = np.equal.outer(np.arange(device.max() + 1), device).astype(float)
    counts, sums = member @ there, member @ filled
    means = _ratio(sums, counts)
    off = np.where(there, table - means[device], 0.0)
    within = _ratio((off**2).sum(axis=0), np.maximum(counts - 1, 0).sum(axis=0))
    measured = counts > 0
    n_devices = measured.sum(axis=0)
    mean = _ratio(np.where(measured, means, 0.0).sum(axis=0), n_devices)
    apart = np.where(measured, means - mean, 0.0)
    between = _ratio((apart**2).sum(axis=0), np.maximum(n_devices - 1, 0))
    # A device's mean carries its cycles' scatter too.
    share = _ratio(np.where(measured, 1 / np.maximum(counts, 1), 0.0).sum(axis=0), n_devices)
    own = np.where(np.isfinite(within), within * share, 0.0)
    return Band(pulses, mean, np.sqrt(within), np.sqrt(np.maximum(between - own, 0.0)))


def confidence(law: Law, covariance: FloatArray, pulses: FloatArray) -> FloatArray:
    """Half the width (n,) of the 95 % confidence band of a curve, from its fit's covariance."""
    slope = law.jacobian(pulses)
    return Z95 * np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", slope, covariance, slope), 0.0))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """`above / below`, NaN where there is nothing below."""
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
