"""Carry trained networks to other magnetic fields, and test them there.

    python -m experiments.carry runs/crossbar/quick-seed*
    python -m experiments.carry runs/crossbar/quick-seed* --fields 0 75 150 --out carried.json

Nothing is programmed anew: the field changes what is read of the same devices. Twice at each
field: with the scale of the tiles kept, as one reference and one converter gain are, and chosen
anew. Several runs of one kind are seeds of it. `--readme FILE` puts the table between the marks of
the README.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from crossbar import fields_of, set_field
from device_models.errors import InputError
from device_models.files import write_atomically, write_together
from device_models.plain_text import visible
from experiments.command.marked import markdown_rows, with_part
from experiments.command.options import USER_ERRORS, Parser, end, number
from experiments.runs.store import Run
from experiments.training.loop import accuracy
from experiments.training.stored import StoredNetwork, stored_network

FIELDS_G = (0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0)
SCALES = {"kept": False, "anew": True}
"""Whether the scale of the tiles is chosen anew at the field, by the name it is told by."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 for runs that cannot be carried."""
    parser = Parser(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a stored run")
    parser.add_argument("--fields", nargs="+", type=number(), default=FIELDS_G, metavar="G")
    parser.add_argument("--out", type=Path, metavar="JSON", help="also write the accuracies here")
    parser.add_argument("--readme", type=Path, help="also renew the table of a README")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    given = parser.parse_args(arguments)
    try:
        carried = [carry(Run(folder), given.fields) for folder in given.runs]
        if given.out:
            text = json.dumps({"runs": carried}, indent=1) + "\n"
            write_together({given.out: text}, overwrite=given.overwrite)
        if given.readme:
            write_atomically(given.readme, readme_with_carried(given.readme.read_text(), carried))
    except USER_ERRORS as error:
        end(error)
    show(carried)


def carry(run: Run, fields_G: Sequence[float]) -> dict[str, Any]:
    """Test accuracy [1] of the network of a run at each field [G], by scale.

    Every field is reached from the stored state, so that their order makes no difference.
    Raises InputError for a run without memristor tiles.
    """
    network = stored_network(run)
    if network.settings.crossbar.name != "memristor":
        raise InputError(f"{run.folder}: its weights are not on memristor tiles")
    trained = fields_of(network.model)
    return {
        "name": network.settings.name,
        "seed": network.settings.seed,
        "trained_at_G": [float(np.mean(field)) for field in trained.values()],
        "images": len(network.test),
        "fields_G": [float(field) for field in fields_G],
        **{
            name: [_accuracy_at(network, field, rescale) for field in fields_G]
            for name, rescale in SCALES.items()
        },
    }


def _accuracy_at(network: StoredNetwork, field_G: float, rescale: bool) -> float:
    network.restore()
    set_field(network.model, field_G, rescale)
    return accuracy(network.model, network.test)


HEADINGS = ("field [G]", "scale kept [%]", "scale anew [%]")


def rows(carried: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Field, mean and standard deviation over the runs with either scale, as text."""
    return [
        (f"{field_G:g}", *(_mean([run[name][i] for run in carried]) for name in SCALES))
        for i, field_G in enumerate(carried[0]["fields_G"])
    ]


def show(carried: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(box=None, pad_edge=False, title=visible(_title(carried)), title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for row in rows(carried):
        table.add_row(*row)
    Console().print(table)


def readme_with_carried(readme: str, carried: Sequence[dict[str, Any]]) -> str:
    """The README with the table between its marks."""
    return with_part(readme, "carried", markdown_rows(rows(carried), HEADINGS))


def _title(carried: Sequence[dict[str, Any]]) -> str:
    names = ", ".join(dict.fromkeys(run["name"] for run in carried))
    return f"{names}, n = {len(carried)}, accuracy on {carried[0]['images']:,} test images"


def _mean(values: Sequence[float]) -> str:
    percent = 100 * np.array(values)
    spread = f" ± {percent.std(ddof=1):.2f}" if len(percent) > 1 else ""
    return f"{percent.mean():.2f}{spread}"


if __name__ == "__main__":
    main()
