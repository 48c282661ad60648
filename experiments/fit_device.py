"""From a file of measured pulses to a device card with uncertainty, and a report of the fit.

    python -m experiments.fit_device data.csv --out card.json
    python -m experiments.fit_device data.xlsx --out card.json --quantity current --read-voltage 0.1

Reads CSV, text and .xlsx: one trace, one column a cycle or device, or one row a reading. Writes
the card, and beside it the report as card.report.png and card.report.txt. Nothing is written when
anything fails, and a measurement is never written over.
"""

from __future__ import annotations

import argparse
import io
import re
from functools import partial
from pathlib import Path

from device_models.card import KINDS, CardError
from device_models.files import check_outputs, refused, write_together
from device_models.fit import CANDIDATES, CardFit, FitError, fit_card
from device_models.fit.curve_fit import MAX_BOOTSTRAP, MAX_SEED
from device_models.pulses import PulseData, PulseDataError, read_pulses
from experiments.figures.fit import draw_fit
from experiments.fit_report import TileCheck, check_tile, write_report
from experiments.options import Parser, end, number, whole_number
from experiments.stage import stage

SLOW_BYTES = 2**20
"""Files from this size on take long enough to say so where there is no terminal."""


def main(arguments: list[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 where no card can be made."""
    given = _parser().parse_args(arguments)
    try:
        report = make_card(given)
    except (PulseDataError, FitError, CardError) as error:
        end(error)
    except OSError as error:
        end(f"{error.filename or given.out}: {error.strerror or error}")
    print(report)


def make_card(given: argparse.Namespace) -> str:
    """Write the card and its report; the report. Raises what reading, fit and files raise."""
    card, picture, text = outputs(given.out)
    check_outputs([card, picture, text], overwrite=given.overwrite, inputs=[given.data])
    shown = partial(stage, always=_is_slow(given.data))
    with shown(f"reading {given.data.name}"):
        data = _read(given)
    with shown(f"fitting {data.n_readings:,} readings"):
        fit = _fit(data, given)
    checks: list[TileCheck] = []
    if not given.no_tile:
        with shown("driving a tile built from the card"):
            checks = check_tile(fit)
    report = write_report(fit, checks, str(card))
    image = io.BytesIO()
    with shown("drawing the report"):
        draw_fit(fit, checks).savefig(image, format="png", dpi=144)
    write_together(
        {picture: image.getvalue(), text: report + "\n", card: fit.card.to_json()},
        overwrite=given.overwrite,
        inputs=[given.data],
    )
    return report


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


def _is_slow(data: Path) -> bool:
    return data.is_file() and data.stat().st_size >= SLOW_BYTES


def _fit(data: PulseData, given: argparse.Namespace) -> CardFit:
    return fit_card(
        data,
        name=given.name,
        title=given.title,
        kind=given.kind,
        reference=given.reference,
        law=given.law,
        bootstrap=given.bootstrap,
        seed=given.seed,
    )


def _read(given: argparse.Namespace) -> PulseData:
    return read_pulses(
        given.data,
        layout=given.layout,
        quantity=given.quantity,
        unit=given.unit,
        read_voltage_V=given.read_voltage,
        columns=dict(given.column) or None,
        wide_of=given.wide_of,
        sheet=given.sheet,
        branch=given.branch,
        field_G=given.field,
        amplitude_V=given.amplitude,
        width_s=given.width,
        delimiter=given.delimiter,
        decimal=given.decimal,
        encoding=given.encoding,
    )


def _column(text: str) -> tuple[str | int, str | None]:
    """`HEADING=ROLE` or `NUMBER=ROLE`; an empty role leaves the column out."""
    heading, sign, role = text.rpartition("=")
    if not sign or not heading:
        raise argparse.ArgumentTypeError(f"expected HEADING=ROLE or NUMBER=ROLE, got {text!r:.40}")
    return (int(heading) if re.fullmatch("[0-9]{1,6}", heading) else heading), role or None


def _parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("data", type=Path, help="CSV, text or .xlsx file")
    parser.add_argument("--out", type=Path, required=True, help="card to write (.json)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing card")
    card = parser.add_argument_group("the card")
    card.add_argument("--name", help="name (from the file's)")
    card.add_argument("--title", default="", help="one line that says what the device is")
    card.add_argument("--reference", default="", help="where the data come from")
    card.add_argument("--kind", choices=KINDS, default="measured", help="%(default)s")
    fit = parser.add_argument_group("the fit")
    fit.add_argument("--law", choices=("auto", *CANDIDATES), default="auto", help="%(default)s")
    fit.add_argument(
        "--bootstrap",
        type=whole_number(0, MAX_BOOTSTRAP),
        default=200,
        help="draws, 0 for none (%(default)s)",
    )
    fit.add_argument(
        "--seed", type=whole_number(0, MAX_SEED), default=0, help="of the bootstrap (%(default)s)"
    )
    fit.add_argument("--no-tile", action="store_true", help="leave out the check on a tile")
    read = parser.add_argument_group("what the file does not say")
    read.add_argument("--quantity", choices=("resistance", "conductance", "current"))
    read.add_argument("--unit", help="of the readings, such as kOhm or uS")
    read.add_argument("--read-voltage", type=number(zero=False), metavar="V", help="for currents")
    read.add_argument("--layout", choices=("long", "wide", "trace"))
    read.add_argument("--column", type=_column, action="append", default=[], metavar="HEADING=ROLE")
    read.add_argument("--wide-of", choices=("cycle", "device"), help="what the columns are")
    read.add_argument("--sheet", help="of a workbook")
    read.add_argument("--branch", choices=("LTP", "LTD"), help="of the whole file")
    read.add_argument("--field", type=number(), metavar="G")
    read.add_argument("--amplitude", type=number(), metavar="V")
    read.add_argument("--width", type=number(0, above=True), metavar="S", help="pulse width")
    read.add_argument("--delimiter", help="comma, semicolon, tab or blank")
    read.add_argument("--decimal", choices=(".", ","))
    read.add_argument("--encoding")
    return parser


if __name__ == "__main__":
    main()
