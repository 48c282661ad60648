"""Table, picture and page of the run store: `python -m experiments.report`.

Every figure comes from the `result.json` and `history.csv` of the runs; nothing is computed anew.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from device_models import CardError, DeviceCard, load_card
from device_models.files import write_atomically
from device_models.plotting import draw_card
from experiments.figures.training import draw_training
from experiments.identity import NOT_IDENTITY
from experiments.store import Run, StoreError, list_runs

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

ORDER = (
    *("baseline", "set1", "set2"),
    *("crossbar", "crossbar_tiki_taka", "crossbar_sgd"),
    *("set1_crossbar", "set2_crossbar", "field_programmed"),
)


def group_runs(runs: list[Run]) -> dict[tuple[str, str, str], list[Run]]:
    """Runs that differ in the seed only, by (variant, schedule, settings)."""
    groups: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        result = run.result() or {}
        if result.get("epochs"):
            groups[result["name"], result["schedule"], _settings_but_seed(run)].append(run)
    return dict(sorted(groups.items(), key=lambda item: (_rank(item[0][0]), item[0])))


def table_rows(groups: dict[tuple[str, str, str], list[Run]]) -> list[tuple[str, ...]]:
    """One row of text per group, in the order of `COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for (name, schedule, _), runs in groups.items():
        results = [run.result() or {} for run in runs]
        first = results[0]
        done = all(r["status"] == "finished" for r in results)
        uses_card = first["activation"] == "em" or first["crossbar_weights"] > 0
        rows.append(
            (
                name,
                f"{schedule}, {first['epochs']} epochs" + ("" if done else " (not finished)"),
                str(len(results)),
                _mean_std([100 * r["test_accuracy"] for r in results], " %"),
                _mean_std([100 * r["test_accuracy_batch_statistics"] for r in results], " %"),
                _mean_std([r["seconds_per_epoch"] for r in results], ""),
                f"{first['crossbar_weights']:,}" if first["crossbar_weights"] else "none",
                f"{first['card']} ({first['card_kind']})" if uses_card else "none",
            )
        )
    return rows


def write_report(store: Path, out: Path) -> Path:
    """Write `training.png` and `index.html` into `out`; the page's path.

    Raises StoreError when the store holds no run with a result.
    """
    groups = group_runs(list_runs(store))
    if not groups:
        raise StoreError(f"{store}: no finished run; start with `python -m experiments.train`")
    histories = {
        " ".join(_label(key, groups)): [r.history() for r in g] for key, g in groups.items()
    }
    results = [(run, run.result() or {}) for runs in groups.values() for run in runs]
    held_out = any(r["test_is_held_out"] for _, r in results)
    training = _png(draw_training(histories, "Held-out" if held_out else "Test"))
    write_atomically(out / "training.png", training)
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True
    ).get_template("report.html")
    html = page.render(
        store=str(store),
        columns=COLUMNS,
        rows=table_rows(groups),
        test_name="held-out training images" if held_out else "the 10,000 test images or a subset",
        training_png=base64.b64encode(training).decode(),
        cards=[_card_entry(card) for card in _cards_of(results)],
        runs=[_run_entry(run, result) for run, result in results],
    )
    write_atomically(out / "index.html", html)
    return out / "index.html"


def print_table(groups: dict[tuple[str, str, str], list[Run]], console: Console) -> None:
    """The result table on a terminal."""
    table = Table()
    for i, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 2 <= i <= 6 else "left", no_wrap=True)
    for row in table_rows(groups):
        table.add_row(*row)
    console.print(table)


def markdown_table(rows: list[tuple[str, ...]]) -> str:
    """The result table as Markdown, without the time: it is that of the machine and its load."""
    time = COLUMNS.index("s / epoch")
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    lines = [(*line[:time], *line[time + 1 :]) for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def readme_with_results(readme: str, store: Path) -> str:
    """The README's text with the table between its markers made anew from `store`."""
    start, end = "<!-- results:", "<!-- end of results -->"
    if readme.count(start) != 1 or readme.count(end) != 1:
        raise StoreError(f"the README needs one {start} ... --> and one {end}")
    head, rest = readme.split(start)
    command, rest = rest.split("-->\n", 1)
    table = markdown_table(table_rows(group_runs(list_runs(store))))
    return f"{head}{start}{command}-->\n\n{table}\n{end}{rest.split(end)[1]}"


def _settings_but_seed(run: Run) -> str:
    """What makes this run's settings differ from its twins with another seed."""
    kept = {k: v for k, v in run.config().items() if k not in (*NOT_IDENTITY, "seed")}
    return json.dumps(kept, sort_keys=True)


def _label(
    key: tuple[str, str, str], groups: dict[tuple[str, str, str], list[Run]]
) -> tuple[str, ...]:
    """Shortest name that tells a group from the others: variant, then schedule, then number."""
    name, schedule, _ = key
    same_name = [k for k in groups if k[0] == name]
    if len(same_name) == 1:
        return (name,)
    same_schedule = [k for k in same_name if k[1] == schedule]
    if len(same_schedule) == 1:
        return (name, schedule)
    return (name, schedule, f"#{same_schedule.index(key) + 1}")


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _mean_std(values: list[float], unit: str) -> str:
    mean = statistics.mean(values)
    digits = 2 if unit else 1
    if len(values) == 1:
        return f"{mean:.{digits}f}{unit}"
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}{unit}"


def _cards_of(results: list[tuple[Run, dict[str, Any]]]) -> list[DeviceCard]:
    """Cards that the runs used, once each; a card that is gone or changed is left out."""
    cards: dict[str, DeviceCard] = {}
    for run, result in results:
        try:
            card = load_card(run.config()["device"]["card"])
        except CardError:
            continue
        if card.sha256 == result["card_sha256"]:
            cards[card.sha256] = card
    return list(cards.values())


def _card_entry(card: DeviceCard) -> dict[str, str]:
    png = base64.b64encode(_png(draw_card(card))).decode()
    return {"name": card.name, "kind": card.kind, "caveat": card.caveat, "png": png}


def _run_entry(run: Run, result: dict[str, Any]) -> dict[str, str]:
    return {
        "folder": str(run.folder),
        "status": result["status"],
        "accuracy": f"{result['test_accuracy']:.2%}",
        "detail": json.dumps(result, indent=2),
    }


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=144)
    return data.getvalue()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("runs"), help="run store (runs)")
    parser.add_argument("--out", type=Path, help="folder for the page (STORE/report)")
    parser.add_argument("--readme", type=Path, help="also renew the table and picture of a README")
    arguments = parser.parse_args()
    out = arguments.out or arguments.store / "report"
    try:
        page = write_report(arguments.store, out)
        if arguments.readme:
            text = readme_with_results(arguments.readme.read_text(), arguments.store)
            write_atomically(arguments.readme, text)
            picture = arguments.readme.parent / README_PICTURE
            write_atomically(picture, (out / "training.png").read_bytes())
    except (StoreError, OSError) as error:
        sys.exit(f"error: {error}")
    width = None if sys.stdout.isatty() else 160
    print_table(group_runs(list_runs(arguments.store)), Console(width=width))
    print(f"page:    {page}\npicture: {out / 'training.png'}")


if __name__ == "__main__":
    main()
