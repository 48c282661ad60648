"""From a file of measured pulses to a device card with uncertainty, and a report of the fit.

    python -m experiments.fit_device data.csv --out card.json
    python -m experiments.fit_device data.xlsx --out card.json --quantity current --read-voltage 0.1

Reads CSV, text and .xlsx: one trace, one column a cycle or device, or one row a reading. Writes
the card, and beside it the report as PNG and text. Nothing is written when anything fails.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from device_models.card import KINDS, CardError, DeviceCard
from device_models.files import write_atomically
from device_models.fit import CANDIDATES, FitError, fit_card
from device_models.pulses import PulseData, PulseDataError, read_pulses
from experiments.figures.fit import draw_fit
from experiments.fit_report import TileCheck, check_tile, write_report


def main(arguments: list[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 where no card can be made."""
    given = _parser().parse_args(arguments)
    outputs = [given.out, given.out.with_suffix(".png"), given.out.with_suffix(".txt")]
    try:
        if given.out.suffix != ".json":
            raise FitError(f"--out {given.out}: a card is a .json file")
        if not given.overwrite and (taken := next((p for p in outputs if p.exists()), None)):
            raise FitError(f"{taken}: exists already; choose another --out or give --overwrite")
        if not given.out.absolute().parent.is_dir():
            raise FitError(f"--out {given.out}: the folder does not exist")
        fit = fit_card(
            _read(given),
            name=given.name,
            title=given.title,
            kind=given.kind,
            reference=given.reference,
            law=given.law,
            bootstrap=given.bootstrap,
            seed=given.seed,
        )
        checks: list[TileCheck] = [] if given.no_tile else check_tile(fit)
        report = write_report(fit, checks, str(given.out))
        picture = io.BytesIO()
        draw_fit(fit, checks).savefig(picture, format="png", dpi=144)
        _write(fit.card, report, picture.getvalue(), outputs)
    except (PulseDataError, FitError, CardError) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or given.out}: {error.strerror or error}")
    print(report)


def _write(card: DeviceCard, report: str, picture: bytes, outputs: list[Path]) -> None:
    """The card last: where it stands, its report stands too."""
    write_atomically(outputs[1], picture)
    write_atomically(outputs[2], report + "\n")
    card.save(outputs[0], overwrite=True)


def _read(given: argparse.Namespace) -> PulseData:
    return read_pulses(
        given.data,
        layout=given.layout,
        quantity=given.quantity,
        unit=given.unit,
        read_voltage_V=given.read_voltage,
        columns=dict(_column(text) for text in given.column) or None,
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
        raise PulseDataError(f"option --column {text!r}: expected HEADING=ROLE or NUMBER=ROLE")
    return (int(heading) if heading.isdecimal() else heading), role or None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    fit.add_argument("--bootstrap", type=int, default=200, help="draws, 0 for none (%(default)s)")
    fit.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    fit.add_argument("--no-tile", action="store_true", help="leave out the check on a tile")
    read = parser.add_argument_group("what the file does not say")
    read.add_argument("--quantity", choices=("resistance", "conductance", "current"))
    read.add_argument("--unit", help="of the readings, such as kOhm or uS")
    read.add_argument("--read-voltage", type=float, metavar="V", help="for currents")
    read.add_argument("--layout", choices=("long", "wide", "trace"))
    read.add_argument("--column", action="append", default=[], metavar="HEADING=ROLE")
    read.add_argument("--wide-of", choices=("cycle", "device"), help="what the columns are")
    read.add_argument("--sheet", help="of a workbook")
    read.add_argument("--branch", choices=("LTP", "LTD"), help="of the whole file")
    read.add_argument("--field", type=float, metavar="G")
    read.add_argument("--amplitude", type=float, metavar="V")
    read.add_argument("--width", type=float, metavar="S", help="pulse width")
    read.add_argument("--delimiter", help="comma, semicolon, tab or blank")
    read.add_argument("--decimal", choices=(".", ","))
    read.add_argument("--encoding")
    return parser


if __name__ == "__main__":
    main()
