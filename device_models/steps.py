"""The step of one pulse as a function of the conductance it starts from.

A pulse takes a device from g = G(n) to G(n + 1), so each branch of a card is also a change of the
conductance over the conductance; simulators of crossbars want it that way round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card import DeviceCard

FloatArray = NDArray[np.float64]

_GRID = 4097


def step_size(card: DeviceCard, branch: str, conductance: ArrayLike, field_G: float) -> FloatArray:
    """Signed conductance change of one pulse at each `conductance`, in the card's unit.

    Any shape, same shape out. Below or above the branch's own ends the step of that end is used.
    Raises ValueError for an unknown branch or a field outside the card's range.
    """
    pulses = np.linspace(0, card.measured_pulses(branch, field_G), _GRID)
    law_conductance = card.conductance(branch, pulses, field_G)
    order = slice(None) if branch == "LTP" else slice(None, None, -1)
    n = np.interp(np.asarray(conductance, dtype=float), law_conductance[order], pulses[order])
    return card.conductance(branch, n + 1, field_G) - card.conductance(branch, n, field_G)
