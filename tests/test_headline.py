"""What stands first in a report: numbers, verdict, reasons worst first, warnings by severity."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crossbar
from device_models import PulseData, fit_card
from device_models.fit import band_of
from device_models.pulses import Segment
from experiments.command.quantities import count, numbered, percent, si, span
from experiments.command.severity import Severity, severity_of
from experiments.fitting.confidence import confidence
from experiments.fitting.fit_report import curve_covariance, make_report, report_text, spread_text
from experiments.fitting.headline import Zero, count_levels, find_drift, make_headline
from experiments.fitting.headline_text import headline_lines
from experiments.fitting.tile_check import check_tile, range_at
from experiments.fitting.verdict import Reason, find_reasons, sorted_warnings, verdict_text

N = np.arange(41.0)
UP, DOWN = 10 - 8 * np.exp(-N / 12), 2 + 8 * np.exp(-N / 6)


def measurement(
    cycles: int = 1, devices: int = 1, noise: float = 0.01, scatter: float = 0.0,
    drift: float = 0.0, apart: float = 0.0, scale: float = 1e-6, seed: int = 0,
) -> PulseData:  # fmt: skip
    """Cycles of devices [S]: noise of a reading, offsets of cycles and devices, drift a cycle."""
    rng = np.random.default_rng(seed)
    segments = []
    for device in range(devices):
        own = apart * rng.standard_normal()
        for cycle in range(1, cycles + 1):
            off = own + scatter * rng.standard_normal() + drift * cycle
            for branch, curve in (("LTP", UP), ("LTD", DOWN)):
                values = curve + off + 8 * noise * rng.standard_normal(N.size)
                segments.append(Segment(branch, N, scale * values, str(device + 1), cycle))
    return PulseData("conductance", "S", tuple(segments), "data.csv", "0" * 64)


def fitted(data: PulseData, **options):
    return fit_card(data, law="exponential_mixture_1", bootstrap=0, **options)


def text_of(fit) -> dict[str, str]:
    return dict(headline_lines(make_headline(fit, [])))


def test_numbers_of_the_headline_are_those_of_the_curves():
    headline = make_headline(fitted(measurement()), [])
    low, high = 2.0, DOWN[0]
    assert headline.on_off == pytest.approx(high / low, rel=0.05)
    assert headline.pulses == (40, 40)
    assert headline.state_noise == pytest.approx(0.01, rel=0.25)
    assert headline.levels == count_levels(headline.state_noise)
    assert 20 < headline.levels < 35
    ratio = 1 / (2 * 1.96 * 0.01)
    assert headline.levels == pytest.approx(ratio, rel=0.3)
    assert headline.labels[0] > 0 > headline.labels[1]
    assert headline.n_devices == headline.n_cycles == 1
    assert headline.drift is None


def test_asymmetry_is_that_of_the_two_exponentials():
    """Steps (10 - g) / 12 up and (g - 2) / 6 down: their ratio is known at every conductance."""
    headline = make_headline(fitted(measurement(noise=1e-5)), [])
    grid = np.linspace(2.0, 10.0, 2001)
    up, down = (10 - grid) * (1 - np.exp(-1 / 12)), (grid - 2) * (1 - np.exp(-1 / 6))
    expected = np.mean(np.abs(up - down) / (up + down))
    assert headline.asymmetry == pytest.approx(expected, abs=0.02)


@given(st.floats(1e-4, 0.5))
def test_levels_have_intervals_that_do_not_overlap(noise):
    levels = count_levels(noise)
    assert (levels - 1) * 2 * 1.95 * noise <= 1
    assert levels * 2 * 1.97 * noise >= 1


def test_without_noise_nothing_is_made_up():
    assert count_levels(0.0) is None
    lines = text_of(fitted(measurement(noise=0.0)))
    assert "noise sets no limit" in lines["levels"]
    assert lines["noise"] == "none seen"
    assert lines["between cycles"] == "one cycle measured"


def test_noise_that_cannot_be_known_is_not_called_zero():
    data = measurement(cycles=3)
    wide = tuple(replace(s, pulses=5 * s.pulses) for s in data.segments)
    fit = fitted(replace(data, segments=wide))
    silent = replace(fit, noise=tuple(replace(p, write=0.0, step_std=0.0) for p in fit.noise))
    headline = make_headline(silent, [])
    assert np.isnan(headline.state_noise)
    assert "not known" in dict(headline_lines(headline))["levels"]
    reasons = find_reasons(silent, [], headline)
    assert any("noise of single pulses is not known" in r.text for r in reasons)


def test_noise_of_readings_pulses_apart_is_said_to_be_of_one_kind():
    fit = fitted(measurement())
    noise = tuple(
        SimpleNamespace(**{**vars(p), "told_apart": False, "spacing": 5.0}) for p in fit.noise
    )
    lines = spread_text(replace(fit, noise=noise))
    assert any(line.startswith("readings are 5 pulses apart: what stays") for line in lines)
    assert not any("pulses apart" in line for line in spread_text(fit))


def test_drift_over_cycles_is_found_with_its_size():
    drift = find_drift(fitted(measurement(cycles=12, drift=-0.1, scatter=0.02)), [0, 1])
    assert drift.share == pytest.approx(-0.1 * 11 / 8, rel=0.1)
    assert drift.r < -0.9
    assert drift.cycles == 12


@pytest.mark.parametrize("seed", range(8))
def test_scatter_of_cycles_is_no_drift(seed):
    assert find_drift(fitted(measurement(cycles=12, scatter=0.2, seed=seed)), [0, 1]) is None


def test_devices_apart_are_no_drift_of_cycles():
    """Devices measured in other cycles: their levels differ, none of them drifts."""
    data = measurement(cycles=4, devices=3, apart=1.0)
    moved = tuple(replace(s, cycle=s.cycle + 10 * int(s.device)) for s in data.segments)
    assert find_drift(fitted(replace(data, segments=moved)), [0, 1]) is None


def test_a_band_of_one_cycle_or_device_is_not_known():
    one = band_of(fitted(measurement()).branches[0])
    assert np.isnan(one.cycle_std).all()
    assert np.isnan(one.device_std).all()
    assert np.isnan(one.at_end("cycle_std"))
    same = band_of(fitted(measurement(devices=3, noise=0.0)).branches[0])
    assert same.at_end("device_std") == pytest.approx(0.0, abs=1e-15)


def test_the_confidence_band_holds_the_curve():
    """Over 40 draws of the noise the 95 % band misses the true curve about as often as it says."""
    missed = []
    for seed in range(40):
        fit = fitted(measurement(noise=0.02, seed=seed))
        half = confidence(fit.laws[0], curve_covariance(fit, 0), N)
        missed.append(np.mean(np.abs(fit.laws[0](N) - 1e-6 * UP) > half))
    assert 0.0 < np.mean(missed) < 0.15


def test_the_tile_of_a_good_card_follows_and_shows_the_scatter_of_devices():
    fit = fitted(measurement(devices=12, cycles=2, apart=0.4))
    checks = check_tile(fit)
    whole = range_at(fit.card, 0.0)
    for check in checks:
        assert check.rmse_from_data < 0.02
        assert abs(check.end_from_data) < 0.02
        data, tile = (b.at_end("device_std") / whole for b in (check.data_band, check.band))
        assert data == pytest.approx(0.05, rel=0.5)
        assert 0.2 * data < tile < 5 * data
    assert "on the tile" in dict(headline_lines(make_headline(fit, checks)))["between devices"]


def test_a_tile_that_misses_is_the_verdict_and_a_loud_warning():
    fit = fitted(measurement())
    checks = check_tile(fit)
    checks[0] = replace(checks[0], rmse_from_data=0.78)
    report = make_report(fit, checks)
    assert report.verdict.startswith("do not rely on this card: a tile built from the card misses")
    assert "LTP at 0 G by 78 % of the range" in report.verdict
    assert report.warnings[0][0] == Severity.BAD
    lines = report_text(report, "card.json").splitlines()
    assert lines[3].startswith("Verdict: do not rely")
    first = next(i for i, line in enumerate(lines) if line.startswith("Warnings"))
    assert lines[first + 1].startswith(" !! a tile")
    assert first < next(i for i, line in enumerate(lines) if line.startswith("Curves"))


def test_a_curve_that_misses_its_readings_is_bad():
    fit = fitted(measurement())
    bent = tuple(replace(b, values=b.values + 2e-6 * (b.pulses > 20)) for b in fit.branches)
    report = make_report(replace(fit, branches=bent), [])
    assert report.verdict.startswith("do not rely on this card: the curve misses the mean readings")


def test_a_good_measurement_of_many_is_believed():
    report = make_report(fitted(measurement(cycles=4, devices=3, scatter=0.001)), [])
    assert report.verdict.startswith("believable")
    assert not [s for s, _ in report.warnings if s == Severity.BAD]


def test_devices_that_differ_are_no_misfit():
    reasons = find_reasons(
        fit := fitted(measurement(devices=5, apart=1.0)), [], make_headline(fit, [])
    )
    assert not [r for r in reasons if "off the curve" in r.text]


def test_a_branch_that_goes_a_short_way_is_said():
    data = measurement()
    short = tuple(
        replace(s, values=2e-6 + 0.2 * (s.values - 2e-6)) if s.branch == "LTP" else s
        for s in data.segments
    )
    fit = fitted(replace(data, segments=short))
    texts = [r.text for r in find_reasons(fit, [], make_headline(fit, []))]
    assert any(re.match("LTP at 0 G goes through (19|20) % of the range only", t) for t in texts)
    full = fitted(data)
    assert not [r for r in find_reasons(full, [], make_headline(full, [])) if "only" in r.text]


def test_other_than_measured_is_said():
    fit = fitted(measurement(), kind="digitised")
    assert "digitised, not measured" in make_report(fit, []).verdict


def test_reasons_come_worst_first_and_are_counted():
    reasons = [Reason(Severity.CARE, f"reason {i}", 1 / (1 + i)) for i in range(5)]
    assert verdict_text(reasons) == (
        "usable with care: reason 0; reason 1; reason 2; and 2 more"
    )  # fmt: skip
    bad = [Reason(Severity.BAD, "the tile is off"), *reasons]
    assert verdict_text(bad).startswith("do not rely on this card: the tile is off; reason 0")
    assert verdict_text([]).startswith("believable")


@pytest.mark.parametrize(
    ("warning", "severity"),
    [
        ("LTP at 0 G: the curve does not describe the readings: RMSE 29 % of the range", 3),
        ("LTP of device 1, cycle 1: the conductance falls along LTP pulses; check", 3),
        ("conductances of 0 or below in 2 segments, first LTP of device 1, cycle 1", 3),
        ("LTP at 0 G: not identified by the data: exponent", 2),
        ("level falls with the cycle number (r = -0.93, 12 % of the range over 39 cycles)", 2),
        ("100 readings at rest (lines 2 to 101) left out", 1),
        ("LTP of device 1, cycle 1: not monotone: goes back by 19% of its range", 2),
        ("the file states no magnetic field; the card says 0 G", 1),
        ("LTP of device 1, cycle 1: too few pulses: 5 readings, 10 or more tell a shape", 1),
    ],
)
def test_warnings_weigh_what_their_words_say(warning, severity):
    assert severity_of(warning) == severity


def test_warnings_are_sorted_and_said_once():
    quiet, loud = "the file states no magnetic field", "a: not identified by the data: x"
    found = sorted_warnings([quiet, loud, quiet], [Reason(Severity.NOTE, "one device")])
    assert found == [(Severity.CARE, loud), (Severity.NOTE, quiet)]


def test_the_recommended_zero_is_in_the_commands(monkeypatch):
    fit = fitted(measurement())
    usual = report_text(make_report(fit, []), "card.json")
    assert "crossbar.zero" not in usual
    assert "--zero" not in usual
    why = "an LTP and an LTD pulse cancel nowhere"
    monkeypatch.setattr(crossbar, "recommended_zero", lambda card, field_G: ("mid_range", why))
    report = make_report(fit, [])
    half = pytest.approx(0.5)
    assert report.headline.zero == Zero("mid_range", pytest.approx(6e-6, rel=0.1), half, why)
    text = report_text(report, "card.json")
    assert "experiment=crossbar device.card=card.json crossbar.zero=mid_range" in text
    assert "--zero=mid_range" in text
    assert why in " ".join(text.split())


def test_tiles_that_cannot_follow_the_card_are_said(monkeypatch):
    fit = fitted(measurement())
    found = SimpleNamespace(worst_aihwkit=0.7, worst_memristor=0.002)
    monkeypatch.setattr(crossbar, "followed", lambda card, field_G: found)
    report = make_report(fit, [])
    assert report.verdict.startswith(
        "do not rely on this card: aihwkit's device leaves the card's curves by up to 70 %"
    )
    lines = dict(headline_lines(report.headline))
    assert lines["tiles"].endswith("the memristor tile by up to 0.2 %")


def test_decades_below_the_noise_of_a_tile_are_said():
    """Noise in proportion to the conductance over decades is one noise for all on a tile."""
    n = np.arange(21.0)
    curves = {"LTP": 10 ** (-9 + 4 * n / 20), "LTD": 10 ** (-5 - 4 * n / 20)}
    segments = tuple(Segment(b, n, values) for b, values in curves.items())
    fit = fit_card(PulseData("conductance", "S", segments, "d.csv", "0" * 64), bootstrap=0)
    noise = tuple(replace(p, write=1e-7, step_std=1e-7) for p in fit.noise)
    headline = replace(make_headline(replace(fit, noise=noise), []), low=1e-9, high=1e-5)
    texts = [r.text for r in find_reasons(fit, [], headline)]
    assert any("lowest 2.0 decades of the range lie in the noise" in t for t in texts)
    narrow = replace(headline, low=5e-8)
    assert not any("decades" in r.text for r in find_reasons(fit, [], narrow))


def test_loud_warnings_of_reader_and_fit_are_part_of_the_verdict():
    fit = fitted(measurement())
    quiet, loud = "the file states no magnetic field", "LTP of device 1: not monotone: goes back"
    said = make_report(replace(fit, warnings=(quiet, loud)), [])
    assert said.verdict.startswith("usable with care: LTP of device 1: not monotone")
    assert [text for _, text in said.warnings] == [loud, quiet]
    assert make_report(replace(fit, warnings=(quiet,)), []).verdict.startswith("believable")
    bad = (
        "LTD at 0 G: the curve does not describe the readings: RMSE 29 % of the range " + "x" * 300
    )
    verdict = make_report(replace(fit, warnings=(loud, bad)), []).verdict
    assert verdict.startswith("do not rely on this card: LTD at 0 G: the curve does not describe")
    assert len(verdict) < 300


def test_one_odd_segment_of_many_does_not_make_the_verdict():
    odd = "LTP of device 2, cycle 1: not monotone: goes back by 12% of its range"
    wrong = "LTP of device 2, cycle 1: the conductance falls along LTP pulses; check branch"
    for devices, starts in ((1, "usable with care: LTP of device 2"), (3, "believable")):
        fit = fitted(measurement(devices=devices, cycles=2 if devices > 1 else 1))
        report = make_report(replace(fit, warnings=(odd,)), [])
        assert report.verdict.startswith(starts)
        assert (Severity.CARE, odd) in report.warnings
        assert make_report(replace(fit, warnings=(wrong,)), []).verdict.startswith("do not rely")


def test_a_reason_that_a_warning_gives_is_not_said_twice():
    warning = "LTP: level falls with the cycle number (r = -0.93)"
    reason = Reason(Severity.CARE, "the level of LTP falls", 1.0, "LTP.*with the cycle number")
    assert sorted_warnings([warning], [reason]) == [(Severity.CARE, warning)]
    assert len(sorted_warnings(["LTD: level falls with the cycle number"], [reason])) == 2


def test_card_of_arbitrary_units_and_of_several_fields_have_headlines():
    data = measurement()
    arbitrary = replace(data, unit="1")
    lines = text_of(fitted(arbitrary))
    assert "(arbitrary units), on/off" in lines["range"]
    fields = tuple(replace(s, field_G=f) for f in (100.0, 50.0) for s in data.segments)
    assert text_of(fitted(replace(data, segments=fields)))["range"].endswith("at 50 G")


def test_a_range_that_reaches_zero_has_no_ratio():
    data = measurement()
    low = tuple(replace(s, values=s.values - 2.5e-6) for s in data.segments)
    headline = make_headline(fitted(replace(data, segments=low)), [])
    assert headline.on_off is None
    assert "no on/off ratio" in dict(headline_lines(headline))["range"]


def test_numbers_read_as_a_person_writes_them():
    assert (si(4.9e-6, "S"), si(1200.0, "ohm"), si(0.25, "1")) == ("4.9 µS", "1.2 kΩ", "0.25")
    assert si(9.9999e-7, "S") == "1 µS"
    assert span(1e-6, 4.9e-6, "S") == "1 to 4.9 µS"
    assert span(2e-9, 3.5e-5, "S") == "2 nS to 35 µS"
    assert span(-1e-9, 2e-9, "S") == "-1 to 2 nS"
    assert (percent(0.0123), percent(0.996), percent(1e-9), percent(0.0)) == (
        "1.2 %", "100 %", "about 0 %", "0 %",
    )  # fmt: skip
    assert percent(float("nan")) == "unknown"
    assert (count(1, "cycle"), count(1200, "cycle")) == ("1 cycle", "1,200 cycles")
    assert numbered([3, 1, 2, 7]) == "1-3, 7"
