"""The report of a fit: what to make of it first, then warnings, then what the card says."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_models.card import HISTORY, LAYER_KEYS
from device_models.curves import Law
from device_models.fit import CardFit
from device_models.plain_text import one_line
from experiments.command.quantities import count, percent, scale
from experiments.command.severity import Severity
from experiments.command.shell import command_line, override
from experiments.command.spoken import spoken
from experiments.fitting.confidence import Z95
from experiments.fitting.headline import Headline, make_headline
from experiments.fitting.headline_text import headline_lines
from experiments.fitting.tile_check import TILE_DEVICES, TileCheck, range_at
from experiments.fitting.verdict import (
    Reason,
    find_reasons,
    sorted_warnings,
    verdict_text,
    with_warnings,
)

TRAIN = ("python", "-m", "experiments.train")
EXPORT = ("python", "-m", "experiments.export_card")
USUAL_ZERO = "symmetry_point"
MARKS = {Severity.BAD: "!!", Severity.CARE: " !", Severity.NOTE: " -"}
WIDTH = 100


@dataclass(frozen=True, eq=False)
class Report:
    """A fit with what was found out about it: `checks` of a tile, headline, reasons, warnings.

    `warnings` are the reader's, the fit's and the tile's, in the words of the command line, the
    loudest first.
    """

    fit: CardFit
    checks: list[TileCheck]
    headline: Headline
    reasons: list[Reason]
    warnings: list[tuple[Severity, str]]

    @property
    def verdict(self) -> str:
        """Whether to believe the card, in one sentence."""
        return verdict_text(self.reasons)


def make_report(fit: CardFit, checks: list[TileCheck], more: Sequence[str] = ()) -> Report:
    """The report of a fit; `more`: warnings that neither the reader nor the fit gave."""
    headline = make_headline(fit, checks)
    reasons = find_reasons(fit, checks, headline)
    warnings = [spoken(w) for w in (*fit.warnings, *more)]
    shown = sorted_warnings(warnings, reasons)
    several = max(len(b.clusters) for b in fit.branches) > 1
    return Report(fit, checks, headline, with_warnings(reasons, warnings, several), shown)


def report_text(report: Report, out: str) -> str:
    """The report as text; `out` is the path of the card, which its last lines go on with."""
    fit, card = report.fit, report.fit.card
    source = card.source
    lines = [
        f"{one_line(card.title)} ({card.kind})",
        f"{one_line(source['file'])}: {source['n_readings']:,} readings, "
        f"{count(source['n_devices'], 'device')}, {count(source['n_cycles'], 'cycle')}, "
        f"{count(len(card.fields_G), 'field')}",
        "",
        *conclusion_lines(report),
    ]
    if report.warnings:
        lines += ["", "Warnings (!! do not rely on it, ! take care)"]
        lines += [f" {MARKS[severity]} {warning}" for severity, warning in report.warnings]
    lines += [
        "",
        f"Card {card.name}: {card.n_pulses} pulses a branch, conductance in "
        f"{card.unit if card.unit != '1' else 'arbitrary units'}; "
        "shares are of the card's conductance range at that field",
        *_branch_lines(fit),
        "",
        *_spread_lines(fit),
        *_tile_lines(fit, report.checks),
    ]
    return "\n".join([*lines, "", *_next_lines(out, report.headline.zero.name)])


def conclusion_lines(report: Report, width: int = WIDTH) -> list[str]:
    """Verdict and headline, wrapped to `width` characters."""
    lines = textwrap.wrap(f"Verdict: {report.verdict}", width, subsequent_indent="  ")
    for name, value in headline_lines(report.headline):
        lines += textwrap.wrap(f"  {name:<16} {value}", width, subsequent_indent=" " * 19)
    return lines


def curve_covariance(fit: CardFit, index: int) -> np.ndarray:
    """Covariance (n_theta, n_theta) of the fit of one branch at one field."""
    sizes = [len(law.theta_names) for law in fit.laws]
    own = slice(sum(sizes[:index]), sum(sizes[: index + 1]))
    return fit.covariance[own, own]


def parameter_lines(fit: CardFit, index: int) -> list[str]:
    """Parameters of one curve of the card with 95 % intervals, a line each."""
    curve = fit.card.curves[index]
    before = sum(len(c.law.theta_names) for c in fit.card.curves[:index])
    assert fit.card.uncertainty is not None
    return law_lines(curve.law, fit.card.uncertainty.standard_errors()[before:], fit.card.unit)


def law_lines(law: Law, errors: np.ndarray, unit: str) -> list[str]:
    """Parameters of a law with 95 % intervals from their standard errors, a line each."""
    lines = [
        _parameter_line(name, value, Z95 * error, _unit_of(law, name, unit))
        for name, value, error in zip(law.theta_names, law.theta, errors, strict=False)
    ]
    if law.name == "monotone_spline":
        return [lines[0], f"{len(lines) - 1} increments with their covariance in the card"]
    return lines


def _unit_of(law: Law, name: str, unit: str) -> str:
    """Unit of a coordinate of a law by the fields of its formula; "" for a mere number."""
    base = re.sub(r"_\d+$", "", name.removeprefix("log_"))
    if base == "first_step":
        return f"{unit} per pulse"
    if base == "start" or {base, f"{base}s"} & set(law.in_unit):
        return unit
    return "pulses" if hasattr(law, f"{base}_pulses") else ""


def _parameter_line(name: str, value: float, half: float, unit: str) -> str:
    """One coordinate of a law with its interval, logarithms as what they are of."""
    low, high = value - half, value + half
    if name.startswith("log_"):
        name = name.removeprefix("log_")
        value, low, high = np.exp([value, low, high])
    words, factor = unit, 1.0
    base, per, more = unit.partition(" per ")
    if base in ("S", "ohm", "1"):
        words, factor = scale(base, value, 4)
        words = f"{words}{per}{more}".strip()
    numbers = f"{factor * low:.4g} to {factor * high:.4g}"
    return f"{name} = {factor * value:.4g}{' ' if words else ''}{words} ({numbers})"


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
    apart = [p for p in noise if not p.told_apart]
    if apart:
        lines.append(
            f"readings are {max(p.spacing for p in apart):g} pulses apart: what "
            f"stays is not told from what is drawn anew, all of it counts as drawn anew"
        )
    if spread.step_d2d or spread.range_d2d:
        lines.append(
            f"device to device: step size {spread.step_d2d:.3g} (step_d2d), ends of the range "
            f"{spread.range_d2d:.3g} of half of it (range_d2d)"
        )
    if between := spread.range_c2c:
        lines.append(
            f"cycle to cycle: ends of the range {between:.3g} of half of it beyond what single "
            f"pulses do (range_c2c), which tiles do not have"
        )
    return [*lines, spread.note]


def _branch_lines(fit: CardFit) -> list[str]:
    lines = ["", "Curves (95 % intervals)"]
    for i, (law, branch) in enumerate(zip(fit.laws, fit.branches, strict=True)):
        whole, points = range_at(fit.card, branch.field_G), branch.points()
        single, mean = (
            float(np.sqrt(np.mean((law(n) - values) ** 2))) / whole
            for n, values in ((branch.pulses, branch.values), (points.pulses, points.values))
        )
        lines.append(
            f"  {branch.name}: {law.name}, RMSE {percent(single)} of the range, of the mean "
            f"response {percent(mean)}"
        )
        if fit.joint is None:
            lines += [f"    {line}" for line in parameter_lines(fit, i)]
    for i, curve in enumerate(fit.card.curves if fit.joint else ()):
        lines.append(f"  {curve.branch}, {curve.alignment} layers: {curve.law.name}")
        lines += [f"    {line}" for line in parameter_lines(fit, i)]
    lines += [f"  standard errors from: {fit.covariance_from}", *field_lines(fit)]
    return [*lines, "", "Choice of the law (lower is better)", *_indented(choice_lines(fit))]


def field_lines(fit: CardFit) -> list[str]:
    """What the magnetic field does, as far as the card knows."""
    if layers := fit.card.layers:
        numbers = zip(LAYER_KEYS, layers.standard_errors_G or (), strict=False)
        parts = [
            f"{key.removesuffix('_G').replace('_', ' ')} "
            f"{getattr(layers, key):.4g} ± {Z95 * error:.2g} G"
            for key, error in numbers
        ]
        return [
            f"  one p_AP(H) for all fields: {', '.join(parts)}",
            f"  known from {layers.range_G[0]:g} to {layers.range_G[1]:g} G, {HISTORY}",
        ]
    if len(fit.card.fields_G) == 1:
        return []
    error = fit.card.interpolation_error
    known = "not known from two fields" if error is None else f"about {percent(error)} of the range"
    return [f"  between the fields linear in conductance; error {known}"]


def _spread_lines(fit: CardFit) -> list[str]:
    return ["Spread", *_indented(spread_text(fit))]


def _tile_lines(fit: CardFit, checks: list[TileCheck]) -> list[str]:
    if not checks:
        return []
    lines = ["", f"aihwkit tile built from the card, {TILE_DEVICES} devices, pulse by pulse"]
    for branch, check in zip(fit.branches, checks, strict=True):
        lines.append(
            f"  {branch.name}: mean response off by {percent(check.rmse_from_data)} of the range "
            f"from the measured one, {percent(check.rmse_from_curve)} from the curve (RMSE), at "
            f"its end by {percent(check.end_from_data)}; scatter of a step {check.step_std:.3g}, "
            f"measured {check.step_std_data:.3g}"
        )
        lines += _indented(_band_lines(check, range_at(fit.card, branch.field_G)), 4)
    return lines


def _band_lines(check: TileCheck, whole: float) -> list[str]:
    """Scatter of cycles and devices at the end of a branch, where it was measured."""
    lines = []
    for name, what in (("cycle_std", "cycles"), ("device_std", "devices")):
        data, tile = check.data_band.at_end(name) / whole, check.band.at_end(name) / whole
        if np.isfinite(data):
            lines.append(
                f"at its end {what} scatter by {percent(tile)} of the range, measured "
                f"{percent(data)}"
            )
    return lines


def _indented(lines: Sequence[str], by: int = 2) -> list[str]:
    return [f"{' ' * by}{line}" for line in lines]


def _next_lines(out: str, zero: str) -> list[str]:
    """Commands to go on with, as a shell takes them; the weight 0 where it is not the usual one."""
    card = override("device.card", out)
    # Not called after the card alone: a dis.py here would stand in for Python's own.
    preset = str(Path(out).with_name(f"{Path(out).stem}_preset.py"))
    usual = zero == USUAL_ZERO
    train = () if usual else (override("crossbar.zero", zero),)
    export = () if usual else (f"--zero={zero}",)
    return [
        f"Card: {out}. What it costs in accuracy, and the device for an aihwkit script:",
        "  " + command_line(*TRAIN, "experiment=crossbar", card, *train),
        "  " + command_line(*EXPORT, f"--aihwkit={preset}", *export, "--", out),
    ]
