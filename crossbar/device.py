"""Cards become aihwkit devices.

A card gives conductance against pulse number, G(n), for LTP and LTD, and with it the step of one
pulse as a function of the conductance (`device_models.steps`). aihwkit's PiecewiseStep device
takes exactly that, on evenly spaced nodes of the weight range (`crossbar.nodes.even`).
"""

# No `from __future__ import annotations`: aihwkit reads the field types of device dataclasses.
import math
import warnings
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from aihwkit.simulator.configs.devices import PiecewiseStepDevice, PulsedDevice
from aihwkit.simulator.parameters.mapping import MappingParameter

from crossbar.nodes.even import N_NODES, step_nodes
from crossbar.nodes.follow import complaint_about_nodes
from crossbar.scale import SPAN, WeightScale, complaint_about_zero, scale_of
from crossbar.zero import evenly
from device_models import DeviceCard, load_card
from device_models.errors import InputError

FIXED = ("card", "field_G", "zero")
"""What a `CardDevice` is computed from when it is made."""

NEVER_NEGATIVE = ("diffusion", "lifetime", "corrupt_devices_prob", "corrupt_devices_range")

FINEST = 1e-3
"""Least granularity over the mean step: pulses at a weight 0 that hardly move count no finer."""


@dataclass
class CardDevice(PiecewiseStepDevice):
    """aihwkit pulsed device that follows a device card at one magnetic field.

    Use it like any aihwkit device: `SingleRPUConfig(device=CardDevice(card="lsmo_pvdf_co"))`.
    Its range is rarely as wide as the weights of a network, and aihwkit clips what lies beyond:
    `crossbar.rpu_config(device)` gives the configuration that scales the weights into it, for
    `convert_to_analog` as for single layers.

    Range, granularity and step shape come from the card and are not settable, and card, field
    and zero cannot be changed afterwards; the spreads are aihwkit's own parameters. A spread left
    at None takes the card's value, which is 0 where nothing was measured.
    Raises InputError, naming the parameter, for one that is not finite or a negative spread.
    """

    bindings_ignore: ClassVar[list[str]] = [*FIXED]

    card: str | Path | DeviceCard = "lsmo_pvdf_co"
    """Name of a card, path of a card file, or a card."""

    field_G: float = 0.0
    """Magnetic field the device is programmed and read at [G]."""

    zero: str = "symmetry_point"
    """Conductance that stands for the weight 0, see `weight_scale`."""

    w_min: float = field(init=False, default=None)  # type: ignore[assignment]
    w_max: float = field(init=False, default=None)  # type: ignore[assignment]
    dw_min: float = field(init=False, default=None)  # type: ignore[assignment]
    piecewise_up: list[float] = field(init=False, default_factory=list)
    piecewise_down: list[float] = field(init=False, default_factory=list)

    dw_min_std: float = None  # type: ignore[assignment]
    """Cycle-to-cycle std of a step over the mean step (card: `step_c2c`)."""

    dw_min_dtod: float = None  # type: ignore[assignment]
    """Device-to-device std of the step size (card: `step_d2d`)."""

    w_min_dtod: float = None  # type: ignore[assignment]
    """Device-to-device std of the lower end of the range over the end (card: `range_d2d`)."""

    w_max_dtod: float = None  # type: ignore[assignment]
    """Device-to-device std of the upper end of the range over the end (card: `range_d2d`)."""

    write_noise_std: float = None  # type: ignore[assignment]
    """Std of a weight around its persistent state over `dw_min` (card: `write_noise`)."""

    up_down_dtod: float = 0.0

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "w_min" in vars(self):
            raise InputError(
                f"{name} of a CardDevice is fixed, its range and steps follow from it: "
                f"dataclasses.replace(device, {name}={value!r:.40}) makes another"
            )
        super().__setattr__(name, value)

    def __post_init__(self) -> None:
        self.field_G = one_field_G(self.field_G)
        card = load_card(self.card)
        scale = scale_of(card, self.field_G, self.zero)
        low, high = card.conductance_range(self.field_G)
        nodes = step_nodes(card, self.field_G)
        # The granularity is the pulse at the weight 0, where digital accumulation counts pulses.
        mean = (nodes.up + nodes.down) / 2
        at_zero = float(np.nan_to_num(np.interp(scale.zero, evenly(low, high, N_NODES), mean)))
        # Bounded: a zero may lie where no pulse moves anything, a range may be a few last bits.
        at_zero = min(max(at_zero, FINEST * float(mean.mean())), float(mean.max())) or 1.0
        # Ends nudged outwards to 0: the C++ code wants 0 inside the range, to the last bit.
        self.w_min = min(float(scale.weight(low)), 0.0)
        self.w_max = max(float(scale.weight(high)), 0.0)
        self.dw_min = float(at_zero)
        self.piecewise_up = [float(v) for v in nodes.up / at_zero]
        self.piecewise_down = [float(v) for v in nodes.down / at_zero]
        spread = card.spread
        for name, value in (
            ("dw_min_std", spread.step_c2c),
            ("dw_min_dtod", spread.step_d2d),
            # The card counts in half ranges, which are the unit of the weight; aihwkit in shares
            # of the end, and of the granularity.
            ("w_min_dtod", _over(spread.ends_d2d[0], -self.w_min)),
            ("w_max_dtod", _over(spread.ends_d2d[1], self.w_max)),
            ("write_noise_std", _over(spread.write_noise, self.dw_min)),
        ):
            if getattr(self, name) is None:
                setattr(self, name, value)
        _check_parameters(self)
        for text in (
            complaint_about_zero(card, self.field_G, self.zero),
            complaint_about_nodes(card, self.field_G),
        ):
            if text:
                warnings.warn(text, stacklevel=3)

    @property
    def scale(self) -> WeightScale:
        """Map between the device's weights and the card's conductance."""
        return scale_of(load_card(self.card), self.field_G, self.zero)


