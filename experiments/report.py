"""Table, picture and page of the run store: `python -m experiments.report`.

Every figure comes from the `result.json` and `history.csv` of the runs; nothing is computed anew.
A run that cannot be read is left out, with a warning.
"""

from __future__ import annotations

import base64
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from rich.console import Console
from rich.table import Table
from rich.text import Text

from device_models import DeviceCard, load_card
from device_models.files import read_limited, remove_leftovers, write_together
from device_models.plain_text import visible
from device_models.plotting import draw_card
from experiments.command.marked import markdown_rows, with_part
from experiments.command.options import USER_ERRORS, Parser, end
from experiments.command.shown import markdown, warn
from experiments.figures.style import png
from experiments.figures.training import draw_training
from experiments.runs.groups import Group, group_runs
from experiments.runs.records import StoredRun, read_runs
from experiments.runs.store import StoreError

COLUMNS = (
    "variant",
    "schedule",
    "n",
    "accuracy",
    "batch statistics",
    "s / epoch",
    "crossbar weights",
    "card",
)

README_PICTURE = Path("experiments/figures/training.png")

HELD_OUT = "held-out training images"

README_BYTES = 2**22
"""Largest README that is renewed."""

HOUR_S = 3600.0


def read_groups(store: Path) -> list[Group]:
    """Groups of the runs in `store`; each run that is left out is one warning line.

    Raises StoreError when the store holds no run with a result.
    """
    runs, left_out = read_runs(store)
    for line in left_out:
        warn(line)
    if not runs:
        raise StoreError(f"{store}: no finished run; start with `python -m experiments.train`")
    return group_runs(runs)


def table_rows(groups: list[Group]) -> list[tuple[str, ...]]:
    """One row of text per group, in the order of `COLUMNS`."""
    return [_table_row(group) for group in groups]


def _table_row(group: Group) -> tuple[str, ...]:
    results = [run.result for run in group.runs]
    first = results[0]
    return (
        f"{group.variant}, {group.difference}" if group.difference else group.variant,
        f"{group.schedule}, {first.epochs} epochs" + ("" if group.finished else " (not finished)"),
        str(len(results)),
        _mean_std([100 * r.test_accuracy for r in results], " %"),
        _mean_std([100 * r.test_accuracy_batch_statistics for r in results], " %"),
        _mean_std([r.seconds_per_epoch for r in results], ""),
        f"{first.crossbar_weights:,}" if first.crossbar_weights else "none",
        visible(f"{first.card} ({first.card_kind})") if first.uses_card else "none",
    )


def write_report(store: Path, out: Path) -> Path:
    """Write `training.png` and `index.html` into `out`; the page's path.

    Raises StoreError when the store holds no run with a result.
    """
    return _write(read_groups(store), store, out)


def _write(groups: list[Group], store: Path, out: Path, readme: Path | None = None) -> Path:
    """Write the picture and the page, with `readme` its table and picture too: all or nothing."""
    training, page = _trainingpng(groups), out / "index.html"
    files: dict[Path, str | bytes] = {
        out / "training.png": training,
        page: _page(store, groups, training),
    }
    if readme is not None:
        files[readme] = _with_table(_read_text(readme), groups)
        files[readme.parent / README_PICTURE] = training
    for folder in {path.parent for path in files}:
        remove_leftovers(folder, older_than_s=HOUR_S)
    write_together(files)
    return page


def _trainingpng(groups: list[Group]) -> bytes:
    histories = {group.label: [run.history for run in group.runs] for group in groups}
    return png(draw_training(histories, "Held-out" if _is_held_out(groups) else "Test"))


