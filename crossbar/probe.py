"""Drive a real aihwkit tile with single pulses and read its weights, as a probe station would."""

from __future__ import annotations

import numpy as np
import torch
from aihwkit.simulator.configs import SingleRPUConfig
from aihwkit.simulator.configs.devices import PulsedDevice
from aihwkit.simulator.parameters.enums import PulseType
from aihwkit.simulator.parameters.training import UpdateParameters
from aihwkit.simulator.tiles.analog import AnalogTile
from numpy.typing import NDArray

from crossbar.choices import check_choice
from crossbar.device import pulsed_device
from device_models import DeviceCard
from device_models.card import BRANCHES
from device_models.pulses import PulseData, Segment

FloatArray = NDArray[np.float64]


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


def probe(
    device: PulsedDevice,
    branch: str,
    n_pulses: int,
    start_weight: float | None = None,
    n_devices: int = 1,
    own_range: bool = False,
) -> FloatArray:
    """Weights before and after each of `n_pulses` LTP or LTD pulses, `n_pulses + 1` x `n_devices`.

    `start_weight` [weight] defaults to the end of the range the branch starts from. With
    `own_range` a device whose own range is another starts at the same place of its range.
    """
    check_choice("branch", branch, BRANCHES)
    up = branch == "LTP"
    if start_weight is None:
        start_weight = device.w_min if up else device.w_max
    tile = single_pulse_tile(device, n_devices)
    starts = torch.full((1, n_devices), float(start_weight))
    tile.set_weights(_in_own_range(tile, device, starts) if own_range else starts)
    weights = [_read(tile)]
    inputs, gradient = torch.ones(1, n_devices), torch.full((1, 1), -1.0 if up else 1.0)
    for _ in range(n_pulses):
        tile.update(inputs, gradient)
        weights.append(_read(tile))
    return np.stack(weights)


def measure_tile(
    card: DeviceCard, n_devices: int = 64, seed: int = 1, n_cycles: int = 1
) -> PulseData:
    """The card's aihwkit tile measured like a device: every branch and field, as conductances.

    Each branch starts where its curve starts, in the range of each device, and gets the pulses
    it was measured with, with the card's spreads; `n_cycles` times over the same devices. Every
    column of the tile is a device of the measurement.
    """
    segments = []
    for branch, field_G in ((b, f) for f in card.fields_G for b in BRANCHES):
        n_pulses = int(np.ceil(card.measured_pulses(branch, field_G)))
        pulses = np.arange(n_pulses + 1.0)
        device = pulsed_device(card, field_G, construction_seed=seed)
        start = float(device.scale.weight(card.conductance(branch, 0, field_G)))
        for cycle in range(1, n_cycles + 1):
            weights = probe(device, branch, n_pulses, start, n_devices, own_range=True)
            readings = device.scale.conductance(weights)
            segments += [
                Segment(branch, pulses, readings[:, i], str(i + 1), cycle, field_G)
                for i in range(n_devices)
            ]
    return PulseData("conductance", card.conductance_unit, tuple(segments), card.name, card.sha256)


def _in_own_range(tile: AnalogTile, device: PulsedDevice, weights: torch.Tensor) -> torch.Tensor:
    """Weights at the same place of each device's own range as in the range of the mean device."""
    if not (device.w_min_dtod > 0 or device.w_max_dtod > 0):
        return weights
    own = tile.get_hidden_parameters()
    place = (weights - device.w_min) / (device.w_max - device.w_min)
    return own["min_bound"] + place * (own["max_bound"] - own["min_bound"])


def _read(tile: AnalogTile) -> FloatArray:
    return tile.get_weights()[0].detach().numpy().astype(float).ravel().copy()
