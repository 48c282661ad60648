"""A differential pair: two devices a weight, the difference of what is read of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from crossbar.arrays.array import OLD_FORM, FloatArray, MemristorArray
from crossbar.arrays.nominal import FieldAndScale
from crossbar.device import CardDevice
from crossbar.finite import check_finite, check_state
from crossbar.nonideality import Nonideality
from crossbar.random import RandomStream
from crossbar.scale import KEPT, TileScale, span_of
from device_models.errors import InputError


class MemristorPair(nn.Module):
    """Two arrays of devices, out x in each: weight = reading of `plus` - reading of `minus`.

    A pulse up is LTP on `plus` and LTD on `minus`, one down the reverse: the step is the sum of
    both, and symmetric where both stand at the same state. With `zero="g_min"` programming is
    one-sided, the other device stays at its lower end; with another zero both move.
    It is used as a `MemristorArray` is.
    """

    difference: Tensor

    def __init__(self, plus: MemristorArray, minus: MemristorArray):
        super().__init__()
        self.plus, self.minus, self.scale = plus, minus, KEPT
        self.register_buffer("difference", torch.zeros_like(plus.state), persistent=False)
        self._seen: tuple[int, int] | None = None

    @property
    def device(self) -> CardDevice:
        """Device of both arrays."""
        return self.plus.device

    @property
    def stream(self) -> RandomStream:
        """Random numbers of the `plus` array, which recipes draw theirs from."""
        return self.plus.stream

    @property
    def state(self) -> Tensor:
        """States of the `plus` devices, out x in: what shape and place of others are taken from."""
        return self.plus.state

    @property
    def version(self) -> int:
        """Grows whenever what is read may be another."""
        return self.plus.version + self.minus.version

    @property
    def granularity(self) -> float:
        """Mean weight change of a pulse up and one down, where both devices stand at the zero."""
        return self.scale.gain * (self.plus.granularity + self.minus.granularity)

    @property
    def effective(self) -> Tensor:
        """Weights that reads use, out x in; not to be written to: the next pulse changes it."""
        versions = self.plus.version, self.minus.version
        if self._seen != versions:
            difference = self.plus.effective - self.minus.effective
            self.difference.copy_(self.scale.weight(difference))
            self._seen = versions
        return self.difference

    @property
    def weight_range(self) -> tuple[float, float]:
        """Smallest and largest weight of devices without spread, as read at the field."""
        low, high = self.plus.weight_range
        widest = self.scale.gain * (high - low)
        return -widest, widest

    @property
    def span(self) -> float:
        """Largest weight to program [weight]."""
        return span_of(*self.weight_range)

    @torch.no_grad()
    def program(self, weight: Tensor) -> None:
        """Set the pairs so that `weight` (out x in) is read at the field, clipped to their range.

        Raises NonFiniteError, and sets none, where an entry is not finite.
        """
        check_finite("weights", weight, "no device was programmed")
        wanted = self.scale.reading(weight.to(self.state.device))
        (low, high), (other_low, other_high) = self.plus.ends(), self.minus.ends()
        if self.device.zero == "g_min":
            plus = torch.where(wanted > 0, wanted + other_low, low)
            minus = torch.where(wanted > 0, other_low, low - wanted)
        else:
            zero = self.plus.nominal.zero
            plus = (zero + wanted / 2).clamp(low, high)
            minus = (plus - wanted).clamp(other_low, other_high)
            plus = minus + wanted
        self.plus.program_reading(plus)
        self.minus.program_reading(minus)

    @torch.no_grad()
    def fire(self, pulses: Tensor) -> Tensor | None:
        """Fire whole numbers of `pulses` (out x in): up > 0, down < 0, on both devices.

        Raises RuntimeError for pulses of another shape.
        """
        fresh = self._is_fresh()
        hit = self.plus.fire(pulses)
        if hit is None:
            self.minus.fire(-pulses)
        else:
            self.minus.fire_at(hit, -pulses.reshape(-1)[hit])
            self._refresh(fresh, hit)
        return hit

    @torch.no_grad()
    def fire_at(self, hit: Tensor, counts: Tensor) -> None:
        """Fire `counts` (k) pulses at the pairs at the places `hit` (k); CPU only."""
        fresh = self._is_fresh()
        self.plus.fire_at(hit, counts)
        self.minus.fire_at(hit, -counts)
        self._refresh(fresh, hit)

    def _is_fresh(self) -> bool:
        return self._seen == (self.plus.version, self.minus.version)

    def _refresh(self, fresh: bool, hit: Tensor) -> None:
        """Renew the difference of the pairs `hit`, if that of all was `fresh` before."""
        arrays = self.plus, self.minus
        if fresh and self.scale == KEPT and not any(a.effects for a in arrays):
            plus, minus = (array.effective.view(-1)[hit] for array in arrays)
            self.difference.view(-1).index_copy_(0, hit, plus - minus)
            self._seen = self.plus.version, self.minus.version

    @torch.no_grad()
    def set_field(self, field_G: ArrayLike, rescale: bool = False) -> None:
        """Read both arrays at `field_G` [G] from now on; see `MemristorArray.set_field`."""
        for array in (self.plus, self.minus):
            array.set_field(field_G)
        if rescale:
            self.scale = TileScale(self.plus.nominal.scale.gain)
        self._seen = None

    @property
    def field_G(self) -> float | FloatArray:
        """Field that both arrays are read at [G], as `MemristorArray.field_G`."""
        return self.plus.field_G

    @property
    def field_and_scale(self) -> FieldAndScale:
        """What `go_back_to` goes back to."""
        return FieldAndScale(self.field_G, self.scale)

    def go_back_to(self, place: FieldAndScale) -> None:
        """Read at a field and with a scale that the pair had before, bit for bit."""
        self.set_field(place.field_G)
        self.scale, self._seen = place.scale, None

    def set_nonidealities(self, effects: Sequence[Nonideality]) -> None:
        """Use these effects on both arrays, with draws of their own."""
        for array in (self.plus, self.minus):
            array.set_nonidealities(effects)

    def snapshot(self) -> dict[str, Any]:
        """What the devices remember, as plain tensors; their draws come from the seed."""
        arrays = {"plus": self.plus.snapshot(), "minus": self.minus.snapshot()}
        return {**arrays, **self.scale.snapshot()}

    def restore(self, stored: dict[str, Any]) -> None:
        """Go on where `stored` was taken, at its field and scale.

        Raises NonFiniteError, and changes nothing, where an entry is not finite; ValueError for
        states of an older form or of single devices.
        """
        self.check(stored)
        self.plus.restore(stored["plus"])
        self.minus.restore(stored["minus"])
        self.scale = TileScale.restored(stored)
        self._seen = None

    def check(self, stored: dict[str, Any]) -> None:
        """Raise what `restore` would."""
        if "plus" not in stored:
            single = "the stored state is of single devices, the tile is of pairs"
            raise InputError(single if "state" in stored else OLD_FORM)
        check_state(stored)

    def _apply(self, fn: Any, recurse: bool = True) -> MemristorPair:
        self._seen = None
        return super()._apply(fn, recurse)
