"""Devices drawn from the covariances of a card: each has a range that devices have.

Coordinates of laws are drawn from a normal distribution, and what is curved in them is put right:
centre and width of the draws between devices are set so that the mean response is the card's and
responses scatter as the covariance says to first order; a response that is positive stays so,
because its lowest level is drawn as a logarithm; and a draw that leaves the card's responses by
more than normal devices do is drawn again. Magnetic layers are drawn with the curves; those that
no device has, with coercivities below 0 or not in order, are drawn again too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_models.card.checks import check_shape
from device_models.card.errors import CardError
from device_models.card.model import DeviceCard
from device_models.card.scopes import Scopes, find_scopes
from device_models.card.spread import COVARIANCES
from device_models.errors import InputError

FloatArray = NDArray[np.float64]

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


def draw_devices(
    card: DeviceCard, n: int, seed: int, vary: Sequence[str] | None
) -> tuple[DeviceCard, ...]:
    """`n` devices drawn from the covariances that `vary` names, see `DeviceCard.sample`."""
    held = {} if card.uncertainty is None else vars(card.uncertainty)
    vary = _names(card, held, vary)
    roots = {name: covariance_root(np.array(held[name], dtype=float)) for name in vary}
    scopes = find_scopes(card, roots)
    centre = np.zeros(len(card.parameters))
    if "d2d" in vary:
        centre, roots["d2d"] = _adjusted(scopes, roots["d2d"])
    root, rng = np.hstack(list(roots.values())), np.random.default_rng(seed)
    devices = []
    for index in range(n):
        drawn = _draw(card, scopes, centre, root, rng)
        source = {"drawn_from": card.sha256, "vary": list(vary), "index": index}
        devices.append(_device(card, drawn, source, "d2d" in vary))
    return tuple(devices)


def covariance_root(covariance: FloatArray) -> FloatArray:
    """Matrix R with R R^T = covariance; works for covariances that are singular."""
    scale = np.sqrt(np.diag(covariance))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    result: FloatArray = scale[:, None] * vectors * np.sqrt(np.clip(values, 0, None))
    return result


def _names(card: DeviceCard, held: dict[str, object], vary: Sequence[str] | None) -> Sequence[str]:
    """Covariances to draw from: those asked for, or all that the card holds."""
    if vary is None:
        vary = [name for name in COVARIANCES if held.get(name) is not None]
        if not vary:
            raise CardError(f"card {card.name!r} holds no covariance to draw from")
    if not vary or any(v not in COVARIANCES for v in vary):
        raise InputError(f"vary must name {' or '.join(COVARIANCES)}, got {vary!r}")
    for name in vary:
        if held.get(name) is None:
            raise CardError(f"card {card.name!r} holds no {name} covariance to draw from")
    return tuple(dict.fromkeys(vary))


def _adjusted(scopes: Scopes, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre (n,) and root of draws whose mean is the card and whose scatter is as to first order.

    Found from the same pairs of opposite draws again and again: what is odd in them cancels. The
    layers are drawn as their covariance says.
    """
    half = np.random.default_rng(0).standard_normal((TRIED // 2, root.shape[1]))
    draws, own = np.concatenate([half, -half]), scopes.curves
    size = [float(np.ptp(s.law(s.pulses))) for s in own]
    slopes = [s.law.jacobian(s.pulses) @ r for s, r in zip(own, scopes.split(root), strict=False)]
    columns = np.concatenate([slope / unit for slope, unit in zip(slopes, size, strict=True)])
    centre, width = np.zeros(root.shape[1]), 1.0
    of_curves = np.arange(len(root)) < scopes.n_theta

    def scaled() -> tuple[FloatArray, FloatArray]:
        return of_curves * (root @ centre), np.where(of_curves, width, 1.0)[:, None] * root

    for _ in range(ROUNDS if np.any(columns) else 0):
        middle, wide = scaled()
        tried = [scopes.drawn(middle + wide @ draw) for draw in draws]
        found = [drawn.laws for drawn in tried if drawn]
        if len(found) < TRIED / 2:
            return np.zeros(len(root)), root
        away = [
            np.array([(laws[i](s.pulses) - s.law(s.pulses)) / size[i] for laws in found])
            for i, s in enumerate(own)
        ]
        # The same draws to first order: chance does not count.
        wanted = np.var(draws[[bool(drawn) for drawn in tried]] @ columns.T, axis=0).sum()
        bias, scatter = (np.concatenate([f(a, axis=0) for a in away]) for f in (np.mean, np.var))
        centre -= np.linalg.lstsq(columns, bias, rcond=SMALLEST_AXIS)[0]
        centre *= min(1.0, LARGEST_SHIFT / max(float(np.linalg.norm(centre)), 1e-300))
        width *= float(np.sqrt(wanted / np.maximum(scatter.sum(), 1e-300)))
        width = float(np.clip(width, *WIDTHS))
    return scaled()


def _draw(
    card: DeviceCard,
    scopes: Scopes,
    centre: FloatArray,
    root: FloatArray,
    rng: np.random.Generator,
) -> DeviceCard:
    """The card with curves and layers of one device, drawn until they are as devices have them."""
    for attempt in range(MAX_DRAWS):
        size = min(1.0, REDRAWS / (attempt + 1)) ** SHRINKING
        step = size * (centre + root @ rng.standard_normal(root.shape[1]))
        if found := scopes.drawn(step):
            curves = zip(card.curves, found.laws, strict=True)
            drawn = tuple(replace(curve, law=law, fit={}) for curve, law in curves)
            device = replace(card, curves=drawn, layers=found.layers)
            with contextlib.suppress(CardError):
                check_shape(device)
                return device
    raise CardError(
        f"card {card.name!r}: no draw of {MAX_DRAWS} keeps the shape of a response; its "
        f"covariance is too wide"
    )


def _device(
    card: DeviceCard, drawn: DeviceCard, source: dict[str, object], one: bool
) -> DeviceCard:
    """Card of a drawn device; `one` of many, it has no device-to-device spread left in it."""
    device = drawn.with_spread(step_d2d=0.0, range_d2d=0.0) if one else drawn
    name = f"{card.name}_{source['index']}"
    return replace(device, name=name, source=source, uncertainty=None, path="")
