"""Export a device card to other simulators.

    python -m experiments.export_card lsmo_pvdf_co --field-G 150 --aihwkit preset.py
    python -m experiments.export_card my_card.json --neurosim neurosim.json --crosssim table.csv

CARD is the name of a card or the path of a card file. Everything is computed before anything is
written, all files or none; existing files are refused unless --overwrite is given.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from crossbar import ZEROS
from crossbar.preset_source import preset_source
from device_models import DeviceCard, load_card
from device_models.errors import FieldCrossbarError, InputError
from device_models.exports import crosssim_files, neurosim_json, neurosim_parameters, table_csv
from device_models.files import write_together
from experiments.command.options import USER_ERRORS, Parser, end, number


class ExportError(FieldCrossbarError, ValueError):
    """An export that cannot be made; the message is one line naming the file or the option."""


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


def _crosssim(path: Path, card: DeviceCard, field_G: float) -> dict[Path, str]:
    """A .csv file is one table for any tool, a folder holds the two files CrossSim reads."""
    if path.suffix == ".csv":
        return {path: table_csv(card, field_G)}
    if path.suffix:
        raise InputError(f"{path} must be a .csv file or a folder")
    return {path / name: text for name, text in crosssim_files(card, field_G).items()}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("card", metavar="CARD", help="name of a card or path of a .json file")
    parser.add_argument(
        "--field-G",
        type=number(),
        default=0.0,
        metavar="G",
        help="magnetic field [G] (%(default)g)",
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
        write_together(files, overwrite=given.overwrite, inputs=[card.path])
    except USER_ERRORS as error:
        end(error)
    for path in files:
        print(path)
    if given.neurosim:
        for note in neurosim_parameters(card, given.field_G).notes:
            print(f"note: {note}")


if __name__ == "__main__":
    main()
