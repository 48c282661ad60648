"""Every device figure of the paper and the table of its statements, from the compact model.

    python -m experiments.device_figures
    python -m experiments.device_figures --only 1c,3b --out somewhere

Writes one PNG a figure and the table as statements.csv and statements.md into the folder, prints
the table, and ends with a non-zero status when a statement that can be checked fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console

from device_models.errors import InputError
from device_models.files import write_together
from device_models.junction import READINGS
from experiments.command.options import USER_ERRORS, Parser, end, number
from experiments.figures.style import png
from experiments.paper.figures import (
    fig_1ab,
    fig_1c,
    fig_1d,
    fig_1e,
    fig_1f,
    fig_2a,
    fig_2bc,
    fig_3a,
    fig_3b,
    fig_3cd,
    fig_4a,
    fig_4b,
    fig_s3,
    fig_s4,
    fig_s5,
    fig_s6,
)
from experiments.paper.measurements import Measurements
from experiments.paper.reading import FIG2_PAIRS, FIG2_STARTS, LAYERS, Reading
from experiments.paper.statements import evaluate
from experiments.paper.statements.table import print_table, summary, table_files

FIGURES: dict[str, Callable[[Measurements], Figure]] = {
    "1ab": fig_1ab.draw,
    "1c": fig_1c.draw,
    "1d": fig_1d.draw,
    "1e": fig_1e.draw,
    "1f": fig_1f.draw,
    "2a": fig_2a.draw,
    "2bc": fig_2bc.draw,
    "3a": fig_3a.draw,
    "3b": fig_3b.draw,
    "3cd": fig_3cd.draw,
    "4a": fig_4a.draw,
    "4b": fig_4b.draw,
    "S3": fig_s3.draw,
    "S4": fig_s4.draw,
    "S5": fig_s5.draw,
    "S6": fig_s6.draw,
}

POSITIVE, SHARE = number(0, above=True), number(0, 1)


def draw(name: str, measured: Measurements) -> bytes:
    """The named figure as PNG."""
    return png(FIGURES[name](measured))


def selected(only: str | None) -> list[str]:
    """Figures that hold the panels named in `only` (2b is in 2bc); all without it.

    Raises InputError naming the panel that is not there and those that are.
    """
    if only is None:
        return list(FIGURES)
    panels = {panel: name for name in FIGURES for panel in (name, *_panels(name))}
    chosen = []
    for wanted in filter(None, (part.strip() for part in only.split(","))):
        if wanted not in panels:
            raise InputError(f"no figure {wanted!r}: choose from {', '.join(FIGURES)}")
        chosen.append(panels[wanted])
    if not chosen:
        raise InputError(f"--only names no figure: choose from {', '.join(FIGURES)}")
    return list(dict.fromkeys(chosen))


def _panels(name: str) -> tuple[str, ...]:
    """1ab -> 1a, 1b."""
    return tuple(name[0] + letter for letter in name[1:]) if len(name) > 2 else ()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/device_figures"), help="folder (%(default)s)"
    )
    parser.add_argument("--only", help="figures to draw, comma-separated (all)")
    readings = parser.add_argument_group("readings where the paper leaves a choice")
    readings.add_argument("--fig2-pair", choices=FIG2_PAIRS, default="caption", help="C1")
    readings.add_argument("--fig2-start", choices=FIG2_STARTS, default="fig1f", help="E7")
    readings.add_argument("--spikes", choices=READINGS, default="si", help="C2")
    readings.add_argument(
        "--rect-s", type=POSITIVE, default=0.010, help="spike rectangle, S5 [s] (%(default)g)"
    )
    readings.add_argument(
        "--ramp-V-per-s", type=POSITIVE, help="ramp of the 1 s pulses, E6 [V/s] (rectangular)"
    )
    readings.add_argument("--layers", choices=LAYERS, default="card", help="switching widths, M3")
    readings.add_argument("--unpolarised", type=SHARE, default=0.5, help="state, Fig. 1c")
    readings.add_argument("--immobile", type=SHARE, default=0.25, help="fluorine left, C13")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when no statement fails, 1 otherwise."""
    given = _parser().parse_args(arguments)
    try:
        names = selected(given.only)
        measured = Measurements(
            Reading(**{f.name: getattr(given, f.name) for f in fields(Reading)})
        )
        results = evaluate(measured)
        files: dict[str, str | bytes] = {f"fig_{name}.png": draw(name, measured) for name in names}
        files |= table_files(results)
        write_together({given.out / name: content for name, content in files.items()})
    except USER_ERRORS as error:
        end(error)
    print_table(results, Console(width=None if sys.stdout.isatty() else 160))
    print(f"{summary(results)}\ntable:   {given.out / 'statements.md'} and .csv")
    print(f"figures: {', '.join(f'fig_{name}.png' for name in names)} in {given.out}")
    return int(any(outcome.status == "fail" for _, outcome in results))


if __name__ == "__main__":
    sys.exit(main())
