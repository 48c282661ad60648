"""Whether to believe a card: reasons against it, worst first, and its warnings by severity."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device_models.curves import Law
from device_models.fit import Branch, CardFit
from experiments.command.quantities import percent
from experiments.command.severity import Severity, severity_of
from experiments.fitting.headline import Headline
from experiments.fitting.headline_text import drift_text
from experiments.fitting.tile_check import TileCheck, range_at

MUCH = 0.05
"""Share of the range from which a misfit makes a card useless for what it is made for."""

NOISY = 2.0
"""A misfit that is less than so many times the noise is slow noise as well as a wrong shape."""

LEAST_WAY = 0.6
"""Share of the range below which a branch is said to go through a part of it only."""

FEW_READINGS = 10
BESIDE = 2.0
LEAST_BAND = 0.01
"""A tile's band is worth a word where it differs by this factor and by this share of the range."""

OF_SEGMENT = re.compile(r"(LTP|LTD) of device .*, cycle -?\d+")
MOST_REASONS = 3
MOST_CHARACTERS = 140
"""Of a warning that stands in the verdict."""


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against a card, in words; `size` orders those of one severity.

    `said_by`: pattern of the warnings of reader and fit that say the same.
    """

    severity: Severity
    text: str
    size: float = 0.0
    said_by: str = "(?!)"


VERDICTS = {
    Severity.BAD: "do not rely on this card",
    Severity.CARE: "usable with care",
    Severity.NOTE: "believable, as far as it goes",
}


def find_reasons(fit: CardFit, checks: Sequence[TileCheck], headline: Headline) -> list[Reason]:
    """What speaks against the card, worst first."""
    reasons = [
        *_misfits(fit),
        *_tile_misses(fit, checks),
        *_left_curves(headline),
        *_short_ways(fit),
        *_bands(headline),
        *_gaps(fit, headline),
        *_origins(fit, headline),
    ]
    return sorted(reasons, key=lambda r: (-r.severity, -r.size))


def with_warnings(
    reasons: Sequence[Reason], warnings: Sequence[str], several: bool
) -> list[Reason]:
    """Reasons, and the loud ones of the warnings, worst first.

    Of `several` segments a branch one that is odd says little about the card, unless it is bad.
    """
    least = Severity.BAD if several else Severity.CARE
    loud = [
        Reason(severity, textwrap.shorten(w, MOST_CHARACTERS, placeholder=" ..."))
        for w in dict.fromkeys(warnings)
        if (severity := severity_of(w)) >= (least if OF_SEGMENT.match(w) else Severity.CARE)
        and not any(re.search(r.said_by, w) for r in reasons)
    ]
    return sorted([*reasons, *loud], key=lambda r: (-r.severity, -r.size))


def verdict_text(reasons: Sequence[Reason]) -> str:
    """One sentence: whether to believe the card, and the worst reasons not to."""
    if not reasons:
        return "believable: the curves and the tile follow the readings"
    worst = reasons[0].severity
    said = [r.text for r in reasons if r.severity == worst or r.severity == Severity.CARE]
    said = said or [r.text for r in reasons]
    more = f"; and {len(said) - MOST_REASONS} more" if len(said) > MOST_REASONS else ""
    return f"{VERDICTS[worst]}: {'; '.join(said[:MOST_REASONS])}{more}"


def sorted_warnings(
    warnings: Sequence[str], reasons: Sequence[Reason]
) -> list[tuple[Severity, str]]:
    """Warnings with the reasons that are bad enough to be one, the loudest first."""
    loud = [
        (r.severity, r.text)
        for r in reasons
        if r.severity > Severity.NOTE and not any(re.search(r.said_by, w) for w in warnings)
    ]
    own = [(severity_of(w), w) for w in dict.fromkeys(warnings)]
    return sorted([*loud, *own], key=lambda item: -item[0])


def _misfits(fit: CardFit) -> list[Reason]:
    """Curves that miss the readings, by RMSE over the range at their field."""
    bad, care = {}, {}
    for branch, law, noise in zip(fit.branches, fit.laws, fit.noise, strict=True):
        whole, points = range_at(fit.card, branch.field_G), branch.points()
        noise_of_mean = noise.write / np.sqrt(len(branch.clusters))
        mean = float(np.sqrt(np.mean((law(points.pulses) - points.values) ** 2))) / whole
        single = _own_scatter(branch, law) / whole
        shape = _unexplained(mean, noise_of_mean / whole)
        bad[branch.name], care[branch.name] = shape, 0.0 if shape > MUCH else single
    return [
        *_missed(Severity.BAD, "the curve misses the mean readings of", bad),
        *_missed(Severity.CARE, "single readings lie off the curve of", care),
    ]


def _unexplained(off: float, noise: float) -> float:
    """Part of a misfit that noise of the readings does not explain; 0 for one of its own size."""
    beyond = float(np.sqrt(max(off**2 - noise**2, 0.0)))
    return beyond if beyond > NOISY * noise else 0.0


def _own_scatter(branch: Branch, law: Law) -> float:
    """RMSE of readings around the curve, without what sets one device apart from another."""
    off = branch.values - law(branch.pulses)
    names = np.array([device for device, _ in branch.clusters])[branch.cluster]
    for name in set(names):
        off[names == name] -= off[names == name].mean()
    return float(np.sqrt(np.mean(off**2)))


def _tile_misses(fit: CardFit, checks: Sequence[TileCheck]) -> list[Reason]:
    off = {}
    for branch, noise, check in zip(fit.branches, fit.noise, checks, strict=False):
        of_mean = noise.write / np.sqrt(len(branch.clusters)) / range_at(fit.card, branch.field_G)
        off[branch.name] = _unexplained(check.rmse_from_data, of_mean)
    return _missed(Severity.BAD, "a tile built from the card misses", off)


def _left_curves(h: Headline) -> list[Reason]:
    """Tiles that cannot follow the card itself, whatever its readings say."""
    if h.follows is None:
        return []
    off = (("aihwkit's device", h.follows.aihwkit), ("the memristor tile", h.follows.memristor))
    return [
        Reason(
            Severity.BAD, f"{name} leaves the card's curves by up to {percent(by)} of the range", by
        )
        for name, by in off
        if by > MUCH
    ]


def _short_ways(fit: CardFit) -> list[Reason]:
    """Branches that go through a small part of the range, which the other one cannot undo."""
    covered = {
        branch.name: float(np.ptp(law([0.0, branch.end]))) / range_at(fit.card, branch.field_G)
        for branch, law in zip(fit.branches, fit.laws, strict=True)
    }
    name = min(covered, key=lambda n: covered[n])
    if covered[name] >= LEAST_WAY:
        return []
    text = f"{name} goes through {percent(covered[name])} of the range only"
    return [Reason(Severity.CARE, text, 1 - covered[name])]


def _missed(severity: Severity, text: str, off: dict[str, float]) -> list[Reason]:
    """One reason for all curves that are off by too much, the worst of them named."""
    worst = sorted((n for n in off if off[n] > MUCH), key=lambda n: -off[n])
    if not worst:
        return []
    named = " and ".join(f"{name} by {percent(off[name])}" for name in worst[:2])
    more = f", and {len(worst) - 2} more curves by less" if len(worst) > 2 else ""
    return [Reason(severity, f"{text} {named} of the range (RMSE){more}", off[worst[0]])]


def _bands(h: Headline) -> list[Reason]:
    """Scatter of the tile that is not that of the data."""
    reasons = []
    for what, data, tile in (
        ("cycles", h.cycle_std, h.tile_cycle_std),
        ("devices", h.device_std, h.tile_device_std),
    ):
        apart = abs(data - tile)
        if apart > LEAST_BAND and max(data, tile) > BESIDE * min(data, tile):
            text = f"ends of {what} scatter by {percent(data)} of the range, on the tile by"
            reasons.append(Reason(Severity.CARE, f"{text} {percent(tile)}", apart))
    return reasons


def _gaps(fit: CardFit, h: Headline) -> list[Reason]:
    """What the measurement is too small for, or shows to change."""
    reasons = []
    fewest = min(len(np.unique(b.pulses)) for b in fit.branches)
    if fewest < FEW_READINGS:
        text = f"readings at {fewest} pulse numbers only"
        share = (FEW_READINGS - fewest) / FEW_READINGS
        reasons.append(Reason(Severity.CARE, text, share, "too few pulses"))
    if h.drift:
        said_by = f"{h.drift.branch}.*(with the cycle number|drift)"
        reasons.append(Reason(Severity.CARE, drift_text(h.drift), abs(h.drift.share), said_by))
    if h.low <= 0 and all(float(b.values.min()) > 0 for b in fit.branches):
        text = "the card goes to 0 or below, where no reading is"
        reasons.append(Reason(Severity.BAD, text, 1.0))
    if lost := _lost_decades(h):
        text = f"the lowest {lost:.1f} decades of the range lie in the noise that a tile has at"
        reasons.append(Reason(Severity.CARE, f"{text} every state", lost / 10))
    between = fit.card.interpolation_error or 0.0
    if between > MUCH:
        text = f"between its fields the card may be off by {percent(between)} of the range"
        reasons.append(Reason(Severity.CARE, text, between))
    if np.isnan(h.state_noise):
        text = "the noise of single pulses is not known and taken as 0"
        reasons.append(Reason(Severity.CARE, text))
    return reasons


def _lost_decades(h: Headline) -> float:
    """Decades at the low end of the range below the noise of a state; 0 for less than one."""
    noise = h.state_noise * (h.high - h.low)
    lost = float(np.log10(noise / h.low)) if h.low > 0 and noise > 0 else 0.0
    return lost if lost >= 1 else 0.0


def _origins(fit: CardFit, h: Headline) -> list[Reason]:
    """What a card is that is no measurement of many devices."""
    reasons = []
    if fit.card.kind != "measured":
        reasons.append(Reason(Severity.NOTE, f"{fit.card.kind}, not measured", 1.0))
    if h.n_devices == 1:
        reasons.append(Reason(Severity.NOTE, "one device: others will differ", 0.5))
    if h.n_cycles == 1:
        reasons.append(Reason(Severity.NOTE, "one cycle: the next one may differ", 0.4))
    return reasons
