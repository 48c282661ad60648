"""Several files read as one measurement: LTP in some of them, LTD in the others.

Files of one branch are devices or cycles, the first LTP file belongs to the first LTD file and so
on. Every reading keeps its file and line; nothing is paired without a word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from device_models.pulses.branches.checks import check_segments
from device_models.pulses.one_file import read_pulses
from device_models.pulses.types import ColumnUse, PulseData, PulseDataError, Segment, common, show

FILES_ARE = ("device", "cycle")
CYCLE_WORDS = re.compile(r"(?:^|[^a-z])(?:cycles?|cyc|runs?|loops?|sweeps?|repeats?|rep)[^a-z]*$")
DEVICE_WORDS = re.compile(
    r"(?:^|[^a-z])(?:devices?|dev|cells?|samples?|chips?|dies?|pads?)[^a-z]*$"
)
MOST_NAMED = 3
OTHER_SHARE = 0.5
ONLY = re.compile("only (LTP|LTD) in the file")
MORE = "more segments with the warning above"


@dataclass(frozen=True, eq=False)
class _Part:
    """One file: its branch, what it is called in messages, its place among those of its branch."""

    branch: str
    name: str
    order: int
    data: PulseData


def read_branches(
    ltp: Sequence[str | Path] = (),
    ltd: Sequence[str | Path] = (),
    *,
    files_are: str | None = None,
    **options: Any,
) -> PulseData:
    """Pulse measurement from files of one branch each; resistances in ohm, conductances in S.

    `ltp`, `ltd`: their files, paired by their order. `files_are` "device" or "cycle": what several
    files of a branch are. `options` are those of `read_pulses`, without `branch`, for every file.
    `sha256` is that of the hashes of the files one after another. Raises PulseDataError, one line.
    """
    paths = {"LTP": _listed("ltp", ltp), "LTD": _listed("ltd", ltd)}
    _check_paths(paths, options)
    kind = _kind(paths, files_are)
    parts = [
        _Part(branch, _short(path, paths), i, _read(path, branch, options))
        for branch, own in paths.items()
        for i, path in enumerate(own)
    ]
    _check_alike(parts)
    relabelled = [_relabelled(p, parts, kind) for p in parts]
    segments = [
        replace(s, file=p.name) for p, own in zip(parts, relabelled, strict=True) for s in own
    ]
    _check_once(segments)
    notes = _file_warnings(parts, relabelled)
    first = parts[0].data
    return PulseData(
        quantity=first.quantity,
        unit=first.unit,
        segments=tuple(segments),
        source=_source(paths),
        sha256=hashlib.sha256("".join(p.data.sha256 for p in parts).encode()).hexdigest(),
        warnings=(*_pairing(paths, kind, files_are), *notes, *_joint_warnings(segments, first)),
        columns=tuple(
            ColumnUse(f"{p.name}: {use.name}", use.use) for p in parts for use in p.data.columns
        ),
        read_noise=_read_noise(parts),
        read_voltage_V=common(p.data.read_voltage_V for p in parts),
        temperature_K=common(p.data.temperature_K for p in parts),
    )


def _listed(option: str, paths: Sequence[str | Path]) -> list[Path]:
    if isinstance(paths, str | Path):
        return [Path(paths)]
    if not all(isinstance(path, str | Path) for path in paths):
        raise PulseDataError(f"option {option}: expected paths of files")
    return [Path(path) for path in paths]


def _check_paths(paths: dict[str, list[Path]], options: dict[str, Any]) -> None:
    """Files that are there once each, and options that are not said twice."""
    listed = [path for own in paths.values() for path in own]
    if not listed:
        raise PulseDataError("no file: give ltp=['up.csv'] and ltd=['down.csv']")
    if options.get("branch") is not None:
        raise PulseDataError("option branch: the lists ltp and ltd say it already")
    seen: set[Path] = set()
    for path in listed:
        if path.is_dir():
            raise PulseDataError(f"{path}: a folder; name the files in it, LTP and LTD apart")
        if path.resolve() in seen:
            raise PulseDataError(f"{path}: given twice")
        seen.add(path.resolve())


def _kind(paths: dict[str, list[Path]], files_are: str | None) -> str:
    """Whether several files of a branch are devices or cycles; asked where their names are mute."""
    if files_are is not None and files_are not in FILES_ARE:
        listed = ", ".join(repr(choice) for choice in FILES_ARE)
        raise PulseDataError(f"option files_are: {show(str(files_are))}; expected {listed}")
    most = max(len(own) for own in paths.values())
    if files_are is not None or most == 1:
        return files_are or "device"
    named = {_named_kind(own) for own in paths.values() if len(own) > 1}
    kind = named.pop() if len(named) == 1 else None
    if kind is None:
        raise PulseDataError(
            f"{paths['LTP'][0] if paths['LTP'] else paths['LTD'][0]}: {most} files of one branch "
            f"can be devices or cycles; give files_are='device' or files_are='cycle'"
        )
    return kind


def _named_kind(paths: Sequence[Path]) -> str | None:
    """What the word before the part in which the names differ says: "cycle", "device" or None."""
    stems = [path.stem.lower() for path in paths]
    common = min(len(s) for s in stems)
    same = next((i for i in range(common) if len({s[i] for s in stems}) > 1), common)
    head = stems[0][:same]
    cycle, device = CYCLE_WORDS.search(head), DEVICE_WORDS.search(head)
    return None if bool(cycle) == bool(device) else "cycle" if cycle else "device"


def _read(path: Path, branch: str, options: dict[str, Any]) -> PulseData:
    data = read_pulses(path, branch=branch, **options)
    other = "LTD" if branch == "LTP" else "LTP"
    if _holds(path, other, data, options):
        raise PulseDataError(
            f"{path}: given as {branch} and holds {other} too; a file with both branches is read "
            f"alone"
        )
    return data


def _holds(path: Path, other: str, data: PulseData, options: dict[str, Any]) -> bool:
    """Whether the file, asked without a branch, shows the other one over half of its range."""
    try:
        free = read_pulses(path, **{k: v for k, v in options.items() if k != "reverse"})
    except PulseDataError:
        return False
    if len(free.branches) < 2:
        return False
    span = max(float(np.ptp(s.values)) for s in data.segments)
    return any(np.ptp(s.values) > OTHER_SHARE * span for s in free.select(other))


def _check_alike(parts: Sequence[_Part]) -> None:
    """One quantity and one unit in all files."""
    first = parts[0]
    for part in parts[1:]:
        if (part.data.quantity, part.data.unit) == (first.data.quantity, first.data.unit):
            continue
        mute, other = (part, first) if part.data.unit == "1" else (first, part)
        stated = f"{other.data.quantity} in {other.data.unit} of {other.data.source}"
        if mute.data.unit == "1":
            raise PulseDataError(
                f"{mute.data.source}: no unit beside {stated}; write quantity and unit into its "
                f"heading"
            )
        raise PulseDataError(f"{mute.data.source}: {mute.data.quantity} beside {stated}")


def _relabelled(part: _Part, parts: Sequence[_Part], kind: str) -> list[Segment]:
    """Segments of a file with devices (or cycles) that are its own among all files."""
    pairs: dict[int, list[_Part]] = {}
    for other in parts:
        pairs.setdefault(other.order, []).append(other)
    if len(pairs) == 1:
        return list(part.data.segments)
    if kind == "device":
        devices = [{d for p in own for d in p.data.devices} for own in pairs.values()]
        return [replace(s, device=_device(s.device, part.order, devices)) for s in _of(part)]
    cycles = [{c for p in own for c in p.data.cycles} for own in pairs.values()]
    if _are_apart(cycles):
        return list(part.data.segments)
    before = sum(max(own) for own in cycles[: part.order])
    return [replace(s, cycle=s.cycle + before) for s in _of(part)]


def _of(part: _Part) -> tuple[Segment, ...]:
    return part.data.segments


def _device(device: str, order: int, devices: Sequence[set[str]]) -> str:
    """Label of a device: its own where no other file has it, else with the number of its file."""
    if _are_apart(devices):
        return device
    return str(order + 1) if all(own == {"1"} for own in devices) else f"{order + 1}.{device}"


def _are_apart(sets: Sequence[set[Any]]) -> bool:
    return sum(len(own) for own in sets) == len(set().union(*sets))


def _check_once(segments: Sequence[Segment]) -> None:
    """No branch of a device and cycle twice; the files say otherwise than they were said to be."""
    seen: dict[str, Segment] = {}
    for segment in segments:
        if segment.name in seen:
            raise PulseDataError(
                f"{segment.file}: {segment.name} is in {seen[segment.name].file} already"
            )
        seen[segment.name] = segment


def _short(path: Path, paths: dict[str, list[Path]]) -> str:
    """Name of the file; its whole path where two files are called alike."""
    names = [other.name for own in paths.values() for other in own]
    return path.name if names.count(path.name) == 1 else str(path)


def _source(paths: dict[str, list[Path]]) -> str:
    """The first file's path and the names of the others, for messages and the card."""
    first, *others = [path for own in paths.values() for path in own]
    if len(others) > MOST_NAMED:
        return f"{first} + {len(others)} more files"
    return " + ".join([str(first), *(path.name for path in others)])


