"""`fit_card`: a pulse measurement becomes a device card with uncertainty."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_models.card import (
    ALIGNMENTS,
    BRANCHES,
    Curve,
    DeviceCard,
    Uncertainty,
    card_from_dict,
)
from device_models.fit.branch import Branch
from device_models.fit.branches import FitError, check_complete
from device_models.fit.curve_fit import CurveFit, fit_curves
from device_models.fit.devices import rounded
from device_models.fit.joint import JointFit
from device_models.fit.quality import field_ranges, pooled, quality
from device_models.fit.select import Choice
from device_models.pulses import PulseData

FloatArray = NDArray[np.float64]

DIGITS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class CardFit(CurveFit):
    """A card and what the fit of its curves showed."""

    card: DeviceCard


def fit_card(
    data: PulseData,
    *,
    name: str | None = None,
    title: str = "",
    kind: str = "measured",
    caveat: str = "",
    reference: str = "",
    law: str = "auto",
    bootstrap: int = 200,
    seed: int = 0,
) -> CardFit:
    """Card, fitted in conductance, with covariance and spreads, from a pulse measurement.

    `law`, `bootstrap` and `seed` as in `fit_curves`. Raises FitError, one line, where no card can
    be made, as from one branch only.
    """
    check_complete(data)
    fit = fit_curves(data, law=law, bootstrap=bootstrap, seed=seed)
    ranges = field_ranges(fit.branches, fit.laws)
    qualities = [
        quality(b, law, noise, ranges[b.field_G])
        for b, law, noise in zip(fit.branches, fit.laws, fit.noise, strict=True)
    ]
    draft = DeviceCard(
        name=name or _identifier(Path(data.source).stem),
        title=title or f"Device measured in {Path(data.source).name}",
        kind=kind,
        caveat=caveat or _caveat(kind, fit.warnings),
        quantity="conductance",
        unit="S" if data.unit == "ohm" else data.unit,
        n_pulses=fit.n_pulses,
        curves=_parts(fit, fit.joint, qualities) if fit.joint else _curves(fit, qualities),
        layers=fit.joint.layers if fit.joint else None,
        spread=fit.spread,
        conditions=fit.conditions,
        source=_source(data, fit, reference),
    )
    d2d = None if fit.d2d is None else _rows(fit.d2d)
    known = fit.joint.parts_covariance if fit.joint else fit.covariance
    uncertainty = Uncertainty(draft.parameters, _rows(known), d2d)
    content = replace(draft, uncertainty=uncertainty).to_dict()
    try:
        # Through the same door as a stranger's card: what is written can be read.
        card = card_from_dict(json.loads(json.dumps(content)))
    except ValueError as error:
        raise FitError(f"{data.source}: no card: {error}") from None
    return CardFit(card=card, **{f.name: getattr(fit, f.name) for f in fields(fit)})


def _curves(fit: CurveFit, qualities: Sequence[dict[str, Any]]) -> tuple[Curve, ...]:
    """A curve for every branch at every field, as far as each was measured."""
    rows = zip(fit.branches, fit.laws, qualities, strict=True)
    return tuple(Curve(b.branch, b.field_G, law, own, _end([b], fit)) for b, law, own in rows)


def _parts(
    fit: CurveFit, joint: JointFit, qualities: Sequence[dict[str, Any]]
) -> tuple[Curve, ...]:
    """Curves of each branch in both alignments, as far as it was measured at every field."""
    parts = iter(joint.parts)
    curves = []
    for alignment in ALIGNMENTS:
        for branch in BRANCHES:
            own = [i for i, b in enumerate(fit.branches) if b.branch == branch]
            quality = pooled([qualities[i] for i in own])
            end = _end([fit.branches[i] for i in own], fit)
            curves.append(Curve(branch, None, next(parts), quality, end, alignment))
    return tuple(curves)


def _end(branches: Sequence[Branch], fit: CurveFit) -> float | None:
    """Where all of the branches were measured to, None for the end of the card."""
    end = min(b.end for b in branches)
    return end if end < fit.n_pulses else None


def _source(data: PulseData, fit: CurveFit, reference: str) -> dict[str, Any]:
    return {
        "reference": reference,
        "generator": "device_models.fit.fit_card",
        "file": Path(data.source).name,
        "data_sha256": data.sha256,
        "n_readings": sum(len(b.values) for b in fit.branches),
        "n_devices": len({d for b in fit.branches for d, _ in b.clusters}),
        "n_cycles": len({cycle for b in fit.branches for _, cycle in b.clusters}),
        "law_choice": {branch: _choice(choice) for branch, choice in fit.choices.items()},
        "covariance_from": fit.covariance_from,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    scores = {name: rounded(score) for name, score in choice.scores.items()}
    return {"criterion": choice.criterion, "scores": scores}


def _caveat(kind: str, warnings: Sequence[str]) -> str:
    text = f"{kind.capitalize()} pulse responses with fitted curves"
    return f"{text}; {len(warnings)} warnings in the fit report." if warnings else f"{text}."


def _identifier(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "device"


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    """The matrix as rows, exactly symmetric."""
    even = (matrix + matrix.T) / 2
    return tuple(tuple(float(f"{v:.{DIGITS}g}") for v in row) for row in even)
