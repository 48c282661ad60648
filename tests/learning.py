"""A few training steps of a small network on aihwkit layers, for any configuration."""

from __future__ import annotations

import torch
from aihwkit.nn import AnalogConv2d, AnalogLinear
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.optim import AnalogSGD
from torch import nn


def losses_after_conversion(config) -> list[float]:
    """Losses of 40 steps of a conv and a linear layer that aihwkit itself converted."""
    torch.manual_seed(1)
    model = convert_to_analog(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 2)), config
    )
    assert {AnalogConv2d, AnalogLinear} <= {type(m) for m in model.modules()}
    x = torch.randn(16, 1, 6, 6)
    y = x.mean((2, 3)).repeat(1, 2) * torch.tensor([1.0, -1.0])
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups()
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
