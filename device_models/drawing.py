"""Devices drawn from the covariances of a card: each has a range that devices have.

Coordinates of laws are drawn from a normal distribution, and what is curved in them is put right:
centre and width of the draws between devices are set so that the mean response is the card's and
responses scatter as the covariance says to first order; a response that is positive stays so,
because its lowest level is drawn as a logarithm; and a draw that leaves the card's responses by
more than normal devices do is drawn again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device_models.card import COVARIANCES, CardError, Curve, DeviceCard, check_shape
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

LARGEST_LOG = 1.0
"""Largest std of the logarithm of a lowest level: beyond it only the size of the level is known."""

SMALLEST_AXIS = 1e-3
LARGEST_SHIFT = 0.5
"""Farthest that the centre of the draws may move, in standard deviations."""

TRIED = 128
"""Draws from which the width of the draws is set."""

WIDTHS = (0.5, 1.5)
MAX_DRAWS = 1000
REDRAWS = 100
"""Draws after which every further one is smaller than the one before."""


@dataclass(frozen=True, eq=False)
class Scope:
    """What a drawn curve may be: responses (n,) from `lowest` to `highest` at `pulses` (n,).

    `std`: that of the response between draws, to first order (n,). Where the `law` is positive,
    `to_log` turns a step of its coordinates into the change of the logarithm of its lowest level,
    at the pulse number `low_pulse`.
    """

    law: Law
    pulses: FloatArray
    lowest: FloatArray
    highest: FloatArray
    std: FloatArray
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


def draw_devices(
    card: DeviceCard, n: int, seed: int, vary: Sequence[str] | None
) -> tuple[DeviceCard, ...]:
    """`n` devices drawn from the covariances that `vary` names, see `DeviceCard.sample`."""
    held = {} if card.uncertainty is None else vars(card.uncertainty)
    vary = _names(card, held, vary)
    roots = {name: covariance_root(np.array(held[name], dtype=float)) for name in vary}
    parts = {name: _split(card, root) for name, root in roots.items()}
    scopes = [
        _scope(card, curve, {name: own[i] for name, own in parts.items()})
        for i, curve in enumerate(card.curves)
    ]
    centre = np.zeros(len(card.parameters))
    if "d2d" in vary:
        centre = _centre(card, scopes, roots["d2d"])
        roots["d2d"] = roots["d2d"] * _width(card, scopes, centre, roots["d2d"])
    root, rng = np.hstack(list(roots.values())), np.random.default_rng(seed)
    devices = []
    for index in range(n):
        curves = _draw(card, scopes, centre, root, rng)
        source = {"drawn_from": card.sha256, "vary": list(vary), "index": index}
        devices.append(_device(card, curves, source, "d2d" in vary))
    return tuple(devices)


def covariance_root(covariance: FloatArray) -> FloatArray:
    """Matrix R with R R^T = covariance; works for covariances that are singular."""
    scale = np.sqrt(np.diag(covariance))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    return scale[:, None] * vectors * np.sqrt(np.clip(values, 0, None))


def _names(card: DeviceCard, held: dict[str, object], vary: Sequence[str] | None) -> Sequence[str]:
    """Covariances to draw from: those asked for, or all that the card holds."""
    if vary is None:
        vary = [name for name in COVARIANCES if held.get(name) is not None]
        if not vary:
            raise CardError(f"card {card.name!r} holds no covariance to draw from")
    if not vary or any(v not in COVARIANCES for v in vary):
        raise ValueError(f"vary must name {' or '.join(COVARIANCES)}, got {vary!r}")
    for name in vary:
        if held.get(name) is None:
            raise CardError(f"card {card.name!r} holds no {name} covariance to draw from")
    return tuple(dict.fromkeys(vary))


def _split(card: DeviceCard, rows: FloatArray) -> list[FloatArray]:
    """Parts of `rows` (n_coordinates, ...) that belong to each curve of the card."""
    sizes = [len(c.law.theta_names) for c in card.curves]
    return np.split(rows, np.cumsum(sizes)[:-1])


def _scope(card: DeviceCard, curve: Curve, roots: dict[str, FloatArray]) -> Scope:
    """Where normal devices lie around the curve, for its rows of the roots of covariances."""
    law = curve.law
    # Denser where responses are steep.
    pulses = np.expm1(np.linspace(0, np.log1p(card.n_pulses), N_PULSES))
    values = law(pulses)
    reach = [_reach(law, pulses, root, STEPS[name]) for name, root in roots.items()]
    wide = WIDEST * np.linalg.norm(reach, axis=0) + SLACK * float(np.ptp(values))
    root = np.hstack(list(roots.values()))
    low_pulse = float(pulses[np.argmin(values)])
    to_log = None
    if np.all(values > 0) and "start" in law.theta_names:
        slope = law.jacobian(np.array([low_pulse]))[0] / values.min()
        to_log = slope * min(1.0, LARGEST_LOG / max(float(np.linalg.norm(slope @ root)), 1e-300))
    std = np.linalg.norm(law.jacobian(pulses) @ root, axis=1)
    return Scope(law, pulses, values - wide, values + wide, std, low_pulse, to_log)


def _reach(law: Law, pulses: FloatArray, root: FloatArray, steps: Sequence[float]) -> FloatArray:
    """Std of the response at `pulses` (n,), from `steps` along the axes of the covariance [std].

    The largest of those steps counts, over its size; where none leads anywhere, the slope there.
    """
    here, squares = law(pulses), np.sum((law.jacobian(pulses) @ root) ** 2, axis=1)
    along = np.zeros(len(pulses))
    for axis in root.T:
        moved = [_response(law, size * axis, pulses) - here for size in steps]
        along += np.max([(way / size) ** 2 for way, size in zip(moved, steps, strict=True)], axis=0)
    return np.sqrt(np.where(np.isfinite(along), np.maximum(along, squares), squares))


def _response(law: Law, step: FloatArray, pulses: FloatArray) -> FloatArray:
    """Response of the law after a step of its coordinates, NaN where it has none."""
    with np.errstate(all="ignore"), contextlib.suppress(ValueError, OverflowError):
        return law.with_theta(law.theta + step)(pulses)
    return np.full(len(pulses), np.nan)


def _centre(card: DeviceCard, scopes: Sequence[Scope], root: FloatArray) -> FloatArray:
    """Shift of the coordinates (n,) after which the mean response of devices is the card's.

    To second order: the mean of a curved function of normal coordinates lies off by half its
    second differences along the axes of their covariance.
    """
    bias, slopes = [], []
    for scope, own in zip(scopes, _split(card, root), strict=True):
        law, pulses = scope.law, scope.pulses
        sides = [_response(law, s * step, pulses) for step in own.T for s in (1, -1)]
        bias.append(np.sum(sides, axis=0) / 2 - len(own.T) * law(pulses))
        slopes.append(law.jacobian(pulses) @ own)
    columns, target = np.concatenate(slopes), np.concatenate(bias)
    if not (np.all(np.isfinite(target)) and np.any(columns)):
        return np.zeros(len(root))
    shift = np.linalg.lstsq(columns, target, rcond=SMALLEST_AXIS)[0]
    return -root @ shift * min(1.0, LARGEST_SHIFT / max(float(np.linalg.norm(shift)), 1e-300))


def _width(
    card: DeviceCard, scopes: Sequence[Scope], centre: FloatArray, root: FloatArray
) -> float:
    """Factor on the draws after which responses scatter as they do to first order."""
    rng, drawn, wanted = np.random.default_rng(0), 0.0, 0.0
    steps = [centre + root @ rng.standard_normal(root.shape[1]) for _ in range(TRIED)]
    for i, scope in enumerate(scopes):
        laws = [scope.drawn(_split(card, step)[i]) for step in steps]
        values = [law(scope.pulses) for law in laws if law is not None]
        if len(values) > TRIED / 2:
            size = float(np.ptp(scope.law(scope.pulses)))
            drawn += float(np.sum(np.var(values, axis=0))) / size**2
            wanted += float(np.sum(scope.std**2)) / size**2
    return float(np.clip(np.sqrt(wanted / drawn), *WIDTHS)) if drawn > 0 else 1.0


def _draw(
    card: DeviceCard,
    scopes: Sequence[Scope],
    centre: FloatArray,
    root: FloatArray,
    rng: np.random.Generator,
) -> tuple[Curve, ...]:
    """Curves of one device, drawn until they are responses that devices have."""
    for attempt in range(MAX_DRAWS):
        size = min(1.0, REDRAWS / (attempt + 1))
        step = size * (centre + root @ rng.standard_normal(root.shape[1]))
        parts = zip(scopes, _split(card, step), strict=True)
        laws = [law for scope, own in parts if (law := scope.drawn(own)) is not None]
        if len(laws) == len(scopes):
            curves = zip(card.curves, laws, strict=True)
            drawn = tuple(replace(curve, law=law, fit={}) for curve, law in curves)
            with contextlib.suppress(CardError):
                check_shape(replace(card, curves=drawn))
                return drawn
    raise CardError(
        f"card {card.name!r}: no draw of {MAX_DRAWS} keeps the shape of a response; its "
        f"covariance is too wide"
    )


def _device(
    card: DeviceCard, curves: tuple[Curve, ...], source: dict[str, object], one: bool
) -> DeviceCard:
    """Card of a drawn device; `one` of many, it has no device-to-device spread left in it."""
    spread = replace(card.spread, step_d2d=0.0, range_d2d=0.0) if one else card.spread
    return replace(
        card,
        name=f"{card.name}_{source['index']}",
        curves=curves,
        spread=spread,
        source=source,
        uncertainty=None,
        path="",
    )
