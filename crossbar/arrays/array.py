"""An array of memristors: weights that pulses move along the curves of a card."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import torch
from torch import Generator, Tensor, nn

from crossbar.arrays.response import PulseResponse
from crossbar.device import CardDevice
from crossbar.finite import check_finite, check_state
from crossbar.kernels import has_cpu_kernels
from crossbar.kernels.contract import check_shape, plain
from crossbar.random import RandomStream
from device_models import load_card

SUPPORTED = (
    *("card", "field_G", "zero", "w_min", "w_max", "dw_min", "piecewise_up", "piecewise_down"),
    *("dw_min_std", "dw_min_dtod", "w_min_dtod", "w_max_dtod", "write_noise_std"),
    *("construction_seed",),
)
"""Fields of `CardDevice` that a `MemristorArray` knows; the others must keep their defaults."""

SMALLEST_RANGE = 1e-3
"""No device's range is drawn narrower than this [weight]."""


class MemristorArray(nn.Module):
    """Devices of one tile, out x in. Weights are in the unit of `crossbar.scale.weight_scale`.

    `weight` is what a read sees, `persistent` what the pulses left; they differ by the write
    noise, which is drawn anew with every pulse. Device-to-device draws come from `seed`: a step
    size with relative spread `dw_min_dtod`, and two ends of the range. As in aihwkit the curve is
    stretched to the device's own range while its steps keep their absolute size.
    """

    weight: Tensor
    w_min: Tensor
    w_max: Tensor
    step_scale: Tensor
    _persistent: Tensor | None

    def __init__(
        self, out_size: int, in_size: int, device: CardDevice, stream: RandomStream, seed: int
    ):
        super().__init__()
        check_device(device)
        self.device, self.stream = device, stream
        self.response = PulseResponse(load_card(device.card), device.field_G)
        self._varied = device.dw_min_dtod > 0 or device.w_min_dtod > 0 or device.w_max_dtod > 0
        w_min, w_max, step_scale = _draw_devices(out_size, in_size, device, seed)
        for name, value in (
            ("w_min", w_min),
            ("w_max", w_max),
            ("step_scale", step_scale),
            ("weight", torch.zeros(out_size, in_size)),
        ):
            self.register_buffer(name, value, persistent=False)
        noisy = torch.zeros(out_size, in_size) if self.write_noise > 0 else None
        self.register_buffer("_persistent", noisy, persistent=False)

    @property
    def persistent(self) -> Tensor:
        """Weights without their write noise, out x in."""
        return self.weight if self._persistent is None else self._persistent

    @property
    def write_noise(self) -> float:
        """Std of a read weight around its persistent value [weight]."""
        return self.device.write_noise_std * self.device.dw_min

    @torch.no_grad()
    def program(self, weight: Tensor) -> None:
        """Set every device to `weight` (out x in), clipped to its range, with fresh write noise.

        Raises NonFiniteError, and sets none, where an entry is not finite.
        """
        check_finite("weights", weight, "no device was programmed")
        self.persistent.copy_(weight).clamp_(self.w_min, self.w_max)
        if self._persistent is not None:
            self.weight.copy_(self._with_write_noise(self.persistent))

    @torch.no_grad()
    def fire(self, pulses: Tensor) -> None:
        """Fire whole numbers of `pulses` (out x in) at the devices, LTP > 0 and LTD < 0.

        The relative steps of k pulses have the mean 1 and the std `dw_min_std` / sqrt(k).
        Raises RuntimeError for pulses of another shape.
        """
        check_shape("pulses", pulses, *self.weight.shape)
        if has_cpu_kernels(self.weight, pulses):
            self._fire_on_cpu(plain(pulses))
            return
        pulses = pulses.flatten()
        low, scale = self.w_min.view(-1), self._scale(pulses, None)
        width = self.w_max.view(-1) - low
        state = (self.persistent.view(-1) - low) / width
        state = self.response(state, pulses, scale).clamp_(0, 1)
        moved = torch.addcmul(low, width, state)
        _put(moved, self.persistent, pulses)
        if self._persistent is not None:
            _put(self._with_write_noise(moved), self.weight, pulses)

    def _fire_on_cpu(self, pulses: Tensor) -> None:
        """CPU only: fires just the devices with a pulse; a GPU would wait for their number."""
        from crossbar.arrays.response_cpu import fire

        hit = pulses.view(-1).nonzero().squeeze(1)
        scale = self._scale(pulses.view(-1)[hit], hit)
        fire(self.response, self.persistent, self.w_min, self.w_max, pulses, hit, scale)
        if self._persistent is not None:
            noisy = self._with_write_noise(self._persistent.view(-1)[hit])
            self.weight.view(-1).index_copy_(0, hit, noisy)

    def state(self) -> dict[str, Any]:
        """What the devices remember, as plain tensors; their draws come from the seed."""
        return {"weight": self.weight.clone(), "persistent": self.persistent.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises NonFiniteError, and changes nothing, where an entry is not finite.
        """
        check_state(state)
        self.weight.copy_(state["weight"])
        self.persistent.copy_(state["persistent"])

    def _with_write_noise(self, weight: Tensor) -> Tensor:
        return weight.add(self.stream.normal(weight), alpha=self.write_noise)

    def _scale(self, pulses: Tensor, hit: Tensor | None) -> Tensor | None:
        """Relative step of the devices `hit`, mean over their `pulses`; None: all the card's."""
        c2c = self.device.dw_min_std
        if not self._varied and c2c <= 0:
            return None
        scale = self.step_scale.view(-1) if hit is None else self.step_scale.view(-1)[hit]
        if c2c > 0:
            std = c2c * pulses.abs().clamp(min=1).rsqrt()
            scale = scale * (1 + std * self.stream.normal(pulses))
        return scale


def check_device(device: CardDevice) -> None:
    """Raise ValueError, naming the field, for aihwkit parameters the memristor tile lacks."""
    if not isinstance(device, CardDevice):
        raise ValueError(f"the memristor tile is made of a CardDevice, got {type(device).__name__}")
    for item in fields(device):
        made = item.default_factory
        usual = item.default if made is MISSING else made()
        name = item.name
        if name not in SUPPORTED and getattr(device, name) != usual:
            raise ValueError(f"the memristor tile does not know the device parameter {name}")


def _draw_devices(
    out_size: int, in_size: int, device: CardDevice, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Lower and upper ends and relative steps of out x in devices, on the CPU.

    A step is relative to the range it is taken in: a device with a narrow range needs fewer.
    """
    generator = Generator().manual_seed(seed)
    draws = torch.randn(3, out_size, in_size, generator=generator)
    w_max = (device.w_max * (1 + device.w_max_dtod * draws[0])).abs()
    w_min = -(device.w_min * (1 + device.w_min_dtod * draws[1])).abs()
    w_max = torch.maximum(w_max, w_min + SMALLEST_RANGE)
    gain = (1 + device.dw_min_dtod * draws[2]).abs()
    return w_min, w_max, gain * (device.w_max - device.w_min) / (w_max - w_min)


def _put(new: Tensor, values: Tensor, pulses: Tensor) -> None:
    """Write `new` into `values` where there was a pulse."""
    flat = values.view(-1)
    flat.copy_(torch.where(pulses == 0, flat, new))
