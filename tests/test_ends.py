"""A curve starts with the first reading of its branch and ends with the last."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models import CardError, FitError, fit_card
from device_models.card import card_from_dict
from device_models.curves import ExponentialMixture, Logistic
from device_models.exports import neurosim_parameters
from device_models.exports.lookup_table import lookup_table
from device_models.fit import fit_curves
from device_models.fit.quality import field_ranges
from device_models.pulses import PulseData, Segment
from device_models.steps import step_size

UP = ExponentialMixture(30.0, (-25.0,), (7.0,))
DOWN = ExponentialMixture(4.0, (26.0,), (4.0,))


def data_of(*segments: Segment, **more) -> PulseData:
    return PulseData("conductance", "S", segments, "ends.csv", "", **more)


def segment(branch: str, pulses, cycle: int = 1, **more) -> Segment:
    """Exact readings of one of the two laws at these pulse numbers."""
    n = np.asarray(pulses, dtype=float)
    return Segment(branch, n, 1e-6 * {"LTP": UP, "LTD": DOWN}[branch](n), cycle=cycle, **more)


@settings(deadline=None, max_examples=15)
@given(first=st.integers(0, 12), step=st.sampled_from([1, 5]))
def test_pulse_0_of_a_curve_is_its_first_reading(first, step):
    """Whatever number the file gives it; nobody read what was before."""
    up, down = first + step * np.arange(20), step * np.arange(20)
    fit = fit_card(data_of(segment("LTP", up), segment("LTD", down)), bootstrap=0)
    assert fit.card.conductance("LTP", 0) == pytest.approx(1e-6 * float(UP(first)), rel=1e-6)
    assert fit.card.conductance("LTD", 0) == pytest.approx(30e-6, rel=1e-6)
    assert fit.card.n_pulses == 19 * step
    told = [w for w in fit.warnings if "pulse 0 of the curve is the reading after pulse" in w]
    if first:
        assert told == [
            f"LTP at 0 G: no reading before pulse {first}; pulse 0 of the curve is the reading "
            f"after pulse {first}"
        ]
        assert fit.card.conditions.ltp_first_pulse == first
    else:
        assert not told
        assert fit.card.conditions.ltp_first_pulse is None


def test_numbers_stay_where_one_cycle_has_the_state_before_its_first_pulse():
    n = np.arange(20)
    fit = fit_card(
        data_of(
            segment("LTP", n), segment("LTP", n[3:], 2), segment("LTD", n), segment("LTD", n[1:], 2)
        ),
        bootstrap=0,
    )
    assert fit.card.conductance("LTP", 0) == pytest.approx(5e-6, rel=1e-6)
    assert fit.card.n_pulses == 19
    assert not any("pulse 0 of the curve" in w for w in fit.warnings)


def test_fields_of_a_branch_count_from_one_number():
    """Time constants in common need pulse numbers in common."""
    n = np.arange(1, 25)
    fields = (0.0, 50.0, 100.0, 150.0, 200.0)
    segments = [segment(b, n, field_G=f) for f in fields for b in ("LTP", "LTD")]
    fit = fit_card(data_of(*segments), bootstrap=0)
    assert [b.first_pulse for b in fit.branches] == [1.0] * 10
    assert sum("pulse 0 of the curve" in w for w in fit.warnings) == 2


def short_ltd(last: int = 12, n_up: int = 40):
    up, down = segment("LTP", np.arange(n_up + 1)), segment("LTD", np.arange(last + 1))
    return fit_card(data_of(up, down), bootstrap=0)


def test_a_shorter_branch_ends_where_it_was_measured():
    """30 uS down to 5.3 uS in 12 pulses; 40 would lead to 4 uS, which nobody read."""
    fit = short_ltd()
    card, ltd_end = fit.card, 1e-6 * float(DOWN(12))
    ltp, ltd = card.curves
    assert (ltp.n_pulses, ltd.n_pulses, card.n_pulses) == (None, 12.0, 40)
    assert card.measured_pulses("LTP") == 40
    assert card.measured_pulses("LTD") == 12
    low, high = card.conductance_range()
    assert low == pytest.approx(1e-6 * float(UP(0)), rel=1e-6)
    assert high == pytest.approx(30e-6, rel=1e-6)
    # Below its own end the LTD step is that of the end.
    step = step_size(card, "LTD", [low, ltd_end], 0.0)
    assert step[0] == pytest.approx(step[1], rel=2e-3)
    assert any("LTD at 0 G: measured over 12 of 40 pulses" in w for w in fit.warnings)
    assert np.all(np.isfinite(lookup_table(card).change["LTD"]))


def test_the_range_is_that_of_the_readings_where_ltd_goes_lowest():
    fit = short_ltd(last=3)
    deep = replace(fit.card, curves=(fit.card.curves[1], fit.card.curves[0]))
    assert deep.conductance_range() == fit.card.conductance_range()
    assert fit.card.conductance_range()[0] == pytest.approx(5e-6, rel=1e-6)
    # Without its end the same curve would be taken to 40 pulses and 4 uS.
    endless = replace(fit.card, curves=tuple(replace(c, n_pulses=None) for c in fit.card.curves))
    assert endless.conductance_range()[0] < 4.1e-6


def test_neurosim_counts_the_pulses_of_each_branch():
    p = neurosim_parameters(short_ltd().card)
    assert (p.ltp.n_levels, p.ltd.n_levels, p.n_levels) == (40, 12, 40)
    assert p.share("LTD", 12) == pytest.approx(0.0, abs=0.05)


def test_the_end_of_a_curve_survives_the_file_and_is_checked():
    card = short_ltd().card
    content = json.loads(json.dumps(card.to_dict()))
    assert "n_pulses" not in content["curves"][0]
    assert card_from_dict(content).sha256 == card.sha256
    content["curves"][1]["n_pulses"] = 41
    with pytest.raises(CardError, match=r"curves\[1\].n_pulses is out of range"):
        card_from_dict(content)


def test_between_fields_the_smaller_number_of_pulses_is_measured():
    n = np.arange(31)
    segments = [
        segment("LTP", n, field_G=0.0), segment("LTD", n, field_G=0.0),
        segment("LTP", n[:16], field_G=80.0), segment("LTD", n, field_G=80.0),
    ]  # fmt: skip
    card = fit_card(data_of(*segments), bootstrap=0).card
    assert [card.measured_pulses("LTP", f) for f in (0.0, 40.0, 80.0)] == [30, 15, 15]
    with pytest.raises(ValueError, match="is known from 0 to 80 G"):
        card.measured_pulses("LTP", 81.0)


@pytest.mark.parametrize("branch", ["LTP", "LTD"])
def test_one_branch_is_fitted_and_no_card_is_made_of_it(branch):
    other = {"LTP": "LTD", "LTD": "LTP"}[branch]
    data = data_of(segment(branch, np.arange(31)), warnings=("left out: 3 rows",))
    fit = fit_curves(data, bootstrap=0)
    law = {"LTP": UP, "LTD": DOWN}[branch]
    assert np.allclose(fit.laws[0]([0, 10, 30]), 1e-6 * law([0, 10, 30]), rtol=1e-6)
    assert list(fit.choices) == [branch]
    assert fit.covariance.shape == (3, 3)
    assert fit.warnings[0] == "left out: 3 rows"
    with pytest.raises(FitError) as caught:
        fit_card(data)
    assert str(caught.value) == (
        f"ends.csv: no {other} readings, only {branch} (31 readings); a card needs both branches"
    )


def test_a_field_without_one_of_its_branches_is_named():
    n = np.arange(20)
    data = data_of(
        segment("LTP", n, field_G=0.0), segment("LTD", n, field_G=0.0),
        segment("LTP", n, field_G=50.0),
    )  # fmt: skip
    with pytest.raises(FitError, match="no LTD readings at 50 G; a card needs both branches"):
        fit_card(data)
    assert len(fit_curves(data, bootstrap=0).laws) == 3


def test_a_bad_curve_is_the_first_warning_and_says_by_how_much():
    rng = np.random.default_rng(0)
    n = np.arange(60.0)
    rough = np.where(n < 30, 0.0, 1.0) + 0.5 * (n > 10)
    up = Segment("LTP", n, 1 + rough + 0.001 * rng.standard_normal(60))
    down = Segment("LTD", n, 3 - n / 40 + 0.001 * rng.standard_normal(60))
    data = data_of(up, down, warnings=("something the reader says",))
    fit = fit_card(data, law="log_step", bootstrap=0)
    share = fit.card.curves[0].fit["rmse_of_mean_over_range"]
    assert 0.05 < share < 0.3
    assert fit.warnings[0] == (
        f"LTP at 0 G: the curve does not describe the readings: RMSE {share:.0%} of the range"
    )
    assert "something the reader says" in fit.warnings[1:]


def test_noise_is_no_fault_of_the_curve():
    rng = np.random.default_rng(0)
    n = np.arange(200.0)
    up = Segment("LTP", n, 1 + n / 200 + 0.08 * rng.standard_normal(200))
    down = Segment("LTD", n, 2 - n / 200 + 0.08 * rng.standard_normal(200))
    fit = fit_card(data_of(up, down), bootstrap=0)
    assert fit.warnings[0].startswith("LTP at 0 G: the readings scatter around any curve that ri")
    assert fit.warnings[1].startswith("LTD at 0 G: the readings scatter around any curve that fa")


def test_one_range_for_both_branches_of_a_field():
    """LTP covers a tenth of what LTD covers: its misfit counts over the card's range."""
    rng = np.random.default_rng(1)
    n = np.arange(41.0)
    small = Segment("LTP", n, 1 + 0.1 * (1 - np.exp(-n / 9)) + 0.01 * rng.standard_normal(41))
    large = Segment("LTD", n, 1 + np.exp(-n / 9) + 0.01 * rng.standard_normal(41))
    fit = fit_card(data_of(small, large), law="exponential_mixture_1", bootstrap=0)
    low, high = fit.card.conductance_range()
    assert field_ranges(fit.branches, fit.laws) == {0.0: pytest.approx(high - low)}
    for branch, curve in zip(fit.branches, fit.card.curves, strict=True):
        rmse = np.sqrt(np.mean((branch.values - curve.law(branch.pulses)) ** 2))
        assert curve.fit["rmse_over_range"] == pytest.approx(rmse / (high - low), rel=1e-3)
    assert not any("RMSE" in w for w in fit.warnings)


