"""Converters of a crossbar: DAC in front of the product, output noise and ADC behind it."""

from __future__ import annotations

import math

import torch
from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType
from aihwkit.simulator.parameters.io import IOParameters
from torch import Tensor

from crossbar.random import RandomStream
from device_models.errors import InputError

SUPPORTED = (
    *("is_perfect", "inp_bound", "inp_res", "out_bound", "out_noise", "out_res"),
    *("bound_management", "noise_management"),
)
"""Fields of aihwkit's `IOParameters` that `Converters` knows."""


def periphery(
    *, perfect: bool = False, dac_bits: int = 7, adc_bits: int = 9, out_noise: float = 0.06
) -> IOParameters:
    """Converters of a crossbar: DAC and ADC resolution [bit], output noise [weight units].

    The defaults are aihwkit's, but for its bound management: the output range is fixed, not
    searched for at every read. `perfect` switches converters and noise off.
    """
    if perfect:
        return IOParameters(is_perfect=True)
    for name, bits in (("dac_bits", dac_bits), ("adc_bits", adc_bits)):
        if type(bits) is not int or not 2 <= bits <= 32:
            raise InputError(f"{name} must be a whole number from 2 to 32, got {bits!r}")
    io = IOParameters(
        inp_res=1 / (2**dac_bits - 2),
        out_res=1 / (2**adc_bits - 2),
        out_noise=out_noise,
        bound_management=BoundManagementType.NONE,
    )
    _check_numbers(io)
    return io


class Converters:
    """DAC, output noise and ADC of `io`, in the units in which each is one pass over the data.

    Raises InputError, naming the field, for settings it does not know. `gain` turns a product
    in DAC levels into ADC levels, `adc_unit` turns those back (`dac_unit`, `adc_unit`: 1 where
    nothing is rounded).
    """

    def __init__(self, io: IOParameters):
        _check(io)
        self.perfect = io.is_perfect
        self.managed = io.noise_management == NoiseManagementType.ABS_MAX
        dac_step = 2 * io.inp_bound * _share(io.inp_res)
        adc_step = 2 * io.out_bound * _share(io.out_res)
        self.rounds_input, self.rounds_output = dac_step > 0, adc_step > 0
        self.dac_unit, self.adc_unit = dac_step or 1.0, adc_step or 1.0
        self.gain = self.dac_unit / self.adc_unit
        self.input_bound = io.inp_bound / self.dac_unit
        self.output_bound = io.out_bound / self.adc_unit
        self.noise = io.out_noise / self.adc_unit
        # Managed inputs end at the bound; rounding may only lift them beyond it between levels.
        self.clips_input = self.input_bound > 0 and (not self.managed or self.input_bound % 1 > 0)

    def scale(self, peak: Tensor) -> tuple[Tensor, Tensor]:
        """Factors into DAC levels and out of ADC levels for vectors with largest entry `peak`.

        In float64: the smallest numbers of float32 have no reciprocal there. A vector of zeros
        is not read: its output is 0, without noise, as in aihwkit's C++ tiles.
        """
        peak = peak.double() if self.managed else torch.ones_like(peak, dtype=torch.float64)
        safe = peak.masked_fill(peak == 0, 1.0)
        return 1 / (self.dac_unit * safe), self.adc_unit * peak

    def dac(self, values: Tensor, into: Tensor) -> Tensor:
        """DAC levels of `values`: times `into`, rounded and clipped at the input's bound."""
        empty = torch.empty(values.shape, dtype=values.dtype, device=values.device)
        levels = torch.mul(values, into, out=empty)
        if self.rounds_input:
            levels.round_()
        if self.clips_input:
            levels.clamp_(-self.input_bound, self.input_bound)
        return levels

    def adc_(self, values: Tensor, stream: RandomStream) -> Tensor:
        """Add the output noise to `values`, in ADC levels, round and clip them, in place."""
        if self.noise > 0:
            stream.add_normal_(values, self.noise)
        if self.rounds_output:
            values.round_()
        if self.output_bound > 0:  # none where it is not positive, as in aihwkit
            values.clamp_(-self.output_bound, self.output_bound)
        return values


def check_kind(weight: Tensor, values: Tensor) -> None:
    """Raise RuntimeError, naming both, where dtype or device of `values` is not the weights'."""
    if values.dtype != weight.dtype or values.device != weight.device:
        raise RuntimeError(
            f"a crossbar of {weight.dtype} on {weight.device} does not read "
            f"{values.dtype} on {values.device}"
        )


def _check(io: IOParameters) -> None:
    if io.is_perfect:
        return
    if io.bound_management != BoundManagementType.NONE:
        raise InputError(
            f"the memristor tile reads with bound_management NONE, got "
            f"{io.bound_management.name}; use crossbar.periphery()"
        )
    if io.noise_management not in (NoiseManagementType.NONE, NoiseManagementType.ABS_MAX):
        raise InputError(
            f"noise_management must be NONE or ABS_MAX, got {io.noise_management.name}"
        )
    _check_numbers(io)
    usual = IOParameters()
    for name, value in vars(io).items():
        if name not in SUPPORTED and value != getattr(usual, name):
            raise InputError(f"the memristor tile has no {name}={value!r} in its periphery")


def _check_numbers(io: IOParameters) -> None:
    """Noise is a size; the others say "none" by 0 or a negative number, but not by a NaN."""
    for name in ("inp_bound", "inp_res", "out_bound", "out_res", "out_noise"):
        value = getattr(io, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise InputError(f"{name} must be a number, got {value!r}")
    if not 0 <= io.out_noise < math.inf:
        raise InputError(f"out_noise must be finite and at least 0, got {io.out_noise!r}")


def _share(resolution: float) -> float:
    """A resolution given as a share of the range, or as a number of levels; 0 for none."""
    return 1 / resolution if resolution > 1 else max(resolution, 0.0)
