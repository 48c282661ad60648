"""An aihwkit tile built from a card, driven as the device was, and held against its readings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossbar.probe import measure_tile
from device_models import DeviceCard
from device_models.fit import Band, Branch, CardFit, band_of, pulse_noise, select_branches

FloatArray = NDArray[np.float64]

TILE_DEVICES = 64


@dataclass(frozen=True, eq=False)
class TileCheck:
    """An aihwkit tile built from the card against the data, one branch at one field.

    `pulses`, `mean`: mean response of the tile's devices (n,) in the card's unit, devices alike;
    `rmse_from_data`, `rmse_from_curve`: of that mean from the measured mean and from the fitted
    curve, over the card's conductance range at that field [1];
    `end_from_data`: of the tile less of the data at the end of the branch, over that range [1];
    `step_std`, `step_std_data`: std of a step at fixed state, tile and data, card's unit;
    `band`, `data_band`: how the tile's and the measured cycles and devices scatter.
    """

    pulses: FloatArray
    mean: FloatArray
    rmse_from_data: float
    rmse_from_curve: float
    end_from_data: float
    step_std: float
    step_std_data: float
    band: Band
    data_band: Band


def check_tile(fit: CardFit) -> list[TileCheck]:
    """One check for every branch of the fit; the tile is driven pulse by pulse.

    First with devices that are alike but for what changes from pulse to pulse: their mean is the
    response of the card's device, their scatter that of cycles. Then with the card's spreads.
    """
    spread = fit.card.spread
    alike = _drive(fit.card.with_spread(step_d2d=0.0, range_d2d=0.0))
    differs = spread.step_d2d > 0 or spread.range_d2d > 0
    spreads = _drive(fit.card) if differs else alike
    return [_check(fit, i, alike, spreads) for i in range(len(fit.branches))]


def range_at(card: DeviceCard, field_G: float) -> float:
    """What "% of the range" means: the card's conductance range at a field [G], in its unit."""
    low, high = card.conductance_range(field_G)
    return high - low


def _drive(card: DeviceCard) -> dict[tuple[str, float], Branch]:
    measured, _, _ = select_branches(measure_tile(card, TILE_DEVICES))
    return {(b.branch, b.field_G): b for b in measured}


def _check(
    fit: CardFit,
    index: int,
    alike: dict[tuple[str, float], Branch],
    spreads: dict[tuple[str, float], Branch],
) -> TileCheck:
    branch, law, noise = fit.branches[index], fit.laws[index], fit.noise[index]
    key = branch.branch, branch.field_G
    tile = alike[key]
    # Unweighted: on a tile there are no outliers to play down.
    n = np.unique(tile.pulses)
    rows = tile.values.reshape(len(tile.clusters), -1)
    mean, cycle_std = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    own = pulse_noise(tile, [law] * len(tile.clusters))
    points = branch.points()
    here, whole = np.interp(points.pulses, n, mean), range_at(fit.card, branch.field_G)
    from_data, from_curve = (
        float(np.sqrt(np.mean((here - other) ** 2)) / whole)
        for other in (points.values, law(points.pulses))
    )
    return TileCheck(
        pulses=n,
        mean=mean,
        rmse_from_data=from_data,
        rmse_from_curve=from_curve,
        end_from_data=float((here - points.values)[-1] / whole),
        step_std=own.step_std,
        step_std_data=noise.step_std,
        band=replace(
            band_of(spreads[key]),
            mean=mean,
            cycle_std=cycle_std,
            device_std=_device_std(spreads[key], cycle_std),
        ),
        data_band=band_of(branch),
    )


def _device_std(tile: Branch, cycle_std: FloatArray) -> FloatArray:
    """Scatter of the tile's devices (n,) beyond that of their cycles."""
    over_all = tile.values.reshape(len(tile.clusters), -1).var(axis=0, ddof=1)
    return np.sqrt(np.maximum(over_all - cycle_std**2, 0.0))
