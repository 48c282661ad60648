"""The report of a fit: what the card says, how sure it is, and how a tile built from it behaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import norm

from crossbar.probe import measure_tile
from device_models.fit import CardFit
from device_models.fit.branches import select_branches
from device_models.fit.spread import pulse_noise
from device_models.plain_text import one_line
from experiments.shell import command_line, override

Z95 = float(norm.ppf(0.975))
TILE_DEVICES = 64
TRAIN = ("python", "-m", "experiments.train")
EXPORT = ("python", "-m", "experiments.export_card")


@dataclass(frozen=True, eq=False)
class TileCheck:
    """An aihwkit tile built from the card against the data, one branch at one field.

    `pulses`, `mean`: mean response of the tile's devices (n,) in the card's unit;
    `rmse_from_data`, `rmse_from_curve`: of that mean from the measured mean and from the fitted
    curve, over the range [1];
    `step_std`, `step_std_data`: std of a step at fixed state, tile and data, card's unit.
    """

    pulses: np.ndarray
    mean: np.ndarray
    rmse_from_data: float
    rmse_from_curve: float
    step_std: float
    step_std_data: float


def check_tile(fit: CardFit) -> list[TileCheck]:
    """One check for every branch of the fit; the tile is driven pulse by pulse.

    Its devices are alike but for what changes from pulse to pulse: their mean is then the
    response of the card's device, and their scatter at fixed state the noise of its pulses.
    """
    alike = replace(fit.card, spread=replace(fit.card.spread, step_d2d=0.0, range_d2d=0.0))
    measured, _, _ = select_branches(measure_tile(alike, TILE_DEVICES))
    checks = []
    for branch, law, noise in zip(fit.branches, fit.laws, fit.noise, strict=True):
        tile = next(b for b in measured if (b.branch, b.field_G) == (branch.branch, branch.field_G))
        # Unweighted: on a tile there are no outliers to play down.
        n = np.unique(tile.pulses)
        mean = tile.values.reshape(len(tile.clusters), -1).mean(axis=0)
        own = pulse_noise(tile, [law] * len(tile.clusters))
        points = branch.points()
        span, here = float(np.ptp(law(points.pulses))), np.interp(points.pulses, n, mean)
        from_data, from_curve = (
            float(np.sqrt(np.mean((here - other) ** 2)) / span)
            for other in (points.values, law(points.pulses))
        )
        checks.append(TileCheck(n, mean, from_data, from_curve, own.step_std, noise.step_std))
    return checks


def write_report(fit: CardFit, checks: list[TileCheck], out: str) -> str:
    """The report as text; `out` is the path of the card, which its last lines go on with."""
    card = fit.card
    source = card.source
    lines = [
        f"{one_line(card.title)} ({card.kind})",
        f"{one_line(source['file'])}: {source['n_readings']} readings, "
        f"{_count(source['n_devices'], 'device')}, {_count(source['n_cycles'], 'cycle')}, "
        f"{_count(len(card.fields_G), 'field')}",
        f"card {card.name}: {card.n_pulses} pulses a branch, conductance in {card.unit}",
        "",
        *_branch_lines(fit),
        "",
        *_spread_lines(fit),
        *_tile_lines(fit, checks),
    ]
    if fit.warnings:
        lines += ["", "Warnings", *(f"  - {warning}" for warning in fit.warnings)]
    return "\n".join([*lines, "", *_next_lines(out)])


def parameter_lines(fit: CardFit, index: int) -> list[str]:
    """Parameters of one curve with 95 % intervals, a line each."""
    curve = fit.card.curves[index]
    before = sum(len(c.law.theta_names) for c in fit.card.curves[:index])
    assert fit.card.uncertainty is not None
    errors = fit.card.uncertainty.standard_errors()[before:]
    lines = []
    for name, value, error in zip(curve.law.theta_names, curve.law.theta, errors, strict=False):
        low, high = value - Z95 * error, value + Z95 * error
        unit = "" if fit.card.unit == "1" else f" {fit.card.unit}"
        if name.startswith("log_"):
            name = name.removeprefix("log_")
            value, low, high = np.exp([value, low, high])
        if name.startswith(("tau", "n0")):
            unit = " pulses"
        elif name == "first_step":
            unit += " per pulse"
        elif name == "exponent":
            unit = ""
        lines.append(f"{name} = {value:.4g}{unit} ({low:.4g} to {high:.4g})")
    if curve.law.name == "monotone_spline":
        return [lines[0], f"{len(lines) - 1} increments with their covariance in the card"]
    return lines


def choice_lines(fit: CardFit) -> list[str]:
    """How the law of each branch was chosen, a line each."""
    lines = []
    for branch, choice in fit.choices.items():
        text = f"{branch}: {choice.name}"
        if choice.scores:
            scores = ", ".join(f"{name} {score:.3g}" for name, score in choice.scores.items())
            text += f" by {choice.criterion} ({scores})"
        if choice.reason:
            text += f", taken as {choice.reason}"
        if choice.left_out:
            names = (f"{name} ({', '.join(own)})" for name, own in choice.left_out.items())
            text += f"; no candidates, for what the data do not identify: {', '.join(names)}"
        lines.append(text)
    return lines


def spread_text(fit: CardFit) -> list[str]:
    """The card's spreads in words."""
    spread, noise = fit.card.spread, fit.noise
    observed = np.mean([p.step_std for p in noise]) / np.mean([p.mean_step for p in noise])
    lines = [
        f"pulse to pulse: a step at fixed state scatters by {observed:.3g} of the mean step; of "
        f"this stays {spread.step_c2c:.3g} (step_c2c), the rest is drawn anew with every pulse: "
        f"{spread.write_noise:.3g} of half the range (write_noise)"
    ]
    if spread.step_d2d or spread.range_d2d:
        lines.append(
            f"device to device: step size {spread.step_d2d:.3g} (step_d2d), ends of the range "
            f"{spread.range_d2d:.3g} of half of it (range_d2d)"
        )
    return [*lines, spread.note]


