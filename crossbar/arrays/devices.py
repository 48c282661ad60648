"""The devices of one array: which aihwkit parameters they may have, and how they are drawn."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from crossbar.device import CardDevice
from crossbar.random import RandomStream
from device_models.errors import InputError

SUPPORTED = (
    *("card", "field_G", "zero", "w_min", "w_max", "dw_min", "piecewise_up", "piecewise_down"),
    *("dw_min_std", "dw_min_dtod", "w_min_dtod", "w_max_dtod", "write_noise_std"),
    *("construction_seed",),
)
"""Fields of `CardDevice` that a `MemristorArray` knows; the others must keep their defaults."""

SMALLEST_RANGE = 1e-3
"""No device's range is drawn narrower than this [weight]."""


class Draws(NamedTuple):
    """Ends of the range [weight] and relative step size [1] of every device, out x in each."""

    w_min: Tensor
    w_max: Tensor
    step_scale: Tensor


def check_device(device: CardDevice) -> None:
    """Raise InputError, naming the field, for aihwkit parameters the memristor tile lacks."""
    if not isinstance(device, CardDevice):
        raise InputError(f"the memristor tile is made of a CardDevice, got {type(device).__name__}")
    for item in fields(device):
        made = item.default_factory
        usual = item.default if made is MISSING else made()
        name = item.name
        if name not in SUPPORTED and getattr(device, name) != usual:
            raise InputError(f"the memristor tile does not know the device parameter {name}")


def draw_devices(out_size: int, in_size: int, device: CardDevice, seed: int) -> Draws:
    """Lower and upper ends and relative steps of out x in devices, on the CPU.

    A step is relative to the range it is taken in: a device with a narrow range needs fewer.
    """
    generator = Generator().manual_seed(seed)
    draws = torch.randn(3, out_size, in_size, generator=generator)
    w_max = (device.w_max * (1 + device.w_max_dtod * draws[0])).abs()
    w_min = -(device.w_min * (1 + device.w_min_dtod * draws[1])).abs()
    w_max = torch.maximum(w_max, w_min + SMALLEST_RANGE)
    gain = (1 + device.dw_min_dtod * draws[2]).abs()
    steps = gain * (device.w_max - device.w_min) / (w_max - w_min)
    if not varies(device):  # one number for all devices instead of 4 bytes a device
        steps = steps[:1, :1].clone().expand_as(steps)
    return Draws(w_min, w_max, steps)


def varies(device: CardDevice) -> bool:
    """Whether devices have steps of their own."""
    return device.dw_min_dtod > 0 or device.w_min_dtod > 0 or device.w_max_dtod > 0


def varied_steps(scale: Tensor, c2c: float, pulses: Tensor, stream: RandomStream) -> Tensor:
    """Relative steps [1] of devices (k,), mean over their `pulses`, with cycle-to-cycle spread."""
    std = c2c * pulses.abs().clamp(min=1).rsqrt()
    return scale * (1 + std * stream.normal(pulses))


def put(new: Tensor, values: Tensor, pulses: Tensor) -> None:
    """Write `new` into `values` where there was a pulse."""
    flat = values.view(-1)
    flat.copy_(torch.where(pulses == 0, flat, new))
