"""Fast forms of the EM activation.

For any number of curves the activation is one function of one real variable. Once per step it is
tabulated at a few pulse numbers (`grid.py`); every element then costs the same, whatever the
number of curves (`interpolation.py`: the autograd function; `cpu.py`: compiled and on several
threads; `any_device.py`: plain torch).
"""

from crossbar.kernels.grid import Encoding, PulseGrid, choose_grid
from crossbar.kernels.interpolation import interpolate
from crossbar.kernels.interpolation_torch import grid_matrix

__all__ = ["Encoding", "PulseGrid", "choose_grid", "grid_matrix", "interpolate"]
