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

from device_models.card.model import COVARIANCES, CardError, Curve, DeviceCard, check_shape
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

SMALLEST_AXIS = 1e-3
"""Axes of a covariance that move responses by less than this share of the largest stay put."""

LARGEST_SHIFT = 0.5
"""Farthest that the centre of the draws may move, in standard deviations."""

TRIED = 128
"""Draws from which centre and width of the draws are set, in `ROUNDS` that each start better."""

ROUNDS = 3
WIDTHS = (0.5, 1.5)
"""Narrowest and widest that draws are made."""

MAX_DRAWS = 1000
REDRAWS = 100
"""Draws after which every further one is smaller than the one before, by this power."""

SHRINKING = 3


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
        centre, roots["d2d"] = _adjusted(card, scopes, roots["d2d"])
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
    pulses = np.expm1(
        np.linspace(0, np.log1p(card.measured_pulses(curve.branch, curve.field_G)), N_PULSES)
    )
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


def _adjusted(
    card: DeviceCard, scopes: Sequence[Scope], root: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Centre (n,) and root of draws whose mean is the card and whose scatter is as to first order.

    Found from the same pairs of opposite draws again and again: what is odd in them cancels.
    """
    half = np.random.default_rng(0).standard_normal((TRIED // 2, root.shape[1]))
    draws, size = np.concatenate([half, -half]), [float(np.ptp(s.law(s.pulses))) for s in scopes]
    slopes = [s.law.jacobian(s.pulses) @ r for s, r in zip(scopes, _split(card, root), strict=True)]
    columns = np.concatenate([own / unit for own, unit in zip(slopes, size, strict=True)])
    centre, width = np.zeros(root.shape[1]), 1.0
    for _ in range(ROUNDS if np.any(columns) else 0):
        steps = [root @ (centre + width * draw) for draw in draws]
        tried = [_laws(card, scopes, step) for step in steps]
        found = [laws for laws in tried if laws]
        if len(found) < TRIED / 2:
            return np.zeros(len(root)), root
        away = [
            np.array([(laws[i](s.pulses) - s.law(s.pulses)) / size[i] for laws in found])
            for i, s in enumerate(scopes)
        ]
        # The same draws to first order: chance does not count.
        wanted = np.var(draws[[bool(laws) for laws in tried]] @ columns.T, axis=0).sum()
        bias, scatter = (np.concatenate([f(a, axis=0) for a in away]) for f in (np.mean, np.var))
        centre -= np.linalg.lstsq(columns, bias, rcond=SMALLEST_AXIS)[0]
        centre *= min(1.0, LARGEST_SHIFT / max(float(np.linalg.norm(centre)), 1e-300))
        width *= float(np.sqrt(wanted / np.maximum(scatter.sum(), 1e-300)))
        width = float(np.clip(width, *WIDTHS))
    return root @ centre, width * root


def _laws(card: DeviceCard, scopes: Sequence[Scope], step: FloatArray) -> list[Law]:
    """Law of every curve after a step of the coordinates, none where one leaves its scope."""
    laws = []
    for scope, own in zip(scopes, _split(card, step), strict=True):
        law = scope.drawn(own)
        if law is None:
            return []
        laws.append(law)
    return laws


def _draw(
    card: DeviceCard,
    scopes: Sequence[Scope],
    centre: FloatArray,
    root: FloatArray,
    rng: np.random.Generator,
) -> tuple[Curve, ...]:
    """Curves of one device, drawn until they are responses that devices have."""
    for attempt in range(MAX_DRAWS):
        size = min(1.0, REDRAWS / (attempt + 1)) ** SHRINKING
        step = size * (centre + root @ rng.standard_normal(root.shape[1]))
        if laws := _laws(card, scopes, step):
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
