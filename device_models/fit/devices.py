"""How devices differ: the law fitted to each of them, and the spreads of the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device_models.card import Spread
from device_models.curves import Law
from device_models.fit.bands import drift
from device_models.fit.between import shrunk_fit
from device_models.fit.branch import Branch
from device_models.fit.laws import Fit
from device_models.fit.levels import Levels, by_chance, components, levels
from device_models.fit.spread import PulseNoise, white_noise
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]

ROUNDING = 1e-9
"""Spreads below this are those of the last digits."""

PROOF = 0.5
"""Spread between cycles that is worth a word, as a share of the write noise."""

AT_AN_END = 0.1
"""A branch ends at an end of the range where it is this near to it, as a share of the range."""


def device_fits(branch: Branch, fit: Fit) -> dict[str, Fit]:
    """The same law fitted to each device; empty for a single device or too few readings.

    What the readings of one device leave open stays as it is in `fit`.
    """
    devices = list(dict.fromkeys(d for d, _ in branch.clusters))
    if len(devices) < 2:
        return {}
    noise = white_noise(branch, [fit.law] * len(branch.clusters), weighted=True)
    fits = {}
    for device in devices:
        points = branch.points(np.array([float(d == device) for d, _ in branch.clusters]))
        if len(points.pulses) <= len(fit.law.theta_names):
            return {}
        fits[device] = shrunk_fit(fit.law, points, noise)
    return fits


def find_spread(
    branches: Sequence[Branch],
    laws: Sequence[Law],
    noise: Sequence[PulseNoise],
    half: float,
    read_noise: float | None = None,
) -> Spread:
    """The card's spreads, straight from the readings: a device has too few for its own curve.

    `read_noise`: std of a single read where states were read several times [unit of the response].
    """
    found = [levels(b, law) for b, law in zip(branches, laws, strict=True)]
    chance = [by_chance(*each) for each in zip(branches, laws, noise, strict=True)]
    low, high, cycles = _ends_of_range(branches, laws, found, chance)
    n_devices = len({d for b in branches for d, _ in b.clusters})
    of_pulses = _pulse_spread(noise, half)
    return Spread(
        **of_pulses,
        step_d2d=rounded(_step_spread(branches, found, chance)),
        range_d2d=rounded(float(np.sqrt((low**2 + high**2) / 2))),
        upper_share=rounded(high**2 / (low**2 + high**2)) if low or high else None,
        range_c2c=None if np.isnan(cycles) else rounded(cycles),
        note=" ".join(
            [
                f"Device to device from {n_devices} devices."
                if n_devices > 1
                else "One device: no device-to-device spread was measured.",
                *noise_notes(noise, half, read_noise),
                *_cycle_notes(cycles, of_pulses["write_noise"]),
            ]
        ),
    )


def noise_notes(
    noise: Sequence[PulseNoise], half: float, read_noise: float | None = None
) -> list[str]:
    """What the readings cannot say about the noise of pulses, and what a read alone scatters by."""
    notes = []
    apart = max(p.spacing for p in noise)
    if any(p.spacing != 1 and not p.told_apart for p in noise):
        notes.append(
            f"Readings {apart:g} pulses apart: the write noise is the scatter of readings around "
            f"the curve; step_c2c cannot be measured and is taken as 0."
        )
    elif not any(p.told_apart for p in noise):
        notes.append(
            "Too few pulses to tell noise that stays from noise that is drawn anew: all of it "
            "counts as write noise."
        )
    if read_noise is not None:
        notes.append(
            f"A single read scatters by {read_noise / half:.3g} of half the range, which is a part "
            f"of the write noise."
        )
    return notes


def _cycle_notes(cycles: float, write_noise: float) -> list[str]:
    """What a tile lacks of the spread between cycles [half range], where it is worth a word."""
    if not cycles > PROOF * write_noise:
        return []
    return [
        f"From cycle to cycle the ends of the range move by {cycles:.3g} of half the range beyond "
        f"the noise of pulses (range_c2c): a tile does not have this."
    ]


def spread_findings(
    branches: Sequence[Branch], noise: Sequence[PulseNoise], half: float
) -> list[str]:
    """What a reader should know of noise and drift, one line each."""
    lines = []
    for branch, of_pulses in zip(branches, noise, strict=True):
        if of_pulses.spacing != 1:
            lines.append(
                f"{branch.name}: readings {of_pulses.spacing:g} pulses apart: write noise of "
                f"{of_pulses.write / half:.2g} of half the range from their scatter around the "
                f"curve; noise that stays (step_c2c) cannot be measured"
            )
        found = drift(branch)
        if found is not None and found.real:
            lines.append(
                f"{branch.name}: the level drifts over {found.n_cycles} cycles, by "
                f"{found.change / (2 * half):+.1%} of the range (correlation with the cycle number "
                f"{found.correlation:.2f}); a tile does not drift"
            )
    return lines


def read_noise_of(data: PulseData, branches: Sequence[Branch]) -> float | None:
    """Std of a single read in conductance [S or 1]; None where each state was read once."""
    if data.read_noise is None or data.quantity == "conductance":
        return data.read_noise
    return data.read_noise * float(np.mean([np.mean(b.values**2) for b in branches]))


def rounded(value: float) -> float:
    """To four digits, as cards hold what was estimated."""
    return float(f"{float(value):.4g}")


def _pulse_spread(noise: Sequence[PulseNoise], half: float) -> dict[str, float]:
    """Spreads of a card from the noise of single pulses of its branches."""
    # Weighted by the steps: a relative spread matters where steps are large.
    walk = [(p.step_c2c * p.mean_step) ** 2 for p in noise]
    c2c = float(np.sqrt(np.sum(walk) / np.sum([p.mean_step**2 for p in noise])))
    write = float(np.sqrt(np.mean([p.write**2 for p in noise])))
    return {"step_c2c": rounded(c2c), "write_noise": rounded(write / half)}


def _span(branch: Branch) -> FloatArray:
    return np.array([branch.pulses.min(), branch.end])


def _ends_of_range(
    branches: Sequence[Branch],
    laws: Sequence[Law],
    found: Sequence[Levels],
    chance: Sequence[Levels],
) -> tuple[float, float, float]:
    """Std of lower and of upper ends between devices, and of both between cycles [half range].

    Each branch that starts or ends at an end of the range at its field counts; NaN between cycles
    where no device has several.
    """
    lows, highs, cycles = [], [], []
    for field_G in dict.fromkeys(b.field_G for b in branches):
        own = [i for i, b in enumerate(branches) if b.field_G == field_G]
        curve_ends = {i: laws[i](_span(branches[i])) for i in own}
        low, high = np.min(list(curve_ends.values())), np.max(list(curve_ends.values()))
        for i in own:
            devices = [d for d, _ in branches[i].clusters]
            for name, end in zip(("first", "last"), curve_ends[i], strict=True):
                part = components(
                    getattr(found[i], name), devices, float(getattr(chance[i], name)[0])
                )
                scaled = part.over((high - low) / 2)
                if end - low <= AT_AN_END * (high - low):
                    lows.append(scaled)
                elif high - end <= AT_AN_END * (high - low):
                    highs.append(scaled)
                cycles.append(scaled.cycle)
    return (
        _rms([p.device for p in lows]),
        _rms([p.device for p in highs]),
        _rms(cycles) if np.any(np.isfinite(cycles)) else np.nan,
    )


def _step_spread(
    branches: Sequence[Branch], found: Sequence[Levels], chance: Sequence[Levels]
) -> float:
    """Std of the size of a step over its mean, from device to device [1]."""
    variances = []
    for branch, own, of_noise in zip(branches, found, chance, strict=True):
        part = components(own.scale, [d for d, _ in branch.clusters], float(of_noise.scale[0]))
        variances.append(part.device / part.mean**2)
    return _rms(variances)


def _rms(variances: Sequence[float]) -> float:
    """Root of the mean of what is known, 0 where nothing is, or chance explains all of it."""
    known = [v for v in variances if np.isfinite(v)]
    mean = float(np.mean(known)) if known else 0.0
    return float(np.sqrt(mean)) if mean > ROUNDING**2 else 0.0