def _page(store: Path, groups: list[Group], training: bytes) -> str:
    """The page as HTML. Every text in it is escaped and shown as it is."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, finalize=_shown
    )
    return environment.get_template("report.html").render(
        store=str(store),
        data=", ".join(_data_names(groups)),
        columns=COLUMNS,
        rows=table_rows(groups),
        test_name=HELD_OUT if _is_held_out(groups) else "the test images or a subset",
        training_png=base64.b64encode(training).decode(),
        cards=[_card_entry(card) for card in _cards_of(groups)],
        runs=[_run_entry(group, run) for group in groups for run in group.runs],
    )


def print_table(groups: list[Group], console: Console) -> None:
    """The result table on a terminal."""
    table = Table()
    for i, name in enumerate(COLUMNS):
        if 2 <= i <= 6:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold", min_width=min(len(name) + 8, 16))
    for row in table_rows(groups):
        table.add_row(*map(Text, row))  # not marked up: a name may hold [/red]
    console.print(table)


def markdown_table(rows: list[tuple[str, ...]]) -> str:
    """The result table as Markdown, without the time: it is that of the machine and its load."""
    time = COLUMNS.index("s / epoch")
    head, *lines = (tuple(map(markdown, row)) for row in (COLUMNS, *rows))
    shown = [(*line[:time], *line[time + 1 :]) for line in lines]
    return markdown_rows(shown, (*head[:time], *head[time + 1 :])) + "\n"


def readme_with_results(readme: str, store: Path) -> str:
    """The README's text with the table between its markers made anew from `store`."""
    return _with_table(readme, read_groups(store))


def _with_table(readme: str, groups: list[Group]) -> str:
    return with_part(readme, "results", markdown_table(table_rows(groups)))


def _read_text(path: Path) -> str:
    try:
        return read_limited(path, README_BYTES).decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{path}: not UTF-8 text (byte {error.start})") from None


def _data_names(groups: list[Group]) -> list[str]:
    """Names of the images the runs were made with, each once."""
    names = (run.settings["data.name"] for group in groups for run in group.runs)
    return list(dict.fromkeys(names))


def _is_held_out(groups: list[Group]) -> bool:
    return any(run.result.test_is_held_out for group in groups for run in group.runs)


def _mean_std(values: list[float], unit: str) -> str:
    mean = statistics.mean(values)
    digits = 2 if unit else 1
    if len(values) == 1:
        return f"{mean:.{digits}f}{unit}"
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}{unit}"


def _cards_of(groups: list[Group]) -> list[DeviceCard]:
    """Cards that the runs used, once each; a card that is gone or changed is left out."""
    wanted = {
        run.card_path: run.result.card_sha256
        for group in groups
        for run in group.runs
        if run.card_path and run.result.uses_card
    }
    cards: dict[str, DeviceCard] = {}
    for path, sha256 in wanted.items():
        try:
            card = load_card(path)
        except USER_ERRORS:
            continue
        if card.sha256 == sha256:
            cards[sha256] = card
    return list(cards.values())


def _card_entry(card: DeviceCard) -> dict[str, str]:
    picture = base64.b64encode(png(draw_card(card))).decode()
    return {"name": card.name, "kind": card.kind, "caveat": card.caveat, "png": picture}


def _run_entry(group: Group, run: StoredRun) -> dict[str, str]:
    return {
        "folder": str(run.folder),
        "label": group.label,
        "seed": str(run.result.seed),
        "status": run.result.status,
        "accuracy": f"{run.result.test_accuracy:.2%}",
        "detail": json.dumps(run.content, indent=2),
    }


def _shown(value: Any) -> Any:
    """What the page's template puts in place of a value; lines stay lines."""
    return visible(value, keep="\n") if isinstance(value, str) else value


def main() -> None:
    """Command line."""
    parser = Parser(__doc__)
    parser.add_argument("--store", type=Path, default=Path("runs"), help="run store (runs)")
    parser.add_argument("--out", type=Path, help="folder for the page (STORE/report)")
    parser.add_argument("--readme", type=Path, help="also renew the table and picture of a README")
    arguments = parser.parse_args()
    out = arguments.out or arguments.store / "report"
    try:
        groups = read_groups(arguments.store)
        page = _write(groups, arguments.store, out, arguments.readme)
    except USER_ERRORS as error:
        end(error)
    print_table(groups, Console(width=None if sys.stdout.isatty() else 160))
    print(visible(f"page:    {page}"))
    print(visible(f"picture: {out / 'training.png'}"))


if __name__ == "__main__":
    main()
