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

import os
import sys

from device_models.errors import FieldCrossbarError
from experiments.command.options import end
from experiments.command.spoken import spoken
from experiments.fitting.fit_options import parse


def main(arguments: list[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 where no card can be made."""
    given = parse(arguments, __doc__)
    problem = ""
    try:
        # Imported when needed: what a card takes, torch, takes seconds to load.
        if given.show is not None:
            from experiments.fitting.show import show

            text = show(given)
        else:
            from experiments.fitting.fit_cards import make_cards

            text, problem = make_cards(given)
    except OSError as error:
        end(f"{error.filename or given.out}: {error.strerror or error}")
    except FieldCrossbarError as error:
        end(spoken(str(error)))
    _print(text)
    if problem:
        end(problem)


def _print(text: str) -> None:
    """Print to a terminal that may lack Greek letters, or to a reader that may have gone."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
