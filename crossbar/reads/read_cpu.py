"""Reads of a crossbar on the CPU: converters, noise and matrix product in one pass.

A read scales a vector by its largest entry, rounds it to the levels of the DAC, multiplies, adds
the output noise, rounds to the levels of the ADC, clips and scales back. Operation by operation
each of these is a pass through memory that costs as much as the product. Here a thread takes an
image, or a few vectors, through all of them while they lie in its nearest cache; the patches of
an image never exist outside of it. The plain forms are in `crossbar.reads.converters` and
`crossbar.reads.convolution`. float32 only.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, cfunc, njit
from torch import Tensor
from torch.nn.functional import pad

from crossbar.kernels import LONGEST_LINE
from crossbar.kernels.contract import address, check_shape, plain
from crossbar.kernels.threads import PART, compiled, nearest, run_on_threads, take
from crossbar.random import RandomStream

if TYPE_CHECKING:
    from crossbar.reads.converters import Converters
    from crossbar.reads.convolution import Window

VECTORS = 8
"""Vectors in a unit of work: a few microseconds of it."""

POSITIONS = 128
"""Positions of a window that are read at a time, as near as whole rows come to it."""

PRODUCTS = 3072
"""Products at entries of the kernel and positions that exist at a time: 12 kB."""

# Places in the sizes that every part gets, behind the counter; its own follow from OWN on.
PLACE, LISTED, MANAGED, ROUNDS_INPUT, ROUNDS_OUTPUT, OWN = range(1, 7)
# Places in its constants.
DAC_UNIT, ADC_UNIT, INPUT_BOUND, OUTPUT_BOUND, NOISE, LOW_PEAK, HIGH_PEAK, CONSTANTS = range(8)

SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Ends of the numbers that float32 holds with all digits."""

LIFT = 2.0**64
"""What vectors are multiplied or divided by that lie too near the ends of float32 for a read."""


