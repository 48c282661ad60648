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
from threadpoolctl import threadpool_limits

from device_models.card import BRANCHES, Curve, DeviceCard, Uncertainty, card_from_dict
from device_models.curves import Law
from device_models.fit.branches import Branch, FitError, select_branches
from device_models.fit.devices import (
    device_fits,
    find_spread,
    half_range,
    read_noise_of,
    rounded,
    spread_findings,
)
from device_models.fit.findings import find_findings
from device_models.fit.joint import MAGNETIC, JointFit, fit_jointly
from device_models.fit.laws import CANDIDATES, Fit, prior_std
from device_models.fit.select import Choice, choose_law
from device_models.fit.spread import PulseNoise, pulse_noise
from device_models.fit.uncertainty import (
    all_curves_covariance,
    limited,
)
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]

NOTEWORTHY = 1.05
"""Standard errors widened by less are not worth a word."""

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
    by_device = [device_fits(b, f) for b, f in zip(branches, fits, strict=True)]
    noise = [
        pulse_noise(b, [own[d].law for d, _ in b.clusters] if own else [law] * len(b.clusters))
        for b, law, own in zip(branches, laws, by_device, strict=True)
    ]
    n_pulses = int(np.ceil(max(b.pulses.max() for b in branches)))
    half = half_range(laws, branches, n_pulses)
    d2d, spread = find_spread(
        branches, laws, by_device, noise, half, n_pulses, read_noise_of(data, branches)
    )
    warnings += spread_findings(branches, noise, half)
    warnings += find_findings(branches, laws, matrix, joint, n_pulses)
    curves = tuple(
        Curve(b.branch, b.field_G, law, _quality(b, law, pulse, half))
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


def _quality(branch: Branch, law: Law, noise: PulseNoise, half: float) -> dict[str, Any]:
    residual = branch.values - law(branch.pulses)
    rmse = float(np.sqrt(np.mean(residual**2)))
    points = branch.points()
    mean = float(np.sqrt(np.mean((law(points.pulses) - points.values) ** 2)))
    return {
        "n_readings": len(residual),
        "n_segments": len(branch.clusters),
        "rmse_over_range": rounded(rmse / (2 * half)),
        "rmse_of_mean_over_range": rounded(mean / (2 * half)),
        "step_std_over_mean_step": rounded(noise.step_std / noise.mean_step),
    }


def _magnetics(joint: JointFit | None) -> dict[str, Any]:
    if joint is None:
        return {}
    return {
        "antiparallel_fraction": {
            name: {"value": rounded(value), "standard_error": rounded(error)}
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
                "scores": {name: rounded(score) for name, score in choice.scores.items()},
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


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    """The matrix as rows, exactly symmetric."""
    even = (matrix + matrix.T) / 2
    return tuple(tuple(float(f"{v:.{DIGITS}g}") for v in row) for row in even)
