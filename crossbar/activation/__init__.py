"""EM activation: the formula, the grid it is tabulated on, and its compiled and torch forms."""

from crossbar.activation.em import FORMS, NORMALISATIONS, EMActivation
from crossbar.activation.encodings import ENCODINGS
from crossbar.activation.replacing import replace_activations
from crossbar.curves import QUANTITIES

__all__ = [
    "ENCODINGS",
    "FORMS",
    "NORMALISATIONS",
    "QUANTITIES",
    "EMActivation",
    "replace_activations",
]
