"""What is computed from a card at a field is computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.steps import last_pulse

Result = TypeVar("Result")

KEPT = 256
"""Results kept of each function, the latest."""


def per_card(function: Callable[[DeviceCard, float], Result]) -> Callable[..., Result]:
    """Keep the results of a function of a card and a field [G] that no one changes.

    A card is known by its curves at the field: its texts and spreads make no difference.
    """
    results: dict[object, Result] = {}

    @wraps(function)
    def remembered(card: DeviceCard, field_G: float = 0.0) -> Result:
        laws = tuple(card.law(branch, field_G) for branch in BRANCHES)
        ends = tuple(last_pulse(card, branch, field_G) for branch in BRANCHES)
        key = (laws, ends, card.quantity, card.conductance_range(field_G))
        try:
            known = key in results
        except TypeError:  # a law that holds an array
            return function(card, field_G)
        if not known:
            while len(results) >= KEPT:
                results.pop(next(iter(results)), None)
            results[key] = function(card, field_G)
        return results[key]

    return remembered
