"""Make the card `lsmo_pvdf_co` and its points again: `python -m experiments.reconstruct_card`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from device_models.card import CARD_FOLDER
from device_models.files import write_atomically
from device_models.reconstruct import reconstruct_card, reconstruct_responses, responses_csv


def write_card(folder: Path) -> Path:
    """Write the card and its points (CSV) into `folder`; the card's path."""
    card = reconstruct_card()
    write_atomically(folder / f"{card.name}.csv", responses_csv(reconstruct_responses()))
    return card.save(folder / f"{card.name}.json", overwrite=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=CARD_FOLDER, help="folder (the package's own)")
    try:
        print(write_card(parser.parse_args().out))
    except OSError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
