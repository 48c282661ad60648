"""Where a pulse response is tabulated, and the polynomial through the tabulated values.

Responses to pulses are steep near pulse 0 and flat at the end. In the bent coordinate

    z(n) = (1 + 2 b / N) - (2 b (N + b) / N) / (n + b),   z(0) = -1,   z(N) = 1,

with a bend b of a few pulses they are even, and the polynomial through their values at a few
Chebyshev nodes follows them closer than float32 can tell: 16 nodes for the resistances of the
paper's device. The method is the one of chebfun: the last Chebyshev coefficients tell what is
left out. L. N. Trefethen, Approximation Theory and Approximation Practice, SIAM 2013.

The kernels sum the polynomial as p(z) = sum_j T_4j(z) (a_4j + a_4j+1 z + a_4j+2 z^2 + a_4j+3 z^3)
with the Chebyshev polynomials T_4j: as stable as a Chebyshev series, almost as fast as powers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SIZES = (16, 24, 32, 40, 48, 64)
"""Numbers of nodes to choose from; multiples of 8, which is what the kernels work in."""


@dataclass(frozen=True)
class Encoding:
    """Pulse number of an input: n = n_pulses (x - low) / (high - low), x clipped to low..high."""

    n_pulses: int
    low: float
    high: float


@dataclass(frozen=True)
class PulseGrid:
    """Chebyshev nodes over the pulse numbers of `encoding`, denser towards pulse 0.

    bend_pulses: pulse number b of the coordinate z above. n_nodes: a multiple of 8.
    """

    encoding: Encoding
    bend_pulses: float
    n_nodes: int

    @property
    def pole(self) -> float:
        """z of an infinite number of pulses."""
        return 1 + 2 * self.bend_pulses / self.encoding.n_pulses

    @property
    def stretch_pulses(self) -> float:
        """Numerator of the bent coordinate: z = pole - stretch_pulses / (n + bend_pulses)."""
        return self.bend_pulses * (1 + self.pole)

    @cached_property
    def constants(self) -> dict[str, FloatArray]:
        """(pole, gain, shift, low, high) of z = pole - 1 / (gain clip(x) + shift), by dtype."""
        low, high = self.encoding.low, self.encoding.high
        gain = self.encoding.n_pulses / (high - low) / self.stretch_pulses
        shift = self.bend_pulses / self.stretch_pulses - gain * low
        values = (self.pole, gain, shift, low, high)
        return {name: np.array(values, name) for name in ("float32", "float64")}

    @cached_property
    def pulses(self) -> FloatArray:
        """Pulse numbers of the nodes, shape (n_nodes,)."""
        z = np.cos(np.pi * (np.arange(self.n_nodes) + 0.5) / self.n_nodes)
        pulses: FloatArray = self.stretch_pulses / (self.pole - z) - self.bend_pulses
        return pulses

    @cached_property
    def chebyshev_from_values(self) -> FloatArray:
        """Matrix from values at the nodes to Chebyshev coefficients, n_nodes x n_nodes."""
        order, node = np.arange(self.n_nodes)[:, None], np.arange(self.n_nodes)
        matrix: FloatArray = 2 / self.n_nodes * np.cos(np.pi * order * (node + 0.5) / self.n_nodes)
        matrix[0] /= 2
        return matrix

    @cached_property
    def coefficients_from_values(self) -> FloatArray:
        """Matrix from values at the nodes to the coefficients a of p(z), n_nodes x n_nodes."""
        return _solve(self._chebyshev_from_coefficients, self.chebyshev_from_values)

    @cached_property
    def slopes_from_coefficients(self) -> FloatArray:
        """Matrix from the coefficients a of p(z) to those of dp/dz, n_nodes x n_nodes."""
        in_chebyshev = self._chebyshev_from_coefficients
        slopes = np.zeros_like(in_chebyshev)
        slopes[:-1] = chebyshev.chebder(in_chebyshev)
        return _solve(in_chebyshev, slopes)

    @cached_property
    def _chebyshev_from_coefficients(self) -> FloatArray:
        matrix = np.zeros((self.n_nodes, self.n_nodes))
        for column in range(self.n_nodes):
            block, power = 4 * (column // 4), column % 4
            term = chebyshev.chebmul(
                chebyshev.poly2cheb(np.eye(4)[power, : power + 1]), [0] * block + [1]
            )
            matrix[: len(term), column] = term
        return matrix

    def truncation(self, values: FloatArray) -> float:
        """Share of the steepest slope that the polynomial misses, from its last coefficients.

        `values` at the nodes, n_nodes x n_curves; the worst curve counts. Infinite where a value
        is no number. What a derivative misses is order**2 times what the value does.
        """
        if not np.isfinite(values).all():
            return float("inf")
        weight = np.arange(self.n_nodes)[:, None] ** 2
        parts = weight * np.abs(self.chebyshev_from_values @ values)
        largest = np.maximum(parts.max(0), np.finfo(float).tiny)
        return float((parts[-2:].max(0) / largest).max())


def choose_grid(
    responses: Callable[[FloatArray], FloatArray], encoding: Encoding, tolerance: float
) -> PulseGrid | None:
    """Smallest grid whose truncation of `responses` is below `tolerance`; None where none is.

    responses: pulses (n,) -> n x n_curves.
    """
    bends = encoding.n_pulses * np.geomspace(0.02, 2, 21)
    for n_nodes in SIZES:
        grids = [PulseGrid(encoding, float(bend), n_nodes) for bend in bends]
        missed = [grid.truncation(responses(grid.pulses)) for grid in grids]
        if min(missed) <= tolerance:
            return grids[int(np.argmin(missed))]
    return None


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(matrix, right), np.float64)
