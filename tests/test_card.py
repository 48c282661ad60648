"""Device cards: made again bit for bit, interpolated, and safe to read from strangers."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models import CardError, fit_card, list_cards, load_card
from device_models.card import MAX_CARD_BYTES, card_from_dict
from device_models.files import write_atomically
from device_models.junction.magnetics import antiparallel_fraction
from device_models.library import CARD_FOLDER
from device_models.pulses import PulseData, Segment
from device_models.reconstruct import reconstruct_responses
from experiments import reconstruct_card
from experiments.reconstruct_card import write_card


def test_reconstruction_gives_the_stored_card_bit_for_bit(tmp_path):
    made = write_card(tmp_path)
    assert made.read_bytes() == (CARD_FOLDER / made.name).read_bytes()
    points = made.with_suffix(".csv")
    assert points.read_bytes() == (CARD_FOLDER / points.name).read_bytes()


def test_a_folder_that_cannot_be_written_is_one_line():
    with pytest.raises(SystemExit, match=r"^error: .*/proc/nowhere"):
        reconstruct_card.main(["--out", "/proc/nowhere"])


def test_points_and_card_are_written_both_or_not_at_all(tmp_path, monkeypatch):
    sync, syncs = os.fsync, []

    def full(number: int) -> None:
        syncs.append(number)
        if len(syncs) == 2:
            raise OSError(28, "No space left on device")
        sync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match=r"^error: .*lsmo_pvdf_co.json: No space left"):
        reconstruct_card.main(["--out", str(tmp_path / "new")])
    assert list(tmp_path.iterdir()) == []


def test_curves_follow_the_reconstructed_points(card):
    """At every pulse, branch and field, within 0.2 % of the value."""
    for (branch, field_G), resistance in reconstruct_responses().items():
        fitted = card.response(branch, np.arange(65), field_G)
        assert np.allclose(fitted, resistance, rtol=2e-3), (branch, field_G)


def test_card_says_what_it_is(card):
    assert card.kind == "reconstructed"
    assert "not measured" in card.caveat
    assert card.fields_G == (0, 50, 100, 150, 200, 250, 300, 350)
    assert all("ledger" in p for p in card.source["parameters"].values())


@pytest.mark.parametrize("field_G", [-1.0, 500.1, float("nan")])
def test_field_outside_the_range_is_an_error(card, field_G):
    with pytest.raises(ValueError, match="card 'lsmo_pvdf_co' is known from 0 to 500 G"):
        card.law("LTP", field_G)


def test_unknown_branch_is_an_error(card):
    with pytest.raises(ValueError, match="LTP or LTD"):
        card.law("ltp")


def test_conductance_is_the_inverse_of_resistance(card):
    n = np.arange(65)
    assert np.allclose(card.conductance("LTP", n) * card.response("LTP", n), 1)
    low, high = card.conductance_range()
    assert 0 < low < high < 1e-4


def test_round_trip(card, tmp_path):
    path = card.save(tmp_path / "copy.json")
    assert load_card(path).sha256 == card.sha256


def test_saving_never_replaces_a_file_unasked(card, tmp_path):
    path = tmp_path / "kept.json"
    path.write_text("mine")
    with pytest.raises(CardError, match="exists already"):
        card.save(path)
    assert path.read_text() == "mine"


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    path.write_text("mine")
    monkeypatch.setattr(Path, "replace", _fail)
    with pytest.raises(OSError, match="disk"):
        write_atomically(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"]
    assert path.read_text() == "mine"


def _fail(*_):
    raise OSError("disk full")


def test_unknown_name_lists_the_cards():
    with pytest.raises(CardError, match="lsmo_pvdf_co"):
        load_card("lsmo")


def changed(card, path, value):
    """The card's JSON object with one place changed; `value` ... deletes it."""
    content = copy.deepcopy(card.to_dict())
    *parents, key = path
    place = content
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema",), "other", "schema must be"),
        (("schema_version",), 3, r"schema_version 3 is newer than this program \(2\)"),
        (("kind",), "guessed", "kind must be one of"),
        (("quantity",), ..., "'quantity' is missing"),
        (("unit",), "S", "unit must be one of"),
        (("n_pulses",), 0, "n_pulses must be an integer"),
        (("n_pulses",), True, "n_pulses must be an integer"),
        (("curves",), [], "curves must be a list"),
        (("curves", 3, "tau_pulses", 1), -1.0, r"curves\[3\]: tau_pulses must be positive"),
        (("curves", 3, "tau_pulses"), [1.0], r"curves\[3\]: .*as many amplitudes"),
        (("curves", 2, "offset_ohm"), "1e5", r"curves\[2\].offset_ohm must be a number"),
        (("curves", 2, "amplitudes_ohm", 0), 10**400, r"amplitudes_ohm\[0\] is out of range"),
        (("curves", 0, "law"), "pickle", r"law must be one of"),
        (("curves", 0, "alignment"), "crossed", r"curves\[0\].alignment must be one of"),
        (("curves", 0, "alignment"), "antiparallel", "0 LTP curves in parallel alignment"),
        (("curves", 0, "alignment"), ..., r"curves\[0\]: key 'alignment' is missing"),
        (("field_model",), ..., "'field_model' is missing"),
        (("field_model", "kind"), "spline", "field_model.kind must be one of"),
        (("field_model", "kind"), "table", r"curves\[0\]: key 'field_G' is missing"),
        (("field_model", "history"), "falling", "field_model.history must be one of"),
        (("field_model", "coercivity_soft_G"), 301.0, "coercivities must rise"),
        (("field_model", "coercivity_soft_G"), -1.0, "coercivities must rise from 0 G up, got -1"),
        (("field_model", "width_hard_G"), 0.0, "field_model.width_hard_G must be positive"),
        (("field_model", "range_G"), [0.0], "range_G must be a list of 2 numbers"),
        (("field_model", "range_G"), [0.0, 300.0], "range_G must rise and hold fields_G"),
        (("field_model", "standard_errors_G"), {}, "'coercivity_soft_G' is missing"),
        (("conditions", "read_voltage_V"), "10 mV", "conditions.read_voltage_V must be a finite"),
        (("conditions", "ltp_pulse_width_s"), 0, "ltp_pulse_width_s must be positive"),
        (("conditions", "notes"), [], "conditions.notes must be a JSON object"),
        (("curves", 0, "offset_ohm"), -1e9, r"curves\[0\]: resistance must stay positive"),
        (("curves", 0, "branch"), "LTD", "0 LTP curves"),
        (("spread", "step_c2c"), -0.1, "step_c2c is out of range"),
        (("source",), None, "source must be a JSON object"),
    ],
)
def test_malformed_cards_are_refused_in_one_line(card, tmp_path, path, value, message):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(changed(card, path, value)))
    with pytest.raises(CardError, match=message) as caught:
        load_card(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_wrong_way_curves_are_refused(card):
    content = card.to_dict()
    for curve in content["curves"]:
        curve["branch"] = "LTD" if curve["branch"] == "LTP" else "LTP"
    with pytest.raises(CardError, match="conductance must fall along LTD"):
        card_from_dict(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r":1:1: not JSON"),
        (b'{"schema": 1,\n "x": }', r":2:7: not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1]", "must be a JSON object"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b"[" * 100_000, "nested more than 32 deep"),
        (b"[" * 33 + b"]" * 33, "nested more than 32 deep"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "integer string"),
        (b" " * (MAX_CARD_BYTES + 1), "more than the 8388608 bytes"),
    ],
)
def test_files_that_are_no_cards_are_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    with pytest.raises(CardError, match=message) as caught:
        load_card(file)
    assert "\n" not in str(caught.value)


