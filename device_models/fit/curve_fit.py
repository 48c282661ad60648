"""`fit_curves`: curves, their covariance and spreads from a pulse measurement, of any branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from device_models.card import BRANCHES, Conditions, Spread
from device_models.curves import Law
from device_models.fit.between import between_devices
from device_models.fit.between_parts import between_parts
from device_models.fit.branch import Branch
from device_models.fit.branches import FitError, select_branches
from device_models.fit.devices import device_fits, find_spread, read_noise_of, spread_findings
from device_models.fit.findings import find_findings
from device_models.fit.joint import JointFit, fit_jointly
from device_models.fit.laws import CANDIDATES, PRIOR_LOG_STD, Fit, prior_std, times
from device_models.fit.quality import half_range
from device_models.fit.scale import (
    choice_times,
    common_size,
    joint_times,
    matrix_times,
    noise_times,
    on_scale,
)
from device_models.fit.select import Choice, choose_law
from device_models.fit.spread import PulseNoise, pulse_noise
from device_models.fit.uncertainty import all_curves_covariance, limited
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]

NOTEWORTHY = 1.05
"""Standard errors widened by less are not worth a word."""

MAX_BOOTSTRAP = 10_000
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveFit:
    """Curves fitted to the branches that a measurement has, and what the fit of them showed.

    `branches` are the readings in conductance, `laws` the curves in their order, `choices` how
    each branch's law was chosen, `noise` the noise of single pulses of each curve, `joint` the
    model in the field where there is one. `covariance` (n, n) of the coordinates of all curves one
    after the other, `d2d` that between devices where it is known, of the coordinates a card has:
    those of the parts and layers where there is a `joint` model. `covariance_from`: what the
    standard errors come from. `conditions` of the pulses; `warnings` the reader's and the fit's,
    what makes a result bad first.
    """

    branches: tuple[Branch, ...]
    laws: tuple[Law, ...]
    choices: dict[str, Choice]
    noise: tuple[PulseNoise, ...]
    joint: JointFit | None
    covariance: FloatArray
    d2d: FloatArray | None
    covariance_from: str
    spread: Spread
    conditions: Conditions
    warnings: tuple[str, ...]

    @property
    def n_pulses(self) -> int:
        """Largest pulse number of any branch, up to a whole one."""
        return last_pulse(self.branches)


def fit_curves(
    data: PulseData, *, law: str = "auto", bootstrap: int = 200, seed: int = 0
) -> CurveFit:
    """Curves of the branches there are, fitted in conductance, with covariance and spreads.

    `law`: "auto" chooses among `fit.laws.CANDIDATES` per branch, or the name of one.
    `bootstrap`: draws over devices or cycles where there are five or more of them, 0 for none.
    Raises FitError, one line, where no curve can be fitted.
    """
    # Matrices are small: a second thread on them costs ten times what it saves on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit_curves(data, law, bootstrap, seed)


def _fit_curves(data: PulseData, law: str, bootstrap: int, seed: int) -> CurveFit:
    _check_options(law, bootstrap, seed)
    in_unit, conditions, warnings = select_branches(data)
    size = common_size(in_unit)
    branches = [on_scale(b, size) for b in in_unit]
    choices = _choices(branches, law, data.source)
    fits = _in_order(branches, choices)
    joint = fit_jointly(branches, fits)
    laws = list(joint.laws) if joint else [f.law for f in fits]
    if joint:
        matrix, covariance_from = joint.covariance, "joint model in the field"
        joint = replace(joint, parts_covariance=_limited_parts(joint))
    else:
        matrix, covariance_from = all_curves_covariance(branches, fits, bootstrap, seed)
        matrix, covariance_from = _widened(matrix, covariance_from, branches, choices)
    matrix = limited(matrix, np.concatenate([prior_std(law) for law in laws]))
    by_device = [device_fits(b, f) for b, f in zip(branches, fits, strict=True)]
    noise = [
        pulse_noise(b, [own[d].law for d, _ in b.clusters] if own else [law] * len(b.clusters))
        for b, law, own in zip(branches, laws, by_device, strict=True)
    ]
    half = half_range(branches, laws)
    read_noise = read_noise_of(data, in_unit)
    spread = find_spread(
        branches, laws, noise, half, None if read_noise is None else read_noise / size
    )
    d2d = between_parts(branches, joint) if joint else between_devices(branches, laws)
    warnings += spread_findings(branches, noise, half)
    loud, quiet = find_findings(branches, laws, matrix, joint)
    return CurveFit(
        branches=tuple(in_unit),
        laws=tuple(times(law, size) for law in laws),
        choices={name: choice_times(choice, size) for name, choice in choices.items()},
        noise=tuple(noise_times(own, size) for own in noise),
        joint=joint_times(joint, size) if joint else None,
        covariance=matrix_times(matrix, laws, size),
        d2d=None if d2d is None else matrix_times(d2d, joint.parts if joint else laws, size),
        covariance_from=covariance_from,
        spread=spread,
        conditions=conditions,
        warnings=(*loud, *data.warnings, *warnings, *quiet),
    )


def _limited_parts(joint: JointFit) -> FloatArray:
    """Covariance of the parts and layers with no coordinate wider than its weak prior."""
    of_layers = np.array([np.inf, np.inf, PRIOR_LOG_STD, PRIOR_LOG_STD])
    prior = np.concatenate([*(prior_std(law) for law in joint.parts), of_layers])
    return limited(joint.parts_covariance, prior)


def last_pulse(branches: Sequence[Branch]) -> int:
    """Largest end of any branch, up to a whole pulse."""
    return int(np.ceil(max(b.end for b in branches)))


def _check_options(law: str, bootstrap: int, seed: int) -> None:
    if law != "auto" and law not in CANDIDATES:
        raise FitError(f"law must be auto or one of {', '.join(CANDIDATES)}, got {law!r}")
    for name, value, highest in (("bootstrap", bootstrap, MAX_BOOTSTRAP), ("seed", seed, MAX_SEED)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not 0 <= value <= highest:
            raise FitError(f"{name} must be a whole number from 0 to {highest}, got {value!r}")


def _choices(branches: Sequence[Branch], law: str, source: str) -> dict[str, Choice]:
    """Law of each branch there is, LTP before LTD."""
    choices = {}
    for branch in BRANCHES:
        own = [b for b in branches if b.branch == branch]
        try:
            if own:
                choices[branch] = choose_law(own, law)
        except ValueError as error:
            raise FitError(f"{source}: {branch}: {error}") from None
    return choices


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
