"""`fit_card`: a pulse measurement becomes a device card with uncertainty."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from threadpoolctl import threadpool_limits

from device_models.card import BRANCHES, Curve, DeviceCard, Spread, Uncertainty, card_from_dict
from device_models.curves import Law
from device_models.fit.branches import Branch, FitError, select_branches
from device_models.fit.identified import open_coordinates, too_certain
from device_models.fit.joint import MAGNETIC, JointFit, fit_jointly
from device_models.fit.laws import CANDIDATES, Fit, prior_std, refit
from device_models.fit.select import MIN_FIELDS, Choice, choose_law
from device_models.fit.solver import autocorrelation
from device_models.fit.spread import PulseNoise, device_covariance, pulse_noise
from device_models.fit.uncertainty import (
    all_curves_covariance,
    limited,
    point_covariance,
)
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]

MIN_DEVICES = 3
FEW_DEVICES = 8
NOTEWORTHY = 1.05
"""Standard errors widened by less are not worth a word."""

NOISE_GROWTH = 5.0
SMALL_MISFIT = 1e-3
DIGITS = 8
MAX_BOOTSTRAP = 10_000
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False)
class CardFit:
    """A card and what the fit of it showed.

    `branches` are the readings in conductance, `laws` the curves, `choices` how each branch's law
    was chosen, `noise` the noise of single pulses of each curve, `joint` the model in the field
    where there is one, `covariance_from` what the standard errors come from.
    """

    card: DeviceCard
    branches: tuple[Branch, ...]
    choices: dict[str, Choice]
    noise: tuple[PulseNoise, ...]
    joint: JointFit | None
    covariance_from: str
    warnings: tuple[str, ...]

    @property
    def laws(self) -> tuple[Law, ...]:
        """Law of every branch, in their order."""
        return tuple(c.law for c in self.card.curves)


# Matrices here are small: a second thread on them costs ten times what it saves on a busy machine.
@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_card(
    data: PulseData,
    *,
    name: str | None = None,
    title: str = "",
    kind: str = "measured",
    caveat: str = "",
    reference: str = "",
    law: str = "auto",
    bootstrap: int = 200,
    seed: int = 0,
) -> CardFit:
    """Card, fitted in conductance, with covariance and spreads, from a pulse measurement.

    `law`: "auto" chooses among `fit.laws.CANDIDATES` per branch, or the name of one.
    `bootstrap`: draws over devices or cycles where there are five or more of them, 0 for none.
    Raises FitError, one line, where no card can be made.
    """
    _check_options(law, bootstrap, seed)
    branches, conditions, warnings = select_branches(data)
    choices = {}
    for branch in BRANCHES:
        own = [b for b in branches if b.branch == branch]
        try:
            choices[branch] = choose_law(own, law)
        except ValueError as error:
            raise FitError(f"{data.source}: {branch}: {error}") from None
    fits = _in_order(branches, choices)
    joint = fit_jointly(branches, fits)
    laws = list(joint.laws) if joint else [f.law for f in fits]
    if joint:
        matrix, covariance_from = joint.covariance, "joint model in the field"
    else:
        matrix, covariance_from = all_curves_covariance(branches, fits, bootstrap, seed)
        matrix, covariance_from = _widened(matrix, covariance_from, branches, choices)
    matrix = limited(matrix, np.concatenate([prior_std(law) for law in laws]))
    by_device = [_device_fits(b, f) for b, f in zip(branches, fits, strict=True)]
    noise = [
        pulse_noise(b, [own[d].law for d, _ in b.clusters] if own else [law] * len(b.clusters))
        for b, law, own in zip(branches, laws, by_device, strict=True)
    ]
    n_pulses = int(np.ceil(max(b.pulses.max() for b in branches)))
    half_range = _half_range(laws, branches, n_pulses)
    d2d, spread = _spread(branches, laws, by_device, noise, half_range, n_pulses)
    warnings += _findings(branches, laws, matrix, joint, n_pulses)
    curves = tuple(
        Curve(b.branch, b.field_G, law, _quality(b, law, pulse, half_range))
        for b, law, pulse in zip(branches, laws, noise, strict=True)
    )
    unit = "S" if data.unit == "ohm" else data.unit
    draft = DeviceCard(
        name=name or _identifier(Path(data.source).stem),
        title=title or f"Device measured in {Path(data.source).name}",
        kind=kind,
        caveat=caveat or _caveat(kind, warnings),
        quantity="conductance",
        unit=unit,
        n_pulses=n_pulses,
        curves=curves,
        spread=spread,
        conditions=conditions | _magnetics(joint),
        source=_source(data, branches, choices, reference, covariance_from),
    )
    uncertainty = Uncertainty(draft.parameters, _rows(matrix), None if d2d is None else _rows(d2d))
    content = replace(draft, uncertainty=uncertainty).to_dict()
    try:
        # Through the same door as a stranger's card: what is written can be read.
        card = card_from_dict(json.loads(json.dumps(content)))
    except ValueError as error:
        raise FitError(f"{data.source}: no card: {error}") from None
    return CardFit(
        card,
        tuple(branches),
        choices,
        tuple(noise),
        joint,
        covariance_from,
        (*data.warnings, *warnings),
    )


def _check_options(law: str, bootstrap: int, seed: int) -> None:
    if law != "auto" and law not in CANDIDATES:
        raise FitError(f"law must be auto or one of {', '.join(CANDIDATES)}, got {law!r}")
    for name, value, highest in (("bootstrap", bootstrap, MAX_BOOTSTRAP), ("seed", seed, MAX_SEED)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not 0 <= value <= highest:
            raise FitError(f"{name} must be a whole number from 0 to {highest}, got {value!r}")


def _in_order(branches: Sequence[Branch], choices: dict[str, Choice]) -> list[Fit]:
    """Fits in the order of the branches."""
    queues = {name: iter(choice.fits) for name, choice in choices.items()}
    return [next(queues[b.branch]) for b in branches]


def _widened(
    matrix: FloatArray, origin: str, branches: Sequence[Branch], choices: dict[str, Choice]
) -> tuple[FloatArray, str]:
    """The covariance and where it is from, wider where other laws fit nearly as well."""
    queues = {name: iter(choice.widening) for name, choice in choices.items()}
    factors = [
        np.full(len(fit.law.theta_names), next(queues[b.branch], 1.0))
        for b, fit in zip(branches, _in_order(branches, choices), strict=True)
    ]
    factor = np.concatenate(factors)
    if factor.max() >= NOTEWORTHY:
        origin += f", up to {factor.max():.2f} times as wide for laws that fit nearly as well"
    return matrix * np.outer(factor, factor), origin


def _device_fits(branch: Branch, fit: Fit) -> dict[str, Fit]:
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


def _spread(
    branches: Sequence[Branch],
    laws: Sequence[Law],
    by_device: Sequence[dict[str, Fit]],
    noise: Sequence[PulseNoise],
    half_range: float,
    n_pulses: int,
) -> tuple[FloatArray | None, Spread]:
    """Covariance between devices where there are three or more, and the card's spreads."""
    # Weighted by the steps: a relative spread matters where steps are large.
    walk = [(p.step_c2c * p.mean_step) ** 2 for p in noise]
    c2c = float(np.sqrt(np.sum(walk) / np.sum([p.mean_step**2 for p in noise])))
    write = float(np.sqrt(np.mean([p.write**2 for p in noise])))
    devices = [d for d in by_device[0] if all(d in own for own in by_device)]
    spread = {
        "step_c2c": _rounded(c2c),
        "write_noise": _rounded(write / half_range),
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
    spread["step_d2d"] = _rounded(float(np.std(sizes, ddof=1) / np.mean(sizes)))
    spread["range_d2d"] = _rounded(float(ends_std / half_range))
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


def _findings(
    branches: Sequence[Branch],
    laws: Sequence[Law],
    matrix: FloatArray,
    joint: JointFit | None,
    n_pulses: int,
) -> list[str]:
    """What a reader of the card should know, one line each."""
    lines, at = [], 0
    errors = np.sqrt(np.diag(matrix))
    for branch, law in zip(branches, laws, strict=True):
        own = errors[at : at + len(law.theta_names)]
        at += len(law.theta_names)
        open_ones = open_coordinates(law.theta_names, own)
        if open_ones and "spline" not in law.name:
            lines.append(f"{branch.name}: not identified by the data: {', '.join(open_ones)}")
        impossible = too_certain(branch, law, own, len(branches) if joint else 1)
        if impossible:
            lines.append(
                f"{branch.name}: standard errors far below what the noise allows, a fault of the "
                f"fit and not of the data: {', '.join(impossible)}"
            )
        if branch.pulses.max() < n_pulses - 1:
            lines.append(
                f"{branch.name}: measured to pulse {branch.pulses.max():g}; the curve goes on to "
                f"{n_pulses} as an extrapolation"
            )
        if branch.n_outliers:
            verb = "outlier counts" if branch.n_outliers == 1 else "outliers count"
            lines.append(f"{branch.name}: {branch.n_outliers} {verb} for less")
        if branch.noise_growth > NOISE_GROWTH and len({d for d, _ in branch.clusters}) == 1:
            lines.append(
                f"{branch.name}: the noise grows {branch.noise_growth:.0f}-fold with the "
                f"conductance; a tile has the same write noise at every weight"
            )
        points = branch.points()
        residual = points.values - law(points.pulses)
        rho = autocorrelation(residual)
        misfit = float(np.sqrt(np.mean(residual**2)) / np.ptp(law(points.pulses)))
        if rho > 0.3 and len(residual) > 30 and misfit > SMALL_MISFIT:
            lines.append(
                f"{branch.name}: mean residuals follow each other (correlation {rho:.2f}): slow "
                f"noise, or a shape the law does not have"
            )
    devices = {d for b in branches for d, _ in b.clusters}
    if 1 < len(devices) < FEW_DEVICES:
        lines.append(f"device-to-device spread from {len(devices)} devices only")
    if joint is None and len({b.field_G for b in branches}) >= MIN_FIELDS:
        lines.append("fields fitted one by one: no single p_AP(H) explains them better")
    return _gathered(lines)


def _gathered(lines: Sequence[str]) -> list[str]:
    """Findings that differ only in the field, said once."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        branch = re.match(r"(LTP|LTD) at \S+ G: ", line)
        rest = line[branch.end() :] if branch else line
        kind = f"{branch[1] if branch else ''} {re.sub(r'[0-9.]+', '#', rest)}"
        kinds.setdefault(kind, []).append(line)
    return [
        own[0] if len(own) == 1 else f"{own[0]} (and at {len(own) - 1} more fields)"
        for own in kinds.values()
    ]


def _quality(branch: Branch, law: Law, noise: PulseNoise, half_range: float) -> dict[str, Any]:
    residual = branch.values - law(branch.pulses)
    rmse = float(np.sqrt(np.mean(residual**2)))
    points = branch.points()
    mean = float(np.sqrt(np.mean((law(points.pulses) - points.values) ** 2)))
    return {
        "n_readings": len(residual),
        "n_segments": len(branch.clusters),
        "rmse_over_range": _rounded(rmse / (2 * half_range)),
        "rmse_of_mean_over_range": _rounded(mean / (2 * half_range)),
        "step_std_over_mean_step": _rounded(noise.step_std / noise.mean_step),
    }


def _half_range(laws: Sequence[Law], branches: Sequence[Branch], n_pulses: int) -> float:
    """Half of the widest conductance range at one field."""
    ends: dict[float, list[float]] = {}
    for law, branch in zip(laws, branches, strict=True):
        ends.setdefault(branch.field_G, []).extend(law(np.array([0.0, n_pulses])))
    return max(max(own) - min(own) for own in ends.values()) / 2


def _magnetics(joint: JointFit | None) -> dict[str, Any]:
    if joint is None:
        return {}
    return {
        "antiparallel_fraction": {
            name: {"value": _rounded(value), "standard_error": _rounded(error)}
            for name, (value, error) in zip(MAGNETIC, joint.magnetics, strict=True)
        }
    }


def _source(
    data: PulseData,
    branches: Sequence[Branch],
    choices: dict[str, Choice],
    reference: str,
    covariance_from: str,
) -> dict[str, Any]:
    return {
        "reference": reference,
        "generator": "device_models.fit.fit_card",
        "file": Path(data.source).name,
        "data_sha256": data.sha256,
        "n_readings": sum(len(b.values) for b in branches),
        "n_devices": len({d for b in branches for d, _ in b.clusters}),
        "n_cycles": len({cycle for b in branches for _, cycle in b.clusters}),
        "law_choice": {
            branch: {
                "criterion": choice.criterion,
                "scores": {name: _rounded(score) for name, score in choice.scores.items()},
            }
            for branch, choice in choices.items()
        },
        "covariance_from": covariance_from,
    }


def _caveat(kind: str, warnings: Sequence[str]) -> str:
    text = f"{kind.capitalize()} pulse responses with fitted curves"
    return f"{text}; {len(warnings)} warnings in the fit report." if warnings else f"{text}."


def _identifier(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "device"


def _rounded(value: float) -> float:
    return float(f"{float(value):.4g}")


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    """The matrix as rows, exactly symmetric."""
    even = (matrix + matrix.T) / 2
    return tuple(tuple(float(f"{v:.{DIGITS}g}") for v in row) for row in even)
