"""What a reader of a fitted card should know, one line each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.identified import open_coordinates, too_certain
from device_models.fit.joint import JointFit
from device_models.fit.quality import field_ranges, mean_misfit
from device_models.fit.select import MIN_FIELDS, is_positive
from device_models.fit.solver import autocorrelation

FloatArray = NDArray[np.float64]

FEW_DEVICES = 8
NOISE_GROWTH = 5.0
SMALL_MISFIT = 5e-3
LARGEST_MISFIT = 0.05
"""Root mean square of the mean residuals over the range from which on a curve is called bad."""

FAR_START, FAR_RATIO = 0.01, 0.1
"""A start is off its readings by this share of the range, or of itself where it is small."""

NO_BETTER = 0.8
"""A shape-free curve that leaves more than this share of a misfit does not describe more."""

LATE = 0.15
FLAT = 0.2
"""A spline's last step below this share of the slope over the last LATE of its pulses is flat,
where a line leaves no more of the readings than the spline does."""

Z95 = 1.96


def find_findings(
    branches: Sequence[Branch], laws: Sequence[Law], matrix: FloatArray, joint: JointFit | None
) -> tuple[list[str], list[str]]:
    """What makes a result bad, and what else a reader of the card should know; one line each."""
    ranges, last = field_ranges(branches, laws), max(b.end for b in branches)
    loud: list[str] = []
    quiet: list[str] = []
    at, errors = 0, np.sqrt(np.diag(matrix))
    for branch, law in zip(branches, laws, strict=True):
        own = errors[at : at + len(law.theta_names)]
        at += len(law.theta_names)
        loud += bad_curve(branch, law, ranges[branch.field_G], float(own[0]))
        quiet += _coordinates(branch, law, own, len(branches) if joint else 1)
        quiet += _ends(branch, law, last)
        quiet += _readings(branch, law, ranges[branch.field_G])
    devices = {d for b in branches for d, _ in b.clusters}
    if 1 < len(devices) < FEW_DEVICES:
        quiet.append(f"device-to-device spread from {len(devices)} devices only")
    if joint is None and len({b.field_G for b in branches}) >= MIN_FIELDS:
        quiet.append("fields fitted one by one: no single p_AP(H) explains them better")
    return _gathered(loud), _gathered(quiet)


def bad_curve(branch: Branch, law: Law, conductance_range: float, start_error: float) -> list[str]:
    """Where the curve is not what was measured: misfit, values below 0, a start off its readings.

    `start_error`: standard error of the first coordinate of the law.
    """
    lines = []
    misfit = mean_misfit(branch, law)
    if misfit > LARGEST_MISFIT * conductance_range:
        described = mean_misfit(branch, branch.pilot) < NO_BETTER * misfit
        what = (
            "the curve does not describe the readings"
            if described
            else f"the readings scatter around any curve that {branch.verb}s"
        )
        share = misfit / conductance_range
        lines.append(f"{branch.name}: {what}: RMSE {share:.0%} of the range")
    if branch.values.min() > 0 and not is_positive(branch, law):
        lines.append(f"{branch.name}: the curve goes to 0 or below, where no reading does")
    return lines + _start(branch, law, start_error, conductance_range)


def _start(branch: Branch, law: Law, error: float, conductance_range: float) -> list[str]:
    """A start whose interval holds none of the first readings, and that is off them by much."""
    first = branch.values[branch.pulses == 0]
    if len(first) < 2:
        return []
    start = float(law(0.0))
    room = Z95 * error * (start if law.theta_names[0] == "log_start" else 1.0)
    if start - room <= first.max() and start + room >= first.min():
        return []
    nearest = float(first.max() if start > first.max() else first.min())
    share = abs(start - nearest) / conductance_range
    where = "above" if start > nearest else "below"
    if share > FAR_START:
        how = f"{share:.1%} of the range {where}"
    elif nearest > 0 and abs(start / nearest - 1) > FAR_RATIO:
        how = f"by {abs(start / nearest - 1):.0%} {where}"
    else:
        return []
    return [f"{branch.name}: the curve starts {how} all of its {len(first)} first readings"]


def _coordinates(branch: Branch, law: Law, errors: FloatArray, curves: int) -> list[str]:
    lines = []
    open_ones = open_coordinates(law.theta_names, errors)
    if open_ones and "spline" not in law.name:
        lines.append(f"{branch.name}: not identified by the data: {', '.join(open_ones)}")
    impossible = too_certain(branch, law, errors, curves)
    if impossible:
        lines.append(
            f"{branch.name}: standard errors far below what the noise allows, a fault of the "
            f"fit and not of the data: {', '.join(impossible)}"
        )
    return lines


def _ends(branch: Branch, law: Law, last: float) -> list[str]:
    """Where the curve begins and ends, beside what its readings would say."""
    lines = []
    if branch.first_pulse:
        lines.append(
            f"{branch.name}: no reading before pulse {branch.first_pulse:g}; pulse 0 of the curve "
            f"is the reading after pulse {branch.first_pulse:g}"
        )
    if branch.end < last - 1:
        lines.append(
            f"{branch.name}: measured over {branch.end:g} of {last:g} pulses; its curve ends there"
        )
    if "spline" in law.name and _flat_by_fit(branch, law):
        lines.append(
            f"{branch.name}: the spline ends flat while its readings still {branch.verb}: its last "
            f"step is a product of the fit"
        )
    return lines


def _flat_by_fit(branch: Branch, law: Law) -> bool:
    """Whether the last step is far below the slope of the last readings, which are a line."""
    points = branch.points()
    late = points.pulses >= points.pulses[-1] - LATE * (points.pulses[-1] - points.pulses[0])
    n, y = points.pulses[late], points.values[late]
    if len(n) < 5:
        return False
    centred = n - n.mean()
    power = float(centred @ centred)
    slope = float(centred @ y / power)
    around_line = float(np.sum((y - y.mean() - slope * centred) ** 2))
    error = np.sqrt(around_line / (len(n) - 2) / power)
    step = float(law(n[-1]) - law(n[-1] - 1))
    far = branch.direction * slope > 3 * error and step / slope < FLAT
    return far and around_line <= float(np.sum((y - law(n)) ** 2))


def _readings(branch: Branch, law: Law, conductance_range: float) -> list[str]:
    """What is special about the readings around the curve."""
    lines = []
    if branch.n_outliers:
        verb = "outlier counts" if branch.n_outliers == 1 else "outliers count"
        lines.append(f"{branch.name}: {branch.n_outliers} {verb} for less")
    lines += _noise(branch)
    points = branch.points()
    residual = points.values - law(points.pulses)
    rho, misfit = autocorrelation(residual), mean_misfit(branch, law) / conductance_range
    if rho > 0.3 and len(residual) > 30 and misfit > SMALL_MISFIT:
        lines.append(
            f"{branch.name}: mean residuals follow each other (correlation {rho:.2f}): slow "
            f"noise, or a shape the law does not have"
        )
    return lines


def _noise(branch: Branch) -> list[str]:
    """Noise that is not the same everywhere."""
    if branch.noise_growth <= NOISE_GROWTH:
        return []
    if not branch.noise_proven:
        decades = branch.points().decades
        return [
            f"{branch.name}: fitted with errors in proportion to the conductance, which spans "
            f"{decades:.1f} decades; the readings do not show how their noise goes"
        ]
    if len({d for d, _ in branch.clusters}) > 1:
        return []
    return [
        f"{branch.name}: the noise grows {branch.noise_growth:.0f}-fold with the conductance; a "
        f"tile has the same write noise at every weight"
    ]


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
