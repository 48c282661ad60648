"""Cards with their reports from a measurement: the work of `fit_device` once options are read."""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from device_models.files import check_outputs, refused, write_together
from device_models.fit import fit_card
from device_models.pulses import PulseData, PulseDataError
from experiments.command.stage import stage
from experiments.figures.fit import draw_fit
from experiments.figures.one_branch import draw_one_branch
from experiments.figures.style import png
from experiments.fitting.conditions import file_part, split_conditions
from experiments.fitting.fit_input import choose, read
from experiments.fitting.fit_options import fit_options, inputs
from experiments.fitting.fit_report import make_report, report_text
from experiments.fitting.one_branch import fit_one_branch, no_card, one_branch_text
from experiments.fitting.tile_check import TileCheck, check_tile

SLOW_BYTES = 2**20
"""Files from this size on take long enough to say so where there is no terminal."""


@dataclass(frozen=True)
class Result:
    """One card with its report: the files to write, the report as text; or why there is no card."""

    files: dict[Path, str | bytes]
    report: str
    problem: str = ""


def make_cards(given: argparse.Namespace) -> tuple[str, str]:
    """Write the card, or one for each condition, with reports; the reports, and what went wrong.

    Raises what reading, fit and files raise, before anything is written. A measurement of one
    branch gets a report and no card, which is what went wrong.
    """
    if not given.each_condition:
        _check(outputs(given.out), given)
    measured = choose(_read(given), given)
    cards = _cards(measured, given)
    _check([path for card in cards for path in outputs(card)], given)
    results = [make_card(part, card, given, name) for card, (name, part) in cards.items()]
    files = {path: content for result in results for path, content in result.files.items()}
    write_together(files, overwrite=given.overwrite, inputs=inputs(given))
    problem = next((result.problem for result in results if result.problem), "")
    return "\n\n".join(result.report for result in results), problem


def make_card(
    data: PulseData, card: Path, given: argparse.Namespace, condition: str = ""
) -> Result:
    """The card of a measurement, to stand at the path `card`, and its report.

    `condition`: its name where there is a card for each of several.
    """
    if len(data.branches) == 1:
        return _report_of_one_branch(data, card, given)
    path, picture, text = outputs(card)
    shown = partial(stage, always=_is_slow(given))
    with shown(f"fitting {data.n_readings:,} readings"):
        fit = fit_card(data, **fit_options(given, condition))
    checks: list[TileCheck] = []
    with _collected() as said:
        if not given.no_tile:
            with shown("driving a tile built from the card"):
                checks = check_tile(fit)
        report = make_report(fit, checks, _gathered(said))
    printed = report_text(report, str(path))
    with shown("drawing the report"):
        image = png(draw_fit(report))
    return Result({picture: image, text: printed + "\n", path: fit.card.to_json()}, printed)


def _report_of_one_branch(data: PulseData, card: Path, given: argparse.Namespace) -> Result:
    """The report of a measurement without its other branch, in files of names of their own."""
    with stage(f"fitting {data.n_readings:,} readings", always=_is_slow(given)):
        found = fit_one_branch(data, given)
    reason = no_card(found, inputs(given))
    _, picture, text = outputs(card.with_suffix(f".{found.name}.json"))
    _check([picture, text], given)
    printed = one_branch_text(found, reason)
    image = png(draw_one_branch(found))
    return Result({picture: image, text: printed + "\n"}, printed, f"{data.source}: {reason}")


def _cards(data: PulseData, given: argparse.Namespace) -> dict[Path, tuple[str, PulseData]]:
    """Path of each card to make, the condition it is of, and its readings."""
    if not given.each_condition:
        return {given.out: ("", data)}
    parts = split_conditions(data)
    if not parts:
        raise PulseDataError(f"{data.source}: one condition; leave out --each-condition")
    cards = {
        given.out.with_name(f"{given.out.stem}_{file_part(name)}.json"): (name, part)
        for name, part in parts.items()
    }
    if len(cards) < len(parts):
        raise PulseDataError(f"{data.source}: conditions whose names make the same file name")
    return cards


def _check(paths: Sequence[Path], given: argparse.Namespace) -> None:
    check_outputs(paths, overwrite=given.overwrite, inputs=inputs(given))


def outputs(card: Path) -> tuple[Path, Path, Path]:
    """Paths of the card and of its report as picture and text, in names that data do not have.

    Raises FileError where `card` is no .json file in a folder that is there.
    """
    if card.suffix != ".json":
        raise refused(card, "a card is a .json file")
    if not card.absolute().parent.is_dir():
        raise refused(card, "the folder does not exist")
    if not str(card).isprintable():
        raise refused(card, "has characters that cannot be printed")
    return card, card.with_suffix(".report.png"), card.with_suffix(".report.txt")


def _is_slow(given: argparse.Namespace) -> bool:
    return sum(p.stat().st_size for p in inputs(given) if p.is_file()) >= SLOW_BYTES


def _read(given: argparse.Namespace) -> PulseData:
    files = inputs(given)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    with stage(f"reading {files[0].name}{more}", always=_is_slow(given)):
        return read(given)


@contextmanager
def _collected() -> Iterator[list[str]]:
    """Collects what `warnings.warn` says about a card; other warnings are shown as ever."""
    said: list[str] = []
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def collect(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if category is UserWarning and str(message).startswith("card "):
                said.append(str(message))
            else:
                show_others(message, category, *where)

        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = collect  # type: ignore[assignment]
        yield said


def _gathered(said: Sequence[str]) -> list[str]:
    """What is said of many fields once, with their number."""
    kinds: dict[str, list[str]] = {}
    for text in dict.fromkeys(said):
        kinds.setdefault(re.sub(r"[-+\d.]+", "#", text), []).append(text)
    more = "(and at {} more fields)"
    return [
        own[0] if len(own) == 1 else f"{own[0]} {more.format(len(own) - 1)}"
        for own in kinds.values()
    ]
