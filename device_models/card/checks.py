"""What a card must be beside its types: complete, and of responses that go one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device_models.card.curve import ALIGNMENTS, BRANCHES
from device_models.card.errors import CardError

if TYPE_CHECKING:
    from device_models.card.model import DeviceCard


def check_complete(card: DeviceCard) -> None:
    """Every field, or each alignment of the layers, has exactly one LTP and one LTD curve."""
    seen = [(c.branch, c.field_G if card.layers is None else c.alignment) for c in card.curves]
    parts = card.fields_G if card.layers is None else ALIGNMENTS
    for branch in BRANCHES:
        for part in parts:
            count = seen.count((branch, part))
            if count != 1:
                where = f"at {part:g} G" if isinstance(part, float) else f"in {part} alignment"
                raise CardError(f"curves: {count} {branch} curves {where}, one expected")


def check_shape(card: DeviceCard) -> None:
    """Responses are finite and monotone over the pulses: LTP raises the conductance, LTD lowers.

    What lies between two such curves, in conductance, is then monotone as well.
    """
    for i, curve in enumerate(card.curves):
        pulses = np.linspace(0, card.last_pulse(curve), 257)
        with np.errstate(all="ignore"):
            value = curve.law(pulses)
            if card.quantity == "resistance" and not np.all(value > 0):
                raise CardError(f"curves[{i}]: resistance must stay positive over the pulses")
            conductance = 1 / value if card.quantity == "resistance" else value
        if not np.all(np.isfinite(conductance)):
            raise CardError(f"curves[{i}]: the response is not finite over the pulses")
        rising = curve.branch == "LTP"
        steps = np.diff(conductance) if rising else -np.diff(conductance)
        if steps.sum() <= 0 or steps.min() < -1e-6 * np.ptp(conductance):
            verb = "rise" if rising else "fall"
            raise CardError(f"curves[{i}]: conductance must {verb} along {curve.branch} pulses")
