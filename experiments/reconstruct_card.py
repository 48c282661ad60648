"""Make the card `lsmo_pvdf_co` and its points again: `python -m experiments.reconstruct_card`."""

from __future__ import annotations

from pathlib import Path

from device_models.files import write_together
from device_models.library import CARD_FOLDER
from device_models.reconstruct import reconstruct_card, reconstruct_responses, responses_csv
from experiments.command.options import USER_ERRORS, Parser, end


def write_card(folder: Path) -> Path:
    """Write the card and its points (CSV) into `folder`, both or none; the card's path."""
    card = reconstruct_card()
    path = folder / f"{card.name}.json"
    points = responses_csv(reconstruct_responses())
    write_together({path.with_suffix(".csv"): points, path: card.to_json()})
    return path


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser(__doc__)
    parser.add_argument("--out", type=Path, default=CARD_FOLDER, help="folder (the package's own)")
    try:
        print(write_card(parser.parse_args(arguments).out))
    except USER_ERRORS as error:
        end(error)


if __name__ == "__main__":
    main()
