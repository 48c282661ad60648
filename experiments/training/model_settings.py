"""Settings of the network, one group a network of `crossbar.networks`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from crossbar.networks import BLOCK_ORDERS, DOWNSAMPLING
from experiments.training.kinds import MAX_WIDTH, Given, Group, Width, Widths, one_of


class PaperCNNModel(Group):
    """Keywords of `crossbar.networks.PaperCNN`."""

    name: Literal["paper_cnn"]
    in_channels: Width | None
    channels: Annotated[Widths, Field(min_length=1)]
    kernel_size: Annotated[int, Field(ge=1, le=MAX_WIDTH)]
    downsampling: Annotated[str, one_of(DOWNSAMPLING)]
    hidden: Widths
    block_order: Annotated[str, one_of(BLOCK_ORDERS)]


class MLPModel(Group):
    """Keywords of `crossbar.networks.MLP`."""

    name: Literal["mlp"]
    hidden: Widths


class ResidualCNNModel(Group):
    """Keywords of `crossbar.networks.ResidualCNN`."""

    name: Literal["residual_cnn"]
    in_channels: Width | None
    widths: Annotated[Widths, Field(min_length=1)]


class CustomModel(Group):
    """A user's own network, see `crossbar.networks.build_custom`."""

    name: Literal["custom"]
    target: Given
    arguments: dict[str, Any] | None


Model = Annotated[
    PaperCNNModel | MLPModel | ResidualCNNModel | CustomModel, Field(discriminator="name")
]
