"""Which device cards have a name, and where each comes from.

    python -m experiments.cards
    python -m experiments.cards reram_gong_2018
    python -m experiments.cards my_card.json --plot my_card.png

Without a name it lists the cards: those of the project, of the folders in FIELDCROSSBAR_CARDS and
of installed packages. With one it prints what the card says and the page beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from device_models import CardSummary, DeviceCard, list_cards, load_card
from device_models.card import HISTORY, Spread
from device_models.files import read_limited, write_together
from device_models.plain_text import visible
from experiments.command.options import USER_ERRORS, Parser, end
from experiments.figures.style import png

MAX_PAGE_BYTES = 2**18
SPREADS = ("step_c2c", "write_noise", "step_d2d", "range_d2d")


def main(arguments: list[str] | None = None) -> None:
    """Command line; ends with one line on stderr and status 1 where a card cannot be read."""
    parser = Parser(__doc__)
    parser.add_argument("card", nargs="?", help="name of a card or path of a card file")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the card's curves")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    given = parser.parse_args(arguments)
    try:
        if given.card is None:
            show_cards(list_cards())
            return
        card = load_card(given.card)
        print(describe(card))
        if given.plot:
            inputs = [Path(card.path)] if card.path else []
            write_together({given.plot: png(card.plot())}, overwrite=given.overwrite, inputs=inputs)
    except USER_ERRORS as error:
        end(error)


def show_cards(cards: Mapping[str, CardSummary]) -> None:
    """Print the cards as a table as wide as the terminal."""
    table = Table(box=None, pad_edge=False)
    for heading in ("card", "kind", "device"):
        table.add_column(heading, overflow="fold")
    for card in cards.values():
        # Titles of strangers are text, not markup.
        table.add_row(*(Text(visible(part)) for part in (card.name, card.kind, card.title)))
    Console().print(table)


def describe(card: DeviceCard) -> str:
    """What a card says of its device, and the page beside its file."""
    g_min, g_max = card.conductance_range(card.fields_G[0])
    unit = "" if card.conductance_unit == "1" else f" {card.conductance_unit}"
    lines = [
        f"{card.name} ({card.kind}): {card.title}",
        card.caveat,
        *field_lines(card),
        f"conductance {g_min:.4g} to {g_max:.4g}{unit} at {card.fields_G[0]:g} G",
        f"pulses: {card.conditions.words() or 'not stated'}",
        f"spreads: {_spreads(card.spread)}",
        f"source: {card.source.get('reference') or 'not stated'}",
    ]
    page = Path(card.path).with_suffix(".md") if card.path else None
    if page is not None and page.is_file():
        text = read_limited(page, MAX_PAGE_BYTES).decode("utf-8", errors="replace")
        lines += ["", text.strip()]
    return visible("\n".join(lines), keep="\n")


def field_lines(card: DeviceCard) -> list[str]:
    """How many curves there are, and what the field makes of them, a line each."""
    low, high = (f"{field_G:g}" for field_G in card.field_model.range_G)
    if card.layers is None:
        lines = [f"{len(card.curves)} curves at {low} to {high} G; {card.n_pulses} pulses"]
    else:
        lines = [
            f"{len(card.curves)} curves, parallel and antiparallel, mixed at {low} to {high} G; "
            f"{card.n_pulses} pulses",
            f"two layers, coercivities {card.layers.coercivity_soft_G:g} and "
            f"{card.layers.coercivity_hard_G:g} G, widths {card.layers.width_soft_G:g} and "
            f"{card.layers.width_hard_G:g} G; {HISTORY}",
        ]
    if (error := card.interpolation_error) is not None:
        lines.append(f"between fields linear in conductance, within about {error:.1%} of the range")
    return [*lines, *([card.schema_note] if card.schema_note else [])]


def _spreads(spread: Spread) -> str:
    return ", ".join(f"{name} {getattr(spread, name):g}" for name in SPREADS)


if __name__ == "__main__":
    main()
