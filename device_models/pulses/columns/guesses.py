"""Columns without headings: what the numbers themselves say that a column is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from device_models.pulses.columns.cells import read_numbers
from device_models.pulses.columns.counting import (
    counts,
    even_step,
    is_clock,
    is_held,
    is_swept,
    movement,
    numbers_of,
    upright,
)
from device_models.pulses.columns.headings import Heading
from device_models.pulses.columns.names import BRANCH_WORDS
from device_models.pulses.table import Table, is_number
from device_models.pulses.types import FloatArray, PulseDataError

# Devices differ by more than this factor in their range, cycles of one device do not.
OTHER_RANGE = 1.5
# Columns that differ by more than this are of two quantities.
OTHER_UNIT = 30.0
GROWTH = 5.0
ALIKE = 0.7
"""Correlation of traces of one protocol."""
MOVES = {1: "rises", -1: "falls", 0: "rises and falls"}


def guess_headings(
    table: Table,
    headings: Sequence[Heading],
    quantity: str | None,
    wide_of: str | None,
    is_wide: bool,
    warnings: list[str],
) -> list[Heading]:
    """Headings of a table that has none; those that are given stay.

    Raises PulseDataError where the numbers can be read in two ways, or are readings against time.
    """
    found = list(headings)
    numbers = {c: _numbers(table, c) for c, h in enumerate(found) if h.role == "unknown"}
    _guess_words(table, found, numbers)
    _guess_counts(found, numbers, warnings)
    left = [c for c, h in enumerate(found) if h.role == "unknown" and _holds(numbers[c])]
    readings = {c: values for c in left if (values := numbers[c]) is not None}
    if len(left) > 1:
        _refuse_time(table, readings)
        _refuse_settings(table, found, readings)
    has_branch = any(h.role == "branch" for h in found)
    if has_branch and len(left) > 1 and wide_of is None and not is_wide:
        raise _ask(table, found, readings)
    for c in left:
        found[c] = replace(found[c], role="value", quantity=quantity)
    if len(left) > 1 and not has_branch:
        known = wide_of is not None or is_wide
        _guess_branches(table, found, readings, known, warnings)
    return found


def _numbers(table: Table, column: int) -> FloatArray | None:
    """Numbers of a column, None for one of words; PulseDataError for a few words among numbers."""
    cells = [cell for cell in table.columns[column] if cell]
    if 2 * sum(is_number(cell, table.decimal) for cell in cells) > len(cells):
        return read_numbers(table, column).values
    return numbers_of(table, column)


def _holds(values: FloatArray | None) -> bool:
    """There are numbers, and not only blank cells or words."""
    return values is not None and not np.all(np.isnan(values))


def _guess_words(
    table: Table, found: list[Heading], numbers: Mapping[int, FloatArray | None]
) -> None:
    """Columns of branch words, which may be numbers (+1 and -1).

    Raises PulseDataError for a column of other words, unless it holds one alone.
    """
    for c in numbers:
        words = {cell.lower() for cell in table.columns[c]}
        branches = {BRANCH_WORDS.get(word) for word in words}
        is_words = numbers[c] is None
        if branches - {None} and (is_words or branches == {"LTP", "LTD"}):
            found[c] = replace(found[c], role="branch")
        elif is_words and len(words) > 1:
            place = table.place(table.lines[0], c)
            raise PulseDataError(
                f"{place}: holds words; columns={ {c + 1: 'device'} } reads them as devices, "
                f"columns={ {c + 1: None} } leaves them out"
            )


def _guess_counts(
    found: list[Heading], numbers: Mapping[int, FloatArray | None], warnings: list[str]
) -> None:
    """Columns that count are pulse numbers where other columns of numbers are left."""
    if any(h.role == "pulse" for h in found):
        return
    unknown = [c for c, h in enumerate(found) if h.role == "unknown" and numbers[c] is not None]
    counting = [c for c in unknown if counts(numbers[c])]
    for c in counting if len(counting) < len(unknown) else []:
        found[c] = replace(found[c], role="pulse")
        warnings.append(f"column {c + 1} has no heading and counts up: taken as pulse numbers")


def _refuse_settings(
    table: Table, found: Sequence[Heading], left: Mapping[int, FloatArray]
) -> None:
    """PulseDataError for columns that are held over many rows, or swept as voltages are."""
    held = [c for c, values in left.items() if is_held(values)]
    if held:
        literal = {c + 1: _word(h) for c, h in enumerate(found) if h.role != "unknown"}
        literal |= {c + 1: _setting(v) if c in held else "value" for c, v in left.items()}
        example = dict(sorted(literal.items()))
        raise PulseDataError(
            f"{table.place(table.lines[0], held[0])}: holds few values, each over many rows; say "
            f"what it is{f', for example columns={example}' if len(example) < 9 else ''}"
        )
    swept = [c for c, values in left.items() if is_swept(values)]
    if swept and len(swept) < len(left):
        raise PulseDataError(
            f"{table.place(table.lines[0], swept[0])}: goes up and down in even steps, as the "
            f"voltage of a sweep does; expected one reading after each pulse"
        )


def _setting(values: FloatArray) -> str | None:
    """The likely name of a column that is held: cycles count, voltages have two signs."""
    kinds = np.unique(values[~np.isnan(values)])
    if kinds.size == 1:
        return None
    if kinds[0] in (0, 1) and np.all(np.diff(kinds) == 1):
        return "cycle"
    return "amplitude (V)" if kinds[0] < 0 else "condition"


def _refuse_time(table: Table, numbers: Mapping[int, FloatArray]) -> None:
    """PulseDataError for a column that runs like a clock beside readings that do not."""
    columns = list(numbers)
    clocks = [c for c in columns if is_clock(numbers[c])]
    if not clocks or all(even_step(numbers[c][::-1]) or c in clocks for c in columns):
        return
    c = clocks[0]
    step = even_step(numbers[c]) or 0.0
    literal = {k + 1: "pulse" if k == c else "value" for k in columns}
    more = f"; if these are pulse numbers, columns={literal} says so" if step == int(step) else ""
    raise PulseDataError(
        f"{table.place(table.lines[0], c)}: rises evenly by {step:.4g}: readings against time, not "
        f"one a pulse; expected one reading after each pulse{more}"
    )


def _guess_branches(
    table: Table,
    found: list[Heading],
    readings: Mapping[int, FloatArray],
    known: bool,
    warnings: list[str],
) -> None:
    """Branches of several columns by where they go, and devices where ranges differ."""
    moves = {c: movement(values) for c, values in readings.items()}
    ways = set(moves.values())
    rising = -1 if any(found[c].quantity == "resistance" for c in readings) else 1
    if not known and ways == {1, -1} and _are_of_two_kinds(readings):
        raise _ask(table, found, readings)
    one_way = len(ways - {0}) == 1 and _others_are_flat(readings, moves)
    if ways == {1, -1} or one_way:
        for c in readings:
            way = moves[c] or next(iter(ways - {0}))
            found[c] = replace(found[c], branch="LTP" if way == rising else "LTD")
    if not known and len({found[c].branch for c in readings}) < len(readings):
        if ways != {1, -1} and _are_devices(readings):
            for k, c in enumerate(readings, 1):
                found[c] = replace(found[c], device=str(k))
        elif len(readings) > 2 or _times(readings):
            raise _ask(table, found, readings)
        else:
            return
    warnings.append(_guess_in_words(found, moves))


def _are_of_two_kinds(readings: Mapping[int, FloatArray]) -> bool:
    """Largest readings differ as units do, or smallest, and one column rises as time can.

    Branches of one device share both ends, also where these lie decades apart.
    """
    arrays = [values[~np.isnan(values)] for values in readings.values()]
    sizes = [np.abs(values[values != 0]) for values in arrays if np.any(values)]
    largest, smallest = [float(s.max()) for s in sizes], [float(s.min()) for s in sizes]
    if max(largest) > OTHER_UNIT * min(largest):
        return True
    apart = max(smallest) > OTHER_UNIT * min(smallest)
    return apart and any(_runs_like_time(values) and _steps_grow(values) for values in arrays)


def _steps_grow(values: FloatArray) -> bool:
    """The last third of the steps is far larger than the first, as decades of time have it."""
    steps = np.diff(values)
    third = max(1, steps.size // 3)
    return bool(steps[-third:].mean() > GROWTH * steps[:third].mean())


def _others_are_flat(readings: Mapping[int, FloatArray], moves: Mapping[int, int]) -> bool:
    """Columns that go nowhere for certain stay within noise and have no branch of their own."""
    return all(
        moves[c] or np.ptp(values[~np.isnan(values)]) < 0.2 * abs(np.nanmedian(values))
        for c, values in readings.items()
    )


def _are_devices(readings: Mapping[int, FloatArray]) -> bool:
    """Columns go alike, and differ in range as devices do, more than cycles and less than units."""
    arrays = np.array([upright(values) for values in readings.values()])
    arrays = arrays[:, ~np.any(np.isnan(arrays), axis=0)]
    if arrays.shape[1] < 4 or any(_runs_like_time(values) for values in arrays):
        return False
    ranges = np.ptp(arrays, axis=1)
    if ranges.min() <= 0 or not OTHER_RANGE < ranges.max() / ranges.min() < OTHER_UNIT:
        return False
    return bool(np.corrcoef(arrays)[0].min() > ALIKE)


def _runs_like_time(values: FloatArray) -> bool:
    """Rises from about 0 in every row: it could be what the others are plotted over."""
    steps = np.diff(values)
    if steps.size < 3:
        return False
    return bool(steps.min() > 0 and abs(values[0]) <= 1.5 * np.median(steps))


def _guess_in_words(found: Sequence[Heading], moves: Mapping[int, int]) -> str:
    parts = []
    for c, way in moves.items():
        branch = found[c].branch or "LTP and LTD in one trace"
        device = f" of device {found[c].device}" if found[c].device else ""
        parts.append(
            f"column {c + 1} {'stays' if found[c].branch and not way else MOVES[way]}: "
            f"{branch}{device}"
        )
    said = "; ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")
    literal = {c + 1: _word(h) for c, h in enumerate(found) if h.role != "unknown"}
    more = f"; guessed from the numbers, columns={literal} says so" if len(literal) < 9 else ""
    return f"no headings: {said}{more}"


def _word(heading: Heading) -> str | None:
    if heading.role == "value":
        device = f" device {heading.device}" if heading.device else ""
        return f"{heading.branch or heading.quantity or 'value'}{device}"
    return None if heading.role == "ignored" else heading.role


def _times(readings: Mapping[int, FloatArray]) -> list[int]:
    """Columns that could be what the others are plotted over, where some cannot."""
    found = [c for c, values in readings.items() if _runs_like_time(values[~np.isnan(values)])]
    return found if len(found) < len(readings) else []


def _ask(
    table: Table, found: Sequence[Heading], readings: Mapping[int, FloatArray]
) -> PulseDataError:
    """What to give for columns that can be read in two ways, in words that can be typed."""
    literal = {c + 1: _word(h) for c, h in enumerate(found)}
    seen: Counter[str | None] = Counter()
    times = _times(readings)
    for c in readings:
        if c in times:
            literal[c + 1] = None
            continue
        seen[found[c].branch] += 1
        literal[c + 1] = f"{found[c].branch or ''} device {seen[found[c].branch]}".strip()
    names = f"name each, as columns={literal} does" if len(literal) < 9 else "name each"
    if times:
        what = f"column {times[0] + 1} rises in every row, as time does, which is no pulse response"
        names = f"{what}; if each row follows one pulse, {names}"
    else:
        names = f"wide_of='device', wide_of='cycle' or wide_of='condition', or {names}"
    return PulseDataError(
        f"{table.place(table.lines[0], 0)}: {len(found)} columns without a header; say what they "
        f"are: {names}"
    )
