"""Settings of the recipes: each is read by its recipe, and no other is taken."""

from __future__ import annotations

import pickle
import re
from copy import deepcopy

import pytest
import torch
from aihwkit.nn import AnalogLinear
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossbar import MemristorRPUConfig, MemristorTile, pulsed_device, rpu_config, to_crossbar
from crossbar.arrays import MemristorArray
from crossbar.random import RandomStream
from crossbar.reads import Converters, periphery
from crossbar.recipes import (
    RECIPES,
    SETTINGS,
    Minibatch,
    Recipe,
    RecipeSettings,
    make_recipe,
    recipe_settings,
)

CARD = "lsmo_pvdf_co"
VARIANTS = {
    "mixed_precision": [{}],
    "sgd": [{}, {"momentum": 0.5}],
    "tiki_taka_v2": [{}, {"fast_pulses": 0.0}],
}
"""Settings that together go all the ways through a recipe."""


def on_devices(settings: RecipeSettings) -> Recipe:
    device, stream = pulsed_device(CARD), RandomStream(1)

    def make_array(number: int) -> MemristorArray:
        return MemristorArray(3, 5, device, stream, 1 + number)

    return make_recipe(make_array, settings, Converters(periphery()))


def read_by_the_recipe(settings: RecipeSettings) -> set[str]:
    """Settings that are looked at while the recipe is made and learns two minibatches."""
    read = set()

    class Watched(type(settings)):
        def __getattribute__(self, name: str) -> object:
            read.add(name)
            return super().__getattribute__(name)

    settings.__class__ = Watched
    recipe = on_devices(settings)
    for _ in range(2):
        recipe.update(Minibatch(torch.ones(4, 5), torch.ones(4, 3)), 0.1)
    return read


def test_there_are_settings_for_every_recipe():
    assert list(SETTINGS) == list(RECIPES) == list(VARIANTS)


@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_recipe_reads_all_of_its_settings(recipe):
    read = set().union(
        *(read_by_the_recipe(recipe_settings(recipe, **given)) for given in VARIANTS[recipe])
    )
    assert set(SETTINGS[recipe].names()) <= read


STRANGERS = [
    (recipe, name)
    for recipe, kind in SETTINGS.items()
    for name in sorted({n for k in SETTINGS.values() for n in k.names()} - {*kind.names()})
]


@pytest.mark.parametrize(("recipe", "name"), STRANGERS)
def test_a_setting_of_another_recipe_is_refused_by_name(recipe, name):
    message = f"{name} is not read by {recipe}; it reads {', '.join(SETTINGS[recipe].names())}"
    for way in (
        lambda: recipe_settings(recipe, **{name: 0}),
        lambda: rpu_config(pulsed_device(CARD), recipe, update={name: 0}),
        lambda: to_crossbar(nn.Linear(2, 2), CARD, recipe=recipe, update={name: 0}),
    ):
        with pytest.raises(ValueError, match=re.escape(message) + "$"):
            way()


@pytest.mark.parametrize(
    ("recipe", "given", "message"),
    [
        (
            "sgd",
            {"momentum": 0.9, "chunks": 4},
            "chunks is not read by sgd with momentum; it reads granularity, momentum",
        ),
        (
            "tiki_taka_v2",
            {"fast_lr": 0.5},
            "fast_lr is not read by tiki_taka_v2 with fast_pulses; it reads granularity, desired",
        ),
        (
            "mixed_precision",
            {"lr": 1, "momentum": 0.9},
            "lr, momentum are not read by mixed_precision; it reads granularity",
        ),
        ("mixed_precision", {"granularity": True}, "granularity must be a number from 0, got True"),
        ("sgd", {"desired_bl": 3.0}, "desired_bl must be a whole number from 1, got 3.0"),
    ],
)
def test_what_does_not_work_is_said_in_one_line(recipe, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        recipe_settings(recipe, **given)


def test_a_setting_is_checked_when_it_is_set_later_too():
    settings = recipe_settings("sgd")
    with pytest.raises(ValueError, match="momentum must lie from 0 to below 1, got 1"):
        settings.momentum = 1
    assert settings == recipe_settings("sgd")
    settings.momentum = 0.5
    assert settings != recipe_settings("sgd")


NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=3))


@given(data=st.data(), recipe=st.sampled_from(list(SETTINGS)), value=NUMBERS)
def test_any_value_is_kept_or_refused_by_its_name(data, recipe, value):
    name = data.draw(st.sampled_from(SETTINGS[recipe].names()))
    settings, told = None, name
    try:
        settings = SETTINGS[recipe](**{name: value})
    except ValueError as error:
        told = str(error)
    assert told.startswith(name)
    assert "\n" not in told
    if settings:
        assert getattr(settings, name) == value
        assert 0 <= value < float("inf")


@pytest.mark.parametrize("recipe", SETTINGS)
def test_aihwkit_can_print_copy_and_pickle_a_configuration(recipe):
    config = rpu_config(pulsed_device(CARD), recipe, update={"granularity": 0.25})
    assert f"{SETTINGS[recipe].__name__}(granularity=0.25)" in str(config)
    for copy in (deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert copy.update == config.update
        assert type(copy.update) is SETTINGS[recipe]
    layer = AnalogLinear(4, 3, rpu_config=config)
    twin = AnalogLinear(4, 3, rpu_config=MemristorRPUConfig())
    twin.load_state_dict(layer.state_dict(), load_rpu_config=True)
    tile = next(module for module in twin.modules() if isinstance(module, MemristorTile))
    assert tile.rpu_config.update == config.update
