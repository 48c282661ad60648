"""Networks built from plain keywords: the paper's CNN, an MLP, a residual CNN, a user's own.

Each takes `activation`, a function of the activation's position (0, 1, ...) that makes the
module to put there, and `input_shape` and `n_classes`, which come from the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from crossbar.choices import check_choice
from crossbar.networks.blocks import GREY, Activation, Shape
from crossbar.networks.custom import build_custom, source_sha256
from crossbar.networks.mlp import MLP
from crossbar.networks.paper_cnn import BLOCK_ORDERS, DOWNSAMPLING, PaperCNN
from crossbar.networks.residual_cnn import ResidualCNN

MODELS: dict[str, Callable[..., nn.Module]] = {
    "paper_cnn": PaperCNN,
    "mlp": MLP,
    "residual_cnn": ResidualCNN,
}


def build_model(
    name: str,
    activation: Activation,
    *,
    input_shape: Shape = GREY,
    n_classes: int = 10,
    **keywords: Any,
) -> nn.Module:
    """Network for images of `input_shape` (channels, rows, columns) by name.

    `paper_cnn`, `mlp` and `residual_cnn` have keywords of their own, `custom` takes `target` and
    `arguments` (see `build_custom`). Errors: ValueError where they do not fit the images.
    """
    check_choice("model", name, (*MODELS, "custom"))
    make = build_custom if name == "custom" else MODELS[name]
    return make(activation=activation, input_shape=input_shape, n_classes=n_classes, **keywords)


__all__ = [
    "BLOCK_ORDERS",
    "DOWNSAMPLING",
    "GREY",
    "MLP",
    "MODELS",
    "Activation",
    "PaperCNN",
    "ResidualCNN",
    "Shape",
    "build_custom",
    "build_model",
    "source_sha256",
]
