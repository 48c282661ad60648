"""Which layers of a network can move to crossbars, and what keeps its matrices in digital."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from aihwkit.nn.modules.base import AnalogLayerBase
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import UninitializedParameter

from crossbar.activation import EMActivation
from device_models.errors import InputError

NO_WEIGHTS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, EMActivation)
"""Modules whose parameters are factors or curves: nothing that a crossbar would hold."""


@dataclass
class Survey:
    """Layers that can move, by name, and why others of their kinds cannot."""

    layers: dict[str, nn.Module] = field(default_factory=dict)
    obstacles: dict[str, str] = field(default_factory=dict)
    parts: set[nn.Module] = field(default_factory=set)
    """All of those and the modules in them, which are not looked at on their own."""


def survey(model: nn.Module, kinds: Sequence[type[nn.Module]]) -> Survey:
    """Layers of `kinds` in `model`. Raises InputError, naming the layer, where one is not ready."""
    found = Survey()
    owners = Counter(id(p) for m in model.modules() for p in m._parameters.values())
    for name, module in model.named_modules():
        kind = next((kind for kind in kinds if isinstance(module, kind)), None)
        if kind is None or module in found.parts or isinstance(module, AnalogLayerBase):
            continue
        found.parts.update(module.modules())
        if obstacle := _obstacle(module, kind, owners):
            found.obstacles[name] = obstacle
        else:
            _check_ready(name or type(module).__name__, module)
            found.layers[name] = module
    return found


def digital_matrices(model: nn.Module, found: Survey) -> list[str]:
    """What keeps parameters of two or more dimensions in digital: name, class and reason."""
    left = []
    for name, module in model.named_modules():
        kind = type(module).__name__
        if name in found.obstacles:
            left.append(f"{name or 'the layer'} ({kind}: {found.obstacles[name]})")
        elif module not in found.parts and not isinstance(module, NO_WEIGHTS):
            matrices = [n for n, p in module._parameters.items() if _is_matrix(p)]
            left += [f"{name}.{n}".lstrip(".") + f" ({kind})" for n in matrices]
    return left


def _obstacle(module: nn.Module, kind: type[nn.Module], owners: Counter[int]) -> str:
    """Why a layer would be another one on crossbars; nothing where it would be the same."""
    for method in ("forward", "_conv_forward"):
        if getattr(type(module), method, None) is not getattr(kind, method, None):
            return "its class computes something of its own"
    if any(name not in module._parameters for name in _weight_names(module)):
        return "its weight is computed from other parameters"
    parameters = list(module.parameters())
    if any(owners[id(p)] > 1 for p in parameters):
        return "another layer has the same weight"
    if any(p._backward_hooks or p._post_accumulate_grad_hooks for p in parameters):
        return "its weight has hooks"
    if getattr(module, "bias_k", None) is not None or getattr(module, "add_zero_attn", False):
        return "add_bias_kv and add_zero_attn are digital only"
    if getattr(module, "proj_size", 0) > 0:
        return "proj_size is digital only"
    return ""


def _weight_names(module: nn.Module) -> list[str]:
    """Names under which torch keeps the weights of a layer, as long as they are parameters."""
    if isinstance(module, nn.RNNBase):
        return module._flat_weights_names
    return ["in_proj_weight" if isinstance(module, nn.MultiheadAttention) else "weight"]


def _check_ready(name: str, module: nn.Module) -> None:
    for parameter in module.parameters():
        if isinstance(parameter, UninitializedParameter):
            raise InputError(f"{name} has no weights yet: run one batch through the model first")
        if parameter.dtype != torch.float32:
            raise InputError(
                f"{name} holds {parameter.dtype}, tiles compute in torch.float32: call "
                f"model.float() first"
            )


def _is_matrix(parameter: nn.Parameter | None) -> bool:
    unknown = isinstance(parameter, UninitializedParameter)
    return unknown or (parameter is not None and parameter.dim() > 1)
