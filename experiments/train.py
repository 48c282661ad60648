"""Train one network, or with -m a sweep of them: `python -m experiments.train experiment=set2`.

The story of a run, top to bottom: read the configuration, load the data, build the network, put
its weights on crossbars where asked, train, keep the result. `--help` lists the choices.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

try:
    from crossbar import EMActivation, to_crossbar
except ImportError as wrong_install:
    sys.exit(f"error: {wrong_install}")

from crossbar.checkpoint import load_plain_state, plain_state
from crossbar.choices import check_choice
from crossbar.conversion import count_crossbar_weights
from crossbar.models import build_model
from crossbar.periphery import periphery
from device_models import load_card
from experiments.data import DataError, load_fashion_mnist, split, subset
from experiments.loop import (
    DivergedError,
    Images,
    Stopwatch,
    accuracy,
    decay_factor,
    make_optimizer,
    train_epoch,
)
from experiments.progress import TrainingProgress
from experiments.store import Run, StoreError, open_run, provenance, run_folder

KNOWN_ERRORS = (DataError, StoreError, DivergedError, ValueError, TypeError, OSError)
"""Errors a user can mend: shown as one line; HYDRA_FULL_ERROR=1 shows where they come from."""

JOBS_FOLDER = "FIELDCROSSBAR_JOBS"
"""Environment variable naming the folder in which the jobs of a command note their failures."""


def train(config: Mapping[str, Any]) -> dict[str, Any]:
    """Train the run that `config` (resolved, plain containers) describes; its result.

    Raises DivergedError when the loss is no number any more, and what is in `KNOWN_ERRORS` for
    settings or files that do not work.
    """
    _check_settings(config)
    if config["resume"] and (done := Run(run_folder(config)).finished_result()):
        return done
    device = _prepare_torch(config)
    card = load_card(config["device"]["card"])
    train_set, test_set = _load_images(config, device)
    model = make_network(config).to(device)
    rates = {k: v for k, v in config["optimizer"].items() if k != "decay"}
    optimizer = make_optimizer(model, **rates)
    result = {
        "status": "unfinished",
        **{key: config[key] for key in ("name", "schedule", "seed")},
        "activation": config["activation"]["name"],
        "card": card.name,
        "card_kind": card.kind,
        "card_sha256": card.sha256,
        "parameters": sum(p.numel() for p in model.parameters()),
        "crossbar_weights": count_crossbar_weights(model),
        "train_images": len(train_set),
        "test_images": len(test_set),
        "test_is_held_out": config["data"]["held_out"] > 0,
        "provenance": provenance(card.sha256),
    }
    with open_run(config) as run:
        history = _resume(run, model, optimizer) if config["resume"] else []
        try:
            _train_epochs(config, run, model, optimizer, train_set, test_set, history)
            result["status"] = "finished"
        except KeyboardInterrupt:
            result["status"] = "interrupted"
            raise
        except DivergedError as error:
            result["status"] = "diverged"
            raise DivergedError(
                f"epoch {len(history) + 1}: {error}; {run.last.name} keeps the {len(history)} "
                f"epochs before, a smaller learning rate may help"
            ) from None
        finally:
            result.update(_summary(history))
            run.write_result(result)
    return result


def _train_epochs(
    config: Mapping[str, Any],
    run: Run,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_set: Images,
    test_set: Images,
    history: list[dict[str, float]],
) -> None:
    """Train the epochs that `history` does not hold yet; each is appended to it and stored."""
    epochs, decay = config["trainer"]["epochs"], config["optimizer"]["decay"]
    label = f"{config['name']} seed {config['seed']}"
    with TrainingProgress(label, epochs, len(train_set), len(history)) as progress:
        for epoch in range(len(history), epochs):
            watch = Stopwatch()
            loss, train_accuracy = train_epoch(
                model,
                optimizer,
                train_set,
                config["trainer"]["batch_size"],
                _epoch_generator(config["seed"], epoch),
                partial(_rate, epoch, epochs, decay),
                progress.batch,
            )
            row = {
                "epoch": epoch + 1,
                "train_loss": loss,
                "train_accuracy": train_accuracy,
                "test_accuracy": accuracy(model, test_set),
                "test_accuracy_batch_statistics": accuracy(model, test_set, True),
                "learning_rate": config["optimizer"]["lr"] * _rate(epoch, epochs, decay, 0.0),
                "seconds": watch.lap(),
            }
            _keep(run, model, optimizer, [*history, row])
            history.append(row)
            progress.epoch(row)


def make_network(config: Mapping[str, Any]) -> nn.Module:
    """Network of `config`, with its weights on crossbars where the configuration says so."""
    torch.manual_seed(config["seed"])
    device, field, crossbar = config["device"], config["field"], config["crossbar"]
    activation = dict(config["activation"])
    kind = activation.pop("name")
    check_choice("activation", kind, ("relu", "em"))
    check_choice("crossbar", crossbar["name"], ("digital", "aihwkit", "tile"))

    def make_activation(position: int) -> nn.Module:
        if kind == "relu":
            return nn.ReLU()
        return EMActivation(device["card"], activation_fields(field, position), **activation)

    model = build_model(activation=make_activation, **config["model"])
    if crossbar["name"] == "digital":
        return model
    return to_crossbar(
        model,
        device["card"],
        field["weights_G"],
        recipe=crossbar["recipe"],
        tile="memristor" if crossbar["name"] == "tile" else "aihwkit",
        io=periphery(**crossbar["periphery"]),
        update=crossbar.get("update"),
        seed=config["seed"],
        zero=crossbar["zero"],
        step_c2c=device["step_c2c"],
        write_noise=device["write_noise"],
        step_d2d=device["step_d2d"],
        range_d2d=device["range_d2d"],
    )


def activation_fields(field: Mapping[str, Any], position: int) -> list[float]:
    """Fields [G] of the activation at `position`: one list for all, or the field of its layer."""
    fields = field["activation_G"]
    if fields != "as_weights":
        return list(fields)
    weights = field["weights_G"]
    if isinstance(weights, int | float):
        return [weights]
    if position >= len(weights):
        raise ValueError(
            f"field.weights_G has {len(weights)} fields, layer {position + 1} has none"
        )
    return [weights[position]]


def _check_settings(config: Mapping[str, Any]) -> None:
    """Settings that would otherwise fail late or without a clear word. Raises ValueError."""
    trainer, optimizer = config["trainer"], config["optimizer"]
    for key, value, least in (
        ("seed", config["seed"], 0),
        ("threads", config["threads"] or 1, 1),
        ("trainer.epochs", trainer["epochs"], 1),
        ("trainer.batch_size", trainer["batch_size"], 2),
        ("data.held_out", config["data"]["held_out"], 0),
    ):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{key} must be a whole number from {least}, got {value!r}")
    for key in ("lr", "crossbar_lr"):
        if not isinstance(optimizer[key], int | float) or optimizer[key] <= 0:
            raise ValueError(f"optimizer.{key} must be a positive number, got {optimizer[key]!r}")
    decay_factor(0.0, optimizer["decay"])
    update = config["crossbar"].get("update") or {}
    if not isinstance(update, Mapping):
        raise ValueError(f"crossbar.update must hold settings, got {update!r}")


def _prepare_torch(config: Mapping[str, Any]) -> torch.device:
    """Threads, determinism and the accelerator of this process."""
    on_tiles = config["crossbar"]["name"] == "aihwkit"
    # aihwkit's tiles gain nothing from a second thread, and a run with two ended less accurate.
    torch.set_num_threads(config["threads"] or (1 if on_tiles else len(os.sched_getaffinity(0))))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic sums on a GPU
    wanted = config["accelerator"]
    check_choice("accelerator", wanted, ("auto", "cpu", "cuda"))
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("accelerator=cuda: torch sees no CUDA device; use accelerator=auto")
    # aihwkit's wheels come without CUDA: its tiles stay on the CPU.
    on_gpu = torch.cuda.is_available() and wanted != "cpu"
    return torch.device("cuda" if on_gpu and not on_tiles else "cpu")


def _load_images(config: Mapping[str, Any], device: torch.device) -> tuple[Images, Images]:
    """Training and test images; with data.held_out the latter come from the training images."""
    source = config["data"]
    data = load_fashion_mnist(
        source["folder"],
        cache=source["cache"],
        download=source["download"],
        verify=source["verify"],
    )
    train_images, test_images = data.train, data.test
    if source["held_out"]:
        train_images, test_images = split(data.train, source["held_out"], seed=0)
    trainer = config["trainer"]
    train_images = subset(train_images, trainer["train_images"], seed=0)
    test_images = subset(test_images, trainer["test_images"], seed=0)
    return Images(train_images, device), Images(test_images, device)


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
    state = {
        "model": plain_state(model),
        "optimizer": optimizer.state_dict(),
        "random_state": torch.get_rng_state(),
        "history": rows,
    }
    best = max(row["test_accuracy"] for row in rows)
    if rows[-1]["test_accuracy"] == best:
        run.save_checkpoint(run.best, state)
    run.save_checkpoint(run.last, state)
    run.write_history(rows)


def _resume(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    """Continue where the last checkpoint ends; the history up to there."""
    if not run.last.exists():
        return []
    state = run.load_checkpoint(run.last)
    try:
        load_plain_state(model, state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random_state"])
        return list(state["history"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise StoreError(f"{run.last}: does not fit this run: {error}") from None


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


def _job(config: DictConfig) -> None:
    """One hydra job; a failure is told in one line and noted, so that a sweep goes on."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    try:
        result = train(plain)
    except KNOWN_ERRORS as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        _note_failure(f"{plain['name']} seed {plain['seed']}: {' '.join(str(error).split())}")
    else:
        print(
            f"{plain['name']} seed {plain['seed']}: {result['status']} with "
            f"{result.get('test_accuracy', 0):.2%} test accuracy, {run_folder(plain)}"
        )


def _note_failure(line: str) -> None:
    print(f"error: {line}", file=sys.stderr)
    with Path(os.environ[JOBS_FOLDER], "failures").open("a") as file:
        file.write(line + "\n")


def main() -> None:
    """Command line: exit code 1 when any job failed, 130 after ctrl-C."""
    # argparse stops reading overrides at a flag between them: `experiment=set2 -m seed=0,1`.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ[JOBS_FOLDER] = folder
        run_jobs = hydra.main(version_base="1.3", config_path="../conf", config_name="config")(_job)
        try:
            run_jobs()
        except KeyboardInterrupt:
            print("stopped; resume=true continues after the last whole epoch", file=sys.stderr)
            sys.exit(130)
        if Path(folder, "failures").exists():
            sys.exit(1)


if __name__ == "__main__":
    # Under its real name, so that a launcher can send the job to another process.
    from experiments.train import main

    main()