def test_a_card_of_many_keys_is_checked_in_one_pass(tmp_path):
    """60,000 keys took 25 s when each was looked for among all the others."""
    file = tmp_path / "wide.json"
    keys = ", ".join(f'"{i}": 0' for i in range(60_000))
    file.write_text(f'{{{keys}, "schema": "other"}}')
    start = time.perf_counter()
    with pytest.raises(CardError, match="schema must be"):
        load_card(file)
    assert time.perf_counter() - start < 5
    file.write_text(f'{{{keys}, "59999": 1}}')
    with pytest.raises(CardError, match="key '59999' is given twice"):
        load_card(file)


@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_only_regular_files_are_read_as_cards(tmp_path, kind):
    """A fifo made the reader wait for ever, a link to an endless device filled the memory."""
    path = tmp_path / "card.json"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(CardError, match=r"card.json: is a (fifo|device), not a regular file"):
        load_card(path)


def test_a_byte_order_mark_is_no_part_of_the_card(card, tmp_path):
    path = tmp_path / "card.json"
    path.write_bytes(b"\xef\xbb\xbf" + card.to_json())
    assert load_card(path).sha256 == card.sha256


@pytest.mark.parametrize("title", ["[ 1, 2 ]", "half a pair \udcff", 'a "quote"\nand\x1b[31m'])
def test_texts_are_stored_as_they_are(card, tmp_path, title):
    """Numbers in brackets were taken for a list of them, half a surrogate pair for no text."""
    named = replace(card, title=title)
    assert load_card(named.save(tmp_path / "card.json")).title == title


