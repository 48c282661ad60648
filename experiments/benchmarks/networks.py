"""Training steps of large layers, and of the paper's CNN in a field and on pairs; one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from aihwkit.optim import AnalogSGD
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from crossbar import set_field, to_crossbar
from crossbar.networks import PaperCNN
from experiments.benchmarks.timing import Timing, compare

CARRIED_G = 150.0
"""Field that a network trained at 0 G is carried to."""


def bench_mlp(repeats: int = 7) -> list[Timing]:
    """Five steps of an MLP 784-1024-1024-1024-10 at batch 64: layers of up to four tiles."""
    images, labels = torch.randn(64, 784), torch.randint(0, 10, (64,))
    kinds = ("digital", "memristor", "pair", "aihwkit")
    return _compare(_mlp, kinds, images, labels, 5, repeats, "784-1024-1024-1024-10, batch 64, SGD")


def bench_resnet18(repeats: int = 7) -> list[Timing]:
    """Two steps of ResNet-18 at 32 x 32 and batch 16: layers of up to nine tiles."""
    images, labels = torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    kinds = ("digital", "memristor")
    return _compare(_resnet18, kinds, images, labels, 2, repeats, "32 x 32, batch 16, SGD")


def bench_field(repeats: int = 7) -> list[Timing]:
    """Five steps of the paper's CNN at batch 64: at the field of its devices, carried, in pairs."""
    images, labels = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    kinds = ("digital", "memristor", "carried", "pair")
    return _compare(_paper_cnn, kinds, images, labels, 5, repeats, "paper CNN, batch 64, SGD")


NAMES = {
    "digital": "digital",
    "memristor": "memristor tile",
    "carried": f"memristor tile carried to {CARRIED_G:g} G",
    "pair": "memristor tile, pairs",
    "aihwkit": "aihwkit tile",
}


def _compare(
    make: Callable[[], nn.Module],
    kinds: tuple[str, ...],
    images: Tensor,
    labels: Tensor,
    steps: int,
    repeats: int,
    note: str,
) -> list[Timing]:
    """One candidate for each kind of weights, the same network and data."""
    with _one_thread():
        candidates = {NAMES[kind]: _steps(make, kind, images, labels, steps) for kind in kinds}
        notes = {NAMES["digital"]: f"{steps} steps, {note}"}
        return compare(candidates, repeats, notes=notes)


def _steps(
    make: Callable[[], nn.Module], kind: str, images: Tensor, labels: Tensor, steps: int
) -> Callable[[], None]:
    """`steps` training steps of the network that `make` makes, with weights of one kind."""
    model, optimizer = _trained(make, kind)

    def run() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return run


def _trained(make: Callable[[], nn.Module], kind: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network and its optimizer, plain SGD at the same learning rate."""
    torch.manual_seed(0)
    model = make()
    if kind == "digital":
        return model, torch.optim.SGD(model.parameters(), lr=0.01)
    tile = "aihwkit" if kind == "aihwkit" else "memristor"
    cells = "pair" if kind == "pair" else "single"
    model = to_crossbar(model, "lsmo_pvdf_co", tile=tile, cells=cells)
    if kind == "carried":
        set_field(model, CARRIED_G)
    return model, AnalogSGD(model.parameters(), lr=0.01)


def _mlp() -> nn.Module:
    widths = (784, 1024, 1024, 1024)
    layers = [
        layer
        for before, after in pairwise(widths)
        for layer in (nn.Linear(before, after), nn.ReLU())
    ]
    return nn.Sequential(*layers, nn.Linear(1024, 10))


def _resnet18() -> nn.Module:
    return resnet18(num_classes=10)


def _paper_cnn() -> nn.Module:
    return PaperCNN(lambda _: nn.ReLU())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Time on one thread, whatever the command was told: what a worker of a sweep has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
