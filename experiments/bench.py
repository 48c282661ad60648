"""Benchmarks, by name or all: medians, spreads and ratios taken in one run.

    python -m experiments.bench
    python -m experiments.bench fit --repeats 20

Prints a table a benchmark and writes bench.json (versions, threads, load, every single time) into
the run store. The first row of a table is what the others are compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from device_models.files import write_atomically
from experiments.benchmarks.fit import bench_fit
from experiments.benchmarks.timing import Timing
from experiments.store import machine

BENCHMARKS: dict[str, Callable[[int], list[Timing]]] = {"fit": bench_fit}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--repeats", type=int, default=7, help="calls of each (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="(all cores)")
    parser.add_argument("--store", type=Path, default=Path("runs"), help="(%(default)s)")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"error: no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    if given.repeats < 1 or given.threads < 1:
        sys.exit("error: --repeats and --threads must be 1 or more")
    torch.set_num_threads(given.threads)
    out = given.store / "bench.json"
    content: dict[str, Any] = {
        "machine": machine(),
        "load": list(os.getloadavg()),
        "benchmarks": {},
    }
    console = Console(width=None if sys.stdout.isatty() else 140)
    for name in given.names or BENCHMARKS:
        try:
            timings = BENCHMARKS[name](given.repeats)
        except ImportError as error:
            console.print(f"{name}: left out, {error}")
            continue
        content["benchmarks"][name] = [vars(t) | {"median_s": t.median_s} for t in timings]
        console.print(table(name, timings))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        sys.exit(f"error: {out}: {error.strerror or error}")
    console.print(f"times: {out}")


def table(name: str, timings: list[Timing]) -> Table:
    """Median, spread and the ratio to the first row."""
    shown = Table(title=name)
    for heading in ("what", "median", "± half quartiles", "n", "ratio", "note"):
        shown.add_column(heading)
    for timing in timings:
        shown.add_row(
            timing.name,
            f"{1e3 * timing.median_s:.3g} ms",
            f"{1e3 * timing.spread_s:.2g} ms",
            str(len(timing.seconds)),
            f"{timing.median_s / timings[0].median_s:.3g}",
            timing.note,
        )
    return shown


if __name__ == "__main__":
    main()
