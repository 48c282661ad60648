"""The numbers a device is judged by, from a fit: first in the report, in one block.

Shares are of the card's conductance range at the field of the headline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import crossbar
from crossbar import weight_scale
from device_models import DeviceCard
from device_models.exports import neurosim_parameters
from device_models.fit import Branch, CardFit, PulseNoise, drift
from device_models.steps import step_size
from experiments.fitting.confidence import Z95
from experiments.fitting.tile_check import TileCheck, range_at

FloatArray = NDArray[np.float64]

GRID = 513
LEAST_DRIFT = 0.02
"""Drift by a smaller share of the range over all cycles is not mentioned."""

LEAST_NOISE = 1e-5
"""Share of the range below which noise is rounding and sets no number of levels."""


@dataclass(frozen=True)
class Drift:
    """Level of a branch against the cycle number: correlation [1], change over all cycles [1]."""

    branch: str
    r: float
    share: float
    cycles: int


@dataclass(frozen=True)
class Zero:
    """The conductance recommended for the weight 0: its name, where it lies [1], and why."""

    name: str
    conductance: float
    share: float
    why: str


@dataclass(frozen=True)
class Follows:
    """Largest distance of a tile without noise from the card's curves over the range [1]."""

    aihwkit: float
    memristor: float


@dataclass(frozen=True)
class Headline:
    """What a device is judged by, at one field [G]; NaN or None where the data cannot say.

    `low`, `high`: conductance range in the card's `unit`; `pulses`: measured pulses of LTP and
    LTD; `state_noise`: std of a state over the range [1]; `step_noise`: std of a step over the
    mean step [1]; `levels`: states whose 95 % intervals do not overlap; `labels`, `label_error`:
    NeuroSim's nonlinearity labels of LTP and LTD, largest error of its form over the range [1];
    `asymmetry`: mean of |up - down| / (up + down) of a pulse over the range [1]; `cycle_std`,
    `device_std`: scatter at the ends of the branches over the range [1], `tile_...` on the tile.
    """

    field_G: float
    unit: str
    low: float
    high: float
    pulses: tuple[int, int]
    state_noise: float
    step_noise: float
    levels: int | None
    labels: tuple[float, float]
    label_error: float
    asymmetry: float
    zero: Zero
    follows: Follows | None
    cycle_std: float
    device_std: float
    tile_cycle_std: float
    tile_device_std: float
    drift: Drift | None
    n_devices: int
    n_cycles: int

    @property
    def on_off(self) -> float | None:
        """Ratio of the ends of the range; None where the lower one is not above 0."""
        return self.high / self.low if self.low > 0 else None


def make_headline(fit: CardFit, checks: Sequence[TileCheck]) -> Headline:
    """The headline of a fit at its field nearest to 0 G; `checks` may be empty."""
    card = fit.card
    field_G = min(card.fields_G, key=abs)
    chosen = [i for i, b in enumerate(fit.branches) if b.field_G == field_G]
    branches = [fit.branches[i] for i in chosen]
    low, high = card.conductance_range(field_G)
    state, step = _noise(branches, [fit.noise[i] for i in chosen], high - low)
    labels, error = _labels(card, field_G)
    bands = [checks[i] for i in chosen] if checks else []
    return Headline(
        field_G=field_G,
        unit=card.conductance_unit,
        low=low,
        high=high,
        pulses=_pulses(branches),
        state_noise=state,
        step_noise=step,
        levels=count_levels(state),
        labels=labels,
        label_error=error,
        asymmetry=asymmetry(card, field_G),
        zero=find_zero(card, field_G),
        follows=find_follows(card, field_G),
        cycle_std=_ends([c.data_band.at_end("cycle_std") for c in bands], high - low),
        device_std=_ends([c.data_band.at_end("device_std") for c in bands], high - low),
        tile_cycle_std=_ends([c.band.at_end("cycle_std") for c in bands], high - low),
        tile_device_std=_ends([c.band.at_end("device_std") for c in bands], high - low),
        drift=find_drift(fit, chosen),
        n_devices=len({d for b in branches for d, _ in b.clusters}),
        n_cycles=len({c for b in branches for _, c in b.clusters}),
    )


