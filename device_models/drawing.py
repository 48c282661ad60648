"""Devices drawn from the covariances of a card: each has a range that devices have.

Coordinates of laws are drawn from a normal distribution. Their logarithms make responses
lognormal, so the centre is moved until the mean response is the card's again, and a draw that
leaves the card's responses by more than normal devices do, or reaches a conductance of 0 where
the card has none, is drawn again.
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

SMALLEST_AXIS = 1e-3
MAX_DRAWS = 1000
REDRAWS = 100
"""Draws after which every further one is smaller than the one before."""


@dataclass(frozen=True, eq=False)
class Window:
    """Responses (n,) at `pulses` (n,) that a drawn curve may have."""

    pulses: FloatArray
    lowest: FloatArray
    highest: FloatArray

    def holds(self, law: Law) -> bool:
        """Whether the whole response of `law` is inside."""
        values = law(self.pulses)
        return bool(np.all((self.lowest <= values) & (values <= self.highest)))


def draw_devices(
    card: DeviceCard, n: int, seed: int, vary: Sequence[str] | None
) -> tuple[DeviceCard, ...]:
    """`n` devices drawn from the covariances that `vary` names, see `DeviceCard.sample`."""
    held = {} if card.uncertainty is None else vars(card.uncertainty)
    vary = _names(card, held, vary)
    roots = {name: covariance_root(np.array(held[name], dtype=float)) for name in vary}
    root = covariance_root(np.sum([held[name] for name in vary], axis=0))
    parts = {name: _split(card, own) for name, own in roots.items()}
    windows = [
        _window(card, curve, {name: own[i] for name, own in parts.items()})
        for i, curve in enumerate(card.curves)
    ]
    centre = _centre(card, roots["d2d"]) if "d2d" in vary else np.zeros(len(root))
    rng = np.random.default_rng(seed)
    devices = []
    for index in range(n):
        curves = _draw(card, centre, root, windows, rng)
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
    return vary


def _split(card: DeviceCard, rows: FloatArray) -> list[FloatArray]:
    """Parts of `rows` (n_coordinates, ...) that belong to each curve of the card."""
    sizes = [len(c.law.theta_names) for c in card.curves]
    return np.split(rows, np.cumsum(sizes)[:-1])


def _pulses(card: DeviceCard) -> FloatArray:
    """Pulse numbers from 0 to the card's last, denser where responses are steep."""
    return np.expm1(np.linspace(0, np.log1p(card.n_pulses), N_PULSES))


def _window(card: DeviceCard, curve: Curve, roots: dict[str, FloatArray]) -> Window:
    """Where normal devices lie around the curve, for its rows of the roots of covariances."""
    pulses = _pulses(card)
    values = curve.law(pulses)
    reach = [_reach(curve.law, pulses, root, STEPS[name]) for name, root in roots.items()]
    wide = WIDEST * np.linalg.norm(reach, axis=0) + SLACK * float(np.ptp(values))
    least = np.nextafter(0, 1) if np.all(values > 0) else -np.inf
    return Window(pulses, np.maximum(values - wide, least), values + wide)


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


def _centre(card: DeviceCard, root: FloatArray) -> FloatArray:
    """Shift of the coordinates (n,) after which the mean response of devices is the card's.

    To second order: the mean of a curved function of normal coordinates lies off by half its
    second differences along the axes of their covariance.
    """
    pulses, bias, slopes = _pulses(card), [], []
    for curve, own in zip(card.curves, _split(card, root), strict=True):
        here = curve.law(pulses)
        sides = [_response(curve.law, s * step, pulses) for step in own.T for s in (1, -1)]
        bias.append(np.sum(sides, axis=0) / 2 - len(own.T) * here)
        slopes.append(curve.law.jacobian(pulses) @ own)
    columns, target = np.concatenate(slopes), np.concatenate(bias)
    if not (np.all(np.isfinite(target)) and np.any(columns)):
        return np.zeros(len(root))
    return -root @ np.linalg.lstsq(columns, target, rcond=SMALLEST_AXIS)[0]


def _draw(
    card: DeviceCard,
    centre: FloatArray,
    root: FloatArray,
    windows: Sequence[Window],
    rng: np.random.Generator,
) -> tuple[Curve, ...]:
    """Curves of one device, drawn until they are responses that devices have."""
    for attempt in range(MAX_DRAWS):
        size = min(1.0, REDRAWS / (attempt + 1))
        step = centre + size * (root @ rng.standard_normal(len(root)))
        # A law may overflow where the covariance is wide; a draw out there is no device.
        with np.errstate(all="ignore"), contextlib.suppress(CardError, ValueError, OverflowError):
            steps = zip(card.curves, _split(card, step), strict=True)
            laws = [c.law.with_theta(c.law.theta + s) for c, s in steps]
            if all(window.holds(law) for window, law in zip(windows, laws, strict=True)):
                curves = zip(card.curves, laws, strict=True)
                drawn = tuple(replace(curve, law=law, fit={}) for curve, law in curves)
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
