"""One branch alone: its curve and what it says, without a card, which needs both branches."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.exports import NeuroSimBranch, fit_branch
from device_models.fit import Branch, PulseNoise, fit_curves
from device_models.plain_text import one_line
from device_models.pulses import PulseData
from experiments.command.quantities import count, percent, span
from experiments.command.severity import severity_of
from experiments.command.shell import command_line
from experiments.command.spoken import spoken
from experiments.fitting.confidence import Z95
from experiments.fitting.fit_report import MARKS, law_lines
from experiments.fitting.verdict import sorted_warnings

FloatArray = NDArray[np.float64]

OTHER = {"LTP": "LTD", "LTD": "LTP"}


@dataclass(frozen=True, eq=False)
class BranchFit:
    """Curve of one branch at one field [G] with its covariance, and the noise of its pulses.

    `low`, `high`: conductances the curve goes through, in `unit` (S, or 1 for arbitrary units).
    """

    branch: Branch
    law: Law
    covariance: FloatArray
    noise: PulseNoise
    low: float
    high: float
    unit: str

    @property
    def rmse(self) -> float:
        """RMSE of the mean response over the range of the curve [1]."""
        points = self.branch.points()
        off = self.law(points.pulses) - points.values
        return float(np.sqrt(np.mean(off**2)) / (self.high - self.low))

    @property
    def shape(self) -> NeuroSimBranch:
        """NeuroSim's form of the curve between its own ends."""
        n = np.linspace(0, self.branch.end, 256)
        share = (self.law(n) - self.low) / (self.high - self.low)
        place = n / n[-1] if self.branch.branch == "LTP" else 1 - n / n[-1]
        return fit_branch(place, share)


@dataclass(frozen=True, eq=False)
class OneBranch:
    """The curves of a measurement of one branch, one a field, and its warnings."""

    data: PulseData
    curves: tuple[BranchFit, ...]
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """LTP or LTD."""
        return self.curves[0].branch.branch


def fit_one_branch(data: PulseData, given: argparse.Namespace) -> OneBranch:
    """Curves of the only branch of `data`. Raises FitError where none can be fitted."""
    options = {name: getattr(given, name) for name in ("law", "bootstrap", "seed")}
    fit = fit_curves(data, **options)
    sizes = np.cumsum([0, *(len(law.theta_names) for law in fit.laws)])
    unit = "S" if data.unit == "ohm" else data.unit
    curves = []
    for i, (branch, law) in enumerate(zip(fit.branches, fit.laws, strict=True)):
        own = slice(sizes[i], sizes[i + 1])
        ends = law(np.array([0.0, branch.end]))
        low, high = float(ends.min()), float(ends.max())
        covariance = np.asarray(fit.covariance)[own, own]
        curves.append(BranchFit(branch, law, covariance, fit.noise[i], low, high, unit))
    return OneBranch(data, tuple(curves), tuple(dict.fromkeys(fit.warnings)))


def no_card(found: OneBranch, files: Sequence[Path]) -> str:
    """Why there is no card, and the options of the command that makes one from `files`."""
    other = ("--ltd", "FILE") if found.name == "LTP" else ("--ltp", "FILE")
    own = (f"--{found.name.lower()}", *map(str, files))
    return f"no card: a card needs the other branch: {command_line(*own, *other)}"


def one_branch_text(found: OneBranch, reason: str) -> str:
    """The report of one branch; `reason` says why there is no card."""
    source = Path(found.data.source).name
    first = found.curves[0]
    lines = [
        f"{one_line(source)}: {found.name} only, {found.data.n_readings:,} readings, "
        f"{count(len(found.data.devices), 'device')}, {count(len(found.data.cycles), 'cycle')}",
        "",
        f"Verdict: half a device, {found.name} without {OTHER[found.name]}: no card",
        *headline_lines(first),
    ]
    if found.warnings:
        warnings = sorted_warnings([spoken(w) for w in found.warnings], [])
        lines += ["", "Warnings (!! do not rely on it, ! take care)"]
        lines += [f" {MARKS[severity_of(w)]} {w}" for _, w in warnings]
    lines += ["", "Curves (95 % intervals)"]
    for curve in found.curves:
        lines.append(f"  {curve.branch.name}: {curve.law.name}, RMSE {percent(curve.rmse)}")
        errors = np.sqrt(np.diag(curve.covariance))
        lines += [f"    {line}" for line in law_lines(curve.law, errors, curve.unit)]
    return "\n".join([*lines, "", reason])


def headline_lines(curve: BranchFit) -> list[str]:
    """What one branch can say, a line each; shares are of the range of its curve."""
    whole = curve.high - curve.low
    ratio = f", on/off {curve.high / curve.low:.3g}" if curve.low > 0 else ""
    noise = curve.noise.write / whole
    values = {
        "range": f"{span(curve.low, curve.high, curve.unit)}{ratio}, at {curve.branch.field_G:g} G",
        "pulses": f"{curve.branch.end:g}",
        "nonlinearity": f"{curve.shape.label:+.2f} (NeuroSim's label)",
        "noise": f"a state scatters by {percent(noise)} of the range" if noise else "none seen",
        "fit": f"the curve is {percent(curve.rmse)} of the range off the mean readings (RMSE)",
    }
    if noise:
        values["levels"] = f"about {1 + int(1 / (2 * Z95 * noise)):,} told apart at 95 %"
    return [f"  {name:<16} {value}" for name, value in values.items()]
