"""Train one network, or with -m a sweep of them: `python -m experiments.train experiment=set2`.

The story of a run, top to bottom: read the configuration, load the data, build the network, put
its weights on crossbars where asked, train, keep the result. `--help` lists the choices.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import nn

try:
    from crossbar import EMActivation, to_crossbar
except ImportError as wrong_install:
    sys.exit(f"error: {wrong_install}")

from crossbar.checkpoint import load_plain_state, plain_state
from crossbar.conversion import count_crossbar_weights
from crossbar.finite import NonFiniteError
from crossbar.networks import build_model
from crossbar.reads.converters import periphery
from device_models import DeviceCard, load_card
from device_models.plain_text import message
from experiments.command.hydra_app import JOB_ERRORS, run_app, shows_tracebacks
from experiments.data.images import FashionMNIST, load_fashion_mnist, split, subset
from experiments.runs.identity import identity, run_folder
from experiments.runs.store import Run, StoreError, open_run, provenance
from experiments.training.checkpoints import Checkpoint
from experiments.training.jobs import interrupts_later, run_command, run_job
from experiments.training.loop import (
    DivergedError,
    Images,
    Stopwatch,
    accuracy,
    check_finite,
    decay_factor,
    make_optimizer,
    train_epoch,
)
from experiments.training.progress import TrainingProgress
from experiments.training.settings import MagneticField, Settings, read_settings

UNSETTLED = 0.05
"""Difference of accuracy by which running statistics of BatchNorm are told to be off."""


def train(settings: Settings, command: Sequence[str] = ()) -> tuple[Run, dict[str, Any]]:
    """Train the run that `settings` describe; the run and its result.

    `command`: the words that start this very run, kept with the result. Raises DivergedError when
    the loss or the network is no number any more, and another FieldCrossbarError or OSError for
    settings and files that do not work.
    """
    device = _prepare_torch(settings)
    card = load_card(settings.device.card)
    folder = run_folder(settings, _identity(settings, card, device))
    if settings.resume and (done := Run(folder).finished_result()):
        return Run(folder), done
    train_set, test_set = _load_images(settings, device)
    model = make_network(settings, card).to(device)
    optimizer = make_optimizer(model, **settings.optimizer.model_dump(exclude={"decay"}))
    result = {
        "status": "unfinished",
        "name": settings.name,
        "schedule": settings.schedule,
        "seed": settings.seed,
        "activation": settings.activation.name,
        "card": card.name,
        "card_kind": card.kind,
        "card_sha256": card.sha256,
        "parameters": sum(p.numel() for p in model.parameters()),
        "crossbar_weights": count_crossbar_weights(model),
        "train_images": len(train_set),
        "test_images": len(test_set),
        "test_is_held_out": settings.data.held_out > 0,
        "provenance": provenance(card.sha256, command),
    }
    config = settings.model_dump()
    with open_run(folder, config, resume=settings.resume, overwrite=settings.overwrite) as run:
        history = _resume(run, model, optimizer) if settings.resume else []
        try:
            _train_epochs(settings, run, model, optimizer, train_set, test_set, history)
            result["status"] = "finished"
        except KeyboardInterrupt:
            result["status"] = "interrupted"
            raise
        except (DivergedError, NonFiniteError) as error:
            result["status"] = "diverged"
            raise DivergedError(
                f"epoch {len(history) + 1}: {error}; {run.last.name} keeps the {len(history)} "
                f"epochs before, a smaller learning rate may help"
            ) from None
        finally:
            result.update(_summary(history))
            run.write_result(result)
    return run, result


def _train_epochs(
    settings: Settings,
    run: Run,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_set: Images,
    test_set: Images,
    history: list[dict[str, float]],
) -> None:
    """Train the epochs that `history` does not hold yet; each is appended to it and stored."""
    epochs, decay = settings.trainer.epochs, settings.optimizer.decay
    label = f"{settings.name} seed {settings.seed}"
    with TrainingProgress(label, epochs, len(train_set), len(history)) as progress:
        for epoch in range(len(history), epochs):
            watch = Stopwatch()
            loss, train_accuracy = train_epoch(
                model,
                optimizer,
                train_set,
                settings.trainer.batch_size,
                _epoch_generator(settings.seed, epoch),
                partial(_rate, epoch, epochs, decay),
                progress.batch,
            )
            check_finite(model, optimizer)
            row = {
                "epoch": epoch + 1,
                "train_loss": loss,
                "train_accuracy": train_accuracy,
                "test_accuracy": accuracy(model, test_set),
                "test_accuracy_batch_statistics": accuracy(model, test_set, True),
                "learning_rate": settings.optimizer.lr * _rate(epoch, epochs, decay, 0.0),
                "seconds": watch.lap(),
            }
            with interrupts_later():
                _keep(run, model, optimizer, [*history, row])
                history.append(row)
            progress.epoch(row)


def make_network(settings: Settings, card: DeviceCard) -> nn.Module:
    """Network of `settings`, with its weights on crossbars where they say so."""
    torch.manual_seed(settings.seed)
    field, activation, crossbar = settings.field, settings.activation, settings.crossbar

    def make_activation(position: int) -> nn.Module:
        if activation.name == "relu":
            return nn.ReLU()
        choices = activation.model_dump(exclude={"name"})
        return EMActivation(card, activation_fields(field, position), **choices)

    model = build_model(activation=make_activation, **settings.model.model_dump())
    if crossbar.name == "digital":
        return model
    return to_crossbar(
        model,
        card.with_spread(**settings.device.model_dump(exclude={"card"})),
        field.weights_G,
        recipe=crossbar.recipe,
        tile=crossbar.name,
        io=periphery(**crossbar.periphery.model_dump()),
        update=crossbar.update.model_dump() if crossbar.update else None,
        seed=settings.seed,
        zero=crossbar.zero,
    )


def activation_fields(field: MagneticField, position: int) -> list[float]:
    """Fields [G] of the activation at `position`: one list for all, or the field of its layer."""
    if field.activation_G != "as_weights":
        return field.activation_G
    weights = field.weights_G
    if isinstance(weights, float):
        return [weights]
    if position >= len(weights):
        raise ValueError(
            f"field.weights_G has {len(weights)} fields, layer {position + 1} has none"
        )
    return [weights[position]]


def _identity(settings: Settings, card: DeviceCard, device: torch.device) -> dict[str, Any]:
    """Identity of the run on this device; images that nobody published count by their content."""
    threads = torch.get_num_threads()
    plural = "s" if threads > 1 else ""
    return identity(
        settings,
        card_sha256=card.sha256,
        images_sha256=None if settings.data.verify else _load_data(settings).sha256,
        computed_on=f"cpu, {threads} thread{plural}" if device.type == "cpu" else device.type,
    )


def _prepare_torch(settings: Settings) -> torch.device:
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


def _load_images(settings: Settings, device: torch.device) -> tuple[Images, Images]:
    """Training and test images; with data.held_out the latter come from the training images."""
    data, trainer = _load_data(settings), settings.trainer
    train_images, test_images = data.train, data.test
    if settings.data.held_out:
        train_images, test_images = split(data.train, settings.data.held_out, seed=0)
    train_images = subset(train_images, trainer.train_images, seed=0)
    test_images = subset(test_images, trainer.test_images, seed=0)
    return Images(train_images, device), Images(test_images, device)


def _load_data(settings: Settings) -> FashionMNIST:
    return load_fashion_mnist(**settings.data.model_dump(exclude={"held_out"}))


def _rate(epoch: int, epochs: int, decay: str, share: float) -> float:
    """Factor on the learning rates when `share` of an epoch has passed."""
    return decay_factor((epoch + share) / epochs, decay)


def _epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Order of the images in one epoch: known without having run the epochs before."""
    return torch.Generator().manual_seed(seed * 100_003 + epoch)


