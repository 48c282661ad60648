"""The network that settings describe, digital or with its weights on crossbars."""

from __future__ import annotations

import torch
from torch import nn

from crossbar import EMActivation, periphery, to_crossbar
from crossbar.networks import GREY, Shape, build_model
from device_models import DeviceCard
from device_models.errors import InputError
from experiments.training.settings import MagneticField, Settings


def make_network(
    settings: Settings, card: DeviceCard, input_shape: Shape = GREY, n_classes: int = 10
) -> nn.Module:
    """Network of `settings` for such images, with its weights on crossbars where they say so."""
    torch.manual_seed(settings.seed)
    field, activation, crossbar = settings.field, settings.activation, settings.crossbar

    def make_activation(position: int) -> nn.Module:
        if activation.name == "relu":
            return nn.ReLU()
        choices = activation.model_dump(exclude={"name"})
        return EMActivation(card, activation_fields(field, position), **choices)

    model = build_model(
        activation=make_activation,
        input_shape=input_shape,
        n_classes=n_classes,
        **settings.model.model_dump(),
    )
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
        cells=crossbar.cells if crossbar.name == "memristor" else "single",
    )


def activation_fields(field: MagneticField, position: int) -> list[float]:
    """Fields [G] of the activation at `position`: one list for all, or the field of its layer."""
    if field.activation_G != "as_weights":
        return field.activation_G
    weights = field.weights_G
    if isinstance(weights, float):
        return [weights]
    if position >= len(weights):
        raise InputError(
            f"field.weights_G has {len(weights)} fields, layer {position + 1} has none"
        )
    return [weights[position]]
