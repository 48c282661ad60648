"""Pulse data, curve laws, device cards and the physical model of field-tunable memristors.

Everything here is numpy and scipy: no torch, no aihwkit, no plotting.
"""

from device_models.card import CardError, DeviceCard, list_cards, load_card
from device_models.curves import ExponentialMixture
from device_models.memristor import Memristor, MemristorParameters

__all__ = [
    "CardError",
    "DeviceCard",
    "ExponentialMixture",
    "Memristor",
    "MemristorParameters",
    "list_cards",
    "load_card",
]
