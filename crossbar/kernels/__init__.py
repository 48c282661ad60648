"""Compiled and tabulated forms of what costs time; the plain forms stay beside them.

EM activation: for any number of curves it is one function of one real variable. Once per step it
is tabulated at a few pulse numbers (`grid.py`); every element then costs the same, whatever the
number of curves (`interpolation.py`: the autograd function; `interpolation_cpu.py`: compiled and
on several threads; `interpolation_torch.py`: plain torch).

Crossbar: `reads_cpu.py` reads it, `pulses_cpu.py` fires pulses at it. `threads.py` is what the
CPU kernels share. They are compiled by numba, which takes a while to import: where they are used.
"""

from torch import Tensor, float32

from crossbar.kernels.grid import Encoding, PulseGrid, choose_grid
from crossbar.kernels.interpolation import interpolate
from crossbar.kernels.interpolation_torch import grid_matrix

__all__ = ["Encoding", "PulseGrid", "choose_grid", "grid_matrix", "has_cpu_kernels", "interpolate"]


LONGEST_LINE = 2**19
"""Outputs of a vector, or pixels of a channel, whose noise fits into the list of numbers."""


def has_cpu_kernels(*tensors: Tensor, line: int = 0) -> bool:
    """Whether the compiled kernels take `tensors`: float32 on the CPU, lines of a sane length."""
    of_a_kind = all(tensor.device.type == "cpu" and tensor.dtype == float32 for tensor in tensors)
    return of_a_kind and line <= LONGEST_LINE
