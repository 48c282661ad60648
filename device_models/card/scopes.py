"""Where the curves and layers of a normal device lie, around those of a card."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_models.card.curve import Curve
from device_models.card.errors import CardError
from device_models.card.field import TwoLayers
from device_models.card.model import DeviceCard
from device_models.curves import Law

FloatArray = NDArray[np.float64]

N_PULSES = 17
"""Pulse numbers at which drawn responses are looked at."""

WIDEST = 3.5
"""Deviation of a response that a drawn device may have, in standard deviations of the card."""

SLACK = 0.01
"""Deviation that every draw may have, as a share of the change of the curve."""

STEPS = {"fit": (-0.1, 0.1), "d2d": (-2.0, -1.0, 1.0, 2.0)}
"""Steps along the axes of a covariance that say how far responses reach [std]: devices do differ
so much, while a fit is known only near its optimum."""

MOST_CURVED = 1.5
"""How much farther than its slope says a response may reach, at most."""

LARGEST_LOG = 1.0
"""Largest std of the logarithm of a lowest level: beyond it only the size of the level is known."""


@dataclass(frozen=True, eq=False)
class Scope:
    """What a drawn curve may be: responses (n,) from `lowest` to `highest` at `pulses` (n,).

    Where the `law` is positive, `to_log` turns a step of its coordinates into the change of the
    logarithm of its lowest level, at the pulse number `low_pulse`.
    """

    law: Law
    pulses: FloatArray
    lowest: FloatArray
    highest: FloatArray
    low_pulse: float
    to_log: FloatArray | None

    def drawn(self, step: FloatArray) -> Law | None:
        """The law after a step of its coordinates, None where it leaves the scope."""
        # A law may overflow where the covariance is wide; a draw out there is no device.
        with np.errstate(all="ignore"), contextlib.suppress(ValueError, OverflowError):
            law = self.law.with_theta(self._above_zero(self.law.theta + step, step))
            values = law(self.pulses)
            if np.all((self.lowest <= values) & (values <= self.highest)):
                return law
        return None

    def _above_zero(self, theta: FloatArray, step: FloatArray) -> FloatArray:
        """The coordinates with a start that gives a positive law its lowest level."""
        if self.to_log is None:
            return theta
        wanted = self.law(self.low_pulse) * np.exp(self.to_log @ step)
        start = self.law.theta_names.index("start")
        theta[start] += wanted - self.law.with_theta(theta)(self.low_pulse)
        return theta


@dataclass(frozen=True, eq=False)
class LayerScope:
    """What drawn magnetic layers may be: `layers`, each coordinate moved by `most` (4,) at most."""

    layers: TwoLayers
    most: FloatArray

    def drawn(self, step: FloatArray) -> TwoLayers | None:
        """The layers after a step of their coordinates, None where no device has such."""
        if np.any(np.abs(step) > self.most):
            return None
        with contextlib.suppress(CardError):
            return self.layers.with_theta(self.layers.theta + step)
        return None


@dataclass(frozen=True, eq=False)
class Scopes:
    """The scopes of all curves of a card, and of its layers where it has them."""

    curves: tuple[Scope, ...]
    layers: LayerScope | None

    def split(self, rows: FloatArray) -> list[FloatArray]:
        """Parts of `rows` (n_coordinates, ...) of each curve, then those of the layers."""
        return np.split(rows, np.cumsum([len(s.law.theta_names) for s in self.curves]))

    @property
    def n_theta(self) -> int:
        """Coordinates of the curves, which come before those of the layers."""
        return sum(len(s.law.theta_names) for s in self.curves)

    def drawn(self, step: FloatArray) -> Drawn | None:
        """Curves and layers after a step of all coordinates; None where one leaves its scope."""
        laws = []
        *of_curves, of_layers = self.split(step)
        for scope, own in zip(self.curves, of_curves, strict=True):
            law = scope.drawn(own)
            if law is None:
                return None
            laws.append(law)
        layers = None
        if self.layers is not None and (layers := self.layers.drawn(of_layers)) is None:
            return None
        return Drawn(tuple(laws), layers)


@dataclass(frozen=True)
class Drawn:
    """Laws of all curves of a drawn device, and its layers where it has them."""

    laws: tuple[Law, ...]
    layers: TwoLayers | None


def find_scopes(card: DeviceCard, roots: dict[str, FloatArray]) -> Scopes:
    """Where normal devices lie, for the roots of the covariances that are drawn from."""
    n_theta = np.cumsum([len(c.law.theta_names) for c in card.curves])
    parts = {name: np.split(root, n_theta) for name, root in roots.items()}
    curves = tuple(
        _scope(card, curve, {name: own[i] for name, own in parts.items()})
        for i, curve in enumerate(card.curves)
    )
    if card.layers is None:
        return Scopes(curves, None)
    std = np.linalg.norm(np.hstack([own[-1] for own in parts.values()]), axis=1)
    return Scopes(curves, LayerScope(card.layers, WIDEST * std))


def _scope(card: DeviceCard, curve: Curve, roots: dict[str, FloatArray]) -> Scope:
    """Where normal devices lie around the curve, for its rows of the roots of covariances."""
    law = curve.law
    # Denser where responses are steep.
    pulses = np.expm1(np.linspace(0, np.log1p(card.last_pulse(curve)), N_PULSES))
    values = law(pulses)
    reach = [_reach(law, pulses, root, STEPS[name]) for name, root in roots.items()]
    wide = WIDEST * np.linalg.norm(reach, axis=0) + SLACK * float(np.ptp(values))
    root = np.hstack(list(roots.values()))
    low_pulse = float(pulses[np.argmin(values)])
    to_log = None
    if np.all(values > 0) and "start" in law.theta_names:
        slope = law.jacobian(np.array([low_pulse]))[0] / values.min()
        to_log = slope * min(1.0, LARGEST_LOG / max(float(np.linalg.norm(slope @ root)), 1e-300))
    return Scope(law, pulses, values - wide, values + wide, low_pulse, to_log)


def _reach(law: Law, pulses: FloatArray, root: FloatArray, steps: Sequence[float]) -> FloatArray:
    """Std of the response at `pulses` (n,), from `steps` along the axes of the covariance [std].

    The largest of those steps counts, over its size, at most `MOST_CURVED` times what the slope
    says: a step that leads farther leads out of what the covariance knows.
    """
    here, squares = law(pulses), np.sum((law.jacobian(pulses) @ root) ** 2, axis=1)
    along = np.zeros(len(pulses))
    for axis in root.T:
        moved = [_response(law, size * axis, pulses) - here for size in steps]
        along += np.max([(way / size) ** 2 for way, size in zip(moved, steps, strict=True)], axis=0)
    return np.sqrt(np.clip(np.nan_to_num(along), squares, MOST_CURVED**2 * squares))


def _response(law: Law, step: FloatArray, pulses: FloatArray) -> FloatArray:
    """Response of the law after a step of its coordinates, NaN where it has none."""
    with np.errstate(all="ignore"), contextlib.suppress(ValueError, OverflowError):
        return law.with_theta(law.theta + step)(pulses)
    return np.full(len(pulses), np.nan)
