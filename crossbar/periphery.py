"""Converters of a crossbar and the product it computes: DAC, matrix times vector, noise, ADC."""

from __future__ import annotations

from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType
from aihwkit.simulator.parameters.io import IOParameters
from torch import Tensor

from crossbar.random import RandomStream

SUPPORTED = (
    *("is_perfect", "inp_bound", "inp_res", "out_bound", "out_noise", "out_res"),
    *("bound_management", "noise_management"),
)
"""Fields of aihwkit's `IOParameters` that `crossbar_product` knows."""


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
        if not 2 <= bits <= 32:
            raise ValueError(f"{name} must lie between 2 and 32, got {bits!r}")
    return IOParameters(
        inp_res=1 / (2**dac_bits - 2),
        out_res=1 / (2**adc_bits - 2),
        out_noise=out_noise,
        bound_management=BoundManagementType.NONE,
    )


def check_periphery(io: IOParameters) -> None:
    """Raise ValueError, naming the field, for settings that `crossbar_product` does not know."""
    if io.is_perfect:
        return
    if io.bound_management != BoundManagementType.NONE:
        raise ValueError(
            f"the memristor tile reads with bound_management NONE, got "
            f"{io.bound_management.name}; use crossbar.periphery()"
        )
    if io.noise_management not in (NoiseManagementType.NONE, NoiseManagementType.ABS_MAX):
        raise ValueError(
            f"noise_management must be NONE or ABS_MAX, got {io.noise_management.name}"
        )
    usual = IOParameters()
    for name, value in vars(io).items():
        if name not in SUPPORTED and value != getattr(usual, name):
            raise ValueError(f"the memristor tile has no {name}={value!r} in its periphery")


def crossbar_product(
    weight: Tensor, vectors: Tensor, io: IOParameters, stream: RandomStream
) -> Tensor:
    """weight (m x n) times each of `vectors` (... x n) as the crossbar computes it, ... x m.

    Each vector is scaled by its largest entry, rounded to the levels of the DAC, multiplied,
    given the output noise, rounded to the levels of the ADC, clipped at its bound and scaled
    back: aihwkit's AnalogMVM of the same settings. A convolution brings its patches as columns
    (n x positions in memory), and they stay columns.
    """
    columns = vectors.dim() == 3 and vectors.stride(-1) != 1
    if columns:
        vectors = vectors.transpose(-1, -2)
    if io.is_perfect:
        output = _product(weight, vectors, columns)
    else:
        output = _converted_product(weight, vectors, columns, io, stream)
    return output.transpose(-1, -2) if columns else output


def _converted_product(
    weight: Tensor, vectors: Tensor, columns: bool, io: IOParameters, stream: RandomStream
) -> Tensor:
    """The product counted in levels of the ADC, so that each converter is one pass."""
    peak = _peak(vectors, -2 if columns else -1, io)
    dac_step = 2 * io.inp_bound * _share(io.inp_res)
    adc_step = 2 * io.out_bound * _share(io.out_res)
    dac_unit, adc_unit = dac_step or 1.0, adc_step or 1.0
    levels = vectors * (1 / (dac_unit * peak))
    if dac_step:
        levels.round_()
    _clip_(levels, io.inp_bound / dac_unit)
    output = _product(weight * (dac_unit / adc_unit), levels, columns)
    if io.out_noise > 0:
        stream.add_normal_(output, io.out_noise / adc_unit)
    if adc_step:
        output.round_()
    _clip_(output, io.out_bound / adc_unit)
    return output.mul_(adc_unit * peak)


def _product(weight: Tensor, vectors: Tensor, columns: bool) -> Tensor:
    return weight @ vectors if columns else vectors @ weight.t()


def _peak(vectors: Tensor, along: int, io: IOParameters) -> Tensor:
    """Largest size of an entry of each vector, 1 for a vector of zeros."""
    if io.noise_management == NoiseManagementType.NONE:
        return vectors.new_ones(())
    peak = vectors.abs().amax(along, keepdim=True)
    return peak.masked_fill_(peak == 0, 1.0)


def _clip_(values: Tensor, bound: float) -> None:
    """Clip in place at a bound; none where it is not positive, as in aihwkit."""
    if bound > 0:
        values.clamp_(-bound, bound)


def _share(resolution: float) -> float:
    """A resolution given as a share of the range, or as a number of levels; 0 for none."""
    return 1 / resolution if resolution > 1 else max(resolution, 0.0)
