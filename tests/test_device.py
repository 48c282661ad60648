"""Cards as aihwkit devices, checked on aihwkit's own C++ tiles."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.configs import (
    DigitalRankUpdateRPUConfig,
    SingleRPUConfig,
    UnitCellRPUConfig,
)
from aihwkit.simulator.configs.compounds import (
    ChoppedTransferCompound,
    MixedPrecisionCompound,
    OneSidedUnitCell,
    TransferCompound,
    VectorUnitCell,
)
from aihwkit.simulator.configs.devices import PiecewiseStepDevice, PulsedDevice
from aihwkit.simulator.tiles.analog import AnalogTile
from aihwkit.utils import visualization
from learning import losses_after_conversion
from matplotlib import pyplot as plt
from torch import nn

import crossbar
import device_models
from crossbar import (
    TILES,
    ZEROS,
    LSMOPVDFCoPresetDevice,
    MemristorRPUConfig,
    compat,
    periphery,
    pulsed_device,
    rpu_config,
    symmetry_point,
    to_crossbar,
    weight_scale,
)
from crossbar.probe import probe
from device_models import CardError, DeviceCard, ExponentialMixture, list_cards, load_card
from device_models.card import BRANCHES, Curve, Spread
from device_models.steps import step_size


def preset(zero: str = "symmetry_point") -> LSMOPVDFCoPresetDevice:
    return LSMOPVDFCoPresetDevice(field_G=150.0, zero=zero)


def synthetic_card(quantity: str, unit: str) -> DeviceCard:
    """Card with one field and one exponential a branch, exactly solvable."""
    ltp, ltd = (5.0, -4.0), (1.0, 4.0)
    if quantity == "resistance":
        ltp, ltd = ltd, ltp
    curves = tuple(
        Curve(branch, 0.0, ExponentialMixture(offset, (amplitude,), (12.0,)))
        for branch, (offset, amplitude) in (("LTP", ltp), ("LTD", ltd))
    )
    return DeviceCard("one", "one exponential", "measured", "", quantity, unit, 40, curves)


def relative_error(card: DeviceCard, branch: str, field_G: float, zero: str) -> float:
    """Largest distance of a probed tile from the card's curve, over the conductance range."""
    device = pulsed_device(replace(card, spread=Spread()), field_G, zero=zero)
    curve = card.conductance(branch, np.arange(card.n_pulses + 1), field_G)
    start = float(device.scale.weight(curve[0]))
    weights = probe(device, branch, card.n_pulses, start)[:, 0]
    low, high = card.conductance_range(field_G)
    return np.abs(device.scale.conductance(weights) - curve).max() / (high - low)


@pytest.mark.parametrize("name", list_cards())
@pytest.mark.parametrize("branch", BRANCHES)
def test_tile_follows_the_card_at_every_field(name, branch):
    """Within 0.1 % of the range at every pulse, at measured fields and between them."""
    card = load_card(name)
    between = np.convolve(card.fields_G, [0.5, 0.5], "valid")
    for field_G in [*card.fields_G, *between]:
        assert relative_error(card, branch, float(field_G), "symmetry_point") < 0.001, field_G


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("branch", BRANCHES)
def test_the_zero_of_the_weight_does_not_change_the_device(card, branch, zero):
    assert relative_error(card, branch, 150.0, zero) < 0.01


@pytest.mark.parametrize(("quantity", "unit"), [("conductance", "1"), ("conductance", "S")])
@pytest.mark.parametrize("branch", BRANCHES)
def test_cards_in_other_units_work_alike(branch, quantity, unit):
    assert relative_error(synthetic_card(quantity, unit), branch, 0.0, "mid_range") < 0.01


def test_step_of_one_exponential_is_linear_in_the_conductance():
    """Theory: G' = (G_end - G)(1 - exp(-1/tau)) for conductance G(n) with one exponential."""
    card = synthetic_card("conductance", "1")
    low, high = card.conductance_range()
    g = np.linspace(card.conductance("LTP", 0), card.conductance("LTP", card.n_pulses), 11)
    step = step_size(card, "LTP", g, 0.0)
    assert np.allclose(step, (5.0 - g) * (1 - np.exp(-1 / 12)), rtol=1e-4)
    # Mirror-symmetric branches meet in the middle.
    assert symmetry_point(card) == pytest.approx((low + high) / 2, rel=1e-6)


