"""Device cards: one JSON file that says how a device responds to pulses, and how we know."""

from device_models.card.model import (
    BRANCHES,
    KINDS,
    MAX_CARD_BYTES,
    MAX_SPREAD,
    CardError,
    Curve,
    DeviceCard,
    Spread,
    Uncertainty,
    card_from_dict,
)

__all__ = [
    "BRANCHES",
    "KINDS",
    "MAX_CARD_BYTES",
    "MAX_SPREAD",
    "CardError",
    "Curve",
    "DeviceCard",
    "Spread",
    "Uncertainty",
    "card_from_dict",
]
