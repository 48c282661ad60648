"""Benchmarks, by name or all: medians, spreads and ratios taken in one run.

    python -m experiments.bench
    python -m experiments.bench fit --repeats 20

Prints a table a benchmark, then what was aimed at and what was reached, and writes bench.json
(machine, load, every single time) into the run store. `--readme FILE` puts that last table, from
a bench.json written before, between the markers of the README.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from device_models.errors import InputError
from device_models.files import write_atomically
from experiments.benchmarks.activation import (
    bench_activation,
    bench_small_activation,
    peak_bytes,
)
from experiments.benchmarks.aims import AIMS
from experiments.benchmarks.fit import bench_fit
from experiments.benchmarks.networks import bench_field, bench_mlp, bench_resnet18
from experiments.benchmarks.timing import Ceilings, Timing, measure_ceilings
from experiments.benchmarks.training import bench_crossbar, bench_epoch, bench_loop
from experiments.command.marked import with_part
from experiments.command.options import USER_ERRORS, Parser, end, whole_number
from experiments.runs.provenance import machine

BENCHMARKS: dict[str, Callable[[int], list[Timing]]] = {
    "activation": bench_activation,
    "small_activation": bench_small_activation,
    "epoch": bench_epoch,
    "crossbar": bench_crossbar,
    "loop": bench_loop,
    "mlp": bench_mlp,
    "resnet18": bench_resnet18,
    "field": bench_field,
    "fit": bench_fit,
}

MEMORY_AIM = 1.2

LIMITS = (
    *(("activation", "ReLU"), ("activation", "EM, 16 curves")),
    *(("epoch", "Baseline (ReLU)"), ("crossbar", "memristor tile, ReLU")),
    ("crossbar", "aihwkit tile, ReLU"),
)
"""Benchmark and row of what the README holds against the machine's limits."""


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser(__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}, memory (all)")
    parser.add_argument(
        "--repeats", type=whole_number(1, 10_000), default=15, help="rounds (%(default)s)"
    )
    parser.add_argument(
        "--threads", type=whole_number(1, 1024), default=os.cpu_count() or 1, help="(all cores)"
    )
    parser.add_argument("--store", type=Path, default=Path("runs"), help="(%(default)s)")
    parser.add_argument("--readme", type=Path, help="measure nothing: write the table in here")
    given = parser.parse_args(arguments)
    out = given.store / "bench.json"
    names = given.names or [*BENCHMARKS, "memory"]
    unknown = [name for name in names if name not in (*BENCHMARKS, "memory")]
    try:
        if unknown:
            raise InputError(f"no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
        if given.readme:
            write_atomically(given.readme, renewed_readme(given.readme, out))
            return
        console = Console(width=None if sys.stdout.isatty() else 180)
        content = measure(names, given.repeats, given.threads, console)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, json.dumps(content, indent=1) + "\n")
    except USER_ERRORS as error:
        end(error)
    for line in aims_table(content):
        console.print(line, markup=False)
    console.print(f"times: {out}")


def measure(names: list[str], repeats: int, threads: int, console: Console) -> dict[str, Any]:
    """Run the named benchmarks; the content of bench.json."""
    torch.set_num_threads(threads)
    load, ceilings = list(os.getloadavg()), measure_ceilings()
    content: dict[str, Any] = {
        "machine": machine(),
        "load": load,
        "ceilings": vars(ceilings),
        "benchmarks": {},
    }
    for name in names:
        if name == "memory":
            content["memory"] = _memory()
            continue
        try:
            timings = BENCHMARKS[name](repeats)
        except ImportError as error:
            console.print(f"{name}: left out, {error}")
            continue
        content["benchmarks"][name] = [vars(t) | {"median_s": t.median_s} for t in timings]
        console.print(_table(name, timings, ceilings))
    return content


