"""The figure of a card: what is drawn is the card, in units that suit it."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from device_models.card import Curve, DeviceCard
from device_models.curves import ExponentialMixture
from device_models.plotting import si_scale
from experiments.figures.style import png


def flat_card(n_fields: int = 1, n_pulses: int = 20, unit: str = "1", low: float = 0.0):
    """Card of one exponential, from `low` to `low` + 1, the same at every field."""
    curves = []
    for field_G in range(n_fields):
        rise = ExponentialMixture(low + 1.0, (-1.0,), (n_pulses / 8,))
        fall = ExponentialMixture(low, (1.0,), (n_pulses / 8,))
        curves += [Curve("LTP", float(field_G), rise), Curve("LTD", float(field_G), fall)]
    return DeviceCard(
        "flat", "A flat $device", "measured", "", "conductance", unit, n_pulses, tuple(curves)
    )


@pytest.mark.parametrize(("quantity", "unit", "factor"), [
    ("conductance", "µS", 1e6), ("resistance", "MΩ", 1e-6),
])  # fmt: skip
def test_lines_are_the_curves_of_the_card(card, quantity, unit, factor):
    figure = card.plot(quantity)
    axes = figure.axes[1]
    assert axes.get_title() == "LTD"
    assert figure.axes[0].get_ylabel() == f"{quantity.capitalize()} [{unit}]"
    for line, field_G in zip(axes.lines, card.fields_G, strict=True):
        assert line.get_label() == f"{field_G:g} G"
        conductance = card.conductance("LTD", line.get_xdata(), field_G)
        expected = conductance if quantity == "conductance" else 1 / conductance
        assert np.allclose(line.get_ydata(), factor * expected, rtol=1e-12)
    assert np.array_equal(axes.lines[0].get_xdata(), np.arange(65))
    change = figure.axes[3].lines[3].get_ydata()
    at_150, at_0 = (card.conductance("LTD", np.arange(65), f) for f in (150.0, 0.0))
    ratio = at_150 / at_0 if quantity == "conductance" else at_0 / at_150
    assert np.allclose(change, 100 * (ratio - 1))


def test_the_title_says_how_the_card_was_made(card):
    assert "(reconstructed)" in card.plot().get_suptitle()


@pytest.mark.parametrize(
    "title", ["A $device", r"$\frac{$", "half \udcff", "\x1b[31m", "", "x" * 10**6]
)
def test_titles_of_strangers_can_be_drawn(title):
    figure = replace(flat_card(), title=title).plot()
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    assert len(figure.get_suptitle()) < 250
    assert figure.get_suptitle().endswith("(measured)")


def test_long_branches_and_many_fields_are_thinned_out():
    figure = flat_card(n_fields=100, n_pulses=10_000_000).plot()
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines[:1] + lines[-1:]] == ["0 G", "99 G"]
    assert len(lines) == 8
    assert all(line.get_xdata().size <= 513 for line in lines)
    assert lines[0].get_xdata()[-1] == 10_000_000
    assert figure.axes[1].get_legend().get_title().get_text() == "Field (8 of 100)"


def test_arbitrary_units_have_no_prefix_and_zero_no_resistance():
    assert flat_card().plot().axes[0].get_ylabel() == "Conductance [arb. unit]"
    assert flat_card(low=1.0).plot("resistance").axes[0].get_ylabel() == "Resistance [arb. unit]"
    with pytest.raises(ValueError, match="'flat' has conductances of 0 or below"):
        replace(flat_card(low=-0.5)).plot("resistance")
    with pytest.raises(ValueError, match="conductance or resistance, got 'current'"):
        flat_card().plot("current")


@pytest.mark.parametrize(("unit", "largest", "expected"), [
    ("S", 1.6e-6, ("µS", 1e6)), ("S", 9.9e-7, ("nS", 1e9)), ("ohm", 1e3, ("kΩ", 1e-3)),
    ("S", 1.0, ("S", 1.0)), ("S", 0.0, ("S", 1.0)), ("S", 1e-30, ("aS", 1e18)),
    ("ohm", 1e20, ("GΩ", 1e-9)), ("1", 1e-6, ("arb. unit", 1.0)),
])  # fmt: skip
def test_prefixes_suit_the_range(unit, largest, expected):
    symbol, factor = si_scale(unit, largest)
    assert (symbol, factor) == (expected[0], pytest.approx(expected[1], rel=1e-12))


def test_letters_that_the_font_lacks_draw_without_a_word():
    figure = Figure()
    figure.suptitle("가장")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(figure).startswith(b"\x89PNG")
