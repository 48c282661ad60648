"""Activations of a network, replaced in place."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from device_models.errors import InputError


def replace_activations(
    model: nn.Module,
    make: Callable[[], nn.Module],
    kinds: tuple[type[nn.Module], ...] = (nn.ReLU,),
) -> nn.Module:
    """Replace each activation of `kinds` in `model` by a fresh `make()`, in place.

    Returns the model (the new activation itself when the model is one of `kinds`). Raises
    ValueError when there is nothing to replace.
    """
    if isinstance(model, kinds):
        return make()
    replaced = 0
    for module in list(model.modules()):
        # `_modules` has a module under each of its names, `named_children` under the first.
        for name, child in list(module._modules.items()):
            if isinstance(child, kinds):
                setattr(module, name, make())
                replaced += 1
    if replaced == 0:
        raise InputError(f"no {', '.join(k.__name__ for k in kinds)} found in the model")
    return model
