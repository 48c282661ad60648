"""The options of `fit_device`: the parser, and what of them goes to the reader and to the fit."""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path
from typing import Any

from device_models.card import KINDS
from device_models.fit import CANDIDATES, MAX_BOOTSTRAP, MAX_SEED
from experiments.command.options import Parser, number, whole_number

ROLES = (
    "pulse, LTP, LTD, R, G, I, branch, device, cycle, condition, amplitude, width, field, "
    "read voltage, repeat"
)
"""What a column can be; readings may state a unit, as 'G (uS)' does."""

DELIMITERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "blank": " ",
    "space": " ",
    "whitespace": " ",
}
WIDE_OF = ("cycle", "device", "condition", "repeat")
LAYOUTS = ("long", "wide", "trace", "rows")
LEAST_NAME = 3
READER = {
    "layout": "layout",
    "quantity": "quantity",
    "unit": "unit",
    "read_voltage": "read_voltage_V",
    "wide_of": "wide_of",
    "sheet": "sheet",
    "branch": "branch",
    "reverse": "reverse",
    "field": "field_G",
    "amplitude": "amplitude_V",
    "width": "width_s",
    "delimiter": "delimiter",
    "decimal": "decimal",
    "encoding": "encoding",
}
"""Option of the command: option of `read_pulses`."""


def parse(arguments: list[str] | None, description: str | None) -> argparse.Namespace:
    """Options of the command; ends with one line where they are wrong or contradict each other."""
    parser = fit_parser(description)
    given = parser.parse_args(arguments)
    if given.show and not given.show.lower().endswith(".png") and given.data is None:
        # `--show data.csv`: the picture is optional, the measurement is not.
        given.data, given.show = Path(given.show), ""
    if wrong := _contradiction(given):
        parser.error(wrong)
    return given


def reader_options(given: argparse.Namespace) -> dict[str, Any]:
    """Options for `read_pulses`, only those that were given."""
    options = {
        name: value for own, name in READER.items() if (value := getattr(given, own)) is not None
    }
    options |= {"columns": dict(given.column)} if given.column else {}
    options |= {"where": dict(given.where)} if given.where else {}
    return options | ({"keep_rest": True} if given.keep_rest else {})


def fit_options(given: argparse.Namespace, condition: str = "") -> dict[str, Any]:
    """Options for `fit_card`; name and title say the `condition` where there are several."""
    names = ("title", "kind", "reference", "law", "bootstrap", "seed")
    options = {"name": given.name or _name(given)} | {name: getattr(given, name) for name in names}
    if condition:
        name = options["name"] or _plain(inputs(given)[0].stem)
        options["name"] = f"{name}_{_plain(condition)}".rstrip("_")
        title = options["title"] or f"Device measured in {inputs(given)[0].name}"
        options["title"] = f"{title}, {condition}"
    return options


def _name(given: argparse.Namespace) -> str | None:
    """What the names of several files begin with; None for the name of the only file."""
    if given.data is not None:
        return None
    stems = [_plain(path.stem) for path in inputs(given)]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*stems, strict=False))
    common = "".join(letters[0] for letters in alike).strip("_")
    return common if len(common) >= LEAST_NAME else stems[0] or None


def _plain(text: str) -> str:
    """Text as names of cards have it."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def inputs(given: argparse.Namespace) -> list[Path]:
    """The measurement's files, which are never written over."""
    return [given.data] if given.data else [*given.ltp, *given.ltd]


def _contradiction(given: argparse.Namespace) -> str | None:
    """What is wrong with the options taken together; None where they make sense."""
    pair = [*given.ltp, *given.ltd]
    if given.data is None and not pair:
        return "no measurement: give its file, or --ltp FILE --ltd FILE"
    if given.data is not None and pair:
        other = "--ltd FILE" if given.ltp else "--ltp FILE"
        return f"{given.data} beside {other}: give one file with both branches, or both flags"
    if pair and given.branch:
        return "--branch beside --ltp or --ltd, which say it already"
    if given.files_are and not pair:
        return "--files-are tells files of --ltp and --ltd apart; there is one file"
    if given.condition and given.each_condition:
        return "--condition takes one, --each-condition all: give one of the two"
    if given.show is None and given.out is None:
        return "nothing to write: give --out card.json, or --show to see how the file is read"
    if given.show is not None and given.out is not None:
        return "--show comes before the fit and writes no card: leave out --out"
    if given.show and not given.show.lower().endswith(".png"):
        return f"--show {given.show}: the picture is a .png file"
    return None


def _column(text: str) -> tuple[str | int, str | None]:
    """`HEADING=ROLE` or `NUMBER=ROLE`; an empty role leaves the column out."""
    heading, role = _pair(text, "HEADING=ROLE or NUMBER=ROLE")
    return heading, role or None