def read_vectors(
    weight: Tensor, vectors: Tensor, converters: Converters, stream: RandomStream
) -> Tensor:
    """weight (m x n) times each of `vectors` (b x n), b x m."""
    number, (out_size, in_size) = len(vectors), weight.shape
    vectors, out = plain(vectors), vectors.new_empty(number, out_size)
    lines = _padded((weight * converters.gain).t(), rows=2)
    addresses = (
        address("weights", lines, _even(in_size), out_size),
        address("vectors", vectors, number, in_size),
        address("outputs", out, number, out_size),
    )
    _check_line(out_size)
    sizes = (number, in_size, out_size)
    _read(_vectors_part, -(-number // VECTORS), sizes, converters, stream, addresses)
    return out


def read_patches(
    weight: Tensor,
    padded: Tensor,
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: float,
) -> Tensor:
    """Output images of a convolution with `weight` (out x channels*kernel), times `gain`.

    padded: images with the zeros around them that the window reads.
    """
    padded, out_size, entries = plain(padded), len(weight), window.entries(padded.shape[1])
    out = padded.new_empty(len(padded), out_size, *window.positions(padded.shape))
    lines = _padded(weight * converters.gain, rows=2, columns=2)
    check_shape("weights", weight, out_size, entries)
    addresses = (
        address("weights", lines, _even(out_size), _even(entries)),
        address("images", padded, *padded.shape),
        address("outputs", out, *out.shape),
    )
    _check_line(padded.shape[2] * padded.shape[3])
    sizes = (*padded.shape, *window.sizes, *out.shape[1:])
    _read(_patches_part, len(padded), sizes, converters, stream, addresses, gain)
    return out


def read_patches_back(
    weight: Tensor,
    gradients: Tensor,
    padded_shape: tuple[int, ...],
    window: Window,
    converters: Converters,
    stream: RandomStream,
    gain: float,
) -> Tensor:
    """Gradients at padded images of `padded_shape` for gradients at the output, times `gain`."""
    gradients, padded = plain(gradients), gradients.new_zeros(padded_shape)
    out_size, entries = len(weight), window.entries(padded_shape[1])
    out_shape = (padded_shape[0], out_size, *window.positions(padded_shape))
    lines = _padded((weight * converters.gain).t(), rows=2, columns=2)
    check_shape("weights", weight, out_size, entries)
    addresses = (
        address("weights", lines, _even(entries), _even(out_size)),
        address("gradients", gradients, *out_shape),
        address("images", padded, *padded_shape),
    )
    _check_line(padded_shape[2] * padded_shape[3])
    sizes = (*padded_shape, *window.sizes, *out_shape[1:])
    _read(_patches_back_part, len(padded), sizes, converters, stream, addresses, gain)
    return padded


def _read(
    part: Any,
    units: int,
    sizes: tuple[int, ...],
    converters: Converters,
    stream: RandomStream,
    addresses: tuple[int, ...],
    gain: float = 1.0,
) -> None:
    """Run a part with the converters and the noise in front of its own sizes and addresses."""
    numbers, place = stream.list_and_place()
    switches = (converters.managed, converters.rounds_input, converters.rounds_output)
    constants = _constants(converters, gain)
    sizes = (place, len(numbers), *switches, *sizes)
    listed = address("random numbers", numbers, len(numbers))
    run_on_threads(part(), units, sizes, constants.ctypes.data, listed, *addresses)


def _check_line(length: int) -> None:
    """RuntimeError for more outputs or pixels in a line than the list of numbers has noise for."""
    if length > LONGEST_LINE:
        raise RuntimeError(f"lines must have up to {LONGEST_LINE} entries, got {length}")


def _constants(converters: Converters, gain: float) -> Any:
    """The converters' numbers in the order above; bounds are infinite where nothing is clipped."""
    values = (
        converters.dac_unit,
        converters.adc_unit * gain,
        converters.input_bound if converters.clips_input else np.inf,
        converters.output_bound if converters.output_bound > 0 else np.inf,
        converters.noise,
        *_usual_peaks(converters, gain),
    )
    return np.array(values, np.float32)


def _usual_peaks(converters: Converters, gain: float) -> tuple[float, float]:
    """Ends of the largest entries whose factors, and the products in them, float32 holds."""
    if not converters.managed:
        return 0.0, np.inf
    units = converters.dac_unit, converters.adc_unit * abs(gain) or 1.0
    low = max(SMALLEST / min(units), 1 / (LARGEST * units[0]))
    return low, min(LARGEST, LARGEST / max(units), 1 / (SMALLEST * units[0]))


def _even(size: int) -> int:
    return size + size % 2


def _padded(matrix: Tensor, rows: int = 1, columns: int = 1) -> Tensor:
    """`matrix` with zeros up to multiples of `rows` and `columns`, contiguous."""
    return pad(matrix, (0, -matrix.shape[1] % columns, 0, -len(matrix) % rows)).contiguous()


@cache
def _vectors_part() -> Any:
    @compiled(cfunc, PART)
    def part(pointers):
        sizes = carray(pointers[0], OWN + 3, np.int64)
        number, in_size, out_size = sizes[OWN], sizes[OWN + 1], sizes[OWN + 2]
        constants = carray(pointers[1], CONSTANTS, np.float32)
        numbers = carray(pointers[2], sizes[LISTED], np.float32)
        lines = carray(pointers[3], (_up(in_size, 2), out_size), np.float32)
        vectors = carray(pointers[4], (number, in_size), np.float32)
        bits = carray(pointers[4], (number, in_size), np.int32)
        out = carray(pointers[5], (number, out_size), np.float32)
        levels = np.zeros((VECTORS, len(lines)), np.float32)
        sums = np.empty((VECTORS, out_size), np.float32)
        peaks = np.empty(VECTORS, np.int32)
        into, out_of = np.empty(VECTORS, np.float32), np.empty(VECTORS, np.float32)
        factor = np.empty(max(in_size, out_size), np.float32)
        lifts, lifted = np.empty(VECTORS, np.float32), np.empty(in_size, np.float32)
        first = take(sizes) * VECTORS
        while first < number:
            count = min(VECTORS, number - first)
            for i in range(count):
                peaks[i] = _largest_bits(bits[first + i])
                lifts[i] = _lift(peaks.view(np.float32)[i : i + 1], constants)
            _factors(peaks.view(np.float32)[:count], sizes, constants, into, out_of)
            for i in range(count):
                factor[:in_size] = into[i]
                vector = _times(vectors[first + i], lifts[i], lifted)
                _to_levels(vector, factor, sizes, constants, levels[i])
            _multiply(levels[: _up(count, 2)], lines, sums, out_size)
            for i in range(count):
                factor[:out_size] = out_of[i]
                own = _stretch(numbers, sizes[PLACE] + (first + i) * out_size, out_size)
                _from_levels(sums[i], own, factor, sizes, constants, out[first + i])
                _times(out[first + i], 1 / lifts[i], out[first + i])
            first = take(sizes) * VECTORS

    return part


@cache
def _patches_part() -> Any:
    @compiled(cfunc, PART)
    def part(pointers):
        sizes = carray(pointers[0], OWN + 13, np.int64)
        number, channels, height, width, window, out_size, rows, columns, pitch = _geometry(sizes)
        entries = _up(channels * window[0] * window[1], 2)
        constants = carray(pointers[1], CONSTANTS, np.float32)
        numbers = carray(pointers[2], sizes[LISTED], np.float32)
        lines = carray(pointers[3], (_up(out_size, 2), entries), np.float32)
        images = carray(pointers[4], (number, channels, height * width), np.float32)
        lifted = np.empty(images.shape[1:], np.float32)
        out = carray(pointers[5], (number, out_size, rows * columns), np.float32)
        at_a_time = min(rows, max(1, POSITIONS // pitch))
        levels = np.zeros((entries, at_a_time * pitch), np.float32)
        sums = np.empty((_up(out_size, 2), at_a_time * pitch), np.float32)
        by_pixel = np.empty((height, width), np.float32)
        by_row = np.empty((height, columns), np.float32)
        peaks = np.zeros((rows, pitch), np.float32)
        into, out_of = np.empty(rows * pitch, np.float32), np.empty(rows * pitch, np.float32)
        image = take(sizes)
        while image < number:
            _largest_in_column(images[image], by_pixel.ravel())
            _largest_in_window(by_pixel, window, by_row, peaks[:, :columns])
            lift = _lift(peaks.ravel(), constants)
            pixels = _times(images[image], lift, lifted)
            _factors(peaks.ravel(), sizes, constants, into, out_of)
            for row in range(0, rows, at_a_time):
                n = (min(at_a_time, rows - row) - 1) * pitch + columns
                _patch_levels(
                    *(pixels, width, window, row, columns, into[row * pitch :], n),
                    *(sizes, constants, levels),
                )
                _multiply(lines, levels, sums, n)
                _outputs(
                    *(sums, n, pitch, columns, out_of[row * pitch :], numbers),
                    *(sizes[PLACE] + image * out.shape[1] * out.shape[2], row * columns),
                    *(sizes, constants, out[image]),
                )
            _times(out[image], 1 / lift, out[image])
            image = take(sizes)

    return part


@cache
def _patches_back_part() -> Any:
    @compiled(cfunc, PART)
    def part(pointers):
        sizes = carray(pointers[0], OWN + 13, np.int64)
        number, channels, height, width, window, out_size, rows, columns, pitch = _geometry(sizes)
        entries = channels * window[0] * window[1]
        constants = carray(pointers[1], CONSTANTS, np.float32)
        numbers = carray(pointers[2], sizes[LISTED], np.float32)
        lines = carray(pointers[3], (_up(entries, 2), _up(out_size, 2)), np.float32)
        gradients = carray(pointers[4], (number, out_size, rows * columns), np.float32)
        padded = carray(pointers[5], (number, channels * height * width), np.float32)
        lifted = np.empty(gradients.shape[1:], np.float32)
        levels = np.zeros((_up(out_size, 2), rows * pitch), np.float32)
        n = (rows - 1) * pitch + columns
        at_a_time = 4 * max(1, PRODUCTS // (4 * n))
        sums = np.empty((at_a_time, n), np.float32)
        largest = np.empty(rows * columns, np.float32)
        peaks = np.zeros((rows, pitch), np.float32)
        into, out_of = np.empty((rows, pitch), np.float32), np.empty((rows, pitch), np.float32)
        image = take(sizes)
        while image < number:
            _largest_in_column(gradients[image], largest)
            peaks[:, :columns] = largest.reshape(rows, columns)
            lift = _lift(peaks.ravel(), constants)
            given = _times(gradients[image], lift, lifted)
            _factors(peaks.ravel(), sizes, constants, into.ravel(), out_of.ravel())
            out_of[:, columns:] = 0  # between the rows nothing is read, not even noise
            _gradient_levels(given, into, columns, sizes, constants, levels)
            for entry in range(0, entries, at_a_time):
                block = lines[entry : entry + at_a_time]
                _multiply(block, levels, sums, n)
                _add_entries(
                    *(sums, min(at_a_time, entries - entry), n, pitch, out_of.ravel(), numbers),
                    *(sizes[PLACE] + (image * entries + entry) * n, entry, window, columns),
                    *(sizes, constants, padded[image], height, width),
                )
            _times(padded[image], 1 / lift, padded[image])
            image = take(sizes)

    return part


@compiled(njit)
def _up(size, step):
    """The multiple of `step` from `size` on."""
    return size + -size % step


@compiled(njit)
def _geometry(sizes):
    """Images, channels, pixel rows and columns; the window; outputs, rows and columns of positions.

    Last the distance of rows of positions, the pitch: that of the pixels, so that all rows are one
    loop. With a stride pixels and positions do not lie alike, and the rows follow each other.
    """
    own, window = sizes[OWN:], sizes[OWN + 4 : OWN + 10]
    pitch = own[3] if window[2] == 1 and window[3] == 1 else own[12]
    return own[0], own[1], own[2], own[3], window, own[10], own[11], own[12], pitch


@compiled(njit)
def _stretch(numbers, place, n):
    """`n` of the listed numbers from a place on, which starts again behind the end."""
    start = place % (numbers.size - n)
    return numbers[start : start + n]


@compiled(njit)
def _largest_bits(bits):
    """Bits of the largest size in a vector: sizes of floats are ordered as their bits are."""
    largest = np.int32(0)
    for k in range(bits.size):
        size = bits[k] & np.int32(0x7FFFFFFF)
        largest = size if size > largest else largest
    return largest


@compiled(njit)
def _largest_in_column(values, peaks):
    """Largest size in each column of `values` (rows x columns)."""
    peaks[:] = 0
    for i in range(values.shape[0]):
        row = values[i]
        for j in range(peaks.size):
            size = abs(row[j])
            peaks[j] = size if size > peaks[j] else peaks[j]


@compiled(njit)
def _largest_in_window(by_pixel, window, by_row, peaks):
    """Largest entry in the window at each of its positions; `by_row` is room to work in."""
    kernel, stride, dilation = window[0:2], window[2:4], window[4:6]
    for y in range(by_row.shape[0]):
        row, source = by_row[y], by_pixel[y]
        row[:] = 0
        for k in range(kernel[1]):
            shifted = source[k * dilation[1] :]
            for j in range(row.size):
                value = shifted[j * stride[1]]
                row[j] = value if value > row[j] else row[j]
    for i in range(peaks.shape[0]):
        row = peaks[i]
        row[:] = 0
        for k in range(kernel[0]):
            source = by_row[i * stride[0] + k * dilation[0]]
            for j in range(row.size):
                row[j] = source[j] if source[j] > row[j] else row[j]


@compiled(njit)
def _lift(peaks, constants):
    """Power of two that takes largest entries to where float32 holds their factors; mostly 1.

    The `peaks` are lifted. Where some are too large, those that are too small go on as zeros.
    """
    low, high, zero = constants[LOW_PEAK], constants[HIGH_PEAK], np.float32(0)
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
def _times(values, lift, room):
    """`values` times `lift`, written to `room`; themselves where that is 1."""
    if lift == 1:
        return values
    room[:] = values * np.float32(lift)
    return room


@compiled(njit)
def _factors(peaks, sizes, constants, into, out_of):
    """Factors into DAC levels and out of ADC levels; a vector of zeros is read as zeros."""
    one = np.float32(1)
    for j in range(peaks.size):
        peak = peaks[j] if sizes[MANAGED] else one
        out_of[j] = constants[ADC_UNIT] * peak
        into[j] = one / (constants[DAC_UNIT] * (one if peak < constants[LOW_PEAK] else peak))


@compiled(njit)
def _level(value, rounds, bound):
    """`value`, rounded where asked for and clipped at `bound`."""
    value = nearest(value) if rounds else value
    value = -bound if value < -bound else value
    return bound if value > bound else value


@compiled(njit)
def _to_levels(values, into, sizes, constants, levels):
    """DAC levels of `values`; `into` and `levels` may be longer."""
    rounds, bound = sizes[ROUNDS_INPUT], constants[INPUT_BOUND]
    for j in range(values.size):
        levels[j] = _level(values[j] * into[j], rounds, bound)


@compiled(njit)
def _from_levels(sums, numbers, out_of, sizes, constants, out):
    """Noise and ADC on `sums`, which are levels, and back into values; `out` says how many."""
    rounds, bound, noise = sizes[ROUNDS_OUTPUT], constants[OUTPUT_BOUND], constants[NOISE]
    for j in range(out.size):
        out[j] = _level(sums[j] + noise * numbers[j], rounds, bound) * out_of[j]


@compiled(njit)
def _patch_levels(image, width, window, first_row, columns, into, n, sizes, constants, levels):
    """DAC levels of the patches of a few rows of positions, one entry of the kernel a line."""
    rounds, bound = sizes[ROUNDS_INPUT], constants[INPUT_BOUND]
    stride, step, entry = window[2], window[3], 0
    for c in range(image.shape[0]):
        channel = image[c]
        for k in range(window[0]):
            start = (first_row * stride + k * window[4]) * width
            for m in range(window[1]):
                source, line = channel[start + m * window[5] :], levels[entry]
                if stride == 1 and step == 1:
                    for j in range(n):
                        line[j] = _level(source[j] * into[j], rounds, bound)
                else:
                    for i in range(n // columns):
                        for j in range(columns):
                            value = source[i * stride * width + j * step] * into[i * columns + j]
                            line[i * columns + j] = _level(value, rounds, bound)
                entry += 1


@compiled(njit)
def _outputs(sums, n, pitch, columns, out_of, numbers, place, first, sizes, constants, out):
    """Noise and ADC on `sums` (out x positions), written to `out` from position `first` on."""
    rounds, bound, noise = sizes[ROUNDS_OUTPUT], constants[OUTPUT_BOUND], constants[NOISE]
    for o in range(out.shape[0]):
        count = (n - columns) // pitch + 1
        own = _stretch(numbers, place + o * out.shape[1] + first, count * columns)
        for i in range(count):
            values, scale = sums[o, i * pitch :], out_of[i * pitch :]
            random, target = own[i * columns :], out[o, first + i * columns :]
            for j in range(columns):
                target[j] = _level(values[j] + noise * random[j], rounds, bound) * scale[j]


@compiled(njit)
def _gradient_levels(gradients, into, columns, sizes, constants, levels):
    """DAC levels of gradients (out x positions), in rows as far apart as those of `into`."""
    rounds, bound = sizes[ROUNDS_INPUT], constants[INPUT_BOUND]
    rows, pitch = into.shape
    for o in range(gradients.shape[0]):
        source, line = gradients[o], levels[o]
        for i in range(rows):
            values, own, target = source[i * columns :], into[i], line[i * pitch :]
            for j in range(columns):
                target[j] = _level(values[j] * own[j], rounds, bound)


@compiled(njit)
def _add_entries(
    sums,
    count,
    n,
    pitch,
    out_of,
    numbers,
    place,
    entry,
    window,
    columns,
    sizes,
    constants,
    image,
    height,
    width,
):
    """Noise and ADC on the products of `count` entries of the kernel from `entry` on.

    Each is added to the pixels that it sees, `image` (channels * rows * columns).
    """
    rounds, bound, noise = sizes[ROUNDS_OUTPUT], constants[OUTPUT_BOUND], constants[NOISE]
    size, stride, step = window[0] * window[1], window[2], window[3]
    for k in range(count):
        y = (entry + k) % size // window[1] * window[4]
        x = (entry + k) % window[1] * window[5]
        target = image[((entry + k) // size * height + y) * width + x :]
        values, random = sums[k], _stretch(numbers, place + k * n, n)
        if stride == 1 and step == 1:
            if pitch > columns and n > columns and values[columns] != 0:
                # Zeros are read between the rows: only a weight that is no number gives another.
                for i in range(columns, n, pitch):
                    values[i : i + pitch - columns] = 0
            for j in range(n):
                target[j] += _level(values[j] + noise * random[j], rounds, bound) * out_of[j]
            continue
        for i in range(n // columns):
            for j in range(columns):
                p, q = i * columns + j, i * stride * width + j * step
                target[q] += _level(values[p] + noise * random[p], rounds, bound) * out_of[p]


@compiled(njit)
def _multiply(a, b, out, n):
    """out[:, :n] = a @ b[:, :n], for an `a` with rows and columns in twos.

    Four rows by four columns fill the registers of a core.
    """
    rows, columns = a.shape[0] - a.shape[0] % 4, a.shape[1] - a.shape[1] % 4
    for i in range(0, rows, 4):
        o0, o1, o2, o3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        for j in range(n):
            o0[j] = o1[j] = o2[j] = o3[j] = 0
        for k in range(0, columns, 4):
            a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
            a20, a21, a22, a23 = a[i + 2, k], a[i + 2, k + 1], a[i + 2, k + 2], a[i + 2, k + 3]
            a30, a31, a32, a33 = a[i + 3, k], a[i + 3, k + 1], a[i + 3, k + 2], a[i + 3, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            for j in range(n):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                o0[j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                o1[j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
                o2[j] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
                o3[j] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3
        if columns < a.shape[1]:
            a00, a01, a10, a11 = a[i, -2], a[i, -1], a[i + 1, -2], a[i + 1, -1]
            a20, a21, a30, a31 = a[i + 2, -2], a[i + 2, -1], a[i + 3, -2], a[i + 3, -1]
            b0, b1 = b[columns], b[columns + 1]
            for j in range(n):
                x0, x1 = b0[j], b1[j]
                o0[j] += a00 * x0 + a01 * x1
                o1[j] += a10 * x0 + a11 * x1
                o2[j] += a20 * x0 + a21 * x1
                o3[j] += a30 * x0 + a31 * x1
    for i in range(rows, a.shape[0], 2):
        o0, o1 = out[i], out[i + 1]
        for j in range(n):
            o0[j] = o1[j] = 0
        for k in range(0, columns, 4):
            a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            for j in range(n):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                o0[j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                o1[j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
        if columns < a.shape[1]:
            a00, a01, a10, a11 = a[i, -2], a[i, -1], a[i + 1, -2], a[i + 1, -1]
            b0, b1 = b[columns], b[columns + 1]
            for j in range(n):
                o0[j] += a00 * b0[j] + a01 * b1[j]
                o1[j] += a10 * b0[j] + a11 * b1[j]
