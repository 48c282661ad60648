"""How devices differ: the law fitted to each of them, and the spreads of the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from device_models.card import Spread
from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.laws import Fit, refit
from device_models.fit.spread import PulseNoise, device_covariance
from device_models.fit.uncertainty import point_covariance

FloatArray = NDArray[np.float64]

MIN_DEVICES = 3


def device_fits(branch: Branch, fit: Fit) -> dict[str, Fit]:
    """The same law fitted to each device; empty for a single device or too few readings."""
    devices = list(dict.fromkeys(d for d, _ in branch.clusters))
    if len(devices) < 2:
        return {}
    fits = {}
    for device in devices:
        points = branch.points(np.array([float(d == device) for d, _ in branch.clusters]))
        if len(points.pulses) <= len(fit.law.theta_names):
            return {}
        fits[device] = refit(fit.law, points, quick=True)
    return fits


def find_spread(
    branches: Sequence[Branch],
    laws: Sequence[Law],
    by_device: Sequence[dict[str, Fit]],
    noise: Sequence[PulseNoise],
    half: float,
    n_pulses: int,
) -> tuple[FloatArray | None, Spread]:
    """Covariance between devices where there are three or more, and the card's spreads."""
    # Weighted by the steps: a relative spread matters where steps are large.
    walk = [(p.step_c2c * p.mean_step) ** 2 for p in noise]
    c2c = float(np.sqrt(np.sum(walk) / np.sum([p.mean_step**2 for p in noise])))
    write = float(np.sqrt(np.mean([p.write**2 for p in noise])))
    devices = [d for d in by_device[0] if all(d in own for own in by_device)]
    spread = {
        "step_c2c": rounded(c2c),
        "write_noise": rounded(write / half),
    }
    if len(devices) < 2:
        note = "One device: no device-to-device spread was measured."
        return None, Spread(**spread, note=note)
    n = np.arange(n_pulses + 1.0)
    steps = [np.diff(law(n)) for law in laws]
    sizes, lows, highs = [], [], []
    for device in devices:
        ratios, ends = [], []
        for mean, own in zip(steps, by_device, strict=True):
            response = own[device].law(n)
            ratios.append(float(mean @ np.diff(response) / (mean @ mean)))
            ends.append(response[[0, -1]])
        sizes.append(np.mean(ratios))
        lows.append(np.min(ends))
        highs.append(np.max(ends))
    ends_std = np.sqrt((np.var(lows, ddof=1) + np.var(highs, ddof=1)) / 2)
    spread["step_d2d"] = rounded(float(np.std(sizes, ddof=1) / np.mean(sizes)))
    spread["range_d2d"] = rounded(float(ends_std / half))
    note = f"Device to device from {len(devices)} devices."
    if len(devices) < MIN_DEVICES:
        return None, Spread(**spread, note=note)
    theta = np.array([np.concatenate([own[d].law.theta for own in by_device]) for d in devices])
    of_fits = [
        block_diag(
            *(point_covariance(own[d], b) for own, b in zip(by_device, branches, strict=True))
        )
        for d in devices
    ]
    return device_covariance(theta, np.mean(of_fits, axis=0)), Spread(**spread, note=note)


def half_range(laws: Sequence[Law], branches: Sequence[Branch], n_pulses: int) -> float:
    """Half of the widest conductance range at one field."""
    ends: dict[float, list[float]] = {}
    for law, branch in zip(laws, branches, strict=True):
        ends.setdefault(branch.field_G, []).extend(law(np.array([0.0, n_pulses])))
    return max(max(own) - min(own) for own in ends.values()) / 2


def rounded(value: float) -> float:
    """To four digits, as cards hold what was estimated."""
    return float(f"{float(value):.4g}")
