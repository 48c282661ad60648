"""A card's field model in torch: in what shares its parts are read, differentiable in the field."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from device_models.card.field import FieldModel, FieldTable, TwoLayers


def part_shares(model: FieldModel, field_G: Tensor, n_parts: int) -> Tensor:
    """Share of every part [1] at fields (n,) [G], n x n_parts in the dtype of `field_G`.

    Each row has `1 - share` and `share` where `model.place` says. Between the fields of a table
    the slope is that of its straight line, on one of them that of the line above. Raises
    ValueError as `model.place` does, TypeError for a model that has no torch form.
    """
    first, _ = model.place(field_G.detach().cpu().numpy())
    k = torch.from_numpy(first).to(field_G.device)
    share = _share(model, field_G, k).unsqueeze(-1)
    lower = functional.one_hot(k, n_parts).to(field_G.dtype)
    # A single part has no second one, and no share of it.
    upper = functional.one_hot((k + 1).clamp(max=n_parts - 1), n_parts).to(field_G.dtype)
    return lower + share * (upper - lower)


def _share(model: FieldModel, field_G: Tensor, k: Tensor) -> Tensor:
    """Share of part k + 1 [1] at fields (n,) [G]."""
    if isinstance(model, TwoLayers):
        soft = torch.tanh((field_G - model.coercivity_soft_G) / model.width_soft_G)
        hard = torch.tanh((field_G - model.coercivity_hard_G) / model.width_hard_G)
        return (1 - soft * hard) / 2
    if isinstance(model, FieldTable):
        fields = torch.tensor(model.fields_G, dtype=torch.float64, device=field_G.device)
        if len(fields) == 1:
            return torch.zeros_like(field_G)
        below, above = fields[k], fields[k + 1]
        return ((field_G - below) / (above - below)).to(field_G.dtype)
    raise TypeError(f"the field model {type(model).__name__} has no torch form")
