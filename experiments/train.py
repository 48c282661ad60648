"""Train one network, or with -m a sweep of them: `python -m experiments.train experiment=set2`.

The story of a run, top to bottom: read the configuration, load the data, build the network, put
its weights on crossbars where asked, train, keep the result. `--help` lists the choices.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import nn

try:
    from experiments.training.network import make_network
except ImportError as wrong_install:
    sys.exit(f"error: {wrong_install}")

from crossbar import NonFiniteError, count_crossbar_weights
from device_models import load_card
from experiments.command.hydra_app import JOB_ERRORS, run_app, shows_tracebacks
from experiments.data import known_identity, load_data
from experiments.runs.provenance import provenance
from experiments.runs.store import Run, open_run
from experiments.training.identity import folder_of, run_identity
from experiments.training.images import split_images
from experiments.training.jobs import interrupts_later, run_command, run_job
from experiments.training.keeping import keep, resume, summary
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
from experiments.training.machine import computed_on, prepare_torch
from experiments.training.progress import TrainingProgress
from experiments.training.settings import Settings, read_settings

UNSETTLED = 0.05
"""Difference of accuracy by which running statistics of BatchNorm are told to be off."""


def train(settings: Settings, command: Sequence[str] = ()) -> tuple[Run, dict[str, Any]]:
    """Train the run that `settings` describe; the run and its result.

    `command`: the words that start this very run, kept with the result. Raises DivergedError when
    the loss or the network is no number any more, and another FieldCrossbarError or OSError for
    settings and files that do not work.
    """
    device = prepare_torch(settings)
    card = load_card(settings.device.card)
    images = settings.data.model_dump(exclude={"held_out"})
    known = known_identity(**images)
    data = None if known else load_data(**images)
    identity = run_identity(
        settings,
        card_sha256=card.sha256,
        images=known or data.identity,  # type: ignore[union-attr]
        computed_on=computed_on(device),
    )
    folder = folder_of(settings, identity)
    if settings.resume and (done := Run(folder).finished_result()):
        return Run(folder), done
    data = data or load_data(**images)
    train_set, test_set = split_images(settings, data, device)
    model = make_network(settings, card, data.shape, data.n_classes).to(device)
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
        "source_sha256": identity["model"].get("source_sha256"),
        "data": settings.data.name,
        "images_sha256": data.sha256,
        "image_shape": list(data.shape),
        "classes": data.n_classes,
        "train_images": len(train_set),
        "test_images": len(test_set),
        "test_is_held_out": settings.data.held_out > 0,
        "provenance": provenance(card.sha256, command),
    }
    config = settings.model_dump()
    with open_run(folder, config, resume=settings.resume, overwrite=settings.overwrite) as run:
        history = resume(run, model, optimizer) if settings.resume else []
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
            result.update(summary(history))
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
                keep(run, model, optimizer, [*history, row])
                history.append(row)
            progress.epoch(row)


def _rate(epoch: int, epochs: int, decay: str, share: float) -> float:
    """Factor on the learning rates when `share` of an epoch has passed."""
    return decay_factor((epoch + share) / epochs, decay)


def _epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Order of the images in one epoch: known without having run the epochs before."""
    return torch.Generator().manual_seed(seed * 100_003 + epoch)


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
