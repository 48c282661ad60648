"""Readings on a scale of 1, and what was fitted to them back in the unit of the readings.

A fit that sees only numbers of about 1 cannot know units: every tolerance in it is a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.curves import Law
from device_models.fit.branch import Branch
from device_models.fit.joint import JointFit
from device_models.fit.laws import Fit, times
from device_models.fit.select import Choice
from device_models.fit.solver import Solution
from device_models.fit.spread import PulseNoise

FloatArray = NDArray[np.float64]


def common_size(branches: Sequence[Branch]) -> float:
    """Largest size of a reading of all branches, in their unit."""
    return max(float(np.abs(b.values).max()) for b in branches)


def on_scale(branch: Branch, size: float) -> Branch:
    """The branch with readings over `size`, those of its segments as conductances too."""
    values, at, segments = branch.values / size, 0, []
    for segment in branch.segments:
        stop = at + segment.values.size
        segments.append(replace(segment, values=values[at:stop]))
        at = stop
    return replace(branch, values=values, segments=tuple(segments))


def matrix_times(matrix: FloatArray, laws: Sequence[Law], size: float) -> FloatArray:
    """Covariance of the coordinates of responses `size` times as large: only starts have a unit.

    Coordinates beyond those of the laws, of magnetic layers, stay as they are.
    """
    names = [name for law in laws for name in law.theta_names]
    factor = np.ones(len(matrix))
    factor[: len(names)] = [size if name == "start" else 1.0 for name in names]
    return matrix * np.outer(factor, factor)


def noise_times(noise: PulseNoise, size: float) -> PulseNoise:
    """The noise of a response `size` times as large."""
    return replace(
        noise,
        step_std=size * noise.step_std,
        mean_step=size * noise.mean_step,
        write=size * noise.write,
    )


def joint_times(joint: JointFit, size: float) -> JointFit:
    """The joint model of responses `size` times as large."""
    return replace(
        joint,
        laws=tuple(times(law, size) for law in joint.laws),
        covariance=matrix_times(joint.covariance, joint.laws, size),
        parts=tuple(times(law, size) for law in joint.parts),
        parts_covariance=matrix_times(joint.parts_covariance, joint.parts, size),
    )


def choice_times(choice: Choice, size: float) -> Choice:
    """The choice with its fits of responses `size` times as large."""
    return replace(choice, fits=tuple(_fit_times(fit, size) for fit in choice.fits))


def _fit_times(fit: Fit, size: float) -> Fit:
    law, found = times(fit.law, size), fit.solution
    factor = np.array([1.0 if name == "start" else size for name in law.theta_names])
    return Fit(law, Solution(law.theta, size * found.residual, found.jacobian * factor))
