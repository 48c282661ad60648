"""Device cards: one JSON file that says how a device responds to pulses, and how we know."""

from device_models.card.checks import check_shape
from device_models.card.conditions import Conditions
from device_models.card.curve import ALIGNMENTS, BRANCHES, Curve
from device_models.card.errors import CardError
from device_models.card.field import HISTORY, LAYER_KEYS, FieldModel, FieldTable, TwoLayers
from device_models.card.model import KINDS, SCHEMA_VERSION, DeviceCard
from device_models.card.reading import MAX_CARD_BYTES, card_from_dict
from device_models.card.spread import COVARIANCES, MAX_SPREAD, Spread, Uncertainty

__all__ = [
    "ALIGNMENTS",
    "BRANCHES",
    "COVARIANCES",
    "HISTORY",
    "KINDS",
    "LAYER_KEYS",
    "MAX_CARD_BYTES",
    "MAX_SPREAD",
    "SCHEMA_VERSION",
    "CardError",
    "Conditions",
    "Curve",
    "DeviceCard",
    "FieldModel",
    "FieldTable",
    "Spread",
    "TwoLayers",
    "Uncertainty",
    "card_from_dict",
    "check_shape",
]
