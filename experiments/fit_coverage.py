"""Do the intervals of the fit hold the truth as often as they say?

    python -m experiments.fit_coverage --trials 500

Synthetic pulses from laws with known parameters are fitted again and again. Rows with the law
given: the share of 95 % intervals that hold the true parameter, for 0, 1 and 5 % noise of the
range. Rows with the law chosen by the fit, for 1, 5 and 10 cycles too: the share of intervals that
hold what every law has, the start, the response after a quarter, half and all of the pulses, and
the step in the middle of the range. Printed, and stored after every row.

Kinds of readings: "range", noise of one size, a share of the range; "relative", noise in
proportion over decades; "from pulse 1", no reading before the first pulse; "devices", whose
responses differ by DEVICE_STD, in place of cycles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from device_models.card import BRANCHES
from device_models.curves import (
    ExponentialMixture,
    GeometricExponential,
    GeometricLogistic,
    Law,
    Logistic,
    LogStep,
    PowerLaw,
    StretchedExponential,
)
from device_models.files import check_outputs, write_atomically
from device_models.fit import CardFit, fit_card
from device_models.pulses import PulseData, Segment
from experiments.command.options import USER_ERRORS, Parser, end, whole_number
from experiments.fitting.confidence import Z95

N_PULSES = 100
NOISE = (0.0, 0.01, 0.05)
CYCLES = (1, 5, 10)
LAWS = ("given", "auto")
QUANTITIES = ("start", "quarter", "half", "end", "step")
RELATIVE, FROM_PULSE_1, DEVICES = "relative", "from pulse 1", "devices"
DEVICE_STD = 0.1
WIDTH = 110
HEADINGS = (
    *("laws", "truth", "kind", "noise", "cycles"),
    *("mean", "lowest", "highest", "true form"),
)
RESULT = Path("experiments/results/fit_coverage.json")

# LTP and LTD of each form, on a scale of 1, with every parameter within reach of 101 readings.
TRUTHS: dict[str, tuple[Law, Law]] = {
    "exponential_mixture_1": (
        ExponentialMixture(1.0, (-0.9,), (30.0,)),
        ExponentialMixture(0.1, (0.9,), (15.0,)),
    ),
    "exponential_mixture_2": (
        ExponentialMixture(1.0, (-0.4, -0.5), (3.0, 40.0)),
        ExponentialMixture(0.1, (0.5, 0.4), (2.0, 35.0)),
    ),
    "log_step": (LogStep(0.1, 0.06, 8.0), LogStep(1.0, -0.15, 2.0)),
    "power_law": (PowerLaw(0.1, 0.12, 10.0, -1.5), PowerLaw(1.0, -0.2, 4.0, -1.0)),
    "logistic": (Logistic(0.1, 0.9, 40.0, 8.0), Logistic(1.0, -0.9, 30.0, 6.0)),
    "stretched_exponential": (
        StretchedExponential(0.1, 0.9, 40.0, 2.5),
        StretchedExponential(1.0, -0.9, 30.0, 1.8),
    ),
    "geometric_exponential": (
        GeometricExponential(1e-3, 3.0, 25.0),
        GeometricExponential(1.0, -3.0, 30.0),
    ),
    "geometric_logistic": (
        GeometricLogistic(1e-3, 3.0, 30.0, 9.0),
        GeometricLogistic(1.0, -3.0, 40.0, 10.0),
    ),
}
OVER_DECADES = ("geometric_exponential", "geometric_logistic")


@dataclass(frozen=True)
class Setting:
    """Readings of one row: true form, noise over the range or the reading, cycles or devices."""

    truth: str
    noise: float
    cycles: int = 1
    kind: str = "range"


Row = dict[str, Any]
Trial = dict[str, bool]
"""Whether each quantity of a trial was inside its interval, or right."""


def measured(
    truth: tuple[Law, Law], noise: float, seed: int, cycles: int = 1, kind: str = "range"
) -> PulseData:
    """Cycles of synthetic readings with white noise; `kind` as in the heading of this file."""
    rng = np.random.default_rng(seed)
    n = np.arange(float(kind == FROM_PULSE_1), N_PULSES + 1.0)
    segments = []
    for cycle in range(1, cycles + 1):
        size = 1 + DEVICE_STD * rng.standard_normal() if kind == DEVICES else 1.0
        for branch, law in zip(BRANCHES, truth, strict=True):
            values = size * law(n)
            scale = values if kind == RELATIVE else np.ptp(values)
            values = values + noise * scale * rng.standard_normal(len(n))
            device, own = (str(cycle), 1) if kind == DEVICES else ("1", cycle)
            segments.append(Segment(branch, n, values, device, own))
    return PulseData("conductance", "1", tuple(segments), "synthetic", "")


def parameters_held(setting: Setting, seed: int) -> Trial:
    """Whether the 95 % interval of each parameter of both branches holds the truth."""
    truth = TRUTHS[setting.truth]
    data = measured(truth, setting.noise, seed, setting.cycles, setting.kind)
    fit = fit_card(data, law=setting.truth, bootstrap=0)
    found = {}
    for branch, law, true, own in zip(BRANCHES, fit.laws, truth, _covariances(fit), strict=True):
        errors = np.sqrt(np.diag(own))[_order(law)]
        rows = zip(law.theta_names, _in_order(law), _in_order(true), errors, strict=True)
        for label, value, goal, error in rows:
            found[f"{branch} {label}"] = bool(abs(value - goal) <= Z95 * error)
    return found


def responses_held(setting: Setting, seed: int) -> tuple[Trial, Trial]:
    """Whether the 95 % interval of each quantity holds the truth, the law chosen by the fit.

    Also, for each branch, whether the fit chose the true form.
    """
    truth = TRUTHS[setting.truth]
    fit = fit_card(measured(truth, setting.noise, seed, setting.cycles, setting.kind))
    first = float(setting.kind == FROM_PULSE_1)
    found = {}
    for branch, law, true, own in zip(BRANCHES, fit.laws, truth, _covariances(fit), strict=True):
        pulses = _looked_at(true, first)
        values, goals = _quantities(law(pulses)), _quantities(true(first + pulses))
        gradients = _quantities(law.jacobian(pulses))
        errors = np.sqrt(np.einsum("qi,ij,qj->q", gradients, own, gradients))
        for label, value, goal, error in zip(QUANTITIES, values, goals, errors, strict=True):
            found[f"{branch} {label}"] = bool(abs(value - goal) <= Z95 * error)
    right = {branch: choice.name == setting.truth for branch, choice in fit.choices.items()}
    return found, right


def _looked_at(true: Law, first: float) -> np.ndarray:
    """Pulses after the `first`: 0, a quarter, half, all, and two around the middle of the range."""
    last = N_PULSES - first
    n = np.linspace(0, last, 10 * N_PULSES + 1)
    done = (true(first + n) - true(first)) / (true(N_PULSES) - true(first))
    middle = max(float(np.interp(0.5, done, n)), 0.5)
    return np.array([0, last / 4, last / 2, last, middle - 0.5, middle + 0.5])


def _quantities(at: np.ndarray) -> np.ndarray:
    """QUANTITIES (5, ...) from what a law has at the pulse numbers of `_looked_at` (6, ...)."""
    return np.concatenate([at[:4], at[5:] - at[4:5]])


def _covariances(fit: CardFit) -> Iterator[np.ndarray]:
    """Covariance of the coordinates of each curve, one after the other."""
    assert fit.card.uncertainty is not None
    matrix, at = np.array(fit.card.uncertainty.fit), 0
    for law in fit.laws:
        own = slice(at, at + len(law.theta_names))
        yield matrix[own, own]
        at = own.stop


def _order(law: Law) -> np.ndarray:
    """Coordinates with the terms of a mixture from fast to slow."""
    if not isinstance(law, ExponentialMixture):
        return np.arange(len(law.theta_names))
    terms = np.argsort(law.tau_pulses)
    return np.concatenate([[0], *([1 + 2 * k, 2 + 2 * k] for k in terms)])


def _in_order(law: Law) -> np.ndarray:
    return law.theta[_order(law)]


def rows_of(laws: str) -> list[Setting]:
    """Readings of every row for laws "given" or "auto"."""
    common = [name for name in TRUTHS if name not in OVER_DECADES]
    if laws == "given":
        return [Setting(name, noise) for name in common for noise in NOISE] + [
            Setting(name, noise, 1, RELATIVE) for name in OVER_DECADES for noise in NOISE
        ]
    cycled = [
        Setting(name, noise, n) for name in common for noise in NOISE if noise for n in CYCLES
    ]
    simple = "exponential_mixture_1", "logistic"
    return [
        *cycled,
        *(Setting(name, noise, n, RELATIVE) for name in OVER_DECADES for noise in (0.05, 0.15)
          for n in (1, 5)),
        *(Setting(name, noise, 1, FROM_PULSE_1) for name in simple for noise in NOISE if noise),
        *(Setting(name, 0.01, n, DEVICES) for name in simple for n in (3, 6)),
    ]  # fmt: skip


def coverage_row(laws: str, setting: Setting, seeds: range) -> Row:
    """One row: trials, mean share of hits, the lowest and highest quantity's.

    Where the fit chooses the law, also the share of branches that got the true form.
    """
    row: Row = {"laws": laws, **asdict(setting), "trials": len(seeds)}
    if laws == "given":
        table = [parameters_held(setting, seed) for seed in seeds]
    else:
        trials = [responses_held(setting, seed) for seed in seeds]
        table = [held for held, _ in trials]
        row["true_form"] = float(np.mean([list(right.values()) for _, right in trials]))
    shares = {key: float(np.mean([held[key] for held in table])) for key in table[0]}
    ends = {"lowest": min(shares.values()), "highest": max(shares.values())}
    return row | {"mean": float(np.mean(list(shares.values())))} | ends


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--trials",
        type=whole_number(1, 1_000_000),
        default=500,
        help="per law and noise (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32),
        default=0,
        help="of the first trial (%(default)s)",
    )
    parser.add_argument("--laws", choices=LAWS, help="only rows with laws given, or chosen")
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON (%(default)s)")
    given = parser.parse_args(arguments)
    seeds = range(given.seed, given.seed + given.trials)
    work = [(laws, row) for laws in LAWS for row in rows_of(laws) if given.laws in (None, laws)]
    rows: list[Row] = []
    try:
        check_outputs([given.out])
        for each in track(work, description="fits", console=Console(stderr=True)):
            rows.append(coverage_row(*each, seeds))
            write_atomically(given.out, json.dumps(rows, indent=1) + "\n")
    except USER_ERRORS as error:
        end(error)
    Console(width=max(Console().width, WIDTH)).print(_table(rows))


def _table(rows: list[Row]) -> Table:
    table = Table(title=f"95 % intervals that hold the truth, {rows[0]['trials']} trials")
    for heading in HEADINGS:
        table.add_column(heading)
    for row in rows:
        shares = (f"{row[key]:.1%}" for key in ("mean", "lowest", "highest"))
        right = f"{row['true_form']:.0%}" if "true_form" in row else ""
        own = row["laws"], row["truth"], row["kind"], f"{row['noise']:.0%}", str(row["cycles"])
        table.add_row(*own, *shares, right)
    return table


if __name__ == "__main__":
    main()
