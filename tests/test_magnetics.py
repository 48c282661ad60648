"""Electrodes: the major loop, the memory of a sweep, and the theory of a pinned magnet."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.junction import (
    CO,
    LSMO,
    Electrodes,
    Hysteresis,
    Layer,
    antiparallel_fraction,
    sweep_magnetization,
)

FIELDS = st.lists(st.floats(-500, 500), min_size=1, max_size=12)


def follow(magnet: Hysteresis, fields_G) -> np.ndarray:
    return np.array([magnet.apply(h) for h in fields_G])


@pytest.mark.parametrize("layer", [LSMO, CO])
def test_after_saturation_the_memory_gives_the_tanh_branches_exactly(layer):
    field = np.linspace(-2000, 2000, 401)
    both = follow(Hysteresis(layer), [-2000, *field, *field[::-1]])[1:]
    resting = np.abs(field + 2000) <= 2 * layer.coercivity_G
    up, down = both[:401], both[401:][::-1]
    assert np.array_equal(up[~resting], sweep_magnetization(field, layer, +1)[~resting])
    assert np.array_equal(
        down[~resting[::-1]], sweep_magnetization(field, layer, -1)[~resting[::-1]]
    )
    assert np.all(up[resting] == -1)
    assert np.all(down[resting[::-1]] == 1)


def test_electrodes_start_as_after_the_initialisation():
    """E9, M8: -2 kG, then 0 G, is the rising branch."""
    electrodes = Electrodes()
    assert electrodes.antiparallel_fraction == antiparallel_fraction(0.0)
    fields = [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0]
    assert np.array_equal(electrodes.sweep(fields), antiparallel_fraction(fields))


def test_demagnetised_electrodes_have_no_magnetization():
    assert Electrodes(init_field_G=None).antiparallel_fraction == 0.5


def test_fields_in_falling_order_read_otherwise_than_after_initialisation():
    """Q11: Co stays half switched after 350 G, which the -2 kG initialisation wipes out."""
    fields = np.array([350.0, 200.0, 100.0, 0.0])
    falling = Electrodes().sweep(fields)
    assert np.abs(falling - antiparallel_fraction(fields))[-1] > 0.05
    again = Electrodes()
    again.sweep(fields)
    again.apply(-2000.0)
    assert np.allclose(again.sweep(fields[::-1]), antiparallel_fraction(fields[::-1]))


@given(FIELDS, st.floats(-400, 400), st.floats(-400, 400))
@settings(max_examples=60, deadline=None)
def test_return_point_memory(history, first, second):
    """A minor loop ends where it began: after visiting `second`, `first` gives the same again."""
    magnet = Hysteresis(LSMO)
    for field in history:
        magnet.apply(field)
    extreme = [second, first]
    magnet.apply(second)
    start = magnet.apply(first)
    inside = min(extreme) + 0.3 * (max(extreme) - min(extreme))
    magnet.apply(inside)
    assert magnet.apply(first) == pytest.approx(start, abs=1e-12)


@given(FIELDS, st.floats(0, 300))
@settings(max_examples=60, deadline=None)
def test_magnetization_stays_bounded_and_follows_the_field(history, step):
    magnet = Hysteresis(CO)
    values = [magnet.apply(field) for field in history]
    assert np.all(np.abs(values) <= 1)
    assert magnet.apply(history[-1] + step) >= values[-1]


@pytest.mark.parametrize("layer", [LSMO, CO])
def test_loss_of_a_full_loop_is_four_coercivities(layer):
    """Pinning theory: the closed integral of H dm is 4 H_c (per unit of saturation)."""
    field = np.concatenate([np.linspace(-3000, 3000, 12_001), np.linspace(3000, -3000, 12_001)])
    magnet = Hysteresis(layer)
    magnet.apply(-3000.0)
    m = follow(magnet, field)
    loss = np.sum((field[1:] + field[:-1]) / 2 * np.diff(m))
    assert loss == pytest.approx(4 * layer.coercivity_G, rel=1e-4)


@given(FIELDS)
@settings(max_examples=40, deadline=None)
def test_no_closed_path_of_the_field_gains_energy(fields):
    """Passivity: going round a path twice never gives energy back the second time."""
    path = np.concatenate(
        [np.linspace(a, b, 50) for a, b in pairwise(fields)]
        + [np.linspace(fields[-1], fields[0], 50)]
    )
    magnet = Hysteresis(LSMO)
    follow(magnet, path)
    m = np.concatenate([[magnet.magnetization], follow(magnet, path)])
    work = np.sum(np.concatenate([[path[0]], (path[1:] + path[:-1]) / 2]) * np.diff(m))
    assert work > -0.5


def test_devices_with_their_own_coercivity_and_field_equal_a_loop_over_them():
    coercivity = np.array([60.0, 90.0, 130.0])
    fields = np.array([[-2000.0] * 3, [80.0, 100.0, -50.0], [20.0, -120.0, 300.0]])
    together = Electrodes(Layer(coercivity, 40.0), CO)
    result = together.sweep(fields)
    for i, own in enumerate(coercivity):
        alone = Electrodes(Layer(own, 40.0), CO)
        assert np.array_equal(result[:, i], alone.sweep(fields[:, i]))


def test_saturation_is_parallel_and_mirror_symmetric():
    """M2: P at +-2 kG; the down sweep mirrors the up sweep."""
    field = np.linspace(-2000, 2000, 81)
    up, down = antiparallel_fraction(field, +1), antiparallel_fraction(field, -1)
    assert up[[0, -1]] == pytest.approx([0, 0], abs=1e-6)
    assert np.allclose(up, down[::-1])


def test_lsmo_switches_at_90_gauss():
    assert sweep_magnetization(90.0, LSMO) == 0
    assert sweep_magnetization(90.0, CO) < -0.98


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"rising.*falling.*got 2"):
        sweep_magnetization(0.0, LSMO, direction=2)
    with pytest.raises(ValueError, match="field_G must be finite, got nan"):
        Electrodes().apply(float("nan"))
    with pytest.raises(ValueError, match="coercivity_G must not be negative, got -1"):
        Layer(-1.0, 40.0)
    with pytest.raises(ValueError, match="width_G must be positive, got 0"):
        Layer(90.0, 0.0)
