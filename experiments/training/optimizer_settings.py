"""Settings of the optimizer: Adam's or SGD's, each with what it reads and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crossbar.recipes import not_read
from experiments.training.kinds import FromZero, Group, Positive, Share, one_of
from experiments.training.loop import DECAYS


class _Optimizer(Group):
    """What moves the weights, and how fast."""

    lr: Positive
    crossbar_lr: Positive
    weight_decay: FromZero
    decay: Annotated[str, one_of(DECAYS)]


class Adam(_Optimizer):
    """Adam, with torch's own averages."""

    name: Literal["adam"]


class SGD(_Optimizer):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    momentum: Share


def _no_momentum_of_adam(value: Any) -> Any:
    if isinstance(value, Mapping) and value.get("name") == "adam" and "momentum" in value:
        raise not_read(["momentum"], "adam", _Optimizer.model_fields)
    return value


Optimizer = Annotated[
    Adam | SGD, Field(discriminator="name"), BeforeValidator(_no_momentum_of_adam)
]
