"""One place of a good card replaced by anything: a card that can be used, or one line."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models import CardError, fit_card, load_card
from device_models.card import card_from_dict
from device_models.junction import antiparallel_fraction
from device_models.pulses import PulseData, Segment

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
