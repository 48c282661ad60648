"""The one error of device cards."""

from __future__ import annotations

from device_models.errors import FieldCrossbarError
from device_models.plain_text import message


class CardError(FieldCrossbarError, ValueError):
    """A card that cannot be used; the message is one line naming the file and the place in it."""

    def __init__(self, text: str):
        super().__init__(message(text))
