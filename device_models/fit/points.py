"""What a law is fitted to: one weighted mean reading per pulse number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Points:
    """Mean reading and weight (its inverse variance, up to a factor) at each pulse number."""

    pulses: FloatArray
    values: FloatArray
    weights: FloatArray

    @property
    def span(self) -> float:
        """Largest pulse number."""
        return float(self.pulses[-1])

    @property
    def decades(self) -> float:
        """Powers of ten between the smallest and the largest reading, 0 where one is not positive.

        Rises of the response count, not its sign.
        """
        low = float(self.values.min())
        return float(np.log10(self.values.max() / low)) if low > 0 else 0.0
