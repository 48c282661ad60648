"""What a reader of a fitted card should know, one line each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branches import Branch
from device_models.fit.identified import open_coordinates, too_certain
from device_models.fit.joint import JointFit
from device_models.fit.select import MIN_FIELDS
from device_models.fit.solver import autocorrelation

FloatArray = NDArray[np.float64]

FEW_DEVICES = 8
NOISE_GROWTH = 5.0
SMALL_MISFIT = 1e-3


def find_findings(
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
