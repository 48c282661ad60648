"""The machine a run is computed on: threads, determinism, the accelerator."""

from __future__ import annotations

import os

import torch

from experiments.training.settings import Settings


def prepare_torch(settings: Settings) -> torch.device:
    """Threads, determinism and the accelerator of this process."""
    on_tiles = settings.crossbar.name == "aihwkit"
    # aihwkit's tiles gain nothing from a second thread, and a run with two ended less accurate.
    torch.set_num_threads(settings.threads or (1 if on_tiles else len(os.sched_getaffinity(0))))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic sums on a GPU
    if settings.accelerator == "cuda" and not torch.cuda.is_available():
        raise ValueError("accelerator=cuda: torch sees no CUDA device; use accelerator=auto")
    # aihwkit's wheels come without CUDA: its tiles stay on the CPU.
    on_gpu = torch.cuda.is_available() and settings.accelerator != "cpu"
    return torch.device("cuda" if on_gpu and not on_tiles else "cpu")


def computed_on(device: torch.device) -> str:
    """Device and, on a CPU, the number of threads: sums depend on both."""
    threads = torch.get_num_threads()
    plural = "s" if threads > 1 else ""
    return f"cpu, {threads} thread{plural}" if device.type == "cpu" else device.type
