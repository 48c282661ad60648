"""Arrays of memristors: the state of every device, and what pulses do to it.

`array` devices against a reference, `pair` two devices a weight; `response` what pulses do,
`travel` how far they carry along a card's curves, `reading` what is read at a field, `nominal` a
device without spread, `devices` how spreads are drawn. Fitting aihwkit's devices needs `travel`
without them, so that each is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING

from device_models.on_first_use import names_on_first_use as _names_on_first_use

if TYPE_CHECKING:
    from crossbar.arrays.array import MemristorArray
    from crossbar.arrays.nominal import FieldAndScale, NominalDevice
    from crossbar.arrays.pair import MemristorPair
    from crossbar.arrays.reading import Reading
    from crossbar.arrays.response import PulseResponse
    from crossbar.arrays.travel import BranchCurve, branch_curve

__all__ = [
    "BranchCurve",
    "FieldAndScale",
    "MemristorArray",
    "MemristorPair",
    "NominalDevice",
    "PulseResponse",
    "Reading",
    "branch_curve",
]

_LAZY = {
    "array": ("MemristorArray",),
    "nominal": ("FieldAndScale", "NominalDevice"),
    "pair": ("MemristorPair",),
    "reading": ("Reading",),
    "response": ("PulseResponse",),
    "travel": ("BranchCurve", "branch_curve"),
}
"""Files, and the names in each: loaded when they are first asked for."""

__getattr__, __dir__ = _names_on_first_use(__name__, _LAZY)