def aims_table(content: dict[str, Any]) -> list[str]:
    """What was aimed at and reached, as Markdown; rows whose benchmark did not run are left out."""
    lines = [
        "| ratio | aim | reached | quartiles | n |",
        "| --- | --- | --- | --- | --- |",
    ]
    for aim in AIMS:
        rows = {
            row["name"]: np.array(row["seconds"])
            for row in content["benchmarks"].get(aim.benchmark, [])
        }
        if aim.row in rows and aim.base in rows:
            ratios = rows[aim.row] / rows[aim.base]
            low, middle, high = np.percentile(ratios, [25, 50, 75])
            sign = "≥" if aim.speed else "≤"
            lines.append(
                f"| {aim.text} | {sign} {aim.target:g} | {middle:.3g} | {low:.3g} to {high:.3g} "
                f"| {len(ratios)} |"
            )
    if "memory" in content:
        ratio = content["memory"]["table"][1] / content["memory"]["relu"][1]
        lines.append(
            f"| peak memory of SET2 training to Baseline | ≤ {MEMORY_AIM:g} | {ratio:.3g} | | 1 |"
        )
    return lines


def limits_table(content: dict[str, Any]) -> list[str]:
    """How near the machine's own limits the fast paths come, as Markdown."""
    ceilings = Ceilings(**content["ceilings"])
    lines = [
        "| what | bytes moved | of copying | operations | of multiplying |",
        "| --- | --- | --- | --- | --- |",
    ]
    for benchmark, name in LIMITS:
        for row in content["benchmarks"].get(benchmark, []):
            if row["name"] == name:
                row = {k: v for k, v in row.items() if k != "median_s"}
                timing = Timing(**row | {"seconds": tuple(row["seconds"])})
                lines.append("| " + " | ".join([name, *_limits(timing, ceilings)]) + " |")
    return lines


def _limits(timing: Timing, ceilings: Ceilings) -> list[str]:
    """Bytes, operations and the shares of the ceilings as text, empty where not counted."""
    shares = timing.shares(ceilings)
    counts = (f"{timing.bytes_moved / 1e6:.3g} MB", f"{timing.operations / 1e9:.2g} G")
    return [
        text if share > 0 else ""
        for count, share in zip(counts, shares, strict=True)
        for text in (count, f"{share:.0%}")
    ]


def renewed_readme(readme: Path, bench: Path) -> str:
    """Text of the file `readme` with the tables of the file `bench`; ValueError names the fault."""
    try:
        return readme_with_bench(readme.read_text(), json.loads(bench.read_text()))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(f"{bench}: not a file of this command ({error!r})") from None


def readme_with_bench(readme: str, content: dict[str, Any]) -> str:
    """The README with the tables of aims and limits between its markers."""
    where, ceilings = content["machine"], Ceilings(**content["ceilings"])
    said = (
        f"{where['cpu_count']} cores, {where['threads']} threads, torch "
        f"{where['packages']['torch']}, load {content['load'][0]:.1f} before the run. Limits of "
        f"the machine in the same run: copying {ceilings.bytes_per_s / 1e9:.0f} GB/s (read and "
        f"written), float32 matrix products {ceilings.operations_per_s / 1e9:.0f} GFLOP/s."
    )
    parts = ["\n".join(aims_table(content)), said, "\n".join(limits_table(content))]
    return with_part(readme, "bench", "\n\n".join(parts))


def _memory() -> dict[str, tuple[int, int]]:
    """Resident bytes before and at the peak of training steps, by form of the activation."""
    return {form: peak_bytes(form) for form in ("relu", "table", "exact")}


def _table(name: str, timings: list[Timing], ceilings: Ceilings) -> Table:
    """Median, spread, the ratio to the first row and the shares of the machine's limits."""
    shown = Table(title=name)
    headings = ("what", "median", "± half quartiles", "n", "ratio")
    for heading in (*headings, "moved", "of copying", "computed", "of multiplying", "note"):
        shown.add_column(heading)
    for timing in timings:
        shown.add_row(
            timing.name,
            f"{1e3 * timing.median_s:.3g} ms",
            f"{1e3 * timing.spread_s:.2g} ms",
            str(len(timing.seconds)),
            f"{timing.ratio(timings[0]):.3g}",
            *_limits(timing, ceilings),
            timing.note,
        )
    return shown


if __name__ == "__main__":
    main()
