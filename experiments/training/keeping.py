"""The state of a run after each epoch: kept in its folder, and taken up again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from crossbar import load_plain_state, plain_state
from device_models.plain_text import message
from experiments.runs.checkpoints import Checkpoint
from experiments.runs.store import Run, StoreError


def keep(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, rows: list[dict[str, float]]
) -> None:
    """Store the state after an epoch; the history goes with it, so both are always in step."""
    state: Checkpoint = {
        "model": plain_state(model),
        "optimizer": optimizer.state_dict(),
        "random_state": torch.get_rng_state(),
        "history": rows,
    }
    best = max(row["test_accuracy"] for row in rows)
    if rows[-1]["test_accuracy"] == best:
        run.save_checkpoint(run.best, state)
    run.save_last(state)
    run.write_history(rows)


def resume(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    """Continue where the newest good checkpoint ends; the history up to there."""
    state = run.newest_checkpoint()
    if state is None:
        return []
    with must_fit(run):
        load_plain_state(model, state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random_state"])
        summary(state["history"])
    run.write_history(state["history"])  # a kill may have come between the two
    return state["history"]


@contextmanager
def must_fit(run: Run) -> Iterator[None]:
    """Whatever a checkpoint of `run` does not have, or has in another form, is a StoreError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{run.last}: does not fit this run: {message(error)}") from None


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Figures of the run as reached; the accuracy is that of the last epoch, not the best one."""
    if not rows:
        return {"epochs": 0}
    return {
        "epochs": len(rows),
        "test_accuracy": rows[-1]["test_accuracy"],
        "test_accuracy_batch_statistics": rows[-1]["test_accuracy_batch_statistics"],
        "best_test_accuracy": max(row["test_accuracy"] for row in rows),
        "train_loss": rows[-1]["train_loss"],
        "seconds_per_epoch": sum(row["seconds"] for row in rows) / len(rows),
    }