def _keep(
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


def _resume(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    """Continue where the newest good checkpoint ends; the history up to there."""
    state = run.newest_checkpoint()
    if state is None:
        return []
    try:
        load_plain_state(model, state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random_state"])
        _summary(state["history"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{run.last}: does not fit this run: {message(error)}") from None
    run.write_history(state["history"])  # a kill may have come between the two
    return state["history"]


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
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


def _job(config: DictConfig) -> float | None:
    """One hydra job; a failure is told in one line and noted, so that a sweep goes on."""
    return run_job(_train_and_tell, config, () if shows_tracebacks() else JOB_ERRORS)


def _train_and_tell(config: dict[str, Any]) -> float | None:
    """Train and print what came of it.

    What it returns is for an optimiser to drive: the accuracy on held-out training images, None
    without them, as nothing is tuned on the test set.
    """
    settings = read_settings(config)
    run, result = train(settings, _own_command())
    print(f"{settings.name} seed {settings.seed}: {_result_line(result)}, {run.folder}")
    return result["test_accuracy"] if result["test_is_held_out"] else None


def _own_command() -> list[str]:
    """The words that start this job alone, also where it is one of a sweep."""
    return ["python", "-m", "experiments.train", *HydraConfig.get().overrides.task]


def _result_line(result: Mapping[str, Any]) -> str:
    """Status and accuracy; that with batch statistics too where BatchNorm is not settled yet."""
    accuracy, own = result["test_accuracy"], result["test_accuracy_batch_statistics"]
    line = f"{result['status']} with {accuracy:.2%} test accuracy"
    if abs(accuracy - own) < UNSETTLED:
        return line
    return f"{line} ({own:.2%} with the statistics of each batch: BatchNorm's are not settled)"


def main() -> None:
    """Command line: exit code 1 when any job failed, 130 after ctrl-C."""
    run_command(lambda: run_app(_job))


if __name__ == "__main__":
    # Under its real name, so that a launcher can send the job to another process.
    from experiments.train import main

    main()