def test_up_and_down_cancel_at_the_weight_zero(card):
    """Symmetry point: one LTP and one LTD pulse from 0 are equally large, to 2 % of a step."""
    device = LSMOPVDFCoPresetDevice(field_G=150.0)
    up = probe(device, "LTP", 1, 0.0)[1, 0]
    down = probe(device, "LTD", 1, 0.0)[1, 0]
    assert up == pytest.approx(device.dw_min, rel=0.02)
    assert down == pytest.approx(-device.dw_min, rel=0.02)


def test_alternating_pulses_settle_at_the_symmetry_point():
    """The definition by experiment: random up and down pulses drift to the weight 0."""
    device = LSMOPVDFCoPresetDevice()
    from crossbar.probe import single_pulse_tile

    tile = single_pulse_tile(device)
    tile.set_weights(torch.full((1, 1), 1.0))
    tail = []
    for i in range(400):
        tile.update(torch.ones(1, 1), torch.full((1, 1), -1.0 if i % 2 else 1.0))
        tail.append(float(tile.get_weights()[0]))
    assert abs(np.mean(tail[-50:])) < 2 * device.dw_min


def test_weight_scale_spans_two(card):
    for zero in ZEROS:
        scale = weight_scale(card, 0.0, zero)
        low, high = scale.weight(card.conductance_range(0.0))
        assert high - low == pytest.approx(2.0)
        assert scale.conductance(scale.weight(2e-6)) == pytest.approx(2e-6)
    assert weight_scale(card, 0.0, "mid_range").weight(
        card.conductance_range(0.0)
    ) == pytest.approx([-1, 1])


def test_without_noise_devices_are_alike_and_repeat():
    device = LSMOPVDFCoPresetDevice()
    weights = probe(device, "LTP", 10, 0.0, n_devices=5)
    assert np.ptp(weights, axis=1).max() == 0
    assert np.array_equal(weights, probe(device, "LTP", 10, 0.0, n_devices=5))


def test_cycle_to_cycle_spread_is_the_one_asked_for():
    """Std of the first step over 4000 devices: within 8 % (4 standard errors are 4.5 %)."""
    device = pulsed_device(load_card("lsmo_pvdf_co").with_spread(step_c2c=0.2))
    step = probe(device, "LTP", 1, 0.0, n_devices=4000)[1]
    assert step.std() / step.mean() == pytest.approx(0.2, rel=0.08)


def test_device_to_device_spread_is_the_one_asked_for():
    card = load_card("lsmo_pvdf_co").with_spread(step_d2d=0.15)
    device = pulsed_device(card, construction_seed=3)
    step = probe(device, "LTP", 1, 0.0, n_devices=4000)[1]
    assert step.std() / step.mean() == pytest.approx(0.15, rel=0.08)


def test_write_noise_is_the_one_asked_for_and_does_not_add_up():
    """Std around the mean over 4000 devices, after 1 and after 20 pulses: within 8 %."""
    device = pulsed_device(load_card("lsmo_pvdf_co").with_spread(write_noise=0.05))
    weights = probe(device, "LTP", 20, 0.0, n_devices=4000)
    assert weights[1].std() == pytest.approx(0.05, rel=0.08)
    assert weights[20].std() == pytest.approx(0.05, rel=0.08)


def test_an_end_at_zero_does_not_vary():
    card = load_card("lsmo_pvdf_co").with_spread(range_d2d=0.1)
    device = pulsed_device(card, zero="g_min")
    assert device.w_min_dtod == 0
    assert device.w_max_dtod == pytest.approx(0.05)


