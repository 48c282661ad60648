"""What compiled forms share: which tensors they take, threads, and what they may be handed.

The forms themselves stand beside the subject they compute (`arrays/response_cpu.py`,
`reads/read_cpu.py`, `activation/interpolation_cpu.py`). They are compiled by numba, which takes a
while to import: it is imported where they are used.
"""

from torch import Tensor, float32

__all__ = ["LONGEST_LINE", "has_cpu_kernels"]

LONGEST_LINE = 2**19
"""Outputs of a vector, or pixels of a channel, whose noise fits into the list of numbers."""


def has_cpu_kernels(*tensors: Tensor, line: int = 0) -> bool:
    """Whether the compiled kernels take `tensors`: float32 on the CPU, lines of a sane length."""
    of_a_kind = all(tensor.device.type == "cpu" and tensor.dtype == float32 for tensor in tensors)
    return of_a_kind and line <= LONGEST_LINE
