"""An array of memristors: states that pulses move, and what is read of them at a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from crossbar.arrays.devices import check_device, draw_devices, put, varied_steps, varies
from crossbar.arrays.nominal import FieldAndScale, NominalDevice
from crossbar.arrays.reading import Reading
from crossbar.arrays.response import PulseResponse
from crossbar.device import CardDevice
from crossbar.finite import check_finite, check_state
from crossbar.kernels import has_cpu_kernels
from crossbar.kernels.contract import check_shape, plain
from crossbar.nonideality import Cells, Nonideality, WriteNoise, split_write_noise
from crossbar.random import RandomStream
from crossbar.scale import KEPT, TileScale, span_of
from device_models import load_card
from device_models.errors import InputError

FloatArray = NDArray[np.float64]

OLD_FORM = (
    "the stored state is of an older form, which held weights at one field instead of the devices' "
    "states: make the network again and train or program it with this version"
)


class MemristorArray(nn.Module):
    """Devices of one tile, out x in: `state`, 0 to 1, is where each stands in its own range.

    Pulses act on the state, by the curves at the reference field, the `field_G` of `device`; the
    field acts on the `reading`, in the unit of `crossbar.scale.weight_scale` at the reference
    field. `effective` is the matrix that reads use: the reading with write noise, nonidealities
    and the scale of the tile. Device-to-device draws come from `seed`: a step size with relative
    spread `dw_min_dtod`, and two ends of the range. As in aihwkit the curve is stretched to the
    device's own range while its steps keep their absolute size. `counted` draws write noise from
    the effect's own draw instead of from the stream, for devices that get no pulses.
    """

    state: Tensor
    reading: Tensor
    noise: Tensor | None
    noisy: Tensor | None
    w_min: Tensor
    w_max: Tensor
    step_scale: Tensor

    def __init__(
        self,
        out_size: int,
        in_size: int,
        device: CardDevice,
        stream: RandomStream,
        seed: int,
        nonidealities: Sequence[Nonideality] = (),
        counted: bool = False,
    ):
        super().__init__()
        check_device(device)
        self.device, self.stream, self.counted = device, stream, counted
        card = load_card(device.card)
        self.response = PulseResponse(card, device.field_G)
        self.field = Reading(card, device.field_G, (out_size, in_size))
        self.nominal = NominalDevice(device, self.field)
        self._varied = varies(device)
        drawn = draw_devices(out_size, in_size, device, seed)
        for name, value in drawn._asdict().items():
            self.register_buffer(name, value, persistent=False)
        start = -drawn.w_min / (drawn.w_max - drawn.w_min)
        self.register_buffer("state", start.clamp_(0, 1), persistent=False)
        self.register_buffer("reading", torch.zeros(out_size, in_size), persistent=False)
        for name in ("noise", "noisy"):
            self.register_buffer(name, None, persistent=False)
        self.cells_info = Cells(seed, (out_size, in_size), device.scale, self.ends)
        self.scale, self.version, self._seen = KEPT, 0, -1
        self._matrix: Tensor | None = None
        self.granularity = float(device.dw_min)
        self.set_nonidealities(nonidealities)

    @property
    def effective(self) -> Tensor:
        """Weights that reads use, out x in; the very tensor of the reading where nothing follows.

        Not to be written to: the next pulse changes it.
        """
        base = self.reading if self.noisy is None else self.noisy
        if not self.effects and self.scale == KEPT:
            return base
        if self._matrix is None or self._seen != self.version:
            self._matrix, self._seen = self.scale.weight(self._with_effects(base)), self.version
        return self._matrix

    @property
    def weight_range(self) -> tuple[float, float]:
        """Smallest and largest weight of a device without spread, as read at the field."""
        low, high = self.nominal.ends
        return self.scale.gain * low + self.scale.offset, self.scale.gain * high + self.scale.offset

    @property
    def span(self) -> float:
        """Largest weight to program; ValueError where weights of one sign only can be read."""
        return span_of(*self.weight_range)

    @torch.no_grad()
    def program(self, weight: Tensor) -> None:
        """Set every device so that `weight` (out x in) is read at the field, clipped to its range.

        With fresh write noise. Raises NonFiniteError, and sets none, where an entry is not finite.
        """
        check_finite("weights", weight, "no device was programmed")
        self.program_reading(self.scale.reading(weight.to(self.state.device)))

    @torch.no_grad()
    def program_reading(self, reading: Tensor) -> None:
        """The same for what is read before the scale of the tile."""
        place = (reading - self.w_min) / (self.w_max - self.w_min)
        self.state.copy_(self.field.state_of(place))
        if self.noise is not None:
            self._draw_noise()
        self._read_all()

    @torch.no_grad()
    def fire(self, pulses: Tensor) -> Tensor | None:
        """Fire whole numbers of `pulses` (out x in) at the devices, LTP > 0 and LTD < 0.

        The relative steps of k pulses have the mean 1 and the std `dw_min_std` / sqrt(k). Gives
        the places of the devices that got one where they were counted, on the CPU.
        Raises RuntimeError for pulses of another shape.
        """
        check_shape("pulses", pulses, *self.state.shape)
        if has_cpu_kernels(self.state, pulses):
            flat = plain(pulses).view(-1)
            hit = flat.nonzero().squeeze(1)
            self.fire_at(hit, flat[hit])
            return hit
        flat = pulses.flatten()
        moved = self.response(self.state.view(-1), flat, self._steps(flat, None)).clamp_(0, 1)
        put(moved, self.state, flat)
        if self.noise is not None:
            put(self.stream.normal(flat) * self.write_noise, self.noise, flat)
        self._read_all()
        return None

    @torch.no_grad()
    def fire_at(self, hit: Tensor, counts: Tensor) -> None:
        """Fire `counts` (k) pulses at the devices `hit` (k places, int64) of out x in; CPU only."""
        from crossbar.arrays.reading_cpu import read_at
        from crossbar.arrays.response_cpu import fire

        ends, scale = (self.w_min, self.w_max), self._steps(counts, hit)
        fire(self.response, self.state, self.reading, *ends, hit, counts, scale)
        if self.field.table is not None:
            table, maps = self.field.table, (self.field.part, self.field.share)
            read_at(hit, self.state, *ends, table, *maps, self.reading)
        if self.noise is not None and self.noisy is not None:
            read = self.reading.view(-1)[hit]
            fresh = self.stream.normal(read) * self.write_noise
            self.noise.view(-1).index_copy_(0, hit, fresh)
            self.noisy.view(-1).index_copy_(0, hit, read + fresh)
        self.version += 1

    @torch.no_grad()
    def set_field(self, field_G: ArrayLike, rescale: bool = False) -> None:
        """Read at `field_G` [G] from now on: a number, or an array that broadcasts to out x in.

        The scale of the tile is kept, or with `rescale` chosen anew: the mean range is two units
        wide again, around the same zero. Raises InputError, with nothing changed, for a field
        outside the card's range.
        """
        self.field.set_field(field_G, self.state.device)
        if rescale:
            self.scale = self.nominal.scale
        self._take_field()

    @property
    def field_G(self) -> float | FloatArray:
        """Field that the array is read at [G], a number or an array that broadcasts to out x in."""
        return self.field.field_G

    @property
    def field_and_scale(self) -> FieldAndScale:
        """What `go_back_to` goes back to."""
        return FieldAndScale(self.field_G, self.scale)

    @torch.no_grad()
    def go_back_to(self, place: FieldAndScale) -> None:
        """Read at a field and with a scale that the array had before, bit for bit."""
        self.field.set_field(place.field_G, self.state.device)
        self.scale = place.scale
        self._take_field()

    @torch.no_grad()
    def set_nonidealities(self, effects: Sequence[Nonideality]) -> None:
        """Use these effects, in their order, instead of those before; write noise comes first.

        Write noise that is not among them is that of the device. On devices that already stand
        somewhere it is the draw that the effect names.
        """
        own = WriteNoise(self.device.write_noise_std * self.device.dw_min)
        noise, self.effects = split_write_noise(effects, own)
        self.write_noise_effect = noise
        shape = self.state if noise.amplitude > 0 else None
        self.noise = None if shape is None else torch.zeros_like(shape)
        self.noisy = None if shape is None else torch.zeros_like(shape)
        if self.noise is not None:
            self.noise.copy_(noise.drawn(self.cells_info))
        self._read_all()

    @property
    def write_noise(self) -> float:
        """Std of a read weight around what its state alone would give [weight]."""
        return self.write_noise_effect.amplitude

    def ends(self) -> tuple[Tensor, Tensor]:
        """Reading of every device at the lower and upper end of its range, out x in each."""
        states = (torch.zeros_like(self.state), torch.ones_like(self.state))
        low, high = (self._stretched(self.field(state)) for state in states)
        return low, high

    def snapshot(self) -> dict[str, Any]:
        """What the devices remember, as plain tensors; their draws come from the seed."""
        field = torch.as_tensor(self.field.field_G, dtype=torch.float64)
        kept = {"state": self.state.clone(), "field_G": field, **self.scale.snapshot()}
        return kept if self.noise is None else {**kept, "noise": self.noise.clone()}

    @torch.no_grad()
    def restore(self, stored: dict[str, Any]) -> None:
        """Go on where `stored` was taken, at its field and scale.

        Raises NonFiniteError, and changes nothing, where an entry is not finite; ValueError for
        states of an older form.
        """
        self.check(stored)
        self.field.set_field(stored["field_G"].cpu().numpy(), self.state.device)
        self.scale = TileScale.restored(stored)
        self.state.copy_(stored["state"])
        if self.noise is not None and "noise" in stored:
            self.noise.copy_(stored["noise"])
        self._take_field()

    def check(self, stored: dict[str, Any]) -> None:
        """Raise what `restore` would."""
        if "state" not in stored:
            pair = "the stored state is of pairs of devices, the tile of single ones"
            raise InputError(pair if "plus" in stored else OLD_FORM)
        check_state(stored)

    def _take_field(self) -> None:
        self.granularity = self.nominal.granularity * self.scale.gain
        self._read_all()

    def _read_all(self) -> None:
        self.reading.copy_(self._stretched(self.field(self.state)))
        if self.noise is not None and self.noisy is not None:
            torch.add(self.reading, self.noise, out=self.noisy)
        self.version += 1

    def _stretched(self, place: Tensor) -> Tensor:
        # No fused operation: the compiled form of a few devices rounds the same.
        return self.w_min * (1 - place) + self.w_max * place

    def _draw_noise(self) -> None:
        assert self.noise is not None
        drawn = self.write_noise_effect.drawn(self.cells_info) if self.counted else None
        fresh = self.stream.normal(self.state) * self.write_noise if drawn is None else drawn
        self.noise.copy_(fresh)

    def _with_effects(self, reading: Tensor) -> Tensor:
        for effect in self.effects:
            if effect.amplitude > 0:
                reading = effect.apply(reading, self.cells_info)
        return reading

    def _steps(self, pulses: Tensor, hit: Tensor | None) -> Tensor | None:
        """Relative step of the devices `hit`, mean over their `pulses`; None: all the card's."""
        c2c = self.device.dw_min_std
        if not self._varied and c2c <= 0:
            return None
        scale = self.step_scale.view(-1) if hit is None else self.step_scale.view(-1)[hit]
        return scale if c2c <= 0 else varied_steps(scale, c2c, pulses, self.stream)

    def _apply(self, fn: Any, recurse: bool = True) -> MemristorArray:
        self.version += 1  # a cached matrix lies on another device, or has another dtype
        self.cells_info.forget()
        return super()._apply(fn, recurse)
