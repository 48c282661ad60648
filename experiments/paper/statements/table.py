"""The table of statements and outcomes: on the terminal, as CSV and as Markdown."""

from __future__ import annotations

import csv
import io
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.paper.statements.rows import Outcome, Statement

COLUMNS = ("id", "tag", "statement", "acceptance", "model", "result", "why")

STYLES = {"pass": "green", "fail": "bold red", "contradiction": "yellow", "not testable": "dim"}
"""Every status, and how it looks on a terminal."""


def table_rows(results: list[tuple[Statement, Outcome]]) -> list[tuple[str, ...]]:
    """One row of text a statement, in the order of `COLUMNS`."""
    return [
        (s.id, f"[{s.tag}]", s.text, s.acceptance, o.value, o.status, o.why) for s, o in results
    ]


def summary(results: list[tuple[Statement, Outcome]]) -> str:
    """How many statements pass, fail, contradict others and cannot be tested."""
    counts = Counter(outcome.status for _, outcome in results)
    return ", ".join(f"{counts[status]} {status}" for status in STYLES)


def print_table(results: list[tuple[Statement, Outcome]], console: Console) -> None:
    """The table on a terminal, with the reason where a statement neither passes nor fails."""
    table = Table(title="Statements about the device and the reconstructed model")
    for name in COLUMNS[:-1]:
        table.add_column(name, no_wrap=name in ("id", "tag", "result"))
    for row in table_rows(results):
        *cells, result, why = (escape(cell) for cell in row)
        if result in ("contradiction", "not testable"):
            cells[-1] = f"{cells[-1]}: {why}".removeprefix("-: ")
        table.add_row(*cells, f"[{STYLES[result]}]{result}[/]")
    console.print(table)


def table_files(results: list[tuple[Statement, Outcome]]) -> dict[str, str]:
    """Contents of statements.csv and statements.md, by name."""
    rows = table_rows(results)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    cells = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
    body = "\n".join(f"| {line} |" for line in cells)
    heading = "Statements of the paper about the device, checked on the reconstructed model"
    return {
        "statements.csv": text.getvalue(),
        "statements.md": f"# {heading}\n\n{summary(results)}.\n\n{body}\n",
    }
