"""Training steps of the paper's CNN: activations, tiles and loops against each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.presets import GokmenVlasovPreset
from aihwkit.simulator.tiles.custom import CustomRPUConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from crossbar import TILES, EMActivation, to_crossbar
from crossbar.networks import PaperCNN
from experiments.benchmarks.timing import Timing, Work, compare
from experiments.data import ImageSet, load_data, subset
from experiments.training.loop import Images, make_optimizer, train_epoch

FIELDS_G = tuple(50.0 * i for i in range(8))
"""Eight fields, 16 curves: SET2."""

N_IMAGES = 1280


def bench_epoch(repeats: int = 7) -> list[Timing]:
    """A fiftieth of an epoch at batch 64: Baseline, SET1, SET2 and SET2 by the plain formula."""
    images = _images()
    candidates = {
        "Baseline (ReLU)": _epoch(PaperCNN(_relu), images, 64),
        "SET1, 2 curves": _epoch(PaperCNN(_em((0.0,))), images, 64),
        "SET2, 16 curves": _epoch(PaperCNN(_em(FIELDS_G)), images, 64),
        "SET2, exact form": _epoch(PaperCNN(_em(FIELDS_G, "exact")), images, 64),
        "Baseline, block by block": _epoch(_Unfolded(PaperCNN(_relu)), images, 64),
    }
    return compare(
        candidates,
        repeats,
        notes={
            "Baseline (ReLU)": f"{N_IMAGES} images",
            "Baseline, block by block": "the first block is not folded",
        },
        work=dict.fromkeys(list(candidates)[:4], _digital_work()),
    )


def bench_crossbar(repeats: int = 7) -> list[Timing]:
    """A fiftieth of an epoch at batch 64, mixed precision: both tiles and digital weights."""
    images = _images()

    def on_tiles(make: Callable[[int], nn.Module], tile: str) -> Callable[[], object]:
        model = to_crossbar(PaperCNN(make), "lsmo_pvdf_co", tile=tile)
        return _epoch(model, images, 64)

    em = _em(FIELDS_G)
    return compare(
        {
            "aihwkit tile, ReLU": on_tiles(_relu, "aihwkit"),
            "memristor tile, ReLU": on_tiles(_relu, "memristor"),
            "aihwkit preset, ReLU": _epoch(_converted(GokmenVlasovPreset()), images, 64),
            "aihwkit custom tile, ReLU": _epoch(_converted(CustomRPUConfig()), images, 64),
            "digital, ReLU": _epoch(PaperCNN(_relu), images, 64),
            "aihwkit tile, SET2": on_tiles(em, "aihwkit"),
            "memristor tile, SET2": on_tiles(em, "memristor"),
            "digital, SET2": _epoch(PaperCNN(em), images, 64),
        },
        repeats,
        notes={
            "aihwkit tile, ReLU": f"{N_IMAGES} images, PiecewiseStep in C++",
            "aihwkit preset, ReLU": "GokmenVlasov, plain SGD in C++",
            "aihwkit custom tile, ReLU": "its example in torch: no pulses",
        },
        work=dict.fromkeys(("digital, ReLU", "digital, SET2"), _digital_work())
        | dict.fromkeys(
            [f"{tile} tile, {name}" for tile in TILES for name in ("ReLU", "SET2")], _tile_work()
        ),
    )


def bench_loop(repeats: int = 5) -> list[Timing]:
    """A fiftieth of a Baseline epoch at batch 16 against a plain torch DataLoader loop."""
    data = subset(load_data().train, N_IMAGES, seed=0)
    loader = DataLoader(_Pictures(data), batch_size=16, shuffle=True)
    return compare(
        {
            "plain DataLoader loop": partial(_plain_loop, loader, PaperCNN(_relu)),
            "our loop": _epoch(PaperCNN(_relu), Images(data, torch.device("cpu")), 16),
            "network alone": partial(_steps_on_one_batch, PaperCNN(_relu), N_IMAGES // 16),
        },
        repeats,
        notes={
            "plain DataLoader loop": "ToTensor and Normalize an image, Adam, loss.item()",
            "our loop": "images as one tensor, fused Adam",
            "network alone": "forward and backward of one batch: the limit",
        },
        work=dict.fromkeys(("our loop", "network alone"), _digital_work()),
    )


def _relu(_: int) -> nn.Module:
    return nn.ReLU()


def _em(fields_G: tuple[float, ...], form: str = "table") -> Callable[[int], nn.Module]:
    return lambda _: EMActivation("lsmo_pvdf_co", fields_G, form=form)


class _Unfolded(nn.Module):
    """The CNN with its blocks one after the other, as torch computes them."""

    def __init__(self, model: PaperCNN):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        images = images.expand(-1, self.model.in_channels, -1, -1)
        return self.model.classifier(self.model.features(images).flatten(1))


def _digital_work() -> Work:
    """Operations of the convolutions and products of the digital CNN, by torch's own count."""
    model, counter = PaperCNN(_relu), FlopCounterMode(display=False)
    with counter:
        model(torch.zeros(2, 1, 28, 28)).sum().backward()
    return Work(operations=counter.get_total_flops() / 2 * N_IMAGES)


def _tile_work() -> Work:
    """Operations of the three passes (forward, backward, update) of every tile."""
    model, products = PaperCNN(_relu), 0

    def count(layer: nn.Conv2d | nn.Linear, _: object, out: Tensor) -> None:
        nonlocal products
        products += layer.weight.numel() * out.numel() // out.shape[1]

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    _Unfolded(model.eval())(torch.zeros(1, 1, 28, 28))
    return Work(operations=3 * 2 * products * N_IMAGES)


def _converted(rpu_config: Any) -> nn.Module:
    """The CNN as aihwkit itself puts it on tiles."""
    return convert_to_analog(PaperCNN(_relu), rpu_config)


def _images() -> Images:
    data = subset(load_data().train, N_IMAGES, seed=0)
    return Images(data, torch.device("cpu"))


def _epoch(model: nn.Module, images: Images, batch: int) -> Callable[[], object]:
    """One pass of the project's own loop over `images`."""
    optimizer = make_optimizer(model, name="adam", lr=1e-3, crossbar_lr=0.01, weight_decay=0.0)

    def run() -> object:
        generator = torch.Generator().manual_seed(0)
        return train_epoch(
            model, optimizer, images, batch, generator, lambda _: 1.0, lambda *_: None
        )

    return run


class _Pictures(Dataset[Any]):
    """Images as torchvision's data sets give them: one PIL image at a time."""

    def __init__(self, data: ImageSet):
        self.images = [transforms.functional.to_pil_image(image) for image in data.images]
        self.labels = data.labels.tolist()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def _plain_loop(loader: DataLoader[Any], model: nn.Module) -> None:
    """The loop of a tutorial."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for images, labels in loader:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()


def _steps_on_one_batch(model: nn.Module, steps: int) -> None:
    images, labels = torch.randn(16, 1, 28, 28), torch.zeros(16, dtype=torch.long)
    for _ in range(steps):
        functional.cross_entropy(model(images), labels).backward()
