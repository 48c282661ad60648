"""Cost of the EM activation against ReLU: seconds, spread, bytes, peak memory of a training step.

All candidates of a table are timed in turn within one run, so that whatever else the machine does
hits all of them alike; a row's ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from crossbar import EMActivation
from crossbar.models import PaperCNN

SHAPES = ((128, 6, 24, 24), (16, 6, 24, 24), (16, 120))
"""First activation of the paper's CNN at batch 128 and 16, and its third at batch 16."""

Row = dict[str, Any]


def fields(n_curves: int) -> list[float]:
    """Fields [G], each with two curves, spread over those of the card."""
    return [float(field) for field in np.linspace(0, 350, n_curves // 2)]


def candidates(n_curves: Sequence[int] = (2, 16, 32), exact: bool = False) -> dict[str, nn.Module]:
    """ReLU first, then the EM activation with different numbers of curves and in both forms."""
    made: dict[str, nn.Module] = {"relu": nn.ReLU()}
    for n in n_curves:
        made[f"table, {n} curves"] = EMActivation(fields_G=fields(n))
    made["table, 16 curves, trainable"] = EMActivation(fields_G=fields(16), trainable=True)
    if exact:
        made["exact, 16 curves"] = EMActivation(fields_G=fields(16), form="exact")
    return made


def time_activation(
    shape: Sequence[int] = SHAPES[0], rounds: int = 50, warm_up: int = 5, exact: bool = False
) -> list[Row]:
    """Forward plus backward on float32 of `shape`, one row per candidate.

    median_s, spread_s (difference of the quartiles), n rounds, ratio to ReLU (median of the
    rounds' ratios), bytes_moved: what has to pass between memory and the kernel at least
    (forward reads x, writes y; backward reads x or y and the gradient, writes one).
    """
    modules = candidates(exact=exact)
    x, grad = torch.randn(2, *shape).unbind()
    x.requires_grad_()
    times = _interleaved(
        {name: partial(_step, module, x, grad) for name, module in modules.items()},
        rounds,
        warm_up,
    )
    return _rows(times, {"shape": tuple(shape), "bytes_moved": 5 * 4 * x.numel()})


def time_training_step(batch: int = 16, rounds: int = 30, warm_up: int = 3) -> list[Row]:
    """Forward plus backward of the paper's CNN with ReLU, SET1's and SET2's activation."""
    made: dict[str, Callable[[int], nn.Module]] = {
        "relu": lambda _: nn.ReLU(),
        "set1": lambda _: EMActivation(fields_G=fields(2)),
        "set2": lambda _: EMActivation(fields_G=fields(16)),
    }
    models = {name: PaperCNN(make) for name, make in made.items()}
    images = torch.randn(batch, 1, 28, 28)
    grad = torch.randn(batch, 10)
    times = _interleaved(
        {name: partial(_step, model, images, grad) for name, model in models.items()},
        rounds,
        warm_up,
    )
    return _rows(times, {"batch": batch})


def peak_memory(batch: int = 128, steps: int = 3) -> list[Row]:
    """Peak resident memory [bytes] of training steps of the CNN, each in a process of its own.

    `step_bytes` is what the steps add to the network and the libraries; `ratio` compares these,
    `process_ratio` the whole processes. Linux only. An allocator that returns memory late adds
    a few MB of scatter.
    """
    rows: list[Row] = []
    for name in ("relu", "set2", "set2 exact"):
        command = [sys.executable, "-m", __name__, name, str(batch), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, peak = (int(word) for word in done.stdout.split())
        rows.append({"name": name, "batch": batch, "peak_bytes": peak, "step_bytes": peak - before})
    for row in rows:
        row["ratio"] = row["step_bytes"] / rows[0]["step_bytes"]
        row["process_ratio"] = row["peak_bytes"] / rows[0]["peak_bytes"]
    return rows


def _step(module: nn.Module, x: torch.Tensor, grad: torch.Tensor) -> None:
    x.grad = None
    module.zero_grad()
    module(x).backward(grad)


def _interleaved(
    tasks: Mapping[str, Callable[[], None]], rounds: int, warm_up: int
) -> dict[str, np.ndarray]:
    """Seconds of each task in each round, every round running all of them in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(warm_up + rounds):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if number >= warm_up:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(seconds) for name, seconds in times.items()}


def _rows(times: Mapping[str, np.ndarray], common: Row) -> list[Row]:
    """One row per task; the first task is the one the others are compared with."""
    base = next(iter(times.values()))
    return [
        {
            "name": name,
            **common,
            "median_s": float(np.median(seconds)),
            "spread_s": float(np.subtract(*np.quantile(seconds, (0.75, 0.25)))),
            "n": len(seconds),
            "ratio": float(np.median(seconds / base)),
            "threads": torch.get_num_threads(),
            "load": os.getloadavg()[0],
        }
        for name, seconds in times.items()
    ]


def _measure_memory(name: str, batch: int, steps: int) -> None:
    """Print resident memory before, and its peak during, `steps` training steps."""
    form = "exact" if name.endswith("exact") else "table"

    def make(_: int) -> nn.Module:
        return nn.ReLU() if name == "relu" else EMActivation(fields_G=fields(16), form=form)

    model = PaperCNN(make)
    images, grad = torch.randn(batch, 1, 28, 28), torch.randn(batch, 10)
    _step(model, images[:2], grad[:2])  # libraries load and compile before the count starts
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status_bytes("VmRSS")
    for _ in range(steps):
        _step(model, images, grad)
    print(before, _status_bytes("VmHWM"))


def _status_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    _measure_memory(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
