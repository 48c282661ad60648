"""Drive a tile with single pulses and read its weights, as a probe station would.

aihwkit's C++ tiles (`tile="aihwkit"`), or memristor tiles, whose effective matrix is read: at any
field of the card, with nonidealities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from aihwkit.simulator.configs import SingleRPUConfig
from aihwkit.simulator.configs.devices import PulsedDevice
from aihwkit.simulator.parameters.enums import PulseType
from aihwkit.simulator.parameters.training import UpdateParameters
from aihwkit.simulator.tiles.analog import AnalogTile
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from crossbar.arrays.array import MemristorArray
from crossbar.choices import check_choice
from crossbar.device import CardDevice, pulsed_device
from crossbar.nonideality import Nonideality, checked_effects
from crossbar.recipes import MixedPrecisionSettings
from crossbar.rpu import TILES
from crossbar.simulator import MemristorSimulatorTile
from crossbar.tile import MemristorRPUConfig
from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.errors import InputError
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]
Effects = Nonideality | Sequence[Nonideality]


def single_pulse_tile(device: PulsedDevice, n_devices: int = 1) -> AnalogTile:
    """Tile of 1 row x `n_devices` columns on which one update is exactly one pulse a device."""
    update = UpdateParameters(
        pulse_type=PulseType.STOCHASTIC_COMPRESSED,
        desired_bl=1,
        fixed_bl=True,
        update_management=False,
        update_bl_management=False,
    )
    tile = AnalogTile(1, n_devices, SingleRPUConfig(device=device, update=update))
    tile.set_learning_rate(1.0)
    return tile


def single_pulse_memristors(
    device: PulsedDevice, n_devices: int = 1, nonidealities: Effects = ()
) -> MemristorSimulatorTile:
    """The same of memristors: 1 row x `n_devices` columns, one update is one pulse a device.

    The devices and all their noise follow from `construction_seed`; 0 draws one.
    Raises InputError for a device that is not made of a card.
    """
    if not isinstance(device, CardDevice):
        raise InputError(f"the memristor tile is made of a CardDevice, got {type(device).__name__}")
    config = MemristorRPUConfig(
        device=device,
        update=MixedPrecisionSettings(granularity=1.0),
        nonidealities=checked_effects(nonidealities),
    )
    seed = device.construction_seed or int(torch.randint(1, 2**31, ()))
    tile = MemristorSimulatorTile(n_devices, 1, config, seed)
    tile.set_learning_rate(1.0)
    return tile


def probe(
    device: PulsedDevice,
    branch: str,
    n_pulses: int,
    start_weight: float | None = None,
    n_devices: int = 1,
    own_range: bool = False,
    *,
    tile: str = "aihwkit",
    field_G: ArrayLike | None = None,
    nonidealities: Effects = (),
) -> FloatArray:
    """Weights before and after each of `n_pulses` LTP or LTD pulses, `n_pulses + 1` x `n_devices`.

    `start_weight` [weight] defaults to the end of the range the branch starts from. With
    `own_range` a device whose own range is another starts at the same place of its range.
    With `tile="memristor"` the effective matrix is read, with `nonidealities`, at `field_G` [G]:
    a number or one a device (1 x `n_devices`), by default the field the device is made at, whose
    scale the weights keep. Raises InputError for unknown names, a field outside the card's range,
    and for field and nonidealities on aihwkit's tiles, which have none.
    """
    check_choice("branch", branch, BRANCHES)
    _check_known(tile, field_G=field_G is not None, nonidealities=nonidealities != ())
    if tile == "aihwkit":
        return _pulse_aihwkit(device, branch, n_pulses, start_weight, n_devices, own_range)
    memristors = single_pulse_memristors(device, n_devices, nonidealities)
    if field_G is not None:
        memristors.set_field(field_G)
    return _pulse_memristors(memristors, branch, n_pulses, start_weight, own_range)


def measure_tile(
    card: DeviceCard,
    n_devices: int = 64,
    seed: int = 1,
    n_cycles: int = 1,
    *,
    tile: str = "aihwkit",
    made_at_G: float | None = None,
    nonidealities: Effects = (),
) -> PulseData:
    """A tile of the card measured like a device: every branch and field, as conductances.

    Each branch starts where its curve starts, in the range of each device, and gets the pulses
    it was measured with, with the card's spreads; `n_cycles` times over the same devices. Every
    column of the tile is a device of the measurement. `tile`: `aihwkit`, made anew at every
    field, or `memristor`, devices made at `made_at_G` [G] (default: the card's first field) and
    carried from field to field, read with `nonidealities`.
    Raises InputError for an unknown tile, and for what aihwkit's tiles have not.
    """
    _check_known(tile, made_at_G=made_at_G is not None, nonidealities=nonidealities != ())
    station = None
    if tile == "memristor":
        at_G = card.fields_G[0] if made_at_G is None else made_at_G
        made = pulsed_device(card, at_G, construction_seed=seed)
        station = single_pulse_memristors(made, n_devices, nonidealities)
    segments = []
    for branch, field_G in ((b, f) for f in card.fields_G for b in BRANCHES):
        n_pulses = int(np.ceil(card.measured_pulses(branch, field_G)))
        pulses = np.arange(n_pulses + 1.0)
        device = pulsed_device(card, field_G, construction_seed=seed) if station is None else made
        start = float(device.scale.weight(card.conductance(branch, 0, field_G)))
        if station is not None:
            station.set_field(field_G)
        for cycle in range(1, n_cycles + 1):
            if station is None:
                weights = _pulse_aihwkit(device, branch, n_pulses, start, n_devices, True)
            else:
                weights = _pulse_memristors(station, branch, n_pulses, start, True)
            readings = device.scale.conductance(weights)
            segments += [
                Segment(branch, pulses, readings[:, i], str(i + 1), cycle, field_G)
                for i in range(n_devices)
            ]
    return PulseData("conductance", card.conductance_unit, tuple(segments), card.name, card.sha256)


def _check_known(tile: str, **given: bool) -> None:
    """Refuse, by its name, what is given for aihwkit's tiles and only memristors have."""
    check_choice("tile", tile, TILES)
    for name in (name for name, is_given in given.items() if is_given and tile == "aihwkit"):
        raise InputError(f"{name} needs tile='memristor', got {tile!r}")


def _pulse_aihwkit(
    device: PulsedDevice,
    branch: str,
    n_pulses: int,
    start_weight: float | None,
    n_devices: int,
    own_range: bool,
) -> FloatArray:
    """Weights of a C++ tile made of `device`, before and after each pulse."""
    if start_weight is None:
        start_weight = device.w_min if branch == "LTP" else device.w_max
    tile = single_pulse_tile(device, n_devices)
    starts = torch.full((1, n_devices), float(start_weight))
    tile.set_weights(_in_own_range(tile, device, starts) if own_range else starts)
    return _pulse_by_pulse(tile, branch, n_pulses, lambda: tile.get_weights()[0])


def _pulse_memristors(
    tile: MemristorSimulatorTile,
    branch: str,
    n_pulses: int,
    start_weight: float | None,
    own_range: bool,
) -> FloatArray:
    """What is read of a memristor tile at its field, before and after each pulse."""
    array = tile.array
    assert isinstance(array, MemristorArray)  # single devices, as `single_pulse_memristors` makes
    low, high = array.weight_range
    if start_weight is None:
        start_weight = low if branch == "LTP" else high
    starts = torch.full((1, tile.x_size), float(start_weight))
    if own_range:
        own_low, own_high = array.ends()
        starts = own_low + (starts - low) / (high - low) * (own_high - own_low)
    tile.set_weights(starts)
    return _pulse_by_pulse(tile, branch, n_pulses, tile.get_weights)


def _pulse_by_pulse(
    tile: AnalogTile | MemristorSimulatorTile,
    branch: str,
    n_pulses: int,
    read: Callable[[], Tensor],
) -> FloatArray:
    weights = [_row(read())]
    inputs = torch.ones(1, len(weights[0]))
    gradient = torch.full((1, 1), -1.0 if branch == "LTP" else 1.0)
    for _ in range(n_pulses):
        tile.update(inputs, gradient)
        weights.append(_row(read()))
    return np.stack(weights)


def _in_own_range(tile: AnalogTile, device: PulsedDevice, weights: Tensor) -> Tensor:
    """Weights at the same place of each device's own range as in the range of the mean device."""
    if not (device.w_min_dtod > 0 or device.w_max_dtod > 0):
        return weights
    own = tile.get_hidden_parameters()
    place = (weights - device.w_min) / (device.w_max - device.w_min)
    return own["min_bound"] + place * (own["max_bound"] - own["min_bound"])


def _row(weights: Tensor) -> FloatArray:
    return weights.detach().numpy().astype(float).ravel().copy()
