"""Reads of crossbars: converters, window, one chooser (`read`) of torch's and compiled forms.

`converters` DAC and ADC, `window` patches of a convolution, `blocks` layers larger than a tile,
`read` the reads; `read_torch` and `read_cpu` their forms, `cpu_*` what the compiled one is made of.
"""

from crossbar.reads.blocks import block_sizes, checked_blocks, parts_of
from crossbar.reads.converters import Converters, periphery
from crossbar.reads.read import convolve, convolve_back, crossbar_product
from crossbar.reads.window import Window, add_weight_gradient_, weight_gradient

__all__ = [
    "Converters",
    "Window",
    "add_weight_gradient_",
    "block_sizes",
    "checked_blocks",
    "convolve",
    "convolve_back",
    "crossbar_product",
    "parts_of",
    "periphery",
    "weight_gradient",
]