def test_storing_a_text_of_brackets_and_blanks_takes_no_time(card, tmp_path):
    named = replace(card, title="[ 1" + " " * 100_000)
    start = time.perf_counter()
    named.save(tmp_path / "card.json")
    assert time.perf_counter() - start < 5


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(CardError, match="No such file"):
        load_card(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(CardError, match="is a folder, not a regular file"):
        load_card(tmp_path / "folder.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


OLD = Path(__file__).parent / "old_cards" / "lsmo_pvdf_co.json"


@pytest.mark.parametrize("which", ["two layers", "table", "schema 1", "fitted"])
@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_cards_never_raise_anything_else(which, contents, data):
    """One place of a good card replaced by any JSON value: one to use, or CardError."""
    content = copy.deepcopy(contents[which])
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())
        if not deeper:
            break
        place = place[key]
    place[key] = data.draw(json_values)
    with contextlib.suppress(CardError):
        read = card_from_dict(content)
        assert len(read.sha256) == 64
        low, high = read.field_model.range_G
        for field_G in (low, low / 2 + high / 2, high):
            assert np.all(np.isfinite(read.conductance("LTP", [0.0, 1.0], field_G)))


@pytest.fixture(scope="module")
def contents(card):
    """Good cards of every kind as JSON objects."""
    old = json.loads(OLD.read_text())
    n = np.arange(30.0)
    noise = 0.01 * np.random.default_rng(0).standard_normal((10, 2, 30))
    segments = tuple(
        Segment(
            branch,
            n,
            (1 + 0.4 * float(antiparallel_fraction(field_G))) * values + noise[i, j],
            field_G=field_G,
        )
        for i, field_G in enumerate((0.0, 60.0, 90.0, 150.0, 300.0, 350.0))
        for j, (branch, values) in enumerate(
            (("LTP", 2 - np.exp(-n / 8)), ("LTD", 1 + np.exp(-n / 6)))
        )
    )
    data = PulseData("conductance", "1", segments, "synthetic", "")
    fitted = fit_card(data, law="exponential_mixture_1", bootstrap=0).card
    assert fitted.layers is not None
    table = replace(load_card(OLD), schema_version=2)
    cards = {"two layers": card, "table": table, "fitted": fitted}
    return {name: json.loads(own.to_json()) for name, own in cards.items()} | {"schema 1": old}


@pytest.mark.parametrize("name", list_cards())
def test_every_card_that_comes_with_the_project_loads(name):
    assert load_card(name).name == name