def _pairing(paths: dict[str, list[Path]], kind: str, files_are: str | None) -> list[str]:
    """What was taken for granted about several files, in words."""
    ltp, ltd = paths["LTP"], paths["LTD"]
    if max(len(ltp), len(ltd)) == 1:
        return []
    notes = []
    if files_are is None:
        other = "device" if kind == "cycle" else "cycle"
        notes.append(
            f"files of one branch are read as {kind}s, as their names say; files_are={other!r} "
            f"reads them as {other}s"
        )
    pairs = list(zip(ltp, ltd, strict=False))
    named = ", ".join(f"{a.name} with {b.name}" for a, b in pairs[:MOST_NAMED])
    if pairs:
        more = ", ..." if len(pairs) > MOST_NAMED else ""
        notes.append(f"files are paired in the order given: {named}{more}")
    if differ := [(a, b) for a, b in pairs if _numbers(a) != _numbers(b)]:
        a, b = differ[0]
        notes.append(f"the numbers in {a.name} and {b.name} differ: check the order of the files")
    if ltp and ltd and len(ltp) != len(ltd):
        notes.append(f"LTP of {len(ltp)} files, LTD of {len(ltd)}: the last have no partner")
    return notes


def _numbers(path: Path) -> list[int]:
    """The last number in the file's name, if there is one."""
    return [int(number) for number in re.findall(r"\d{1,9}", path.stem)[-1:]]


