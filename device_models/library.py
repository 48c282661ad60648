"""Cards by name: those of the project, of a user's folder, and of installed packages.

`FIELDCROSSBAR_CARDS` names a folder of card files, or several as `PATH` does. A package offers
its own by an entry point of the group `fieldcrossbar.cards` that names the package they lie in.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path

from device_models.card import MAX_CARD_BYTES, CardError, DeviceCard, card_from_dict
from device_models.json_file import JSONFileError, read_json
from device_models.plain_text import one_line

CARD_FOLDER = Path(__file__).parent / "cards"
FOLDERS = "FIELDCROSSBAR_CARDS"
ENTRY_POINTS = "fieldcrossbar.cards"
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class CardSummary:
    """What a card is, in one line: its name, kind ("measured", ...), title and files.

    `page` is the text (.md) beside the card that says where it comes from, None without one. A
    card that cannot be read has the kind "unreadable", and why as its title.
    """

    name: str
    kind: str
    title: str
    path: Path
    page: Path | None

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}): {self.title}"


def list_cards() -> dict[str, CardSummary]:
    """Every card that has a name, by name: the project's, then those of folders and packages."""
    return {name: _summary(name, paths[0]) for name, paths in _paths().items()}


def load_card(card: str | Path | DeviceCard) -> DeviceCard:
    """Card by its name (see `list_cards`) or by the path of a JSON file; a card passes through.

    Raises CardError, one line that names the file and the place in it; also for a name that two
    files have.
    """
    if isinstance(card, DeviceCard):
        return card
    named = _paths().get(str(card), [])
    if len(named) > 1:
        found = " and ".join(map(str, named))
        raise CardError(f"two cards are called {str(card)!r}: {found}; give the path of one")
    if named:
        return read_card(named[0])
    path = Path(card)
    if path.suffix != ".json":
        raise CardError(
            f"no card named {str(card)!r}: cards are {', '.join(_paths())}, or the path of a "
            f".json file; a folder of your own goes into {FOLDERS}"
        )
    return read_card(path)


def read_card(path: Path) -> DeviceCard:
    """Card from a JSON file of limited size; CardError names the file and the place in it."""
    try:
        content = read_json(path, MAX_CARD_BYTES)
    except JSONFileError as error:
        raise CardError(str(error)) from None
    try:
        return card_from_dict(content, path=str(path))
    except CardError as error:
        raise CardError(f"{path}: {error}") from None


def _paths() -> dict[str, list[Path]]:
    """Files of every name, in the order of the folders."""
    found: dict[str, list[Path]] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.json")):
            found.setdefault(path.stem, []).append(path)
    return found


def _folders() -> Iterator[Path]:
    """The project's folder, the user's, and those of packages, each once."""
    seen = set()
    for folder in _all_folders():
        if folder.is_dir() and (real := folder.resolve()) not in seen:
            seen.add(real)
            yield folder


def _all_folders() -> Iterator[Path]:
    yield CARD_FOLDER
    for name in os.environ.get(FOLDERS, "").split(os.pathsep):
        if name:
            yield Path(name).expanduser()
    for entry in entry_points(group=ENTRY_POINTS):
        yield from _package_folder(entry)


def _package_folder(entry: EntryPoint) -> list[Path]:
    """Folder of the package an entry point names; none, and a warning, where it is not there."""
    try:
        return [Path(str(files(entry.module)))]
    # Importing a package of others can raise anything; our own cards have to load all the same.
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        warnings.warn(
            f"no cards from entry point {entry.name!r} of {ENTRY_POINTS}: {reason}", stacklevel=2
        )
        return []


def _summary(name: str, path: Path) -> CardSummary:
    page = path.with_suffix(".md")
    try:
        card = read_card(path)
        kind, title = card.kind, one_line(card.title)
    except CardError as error:
        kind, title = UNREADABLE, str(error)
    return CardSummary(name, kind, title, path, page if page.is_file() else None)
