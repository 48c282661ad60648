"""Reading pulse measurements as laboratories have them: text tables and spreadsheets.

Wide (one column a cycle or device), long (pulse number, branch, value and conditions), or one
trace of readings in which LTP and LTD follow each other. What cannot be read is an error of one
line with file, line and column; what is suspicious is a warning; no reading is ever changed.

`one_file` reads a file, `together` several as one measurement, `types` says what a measurement is.
Behind them: `tables/` bytes to a table, `columns/` what each column is, `branches/` where LTP and
LTD begin and end.
"""

from device_models.pulses.columns.roles import LAYOUTS, WIDE_OF
from device_models.pulses.one_file import read_pulses
from device_models.pulses.together import read_branches
from device_models.pulses.types import ColumnUse, Labels, PulseData, PulseDataError, Segment

__all__ = [
    "LAYOUTS",
    "WIDE_OF",
    "ColumnUse",
    "Labels",
    "PulseData",
    "PulseDataError",
    "Segment",
    "read_branches",
    "read_pulses",
]
