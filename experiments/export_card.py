"""Export a device card to other simulators.

    python -m experiments.export_card lsmo_pvdf_co --field-G 150 --aihwkit preset.py
    python -m experiments.export_card my_card.json --neurosim neurosim.json --crosssim table.csv

CARD is the name of a card or the path of a card file. Everything is computed before anything is
written; existing files are refused unless --overwrite is given.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from crossbar.device import ZEROS
from crossbar.preset_source import preset_source
from device_models.card import CardError, DeviceCard, load_card
from device_models.files import write_atomically
from device_models.lookup_table import crosssim_files, table_csv
from device_models.neurosim import neurosim_json, neurosim_parameters


class ExportError(ValueError):
    """An export that cannot be made; the message is one line naming the file or the option."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line like every other error of the command, without the usage before it."""
        sys.exit(f"error: {message}")


def export_files(given: argparse.Namespace, card: DeviceCard) -> dict[Path, str]:
    """Contents of every file asked for, by path. Raises ExportError."""
    field_G = given.field_G
    try:
        card.law("LTP", field_G)
    except ValueError as error:
        raise ExportError(f"--field-G: {error}") from None
    makers: dict[str, Callable[[Path], dict[Path, str]]] = {
        "aihwkit": lambda path: {path: preset_source(card, field_G, given.zero)},
        "neurosim": lambda path: {path: neurosim_json(card, field_G)},
        "crosssim": lambda path: _crosssim(path, card, field_G),
    }
    files: dict[Path, str] = {}
    for option, make in makers.items():
        if (target := getattr(given, option)) is None:
            continue
        try:
            made = make(target)
        except (ValueError, ArithmeticError) as error:
            raise ExportError(f"--{option}: {error}") from None
        if taken := {os.path.realpath(p) for p in files} & {os.path.realpath(p) for p in made}:
            raise ExportError(f"--{option}: {taken.pop()} is the file of another option already")
        files |= made
    return files


def write_files(files: Mapping[Path, str], overwrite: bool = False) -> None:
    """Write all files; where one fails none that was not there before is left behind.

    Raises ExportError, also for an existing file without `overwrite`, before the first is written.
    """
    new: list[Path] = []
    path = Path()
    try:
        for path in files:
            if path.is_dir():
                raise ExportError(f"{path}: is a folder")
            if path.exists():
                if not overwrite:
                    raise ExportError(f"{path}: exists already; choose another name or --overwrite")
            else:
                new.append(path)
        for path, content in files.items():
            write_atomically(path, content)
    except OSError as error:
        for created in new:
            with contextlib.suppress(OSError):
                created.unlink()
        raise ExportError(f"{path}: {error.strerror or error}") from None


def _crosssim(path: Path, card: DeviceCard, field_G: float) -> dict[Path, str]:
    """A .csv file is one table for any tool, a folder holds the two files CrossSim reads."""
    if path.suffix == ".csv":
        return {path: table_csv(card, field_G)}
    if path.suffix:
        raise ValueError(f"{path} must be a .csv file or a folder")
    return {path / name: text for name, text in crosssim_files(card, field_G).items()}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", metavar="CARD", help="name of a card or path of a .json file")
    parser.add_argument(
        "--field-G", type=float, default=0.0, metavar="G", help="magnetic field [G] (%(default)g)"
    )
    parser.add_argument(
        "--zero", choices=ZEROS, default=ZEROS[0], help="weight 0 of --aihwkit (%(default)s)"
    )
    parser.add_argument(
        "--aihwkit",
        type=Path,
        metavar="FILE.py",
        help="source of a preset that imports only aihwkit",
    )
    parser.add_argument(
        "--neurosim", type=Path, metavar="FILE.json", help="parameters and lines for NeuroSim"
    )
    parser.add_argument(
        "--crosssim",
        type=Path,
        metavar="FILE.csv|FOLDER",
        help="change of the conductance over the conductance: a table, or CrossSim's two files",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.aihwkit is None and given.neurosim is None and given.crosssim is None:
        parser.error("give at least one of --aihwkit, --neurosim, --crosssim")
    try:
        card = load_card(given.card)
        files = export_files(given, card)
        write_files(files, given.overwrite)
    except (CardError, ExportError) as error:
        sys.exit(f"error: {error}")
    for path in files:
        print(path)
    if given.neurosim:
        for note in neurosim_parameters(card, given.field_G).notes:
            print(f"note: {note}")


if __name__ == "__main__":
    main()
