"""Loops that the compiled reads share: largest entries, DAC and ADC levels, noise.

Vectors or patches are lifted by a power of two where float32 does not hold their factors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from crossbar.kernels.threads import compiled, nearest

LIFT = 2.0**64
"""What vectors are multiplied or divided by that lie too near the ends of float32 for a read."""


@compiled(njit)
def up(size, step):
    """The multiple of `step` from `size` on."""
    return size + -size % step


@compiled(njit)
def stretch(numbers, place, n):
    """`n` of the listed numbers from a place on, which starts again behind the end."""
    start = place % (numbers.size - n)
    return numbers[start : start + n]


@compiled(njit)
def largest_in_column(values, peaks):
    """Largest size in each column of `values` (rows x columns)."""
    peaks[:] = 0
    for i in range(values.shape[0]):
        row = values[i]
        for j in range(peaks.size):
            size = abs(row[j])
            peaks[j] = size if size > peaks[j] else peaks[j]


@compiled(njit)
def largest_in_window(by_pixel, job, by_row, peaks):
    """Largest entry in the window at each of its positions; `by_row` is room to work in."""
    for y in range(by_row.shape[0]):
        row, source = by_row[y], by_pixel[y]
        row[:] = 0
        stride = job.column_stride
        for k in range(job.kernel_columns):
            shifted = source[k * job.column_dilation :]
            for j in range(row.size):
                value = shifted[j * stride]
                row[j] = value if value > row[j] else row[j]
    for i in range(peaks.shape[0]):
        row = peaks[i]
        row[:] = 0
        for k in range(job.kernel_rows):
            source = by_row[i * job.row_stride + k * job.row_dilation]
            for j in range(row.size):
                row[j] = source[j] if source[j] > row[j] else row[j]


@compiled(njit)
def lift_peaks(peaks, job):
    """Power of two that takes largest entries to where float32 holds their factors; mostly 1.

    The `peaks` are lifted. Where some are too large, those that are too small go on as zeros.
    """
    low, high, zero = job.low_peak, job.high_peak, np.float32(0)
    small, tall, large = np.int32(0), np.int32(0), np.int32(0)
    for j in range(peaks.size):
        peak = peaks[j]
        small += np.int32((peak < low) & (peak > zero))
        tall += np.int32(peak > high / np.float32(LIFT))
        large += np.int32(peak > high)
    if large == 0 and (small == 0 or tall > 0):
        return np.float32(1)
    lift = np.float32(LIFT) if large == 0 else np.float32(1 / LIFT)
    for j in range(peaks.size):
        peaks[j] *= lift
    return lift


@compiled(njit)
def times(values, lift, room):
    """`values` times `lift`, written to `room`; themselves where that is 1."""
    if lift == 1:
        return values
    room[:] = values * np.float32(lift)
    return room


@compiled(njit)
def factors(peaks, job, into, out_of):
    """Factors into DAC levels and out of ADC levels; a vector of zeros is read as zeros."""
    one = np.float32(1)
    for j in range(peaks.size):
        peak = peaks[j] if job.managed else one
        out_of[j] = job.adc_unit * peak
        into[j] = one / (job.dac_unit * (one if peak < job.low_peak else peak))


@compiled(njit)
def level(value, rounds, bound):
    """`value`, rounded where asked for and clipped at `bound`."""
    value = nearest(value) if rounds else value
    value = -bound if value < -bound else value
    return bound if value > bound else value


@compiled(njit)
def to_levels(values, into, job, levels):
    """DAC levels of `values`, a vector with the factor `into`; `levels` may be longer."""
    rounds, bound = job.rounds_input, job.input_bound
    for j in range(values.size):
        levels[j] = level(values[j] * into, rounds, bound)


@compiled(njit)
def from_levels(sums, numbers, out_of, job, out):
    """Noise and ADC on `sums`, which are levels, and back into values; `out` says how many."""
    rounds, bound, noise = job.rounds_output, job.output_bound, job.noise
    for j in range(out.size):
        out[j] = level(sums[j] + noise * numbers[j], rounds, bound) * out_of[j]


@compiled(njit)
def put_or_add(values, first, out):
    """`values` into `out`, which says how many: put there the `first` time, added later."""
    for j in range(out.size):
        out[j] = values[j] if first else out[j] + values[j]
