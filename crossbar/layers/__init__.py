"""Layers on tiles that aihwkit lacks, and which layers of a network can move there.

`convolutions` any axes and groups, `recurrent` RNN, LSTM and GRU, `attention` of several heads,
`survey` which layers of a network there are and what stays digital.
"""

from crossbar.layers.attention import CrossbarAttention
from crossbar.layers.convolutions import (
    CrossbarConv1d,
    CrossbarConv3d,
    CrossbarConvolution,
    GroupedConvolution,
)
from crossbar.layers.recurrent import CrossbarRNN
from crossbar.layers.survey import Survey, digital_matrices

__all__ = [
    "CrossbarAttention",
    "CrossbarConv1d",
    "CrossbarConv3d",
    "CrossbarConvolution",
    "CrossbarRNN",
    "GroupedConvolution",
    "Survey",
    "digital_matrices",
]
