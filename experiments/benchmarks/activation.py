"""Cost of the EM activation against ReLU: time of forward and backward, memory of a step."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from crossbar import EMActivation
from crossbar.networks import PaperCNN
from experiments.benchmarks.timing import Timing, Work, compare

SHAPE = (128, 6, 24, 24)
"""First activation of the paper's CNN at batch 128."""

SMALL_SHAPE = (16, 6, 24, 24)
CALLS = 10
"""Calls a measurement: one takes a millisecond or less."""


def fields(n_curves: int) -> list[float]:
    """Fields [G], each with two curves, spread over those of the card."""
    return [float(field) for field in np.linspace(0, 350, n_curves // 2)]


def bench_activation(repeats: int = 7) -> list[Timing]:
    """Ten forward and backward passes on 128 x 6 x 24 x 24 float32."""
    return _bench(SHAPE, repeats, with_exact=True)


def bench_small_activation(repeats: int = 7) -> list[Timing]:
    """The same at batch 16, where the cost of a call itself shows."""
    return _bench(SMALL_SHAPE, repeats)


def _bench(shape: Sequence[int], repeats: int, with_exact: bool = False) -> list[Timing]:
    modules: dict[str, Any] = {"ReLU": nn.ReLU()}
    for n in (2, 16, 32):
        modules[f"EM, {n} curves"] = EMActivation(fields_G=fields(n))
    modules["EM, 16 learning curves"] = EMActivation(fields_G=fields(16), trainable=True)
    x, grad = torch.randn(2, *shape).unbind()
    x.requires_grad_()
    if with_exact:
        exact = EMActivation(fields_G=fields(16), form="exact")
        modules["EM, 16 curves, exact form"] = exact
        compiled = torch.compile(exact)
        try:
            _step(compiled, x, grad)
            modules["EM, 16 curves, exact form, torch.compile"] = compiled
        except Exception as error:  # whatever is wrong with a compiler, the others are measured
            warnings.warn(f"torch.compile is left out: {str(error)[:80]}", stacklevel=2)
    # Forward reads x and writes y, backward reads one of them and the gradient and writes one.
    bytes_moved = 5 * 4 * x.numel() * CALLS
    source = torch.zeros(5 * x.numel() // 2)
    target = torch.empty_like(source)
    candidates: dict[str, Callable[[], object]] = {
        name: partial(_passes, module, x, grad) for name, module in modules.items()
    }
    candidates["the same bytes, copied"] = lambda: [target.copy_(source) for _ in range(CALLS)]
    work = {
        name: Work(bytes_moved, _operations(modules.get(name)) * x.numel() * CALLS)
        for name in candidates
    }
    return compare(candidates, repeats, warm_up=2, work=work)


def _operations(module: Any) -> float:
    """Floating-point operations of both passes on one element, where they are known."""
    if isinstance(module, nn.ReLU):
        return 2
    if isinstance(module, EMActivation) and module._grid is not None:
        return 6.75 * module._grid.n_nodes + 34  # counted in its compiled form
    return 0


def _passes(module: Any, x: torch.Tensor, grad: torch.Tensor) -> None:
    for _ in range(CALLS):
        _step(module, x, grad)


def _step(module: Any, x: torch.Tensor, grad: torch.Tensor) -> None:
    x.grad = None
    module.zero_grad()
    module(x).backward(grad)


def peak_bytes(form: str, batch: int = 128, steps: int = 3) -> tuple[int, int]:
    """Resident memory before and at the peak of training steps of the CNN [bytes].

    `form`: relu, table or exact (SET2's 16 curves). Measured in a process of its own; Linux only.
    """
    command = [sys.executable, "-m", __name__, form, str(batch), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = (int(word) for word in done.stdout.split())
    return before, peak


def _measure_memory(form: str, batch: int, steps: int) -> None:
    """Print resident memory before, and its peak during, `steps` training steps."""

    def make(_: int) -> nn.Module:
        return nn.ReLU() if form == "relu" else EMActivation(fields_G=fields(16), form=form)

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
