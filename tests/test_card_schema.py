"""Cards of schema 1: read as what they are, with the hash they had; and what conditions become."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_models import CardError, load_card
from device_models.card import Conditions, FieldTable, Spread, card_from_dict

OLD = Path(__file__).parent / "old_cards"
HASHES = {
    "lsmo_pvdf_co": "05dd06e6660760f03b02be85e3407b6aa87f885585275e1a0f0c5a141ee15b0f",
    "reram_gong_2018": "5d4b92282d7b11d5e5929980116f1231430ef50e003fbacc012996ca13c396ae",
}
"""As the program of schema 1 gave them."""


@pytest.fixture
def old():
    return load_card(OLD / "lsmo_pvdf_co.json")


@pytest.mark.parametrize("name", HASHES)
def test_hash_and_content_of_an_old_card_stay(name, tmp_path):
    card = load_card(OLD / f"{name}.json")
    assert card.sha256 == HASHES[name]
    assert card.to_dict() == json.loads((OLD / f"{name}.json").read_text())
    assert load_card(card.save(tmp_path / "again.json")).sha256 == card.sha256


def test_an_old_card_says_that_it_is_a_table(old, card):
    assert old.schema_note == "schema 1 (older): read as a table of 8 fields, without a field model"
    assert card.schema_note == ""
    assert isinstance(old.field_model, FieldTable)
    assert old.interpolation_error == pytest.approx(0.0154, rel=0.01)


def test_an_old_card_is_straight_in_conductance_between_its_fields(old):
    n = np.arange(65)
    middle = old.conductance("LTD", n, 125.0)
    ends = old.conductance("LTD", n, 100.0) + old.conductance("LTD", n, 150.0)
    assert np.allclose(middle, ends / 2, rtol=1e-12)
    assert np.allclose(old.response("LTD", n, 125.0), 2 / ends, rtol=1e-12)


def test_conditions_of_an_old_card_have_their_names(old):
    c = old.conditions
    assert (c.ltp_pulse_width_s, c.ltd_pulse_width_s) == (0.01, 0.01)
    assert (c.ltp_amplitude_V, c.ltd_amplitude_V, c.read_voltage_V) == (-1.3, 2.0, 0.01)
    assert (c.temperature_K, c.magnetic_init_G, c.area_m2) == (10.0, -2000.0, 1e-10)
    assert c.notes == {}


def test_an_old_card_becomes_one_of_today(old):
    new = replace(old, schema_version=2)
    again = card_from_dict(json.loads(new.to_json()))
    assert again.schema_note == ""
    assert again.conditions == old.conditions
    assert np.array_equal(again.conductance("LTP", 9.0, 77.0), old.conductance("LTP", 9.0, 77.0))


def test_changed_conditions_of_an_old_card_are_stored(old):
    changed = replace(old, conditions=replace(old.conditions, read_voltage_V=0.2))
    again = card_from_dict(json.loads(changed.to_json()))
    assert again.conditions.read_voltage_V == 0.2
    assert again.conditions.ltd_pulse_width_s == 0.01
    assert again.sha256 != old.sha256


def test_what_an_old_card_says_otherwise_is_a_note(old):
    content = copy.deepcopy(old.to_dict())
    content["conditions"] |= {"read_voltage_V": "10 mV", "humidity": {"percent": 40}}
    read = card_from_dict(content)
    assert read.conditions.read_voltage_V is None
    assert read.conditions.notes == {"read_voltage_V": "10 mV", "humidity": {"percent": 40}}
    assert read.to_dict() == content


def test_a_width_of_one_branch_counts_for_more_than_one_of_both(old):
    for order in (1, -1):
        content = copy.deepcopy(old.to_dict())
        widths = [("pulse_width_s", 0.01), ("ltd_width_s", 0.02)][::order]
        content["conditions"] = dict(widths)
        read = card_from_dict(content).conditions
        assert (read.ltp_pulse_width_s, read.ltd_pulse_width_s) == (0.01, 0.02)


def test_unknown_keys_of_a_card_are_kept(card):
    content = copy.deepcopy(card.to_dict())
    content["conditions"] |= {"humidity_percent": 40, "notes": {"operator": "me"}}
    read = card_from_dict(content)
    assert read.conditions.notes == {"operator": "me", "humidity_percent": 40}
    assert read.conditions.read_voltage_V == card.conditions.read_voltage_V
    assert card_from_dict(read.to_dict()).sha256 == read.sha256


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature_K", 0.0),
        ("temperature_K", "cold"),
        ("area_m2", -1e-10),
        ("ltd_pulse_width_s", float("nan")),
        ("ltp_amplitudes_V", (1.0,)),
        ("ltp_amplitude_V", True),
        ("condition", 3),
    ],
)
def test_conditions_are_checked_by_name(key, value):
    with pytest.raises(CardError, match=f"conditions.{key} must be"):
        Conditions(**{key: value})


def test_other_spreads_by_name(card):
    changed = card.with_spread(step_c2c=0.3, range_d2d=np.float32(0.5))
    assert changed.spread == replace(card.spread, step_c2c=0.3, range_d2d=0.5)
    assert card.spread.step_c2c == 0
    assert changed.curves == card.curves
    with pytest.raises(CardError, match=r"no spread 'step'; spreads are step_c2c, write_noise"):
        card.with_spread(step=0.1)
    with pytest.raises(CardError, match=r"spread.step_d2d must be a number from 0"):
        card.with_spread(step_d2d=-0.1)
    assert isinstance(card.with_spread(upper_share=None).spread, Spread)
