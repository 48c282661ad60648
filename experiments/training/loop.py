"""The training loop: one epoch, one evaluation, one learning-rate schedule.

Images stay on the device as one tensor and minibatches are drawn by index.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from aihwkit.optim import AnalogAdam, AnalogSGD
from aihwkit.optim.context import AnalogContext
from torch import Tensor, nn
from torch.nn import functional

from crossbar import plain_state
from crossbar.choices import check_choice
from crossbar.finite import all_finite
from device_models.errors import FieldCrossbarError, InputError
from experiments.data import ImageSet, normalise
from experiments.runs.checkpoints import leaves

CHECK_EVERY = 25
"""Batches between two looks at the loss; a look waits for a GPU to catch up."""

EVALUATION_BATCH = 1000

OPTIMIZERS = ("adam", "sgd")
DECAYS = ("cosine", "constant")


class DivergedError(FieldCrossbarError, RuntimeError):
    """The training loss, a weight or what the optimizer remembers became NaN or infinite."""


class Images:
    """Normalised images (float32, n x channels x rows x columns) and labels on one device."""

    def __init__(self, images: ImageSet, device: torch.device):
        self.images = normalise(images.images).to(device)
        self.labels = images.labels.to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled minibatches of `size`; a last single image is dropped, BatchNorm needs two."""
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for index in order.split(size):
            if len(index) > 1:
                yield self.images[index], self.labels[index]


def make_optimizer(
    model: nn.Module,
    *,
    name: str,
    lr: float,
    crossbar_lr: float,
    weight_decay: float,
    momentum: float = 0.0,
) -> torch.optim.Optimizer:
    """Adam or SGD for digital parameters; tiles update themselves with `crossbar_lr`.

    Raises InputError for another name, and for a momentum of Adam, which reads none.
    """
    check_choice("optimizer", name, OPTIMIZERS)
    if name == "adam" and momentum:
        raise InputError(f"momentum is not read by adam, got {momentum!r}; sgd reads it")
    parameters = list(model.parameters())
    tiles = [p for p in parameters if isinstance(p, AnalogContext)]
    digital = [p for p in parameters if not isinstance(p, AnalogContext)]
    groups: list[dict[str, Any]] = [{"params": digital, "lr": lr}]
    groups += [{"params": [tile], "lr": crossbar_lr, "weight_decay": 0.0} for tile in tiles]
    # Fused: one call for all parameters instead of several operations for each.
    options: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "fused": True}
    if name == "adam":
        return (AnalogAdam if tiles else torch.optim.Adam)(groups, **options)
    return (AnalogSGD if tiles else torch.optim.SGD)(groups, momentum=momentum, **options)


def decay_factor(progress: float, decay: str) -> float:
    """Share of the learning rate at `progress` (0 to 1) of the training: cosine or constant."""
    check_choice("decay", decay, DECAYS)
    return 1.0 if decay == "constant" else 0.5 * (1 + math.cos(math.pi * progress))


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Images,
    batch_size: int,
    generator: torch.Generator,
    rate_at: Callable[[float], float],
    report: Callable[[int, float, float], None],
) -> tuple[float, float]:
    """Train one pass; mean loss and accuracy of the training batches.

    `rate_at(share of the epoch)` gives the factor on every group's learning rate,
    `report(images seen, loss, accuracy)` is called every few batches. Raises DivergedError.
    """
    model.train()
    base = [group["lr"] for group in optimizer.param_groups]
    loss_sum = torch.zeros((), device=images.labels.device)
    correct = torch.zeros((), device=images.labels.device)
    seen = 0
    try:
        for step, (batch, labels) in enumerate(images.batches(batch_size, generator)):
            factor = rate_at(seen / len(images))
            for group, rate in zip(optimizer.param_groups, base, strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad()
            scores = model(batch)
            loss = functional.cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            seen += len(labels)
            loss_sum += loss.detach() * len(labels)
            correct += (scores.detach().argmax(1) == labels).sum()
            if step % CHECK_EVERY == 0:
                report(seen, _finite(loss_sum, seen), correct.item() / seen)
        return _finite(loss_sum, seen), correct.item() / seen
    finally:
        for group, rate in zip(optimizer.param_groups, base, strict=True):
            group["lr"] = rate


@torch.no_grad()
def accuracy(model: nn.Module, images: Images, batch_statistics: bool = False) -> float:
    """Share of `images` classified correctly, in large batches.

    With `batch_statistics` BatchNorm uses each evaluation batch's own statistics instead of its
    running ones (which stay untouched): the two differ where training is less stable than its
    loss shows (ledger 3.5).
    """
    model.eval()
    correct = 0
    with _own_statistics(model) if batch_statistics else _unchanged():
        for start in range(0, len(images), EVALUATION_BATCH):
            stop = start + EVALUATION_BATCH
            scores = model(images.images[start:stop])
            correct += int((scores.argmax(1) == images.labels[start:stop]).sum())
    return correct / len(images)


@contextmanager
def _own_statistics(model: nn.Module) -> Iterator[None]:
    """BatchNorm layers without running statistics: torch then takes those of the batch."""
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    kept = [(layer.running_mean, layer.running_var) for layer in layers]
    try:
        for layer in layers:
            layer.running_mean = layer.running_var = None
        yield
    finally:
        for layer, (mean, var) in zip(layers, kept, strict=True):
            layer.running_mean, layer.running_var = mean, var


@contextmanager
def _unchanged() -> Iterator[None]:
    yield


def check_finite(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raise DivergedError, naming it, for a tensor of model or optimizer that is not finite.

    A loss may stay finite while weights do not: a weight at infinity behind a clipped output, or
    one that the last step of all has spoilt.
    """
    for name, value in (
        *leaves(plain_state(model)),
        *leaves(optimizer.state_dict()["state"], "optimizer"),
    ):
        if isinstance(value, Tensor):
            _check_tensor(name, value)


def _check_tensor(name: str, tensor: Tensor) -> None:
    if not all_finite(tensor):
        wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
        raise DivergedError(f"{wrong} of {tensor.numel()} numbers of {name} are not finite")


def _finite(loss_sum: Tensor, seen: int) -> float:
    loss = loss_sum.item() / seen
    if not math.isfinite(loss):
        raise DivergedError(f"the training loss became {loss} within {seen} images")
    return loss


class Stopwatch:
    """Seconds since it was made or last read."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        return seconds