def test_construction_seed_fixes_the_devices():
    card = load_card("lsmo_pvdf_co").with_spread(range_d2d=0.2)
    draws = [
        probe(pulsed_device(card, construction_seed=seed), "LTP", 200, 0.0, 8) for seed in (5, 5, 6)
    ]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_spreads_default_to_the_card():
    spread = Spread(step_c2c=0.3, write_noise=0.01, step_d2d=0.1, range_d2d=0.05)
    card = dataclasses.replace(synthetic_card("conductance", "1"), spread=spread)
    device = pulsed_device(card)
    assert (device.dw_min_std, device.dw_min_dtod) == (0.3, 0.1)
    # Absolute spreads, the weight's unit: aihwkit multiplies by the end and the granularity.
    assert device.w_min_dtod * -device.w_min == pytest.approx(0.05)
    assert device.w_max_dtod * device.w_max == pytest.approx(0.05)
    assert device.write_noise_std * device.dw_min == pytest.approx(0.01)
    assert pulsed_device(card.with_spread(step_c2c=0.0)).dw_min_std == 0.0


def test_aihwkit_parameters_pass_through():
    device = LSMOPVDFCoPresetDevice(dw_min_std=0.4, corrupt_devices_prob=0.1)
    assert (device.dw_min_std, device.corrupt_devices_prob) == (0.4, 0.1)


def test_a_copy_at_another_field_is_another_device():
    at_zero = LSMOPVDFCoPresetDevice()
    moved = dataclasses.replace(at_zero, field_G=150.0)
    assert moved.piecewise_up == LSMOPVDFCoPresetDevice(field_G=150.0).piecewise_up
    assert moved.piecewise_up != at_zero.piecewise_up
    assert deepcopy(moved) == moved


@pytest.mark.parametrize(("name", "value"), [("card", "x"), ("field_G", 300.0), ("zero", "g_min")])
def test_what_a_device_was_computed_from_is_fixed(name, value):
    device = LSMOPVDFCoPresetDevice()
    kept = deepcopy(device)
    message = rf"{name} of a CardDevice is fixed.*dataclasses\.replace\(device, {name}="
    with pytest.raises(ValueError, match=message):
        setattr(device, name, value)
    assert device == kept
    device.construction_seed = 5
    assert device.construction_seed == 5


BAD_SPREADS = (float("nan"), float("inf"), -1.0, -1e-9, 1e9, True, "0.1", None)


@pytest.mark.parametrize("name", ["step_c2c", "write_noise", "step_d2d", "range_d2d"])
@pytest.mark.parametrize("value", BAD_SPREADS)
def test_a_spread_is_refused_wherever_it_comes_in(name, value, card):
    """In the card's Spread itself, so that no way around it is left."""
    message = rf"spread\.{name} must be a number from 0 to 10000, got"
    spread = {name: value}
    ways = [lambda: Spread(**spread), lambda: dataclasses.replace(card.spread, **spread)]
    if value is not None:  # None keeps the card's own
        ways.append(lambda: card.with_spread(**spread))
    for way in ways:
        with pytest.raises(CardError, match=message) as caught:
            way()
        assert "\n" not in str(caught.value)