def test_a_start_off_all_first_readings_is_said():
    """An exponential forced on an S-shape of many devices starts below every one of them."""
    rng = np.random.default_rng(2)
    n, segments = np.arange(31.0), []
    law = Logistic(1.0, 19.0, 10.0, 2.0)
    for device in range(6):
        noise = 0.05 * rng.standard_normal((2, 31))
        segments += [
            Segment("LTP", n, law(n) + noise[0], str(device)),
            Segment("LTD", n, law(n)[::-1] + noise[1], str(device)),
        ]
    forced = fit_card(data_of(*segments), law="exponential_mixture_1", bootstrap=0)
    below = r"LTP at 0 G: the curve starts \d+\.\d% of the range below all of its 6 first readings"
    assert any(re.fullmatch(below, w) for w in forced.warnings[:4])
    assert any("goes to 0 or below, where no reading does" in w for w in forced.warnings[:4])
    chosen = fit_card(data_of(*segments), bootstrap=0)
    assert chosen.laws[0](0.0) == pytest.approx(1.0, abs=0.1)
    assert not any("curve starts" in w for w in chosen.warnings)


def test_a_curve_ends_where_half_of_the_cycles_were_still_read():
    """Written until done: what the slowest cycle does alone at the end is no end of the device."""
    lengths = (20, 20, 22, 30, 60)
    ups = [segment("LTP", np.arange(n), cycle) for cycle, n in enumerate(lengths, 1)]
    downs = [segment("LTD", np.arange(20), cycle) for cycle in range(1, 6)]
    fit = fit_card(data_of(*ups, *downs), bootstrap=0)
    assert [branch.end for branch in fit.branches] == [21.0, 19.0]
    assert fit.card.n_pulses == 21
    assert fit.card.conductance_range()[1] == pytest.approx(30e-6, rel=1e-6)