def _branch_lines(fit: CardFit) -> list[str]:
    lines = ["Curves (95 % intervals)"]
    for i, curve in enumerate(fit.card.curves):
        quality = curve.fit
        lines.append(
            f"  {curve.branch} at {curve.field_G:g} G: {curve.law.name}, RMSE "
            f"{quality['rmse_over_range']:.2%} of the range, of the mean response "
            f"{quality['rmse_of_mean_over_range']:.2%}"
        )
        lines += [f"    {line}" for line in parameter_lines(fit, i)]
    lines += [f"  standard errors from: {fit.covariance_from}"]
    if fit.joint:
        magnetics = fit.card.conditions["antiparallel_fraction"]
        parts = [
            f"{name.removesuffix('_G').replace('_', ' ')} "
            f"{entry['value']:.4g} ± {Z95 * entry['standard_error']:.2g} G"
            for name, entry in magnetics.items()
        ]
        lines.append(f"  one p_AP(H) for all fields: {', '.join(parts)}")
    lines += ["", "Choice of the law (lower is better)", *(f"  {x}" for x in choice_lines(fit))]
    return lines


def _spread_lines(fit: CardFit) -> list[str]:
    return ["Spread", *(f"  {line}" for line in spread_text(fit))]


def _tile_lines(fit: CardFit, checks: list[TileCheck]) -> list[str]:
    if not checks:
        return []
    lines = ["", f"aihwkit tile built from the card, {TILE_DEVICES} devices, pulse by pulse"]
    for branch, check in zip(fit.branches, checks, strict=True):
        lines.append(
            f"  {branch.name}: mean response off by {check.rmse_from_data:.2%} of the range from "
            f"the measured one, {check.rmse_from_curve:.2%} from the curve (RMSE); scatter of a "
            f"step {check.step_std:.3g}, measured {check.step_std_data:.3g}"
        )
    return lines


def _next_lines(out: str) -> list[str]:
    """Commands to go on with, as a shell takes them."""
    card = override("device.card", out)
    # Not called after the card alone: a dis.py here would stand in for Python's own.
    preset = str(Path(out).with_name(f"{Path(out).stem}_preset.py"))
    return [
        f"Card: {out}. What it costs in accuracy, and the device for an aihwkit script:",
        "  " + command_line(*TRAIN, "experiment=crossbar", card),
        "  " + command_line(*EXPORT, f"--aihwkit={preset}", "--", out),
    ]


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