def weight_span(device: PulsedDevice) -> float:
    """Largest weight to program on `device`: 0.8 of the shorter side of its range [weight].

    Raises InputError for a device whose range lies on one side of 0: it holds weights of one sign.
    """
    span = SPAN * min(-device.w_min, device.w_max)
    if span <= 0:
        kind = f"zero={device.zero!r}" if isinstance(device, CardDevice) else type(device).__name__
        raise InputError(
            f"{kind}: weights from {device.w_min:.3g} to {device.w_max:.3g} have one sign; use "
            f"zero='mid_range', or two such devices as a pair (aihwkit's OneSidedUnitCell)"
        )
    return span


def scaled_mapping(omega: float | None = None) -> MappingParameter:
    """Weights scaled so that the largest is `omega`, a learned digital scale for each output.

    None leaves the choice, `weight_span`, to a memristor tile; aihwkit's own tiles scale nothing.
    """
    return MappingParameter(
        weight_scaling_omega=omega,
        learn_out_scaling=True,
        out_scaling_columnwise=True,
        digital_bias=True,
    )


def one_field_G(value: Any) -> float:
    """A field [G] from any kind of number, of numpy or torch too.

    Raises InputError, naming the value, for what is no finite number.
    """
    number = value.item() if getattr(value, "ndim", None) == 0 else value
    if not _is_number(number):
        raise InputError(f"a field must be a finite number [G], got {value!r:.40}")
    return float(number)


def pulsed_device(
    card: str | Path | DeviceCard,
    field_G: float = 0.0,
    *,
    zero: str = "symmetry_point",
    **aihwkit_parameters: Any,
) -> CardDevice:
    """aihwkit device of any card at any field [G] in the card's range.

    Its spreads are the card's, see `DeviceCard.with_spread`. Further keywords are aihwkit's
    (`corrupt_devices_prob`, ...).
    Raises InputError for a field outside the card's range, CardError for a bad card.
    """
    return CardDevice(card=card, field_G=field_G, zero=zero, **aihwkit_parameters)


def _is_number(value: Any) -> bool:
    """Whether `value` is a finite real number, which a bool is not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_parameters(device: CardDevice) -> None:
    for parameter in fields(device):
        name, value = parameter.name, getattr(device, parameter.name)
        if parameter.type is not float:
            continue
        least = 0.0 if name.endswith(("_std", "_dtod")) or name in NEVER_NEGATIVE else -math.inf
        if not _is_number(value) or value < least:
            wanted = "a number from 0" if least == 0 else "a finite number"
            raise InputError(f"{name} of a device must be {wanted}, got {value!r:.40}")


def _over(spread: float, unit: float) -> float:
    """A spread in half ranges in units of `unit`; aihwkit cannot vary an end that lies at 0."""
    return float(spread / unit) if unit > 0 else 0.0


@dataclass
class LSMOPVDFCoPresetDevice(CardDevice):
    """LSMO/PVDF/Co organic spintronic memristor, +2 V / -1.3 V pulses of 10 ms, 0 to 350 G.

    Reconstructed from the text of arXiv:2510.23542, which prints no absolute resistance: the
    shape of the device, not measured data.
    """