def _file_warnings(parts: Sequence[_Part], relabelled: Sequence[Sequence[Segment]]) -> list[str]:
    """Warnings of the files behind their names; one that several share is said once."""
    files: dict[str, list[str]] = {}
    for part, segments in zip(parts, relabelled, strict=True):
        for warning in part.data.warnings:
            if ONLY.match(warning):
                continue
            for old, new in zip(part.data.segments, segments, strict=True):
                if warning.startswith(f"{old.name}:"):
                    warning = new.name + warning.removeprefix(old.name)
                    break
            files.setdefault(warning, []).append(part.name)
    more = {w: f" and {len(own) - 1} more" if len(own) > 1 else "" for w, own in files.items()}
    return [f"{own[0]}{more[w]}: {w}" for w, own in files.items()]


def _joint_warnings(segments: Sequence[Segment], first: PulseData) -> list[str]:
    """What only the branches together show."""

    def check(kept: Sequence[Segment]) -> list[str]:
        return check_segments(list(kept), first.quantity, first.unit)

    names = sorted({s.branch for s in segments})
    if len(names) == 1:
        return [f"only {names[0]} in the files; a card needs both branches"]
    single = {w for name in names for w in check([s for s in segments if s.branch == name])}
    return [w for w in check(segments) if w not in single and not w.endswith(MORE)]


def _read_noise(parts: Sequence[_Part]) -> float | None:
    known = [p.data.read_noise for p in parts if p.data.read_noise is not None]
    return float(np.sqrt(np.mean(np.square(known)))) if known else None