def count_levels(state_noise: float) -> int | None:
    """States across the range whose 95 % intervals do not overlap; None where noise sets no end."""
    if not state_noise > LEAST_NOISE:
        return None
    return 1 + int(1 / (2 * Z95 * state_noise))


def asymmetry(card: DeviceCard, field_G: float) -> float:
    """Mean of |up - down| / (up + down) of one pulse over the conductance range [1]."""
    low, high = card.conductance_range(field_G)
    grid = np.linspace(low, high, GRID)[1:-1]
    up = np.abs(step_size(card, "LTP", grid, field_G))
    down = np.abs(step_size(card, "LTD", grid, field_G))
    both = up + down
    moves = both > 0
    return float(np.mean(np.abs(up - down)[moves] / both[moves])) if moves.any() else 0.0


def find_zero(card: DeviceCard, field_G: float) -> Zero:
    """The zero of the weight that is recommended for the card, and why."""
    name, why = crossbar.recommended_zero(card, field_G)
    low, high = card.conductance_range(field_G)
    zero = weight_scale(card, field_G, name).zero
    return Zero(name, zero, (zero - low) / (high - low), why)


def find_follows(card: DeviceCard, field_G: float) -> Follows:
    """How far both kinds of tile stay from the card's curves."""
    found = crossbar.followed(card, field_G)
    return Follows(found.worst_aihwkit, found.worst_memristor)


def find_drift(fit: CardFit, chosen: Sequence[int]) -> Drift | None:
    """The largest change of a branch's level with the cycle number that is no chance, if any."""
    found = [_drift(fit, fit.branches[i]) for i in chosen]
    return max((d for d in found if d), key=lambda d: abs(d.share), default=None)


def _drift(fit: CardFit, branch: Branch) -> Drift | None:
    found = drift(branch)
    if found is None or not found.real:
        return None
    share = found.change / range_at(fit.card, branch.field_G)
    if abs(share) < LEAST_DRIFT:
        return None
    return Drift(branch.branch, found.correlation, share, found.n_cycles)


def _noise(
    branches: Sequence[Branch], noise: Sequence[PulseNoise], whole: float
) -> tuple[float, float]:
    """Std of a state over the range, std of a step over the mean step; NaN where unknown."""
    write = float(np.sqrt(np.mean([p.write**2 for p in noise]))) / whole
    if write == 0 and not any(_has_single_steps(b) for b in branches):
        return float("nan"), float("nan")
    mean = float(np.mean([p.mean_step for p in noise]))
    step = float(np.mean([p.step_std for p in noise])) / mean if mean > 0 else np.nan
    return write, step


def _has_single_steps(branch: Branch) -> bool:
    """Whether any two readings are one pulse apart, as the noise of a pulse needs them."""
    return any(np.any(np.diff(np.sort(branch.pulses[rows])) == 1) for rows in branch.rows)


def _labels(card: DeviceCard, field_G: float) -> tuple[tuple[float, float], float]:
    """NeuroSim's labels of LTP and LTD and the largest error of its form; NaN without one."""
    with contextlib.suppress(ValueError, ArithmeticError):
        p = neurosim_parameters(card, field_G)
        return (p.ltp.label, p.ltd.label), max(p.ltp.max_error, p.ltd.max_error)
    return (np.nan, np.nan), np.nan


def _pulses(branches: Sequence[Branch]) -> tuple[int, int]:
    longest = {b.branch: round(b.end) for b in branches}
    return longest.get("LTP", 0), longest.get("LTD", 0)


def _ends(stds: Sequence[float], whole: float) -> float:
    """Root mean square over the branches, over the range; NaN where none knows it."""
    known = np.array([s for s in stds if np.isfinite(s)])
    return float(np.sqrt(np.mean(known**2)) / whole) if known.size else float("nan")
