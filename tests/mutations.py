"""Damaged inputs: files broken in many ways from a seed, and what a program may answer to them.

A kind of input is a function that tries one mutated file; it returns nothing when the file is
fine and raises one of the errors it may raise. `check_mutations` runs a kind over many files.
"""

from __future__ import annotations

import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 5.0
"""No single file may take longer."""

Mutation = Callable[[bytes, np.random.Generator], bytes]

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**400, -(10**400), 0.5, -0.0),
    *(1e-320, 5e-324, 1e300, -1e300, 1.8e308, float("nan"), float("inf"), -float("inf")),
    *("", "nan", "1", "x" * 100_000, "\ud800", "\x00", "\x1b[31m", "a\nb", "${x}", "[/red]"),
    *([], {}, [1], [[1.0]], {"a": 1}, ["a"], [None] * 3, [0.0] * 70),
)


def check_mutations(
    files: Iterable[bytes],
    folder: Path,
    name: str,
    attempt: Callable[[Path], object],
    errors: tuple[type[Exception], ...],
) -> Counter[str]:
    """Try every file as `folder / name`: fine, or one line that names it; never anything else.

    Warnings count as failures, and so do files that are written and seconds that pass. Returns
    how many files were fine and how many were refused.
    """
    outcomes: Counter[str] = Counter()
    path = folder / name
    for number, content in enumerate(files):
        path.write_bytes(content)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                attempt(path)
            outcomes["fine"] += 1
        except errors as error:
            _check_line(str(error), path)
            outcomes["refused"] += 1
        except Exception as error:
            kept = folder.parent / f"mutation_{number}_{name}"
            kept.write_bytes(content)
            raise AssertionError(f"{kept}: {type(error).__name__}: {error}") from error
        assert time.perf_counter() - start < SECONDS, f"file {number} took too long"
        assert path.read_bytes() == content
        assert list(folder.iterdir()) == [path]
    return outcomes


def _check_line(line: str, path: Path) -> None:
    assert str(path) in line, line[:300]
    assert line.isprintable(), line[:300]
    assert len(line) < 1000, line[:300]


def mutated(content: bytes, seed: int, mutations: tuple[Mutation, ...]) -> bytes:
    """`content` after one of `mutations`, by turns, and at times one or two more, from `seed`."""
    rng = np.random.default_rng(seed)
    chosen = [mutations[seed % len(mutations)]]
    chosen += [
        mutations[int(rng.integers(len(mutations)))] for _ in range(rng.choice([0, 0, 0, 1, 2]))
    ]
    for mutate in chosen:
        content = mutate(content, rng)
    return content


def _place(content: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(content) + 1))


def flip_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes that are others."""
    data = bytearray(content)
    for _ in range(min(len(data), int(rng.integers(1, 5)))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def cut_off(content: bytes, rng: np.random.Generator) -> bytes:
    """The start of a file whose rest was never written."""
    return content[: _place(content, rng)]


def cut_out(content: bytes, rng: np.random.Generator) -> bytes:
    """A file that lacks a stretch."""
    start = _place(content, rng)
    return content[:start] + content[start + int(rng.integers(1, 200)) :]


def put_in(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of anything in the middle."""
    start = _place(content, rng)
    return content[:start] + rng.bytes(int(rng.integers(1, 30))) + content[start:]


def zero_out(content: bytes, rng: np.random.Generator) -> bytes:
    """A block of zeros, as file systems leave after a crash."""
    start = _place(content, rng)
    length = min(int(rng.integers(1, 512)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def repeat_stretch(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch of the file twice."""
    start, length = _place(content, rng), int(rng.integers(1, 2000))
    return content[: start + length] + content[start:]


def recode(content: bytes, rng: np.random.Generator) -> bytes:
    """The text in another encoding, or with a byte-order mark."""
    text = content.decode("utf-8", "replace")
    coded = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp500")
    return text.encode(coded[int(rng.integers(len(coded)))], "replace")


BYTEWISE: tuple[Mutation, ...] = (
    flip_bytes,
    cut_off,
    cut_out,
    put_in,
    zero_out,
    repeat_stretch,
    recode,
)


def change_value(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one value, anywhere in it, replaced by one of another type or size."""

    def change(place: Any, key: Any) -> None:
        place[key] = VALUES[int(rng.integers(len(VALUES)))]

    return _changed(content, rng, change)


def scale_number(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one value multiplied, where it is a number, and set to one elsewhere."""

    def change(place: Any, key: Any) -> None:
        factor = float(rng.choice([-1.0, 0.0, 1e-200, 1e-6, 1.001, 10.0, 1e8, 1e200]))
        value = place[key]
        place[key] = value * factor if isinstance(value, float) else factor

    return _changed(content, rng, change)


def drop_key(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON without one entry."""

    def change(place: Any, key: Any) -> None:
        del place[key]

    return _changed(content, rng, change)


def rename_key(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one entry under another name, or moved in its list."""

    def change(place: Any, key: Any) -> None:
        value = place.pop(key)
        if isinstance(place, list):
            place.insert(0, value)
        else:
            place[f"{key}x"] = value

    return _changed(content, rng, change)


def repeat_key(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one line, and so often a key, given twice."""
    lines = content.split(b"\n")
    at = int(rng.integers(len(lines)))
    return b"\n".join([*lines[: at + 1], *lines[at:]])


def nest(content: bytes, rng: np.random.Generator) -> bytes:
    """JSON with one value inside many lists."""
    depth = int(rng.choice([3, 31, 40, 900, 3000, 100_000]))

    def change(place: Any, key: Any) -> None:
        place[key] = "@nested@"

    whole = _changed(content, rng, change)
    return whole.replace(b'"@nested@"', b"[" * depth + b"1" + b"]" * depth)


def _changed(content: bytes, rng: np.random.Generator, change: Callable[[Any, Any], None]) -> bytes:
    """`content` after `change` of a random place in it; as it is where it is no JSON any more."""
    try:
        whole = json.loads(content)
        place, key = _random_place(whole, rng)
    except (ValueError, RecursionError):
        return content
    change(place, key)
    return json.dumps(whole, indent=1).encode()


def _random_place(whole: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A list or an object inside `whole`, and one of its keys; ValueError where there is none."""
    place: Any = None
    inner = whole
    while isinstance(inner, dict | list) and inner and (place is None or rng.random() < 0.95):
        place = inner
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(rng.integers(len(keys)))]
        inner = place[key]
    if place is None:
        raise ValueError("nothing inside")
    return place, key


STRUCTURAL: tuple[Mutation, ...] = (
    change_value,
    scale_number,
    drop_key,
    rename_key,
    repeat_key,
    nest,
)


def changed(text: bytes, n: int, seed: int = 0) -> Iterable[bytes]:
    """`n` versions of a table with a digit, a line or a mark changed, as hands and disks do it."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        lines = text.split(b"\n")
        at = int(rng.integers(len(lines)))
        match int(rng.integers(5)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[int(rng.integers(len(lines)))])
            case 2:
                lines[at] = lines[at].replace(b".", rng.choice([b"0.", b"", b"-."]), 1)
            case 3:
                lines[at] = lines[at] + rng.choice([b"", b",", b",3", b"\x1b[31m", b"e9", b" uS"])
            case _:
                place = int(rng.integers(len(lines[at]) + 1))
                mark = bytes([int(rng.integers(32, 127))])
                lines[at] = lines[at][:place] + mark + lines[at][place + 1 :]
        yield b"\n".join(lines)