def _where(text: str) -> tuple[str | int, str]:
    """`COLUMN=VALUE`: rows that count have this in that column."""
    return _pair(text, "COLUMN=VALUE")


def _pair(text: str, form: str) -> tuple[str | int, str]:
    """Column and what is said of it; a number in double quotes is a heading."""
    heading, sign, value = text.rpartition("=")
    if not sign or not heading:
        raise argparse.ArgumentTypeError(f"expected {form}, got {text!r:.40}")
    if re.fullmatch("[0-9]{1,6}", heading):
        return int(heading), value
    quoted = re.fullmatch('"([0-9]{1,6})"', heading)
    return (quoted[1] if quoted else heading), value


def _delimiter(text: str) -> str:
    """The character, from itself or its word; others are left to the reader to refuse."""
    return DELIMITERS.get(text.lower(), text)


def fit_parser(description: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(description)
    parser.add_argument("data", type=Path, nargs="?", help="CSV, text or .xlsx file")
    parser.add_argument("--out", type=Path, help="card to write (.json)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing card")
    parser.add_argument(
        "--show",
        nargs="?",
        const="",
        metavar="FILE.png",
        help="only show how the file is understood, as text and, with a name, as a picture",
    )
    _add_files(parser.add_argument_group("several files and conditions"))
    _add_card(parser.add_argument_group("the card"))
    _add_fit(parser.add_argument_group("the fit"))
    _add_reading(parser.add_argument_group("what the file does not say"))
    return parser


def _add_files(group: argparse._ArgumentGroup) -> None:
    for branch in ("ltp", "ltd"):
        group.add_argument(
            f"--{branch}",
            type=Path,
            nargs="+",
            action="extend",
            default=[],
            metavar="FILE",
            help=f"files with {branch.upper()} readings only, paired by their order",
        )
    group.add_argument(
        "--files-are", choices=("device", "cycle"), help="what several files of a branch are"
    )
    group.add_argument("--device", metavar="NAME", help="only this device, or the device's name")
    group.add_argument("--cycle", type=whole_number(-(2**31), 2**31), help="only this cycle")
    group.add_argument(
        "--condition", metavar="NAME", help="only this one of several conditions, such as '300 K'"
    )
    group.add_argument(
        "--each-condition", action="store_true", help="one card each: card_<condition>.json"
    )


def _add_card(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", help="name (from the file's)")
    group.add_argument("--title", default="", help="one line that says what the device is")
    group.add_argument("--reference", default="", help="where the data come from")
    group.add_argument("--kind", choices=KINDS, default="measured", help="%(default)s")


def _add_fit(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--law", choices=("auto", *CANDIDATES), default="auto", help="%(default)s")
    group.add_argument(
        "--bootstrap",
        type=whole_number(0, MAX_BOOTSTRAP),
        default=200,
        help="draws, 0 for none (%(default)s)",
    )
    group.add_argument(
        "--seed", type=whole_number(0, MAX_SEED), default=0, help="of the bootstrap (%(default)s)"
    )
    group.add_argument("--no-tile", action="store_true", help="leave out the check on a tile")


def _add_reading(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--quantity", choices=("resistance", "conductance", "current"))
    group.add_argument("--unit", help="of the readings, such as kOhm or uS")
    group.add_argument("--read-voltage", type=number(zero=False), metavar="V", help="for currents")
    group.add_argument("--layout", choices=LAYOUTS, help="rows: every row is a trace")
    group.add_argument(
        "--column",
        type=_column,
        action="append",
        default=[],
        metavar="HEADING=ROLE",
        help=f"what a column is, by heading or number: {ROLES}; nothing leaves it out. "
        "Examples: --column '2=G (uS)', --column 'Moving average='",
    )
    group.add_argument("--wide-of", choices=WIDE_OF, help="what columns of one kind are")
    group.add_argument(
        "--where",
        type=_where,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="rows that count, such as step=read; several must all hold",
    )
    group.add_argument("--sheet", help="of a workbook: name, number or all")
    group.add_argument("--branch", choices=("LTP", "LTD"), help="of the whole file")
    group.add_argument(
        "--reverse",
        choices=("LTP", "LTD"),
        help="a branch whose rows stand from its last pulse to its first",
    )
    group.add_argument("--keep-rest", action="store_true", help="keep stretches at rest")
    group.add_argument("--field", type=number(), metavar="G")
    group.add_argument("--amplitude", type=number(), metavar="V")
    group.add_argument("--width", type=number(0, above=True), metavar="S", help="pulse width")
    group.add_argument(
        "--delimiter", type=_delimiter, help="tab, comma, semicolon, blank or the character"
    )
    group.add_argument("--decimal", choices=(".", ","))
    group.add_argument("--encoding")