def test_a_card_with_other_spreads_keeps_all_else(card):
    assert card.with_spread(step_c2c=None) is card
    other = card.with_spread(step_c2c=0.3, range_d2d=0.0)
    assert other.spread == dataclasses.replace(card.spread, step_c2c=0.3, range_d2d=0.0)
    assert dataclasses.replace(other, spread=card.spread) == card
    for way in (
        lambda: pulsed_device(card, step_c2c=0.3),
        lambda: to_crossbar(nn.Linear(2, 2), card, step_c2c=0.3),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument 'step_c2c'"):
            way()


def test_a_spread_of_numpy_is_a_number_that_a_card_can_store(card):
    spread = dataclasses.replace(card.spread, step_c2c=np.float32(0.5), step_d2d=np.float64(0.25))
    assert dataclasses.replace(card, spread=spread).sha256
    assert spread == Spread(step_c2c=0.5, step_d2d=0.25, note=card.spread.note)


@pytest.mark.parametrize(
    "name",
    [
        *("dw_min_std", "dw_min_dtod", "w_min_dtod", "w_max_dtod", "write_noise_std"),
        *("up_down_dtod", "lifetime", "diffusion", "corrupt_devices_prob", "reset_std"),
    ],
)
@pytest.mark.parametrize("value", [*BAD_SPREADS[:3], True, "0.1"])
def test_aihwkits_own_parameters_are_checked_too(name, value):
    with pytest.raises(ValueError, match=f"{name} of a device must be a number from 0, got"):
        LSMOPVDFCoPresetDevice(**{name: value})


def test_parameters_with_a_sign_are_only_finite():
    assert LSMOPVDFCoPresetDevice(up_down=-0.1).up_down == -0.1
    with pytest.raises(ValueError, match="reset of a device must be a finite number, got nan"):
        LSMOPVDFCoPresetDevice(reset=float("nan"))


def decayed(device: PulsedDevice, config: type, steps: int = 20) -> torch.Tensor:
    """Weights of 400 devices that start at 0.5, after the steps of an optimizer without pulses."""
    wrapped = MixedPrecisionCompound(device=device) if config is not SingleRPUConfig else device
    tile = AnalogTile(1, 400, config(device=wrapped))
    tile.set_weights(torch.full((1, 400), 0.5))
    for _ in range(steps):
        tile.post_update_step()
    return tile.get_weights()[0]


@pytest.mark.parametrize("config", [SingleRPUConfig, DigitalRankUpdateRPUConfig])
@pytest.mark.parametrize("settings", [{"lifetime": 30.0}, {"diffusion": 0.01}])
def test_lifetime_and_diffusion_act_as_on_aihwkits_own_device(config, settings):
    ours = LSMOPVDFCoPresetDevice(**settings)
    spans = {"w_min": ours.w_min, "w_max": ours.w_max, "w_min_dtod": 0.0, "w_max_dtod": 0.0}
    theirs = PiecewiseStepDevice(**settings, **spans)
    expected, got = decayed(theirs, config), decayed(ours, config)
    assert got.mean().item() == pytest.approx(expected.mean().item(), abs=0.01)
    assert got.std().item() == pytest.approx(expected.std().item(), rel=0.2, abs=1e-6)
    if "lifetime" in settings:
        assert got.mean().item() == pytest.approx(0.5 * (1 - 1 / 30) ** 20, rel=1e-3)
    else:
        assert got.std().item() == pytest.approx(0.01 * 20**0.5, rel=0.2)


@pytest.mark.parametrize("settings", [{"lifetime": 30.0}, {"diffusion": 0.01}])
def test_a_memristor_tile_refuses_lifetime_and_diffusion_by_name(settings):
    config = rpu_config(pulsed_device("lsmo_pvdf_co", **settings))
    (name,) = settings
    with pytest.raises(ValueError, match=f"does not know the device parameter {name}"):
        AnalogLinear(2, 2, rpu_config=config)


@pytest.mark.parametrize("tile", TILES)
def test_a_device_for_weights_of_one_sign_is_refused(tile):
    with pytest.raises(ValueError, match="zero='g_min': weights from 0 to 2 have one sign"):
        rpu_config(preset("g_min"), tile=tile)
    pair = SingleRPUConfig().device
    pair.w_min = 0.0
    with pytest.raises(ValueError, match=r"ConstantStepDevice: weights from 0 to 0\.6 have"):
        rpu_config(pair, tile="aihwkit")


def test_the_documented_configuration_keeps_weights_that_a_plain_one_clips():
    """`convert_to_analog` with the preset alone clips at -0.2; with `rpu_config` it is exact."""
    digital = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
    for name, parameter in digital.named_parameters():
        if name.endswith("weight"):
            nn.init.uniform_(parameter, -0.6, 0.6)
    device, x = LSMOPVDFCoPresetDevice(), torch.randn(20, 4)
    perfect = periphery(perfect=True)
    plain = convert_to_analog(digital, SingleRPUConfig(device=device, forward=perfect))
    scaled = [convert_to_analog(digital, rpu_config(device, io=perfect, tile=t)) for t in TILES]
    assert not torch.allclose(plain(x), digital(x), atol=0.05)
    assert all(torch.allclose(model(x), digital(x), atol=1e-5) for model in scaled)


def test_aihwkits_plot_of_a_memristor_tile_is_that_of_its_device():
    """Their C++ twin is not scaled: the traces without noise are those of the device alone."""
    matplotlib.use("Agg")
    device, traces = LSMOPVDFCoPresetDevice(dw_min_std=0.1), []
    for config in (MemristorRPUConfig(device=device), SingleRPUConfig(device=device)):
        visualization.plot_response_overview(config, n_loops=1, n_steps=10, n_traces=2)
        traces.append([line.get_ydata() for line in plt.gcf().axes[1].get_lines()])
    plt.close("all")
    assert np.allclose(*traces)
    assert np.ptp(traces[0]) > 3 * device.dw_min


@pytest.mark.parametrize("plot", [visualization.plot_device, visualization.plot_device_compact])
def test_aihwkits_plots_take_the_device(plot):
    matplotlib.use("Agg")
    plot(LSMOPVDFCoPresetDevice(), n_loops=1, n_steps=10, n_traces=2)
    assert plt.gcf().axes
    plt.close("all")


def test_wrong_zero_and_field_are_named():
    with pytest.raises(ValueError, match="symmetry_point, mid_range, g_min"):
        LSMOPVDFCoPresetDevice(zero="middle")
    with pytest.raises(ValueError, match="0 to 500 G"):
        LSMOPVDFCoPresetDevice(field_G=600.0)


@pytest.mark.parametrize(
    "config",
    [
        SingleRPUConfig(device=preset()),
        UnitCellRPUConfig(
            device=VectorUnitCell(unit_cell_devices=[preset(), preset()], gamma_vec=[1.0, -1.0])
        ),
        UnitCellRPUConfig(device=OneSidedUnitCell(unit_cell_devices=[preset("g_min")])),
        UnitCellRPUConfig(device=TransferCompound(unit_cell_devices=[preset(), preset()])),
        UnitCellRPUConfig(device=ChoppedTransferCompound(unit_cell_devices=[preset(), preset()])),
    ],
    ids=["single", "differential pair", "one-sided pair", "Tiki-Taka", "chopped Tiki-Taka"],
)
def test_preset_works_wherever_an_aihwkit_device_does(config):
    """conv and linear layers convert, and a few steps bring the loss down.

    Mean of three runs: aihwkit's noise cannot be seeded, and one run in thirty of its Tiki-Taka
    ends where it began.
    """
    runs = [losses_after_conversion(config) for _ in range(3)]
    assert np.mean([np.mean(losses[-5:]) / np.mean(losses[:3]) for losses in runs]) < 1


def test_a_torch_that_does_not_fit_is_one_line_with_the_pair(monkeypatch):
    def broken():
        raise RuntimeError("Invalid weights dimensions\nsecond line")

    monkeypatch.setattr(compat, "_write_small_tile", broken)
    with pytest.raises(compat.InstallError, match=r"pip install aihwkit==\S+ torch==\S+") as caught:
        compat.check_install()
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(compat, "PAIRS", {})
    with pytest.raises(compat.InstallError, match="use one of Python"):
        compat.check_install()
    monkeypatch.undo()
    compat.check_install()


def test_a_file_of_the_users_that_hides_a_module_is_named(tmp_path):
    """A script called dis.py: torch asks for Python's own module and gets the script."""
    script = tmp_path / "dis.py"
    script.write_text("from crossbar import EMActivation\n")
    folders = os.pathsep.join([str(tmp_path), str(Path(crossbar.__file__).parents[1])])
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": folders}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    last = run.stderr.strip().splitlines()[-1]
    assert last.endswith(f"{script} of yours hides Python's own module 'dis': rename it")
    assert "pip install" not in run.stderr


def test_a_mismatch_is_no_fault_of_a_file_with_a_name_of_its_own(tmp_path, monkeypatch):
    """Files beside the script that hide nothing in use, and our own random.py, are not blamed."""
    (tmp_path / "sched.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def broken():
        ours = Path(crossbar.__file__).parent / "random.py"
        raise ImportError("undefined symbol", path=str(ours))

    monkeypatch.setattr(compat, "_write_small_tile", broken)
    with pytest.raises(compat.InstallError, match=r"undefined symbol.*pip install aihwkit=="):
        compat.check_install()


def test_packages_say_their_version():
    assert crossbar.__version__ == device_models.__version__ == version("fieldcrossbar")
