"""Spreads from device to device and from cycle to cycle, against their sizes."""

from __future__ import annotations

import numpy as np
import pytest
from junctions import SPREAD, after, aligned_plateau_ohm

from device_models import Memristor, MemristorParameters
from device_models.junction import Variability

ONE_SITE = MemristorParameters(sites_per_axis=1)


def test_spreads_are_off_by_default_and_seeded():
    assert np.ptp(after(-1.2, shape=4).state) == 0
    noisy = Variability(v_ltp_V=0.05, rate_c2c=0.3)
    states = [after(-1.2, -0.9, shape=100, variability=noisy, seed=s).state for s in (7, 7, 8)]
    assert np.array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])


def test_a_spread_does_not_change_the_draws_of_another():
    alone = Memristor(shape=20, variability=Variability(v_ltp_V=0.05), seed=1)
    more = Memristor(shape=20, variability=Variability(v_ltp_V=0.05, r_low=0.3), seed=1)
    assert np.array_equal(alone.kinetics.ltp_threshold_V, more.kinetics.ltp_threshold_V)


def test_device_spreads_have_the_sizes_asked_for():
    """d2d: standard deviations of ln R_L, ln R_H, the thresholds and ln H_c, within 3 sigma."""
    n = 20_000
    device = Memristor(shape=n, variability=SPREAD, n_sites=1)
    low, high = (np.log(aligned_plateau_ohm(device, s)) for s in (1.0, 0.0))
    shift = device.kinetics.ltp_threshold_V[0] - Memristor(n_sites=1).kinetics.ltp_threshold_V[0]
    coercivity = np.log(np.asarray(device.electrodes.lsmo.layer.coercivity_G) / 90.0)
    for values, sigma in ((low, 0.1), (high, 0.2), (shift, 0.05), (coercivity, 0.1)):
        assert values.std() == pytest.approx(sigma, rel=3 / np.sqrt(2 * n))


def test_cycle_noise_is_on_the_rate_with_mean_one():
    """c2c: of one site far from its end, steps scatter log-normally about the noise-free step."""
    n, sigma = 20_000, 0.3
    noisy = Memristor(ONE_SITE, shape=n, variability=Variability(rate_c2c=sigma))
    noisy.pulse(-1.0, 0.01)
    dose = -np.log1p(-noisy.sites[0])
    exact = np.exp((1.0 - ONE_SITE.v_ltp_mean_V) / ONE_SITE.v_slope_V) * 0.01
    assert np.log(dose).std() == pytest.approx(sigma, rel=3 / np.sqrt(2 * n))
    assert dose.mean() == pytest.approx(exact, rel=4 * sigma / np.sqrt(n))


def test_noisy_pulses_counted_equal_noisy_pulses_one_by_one():
    counted, single = (Memristor(shape=6, variability=Variability(rate_c2c=0.5)) for _ in range(2))
    counted.pulse(-1.3, 0.01, count=7)
    for _ in range(7):
        single.pulse(-1.3, 0.01)
    assert counted.state == pytest.approx(single.state, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Variability(r_low=-0.1), "r_low must be at least 0, got -0.1"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
