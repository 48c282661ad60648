"""What the compiled reads are told: one named record a call, made of the converters and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossbar.reads.converters import Converters

FLAGS = ("managed", "rounds_input", "rounds_output", "transposed", "lifted")
SIZES = (
    *("counter", "place", "listed", "product", "number", "in_size", "out_size"),
    *("blocks", "largest", "at_a_time", "parts", "part_size"),
    *("channels", "height", "width", "kernel_rows", "kernel_columns"),
    *("row_stride", "column_stride", "row_dilation", "column_dilation", "rows", "columns"),
)
"""`counter`: next unit of work. `place`, `listed`: where the noise starts in how many numbers.
`product`: address of the BLAS. `blocks`, `largest`: number and largest size of the tiles.
A unit takes `at_a_time` vectors, rows or images and one of `parts` of the outputs (or channels)
with `part_size` of them. `rows`, `columns`: positions of the window; the others are the window's
and those of the padded images."""

NUMBERS = (
    *("dac_unit", "adc_unit", "input_bound", "output_bound", "noise", "gain"),
    *("low_peak", "high_peak"),
)
"""The converters' numbers; bounds are infinite where nothing is clipped. Vectors whose largest
entry lies outside `low_peak` to `high_peak` are lifted by a power of two."""

READ = np.dtype(
    [(name, np.int64) for name in (*SIZES, *FLAGS)] + [(name, np.float32) for name in NUMBERS],
    align=True,
)

SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Ends of the numbers that float32 holds with all digits."""


def read_job(converters: Converters, gain: float = 1.0, **sizes: int) -> NDArray[Any]:
    """The record of one read; `gain`: digital factor on the output."""
    low, high = _usual_peaks(converters, gain)
    values = {
        "managed": converters.managed,
        "rounds_input": converters.rounds_input,
        "rounds_output": converters.rounds_output,
        "dac_unit": converters.dac_unit,
        "adc_unit": converters.adc_unit * gain,
        "input_bound": converters.input_bound if converters.clips_input else np.inf,
        "output_bound": converters.output_bound if converters.output_bound > 0 else np.inf,
        "noise": converters.noise,
        "gain": converters.gain,
        "low_peak": low,
        "high_peak": high,
        **sizes,
    }
    job = np.zeros(1, READ)
    for name, value in values.items():
        job[name] = value
    return job


def _usual_peaks(converters: Converters, gain: float) -> tuple[float, float]:
    """Ends of the largest entries whose factors, and the products in them, float32 holds."""
    if not converters.managed:
        return 0.0, np.inf
    units = converters.dac_unit, converters.adc_unit * abs(gain) or 1.0
    low = max(SMALLEST / min(units), 1 / (LARGEST * units[0]))
    return low, min(LARGEST, LARGEST / max(units), 1 / (SMALLEST * units[0]))
