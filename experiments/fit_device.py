"""From a file of measured pulses to a device card with uncertainty, and a report of the fit.

    python -m experiments.fit_device --show data.csv
    python -m experiments.fit_device data.csv --out card.json
    python -m experiments.fit_device data.xlsx --out card.json --quantity current --read-voltage 0.1
    python -m experiments.fit_device --ltp up.txt --ltd down.txt --out card.json

Reads CSV, text and .xlsx: one trace, one column a cycle or device, or one row a reading; or one
file a branch. `--show` says how the file is understood, before any fit. Otherwise writes the card,
and beside it the report as card.report.png and card.report.txt. Nothing is written when anything
fails, and a measurement is never written over.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from device_models.card import CardError
from device_models.files import check_outputs, refused, write_together
from device_models.fit import CardFit, FitError, fit_card
from device_models.pulses import PulseData, PulseDataError
from experiments.conditions import file_part, split_conditions
from experiments.figures.fit import draw_fit
from experiments.fit_input import choose, read
from experiments.fit_options import fit_options, inputs, parse
from experiments.fit_report import make_report, report_text
from experiments.options import end
from experiments.show import show
from experiments.spoken import spoken
from experiments.stage import stage
from experiments.tile_check import TileCheck, check_tile

SLOW_BYTES = 2**20
"""Files from this size on take long enough to say so where there is no terminal."""


def main(arguments: list[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 where no card can be made."""
    given = parse(arguments, __doc__)
    try:
        text = make_cards(given) if given.show is None else show(given)
    except (PulseDataError, FitError, CardError) as error:
        end(spoken(str(error)))
    except OSError as error:
        end(f"{error.filename or given.out}: {error.strerror or error}")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Greek letters
    print(text)


@dataclass(frozen=True)
class Result:
    """One card with its report: the files to write, and the report as text."""

    files: dict[Path, str | bytes]
    report: str


def make_cards(given: argparse.Namespace) -> str:
    """Write the card, or one for each condition, with reports; the reports as text.

    Raises what reading, fit and files raise, before anything is written.
    """
    check_outputs(outputs(given.out), overwrite=given.overwrite, inputs=inputs(given))
    measured = choose(_read(given), given)
    parts = split_conditions(measured) if given.each_condition else {}
    if given.each_condition and not parts:
        raise PulseDataError(f"{measured.source}: one condition; leave out --each-condition")
    cards = {_with_condition(given.out, name): part for name, part in parts.items()}
    cards = cards or {given.out: measured}
    every = [path for card in cards for path in outputs(card)]
    check_outputs(every, overwrite=given.overwrite, inputs=inputs(given))
    results = [make_card(data, card, given) for card, data in cards.items()]
    files = {path: content for result in results for path, content in result.files.items()}
    write_together(files, overwrite=given.overwrite, inputs=inputs(given))
    return "\n\n".join(result.report for result in results)


def make_card(data: PulseData, card: Path, given: argparse.Namespace) -> Result:
    """The card of a measurement, to stand at the path `card`, and its report."""
    path, picture, text = outputs(card)
    shown = partial(stage, always=_is_slow(given))
    with shown(f"fitting {data.n_readings:,} readings"):
        fit = _fit(data, given)
    checks: list[TileCheck] = []
    with _collected() as said:
        if not given.no_tile:
            with shown("driving a tile built from the card"):
                checks = check_tile(fit)
        report = make_report(fit, checks, said)
    printed = report_text(report, str(path))
    image = io.BytesIO()
    with shown("drawing the report"):
        draw_fit(report).savefig(image, format="png", dpi=144)
    return Result(
        {picture: image.getvalue(), text: printed + "\n", path: fit.card.to_json()}, printed
    )


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


def _with_condition(card: Path, name: str) -> Path:
    return card.with_name(f"{card.stem}_{file_part(name)}.json")


def _is_slow(given: argparse.Namespace) -> bool:
    return sum(p.stat().st_size for p in inputs(given) if p.is_file()) >= SLOW_BYTES


def _read(given: argparse.Namespace) -> PulseData:
    files = inputs(given)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    with stage(f"reading {files[0].name}{more}", always=_is_slow(given)):
        return read(given)


def _fit(data: PulseData, given: argparse.Namespace) -> CardFit:
    return fit_card(data, **fit_options(given))


@contextmanager
def _collected() -> Iterator[list[str]]:
    """Collects what is said to users by `warnings.warn`; other warnings are shown as ever."""
    said: list[str] = []
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def collect(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if category is UserWarning:
                said.append(str(message))
            else:
                show_others(message, category, *where)

        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = collect  # type: ignore[assignment]
        yield said


if __name__ == "__main__":
    main()
