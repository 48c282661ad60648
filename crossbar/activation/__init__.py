"""EM activation: the formula, the grid it is tabulated on, and its compiled and torch forms."""

from crossbar.activation.em import (
    ENCODINGS,
    FORMS,
    NORMALISATIONS,
    QUANTITIES,
    EMActivation,
    replace_activations,
)

__all__ = [
    "ENCODINGS",
    "FORMS",
    "NORMALISATIONS",
    "QUANTITIES",
    "EMActivation",
    "replace_activations",
]
