"""Do the intervals of the fit hold the truth as often as they say?

    python -m experiments.fit_coverage --trials 500

Synthetic pulses from laws with known parameters, with 0, 1 and 5 % noise of the range, are fitted
again and again; the share of 95 % intervals that hold the true parameter is printed and stored.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from device_models.card import BRANCHES
from device_models.curves import ExponentialMixture, Law, LogStep, PowerLaw
from device_models.files import check_outputs, write_atomically
from device_models.fit import fit_card
from device_models.pulses import PulseData, Segment
from experiments.fit_report import Z95
from experiments.options import Parser, end, whole_number

N_PULSES = 100
NOISE = (0.0, 0.01, 0.05)
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
}


def measured(truth: tuple[Law, Law], noise: float, seed: int) -> PulseData:
    """One cycle of synthetic readings, white noise of `noise` times the range."""
    rng = np.random.default_rng(seed)
    n = np.arange(N_PULSES + 1.0)
    segments = []
    for branch, law in zip(BRANCHES, truth, strict=True):
        values = law(n)
        values = values + noise * np.ptp(values) * rng.standard_normal(len(n))
        segments.append(Segment(branch, n, values))
    return PulseData("conductance", "1", tuple(segments), "synthetic", "")


def hits(name: str, noise: float, seed: int) -> dict[str, bool]:
    """Whether the 95 % interval of each parameter of both branches holds the truth."""
    truth = TRUTHS[name]
    fit = fit_card(measured(truth, noise, seed), law=name, bootstrap=0)
    assert fit.card.uncertainty is not None
    errors = fit.card.uncertainty.standard_errors()
    found, at = {}, 0
    for branch, law, true in zip(BRANCHES, fit.laws, truth, strict=True):
        size = len(law.theta_names)
        theta, expected = _in_order(law), _in_order(true)
        own = errors[at : at + size][_order(law)]
        at += size
        for label, value, goal, error in zip(law.theta_names, theta, expected, own, strict=True):
            found[f"{branch} {label}"] = bool(abs(value - goal) <= Z95 * error)
    return found


def _order(law: Law) -> np.ndarray:
    """Coordinates with the terms of a mixture from fast to slow."""
    if not isinstance(law, ExponentialMixture):
        return np.arange(len(law.theta_names))
    terms = np.argsort(law.tau_pulses)
    return np.concatenate([[0], *([1 + 2 * k, 2 + 2 * k] for k in terms)])


def _in_order(law: Law) -> np.ndarray:
    return law.theta[_order(law)]


def coverage(trials: int, seed: int = 0) -> list[dict[str, object]]:
    """One row a law and noise: trials, mean share of hits, the lowest and highest parameter's."""
    rows: list[dict[str, object]] = []
    work = [(name, noise) for name in TRUTHS for noise in NOISE]
    for name, noise in track(work, description="fits", console=Console(stderr=True)):
        table = [hits(name, noise, seed + trial) for trial in range(trials)]
        shares = {key: float(np.mean([row[key] for row in table])) for key in table[0]}
        rows.append(
            {
                "law": name,
                "noise_over_range": noise,
                "trials": trials,
                "mean": float(np.mean(list(shares.values()))),
                "lowest": min(shares.values()),
                "highest": max(shares.values()),
            }
        )
    return rows


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
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        check_outputs([given.out])
    except OSError as error:
        end(error)
    rows = coverage(given.trials, given.seed)
    table = Table(title=f"95 % intervals that hold the truth, {given.trials} trials")
    for heading in ("law", "noise", "mean", "lowest parameter", "highest parameter"):
        table.add_column(heading)
    for row in rows:
        shares = (f"{row[key]:.1%}" for key in ("mean", "lowest", "highest"))
        table.add_row(str(row["law"]), f"{row['noise_over_range']:.0%}", *shares)
    Console().print(table)
    try:
        write_atomically(given.out, json.dumps(rows, indent=1) + "\n")
    except OSError as error:
        end(error)


if __name__ == "__main__":
    main()
