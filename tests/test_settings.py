"""Settings are what they look like: no text for truth, no truth for numbers, nothing absurd."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from crossbar.recipes import SETTINGS, recipe_settings
from experiments.training.settings import SettingsError, read_settings

ROOT = Path(__file__).parents[1]


def config(*overrides: str) -> dict:
    """Resolved configuration of the command line `overrides`."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("config", ["name=a", "schedule=b", *overrides])
    return OmegaConf.to_container(composed, resolve=True)


GIVEN = {
    "image_folder": ["data.folder"],
    "arrays": ["data.file"],
    "custom": ["model.target"],
}
"""Settings without a default."""

EM = config("experiment=field_programmed", "crossbar/recipe=tiki_taka_v2")
AIHWKIT = config("crossbar=aihwkit")
SGD = config("optimizer=sgd")


def complaint(settings: dict) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole_with(key: str) -> dict:
    """One of the configurations that have this setting."""
    return next(whole for whole in WHOLES if key in leaves(whole))


def changed(settings: dict, key: str, value: object) -> dict:
    settings = copy.deepcopy(settings)
    group = settings
    *groups, last = key.split(".")
    for name in groups:
        group = group[name]
    group[last] = value
    return settings


def leaves(settings: dict, prefix: str = "") -> dict[str, object]:
    """Every setting by its key on the command line."""
    found = {}
    for key, value in settings.items():
        here = f"{prefix}{key}"
        found |= leaves(value, f"{here}.") if isinstance(value, dict) else {here: value}
    return found


WHOLES = EM, AIHWKIT, SGD
LEAVES = {key: value for whole in WHOLES for key, value in leaves(whole).items()}
DEFAULTED = {"crossbar.update", "crossbar.cells"}
"""Younger than stored runs, or of no use to aihwkit's tiles: may be missing."""

BOOLEANS = [key for key, value in LEAVES.items() if isinstance(value, bool)]
NUMBERS = [key for key, value in LEAVES.items() if isinstance(value, int | float)]
NUMBERS = [key for key in NUMBERS if key not in BOOLEANS]


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "experiment").glob("*.yaml")))
def test_every_experiment_is_a_valid_configuration(path):
    assert read_settings(config(f"experiment={path.stem}")).name == "a"


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("[a-z]*/*.yaml")))
def test_every_choice_of_every_group_is_valid(path):
    """Also those no experiment takes; a group for the whole configuration is one of them."""
    if path.parent.name in ("experiment", "sweep", "launcher"):
        assert yaml.safe_load(path.read_text()) is not None or path.stem == "none"
        return
    needed = GIVEN.get(path.stem, [])
    for key in needed:
        told = complaint(config(f"{path.parent.name}={path.stem}"))
        assert told == f"{key} must be given, got '???'"
    choices = [f"{key}=a.b" for key in needed]
    assert read_settings(config(f"{path.parent.name}={path.stem}", *choices))


def test_there_is_something_to_check():
    assert {"overwrite", "resume", "data.verify", "data.download", "activation.trainable"} <= set(
        BOOLEANS
    )
    assert {"seed", "optimizer.lr", "crossbar.update.chunks", "trainer.epochs"} <= set(NUMBERS)
    assert len(LEAVES) > 50


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize("value", ["no", "off", "False", "maybe", "true", 0, 1, 1.0, None, []])
def test_only_true_and_false_are_truth_values(key, value):
    whole = whole_with(key)
    assert complaint(changed(whole, key, value)).startswith(f"{key} must be true or false, got")


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [True, False, "1", "nan", float("nan"), float("inf"), {}, -1e400])
def test_only_finite_numbers_are_numbers(key, value):
    whole = whole_with(key)
    assert complaint(changed(whole, key, value)).startswith(key)


@pytest.mark.parametrize("key", sorted(set(LEAVES) - DEFAULTED))
def test_a_setting_that_is_missing_or_unknown_is_named(key):
    whole = copy.deepcopy(whole_with(key))
    group = whole
    *groups, last = key.split(".")
    for name in groups:
        group = group[name]
    value = group.pop(last)
    assert complaint(whole) == f"{key} is missing"
    group[last], group[f"{last}s"] = value, value
    assert complaint(whole) == f"{key}s is no setting"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", -1, "seed must be at least 0, got -1"),
        ("seed", 10**18, "seed must be at most 2000000"),
        ("threads", 5000, "threads must be at most"),
        ("trainer.train_images", 1, "trainer.train_images must be at least 2, got 1"),
        ("trainer.epochs", 1.0, "trainer.epochs must be a whole number, got 1.0"),
        ("optimizer.lr", 0, "optimizer.lr must be above 0, got 0"),
        ("device.step_c2c", 1e9, "device.step_c2c must be at most 10000, got 1000000000.0"),
        ("model.hidden", [0], "model.hidden[0] must be at least 1, got 0"),
        ("model.hidden", [10**9], "model.hidden[0] must be at most 16384, got 1000000000"),
        ("model.channels", [], "model.channels must hold at least 1, got []"),
        ("model.kernel_size", -1, "model.kernel_size must be at least 1, got -1"),
        ("model.name", "cnn", "must be one of paper_cnn, mlp, residual_cnn, custom, got 'cnn'"),
        ("activation.name", None, "activation.name must be one of relu, em, got None"),
        ("activation.encoding", "cut", "must be one of clip, sigmoid, raw, got 'cut'"),
        ("field.weights_G", "x", "field.weights_G must be a number or a list, got 'x'"),
        ("field.weights_G", [0, "a"], "field.weights_G[1] must be a number, got 'a'"),
        ("field.activation_G", 3, "field.activation_G must be a list or 'as_weights', got 3"),
        ("crossbar.update", 3, "crossbar.update must be a group of settings, got 3"),
        ("crossbar.periphery.dac_bits", 99, "dac_bits must be a whole number from 2 to 32, got 99"),
        ("optimizer", None, "optimizer must be a group of settings, got None"),
        ("device.card", "", "device.card must not be empty, got ''"),
        ("device.card", "x" * 5000, "device.card must have at most 4096 characters, got 'xxx"),
    ],
)
def test_ranges_and_kinds_are_told(key, value, message):
    told = complaint(changed(EM, key, value))
    assert message in told
    assert len(told) < 300


def test_several_faults_are_told_at_once():
    both = changed(changed(EM, "optimizer.lr", "fast"), "seed", "x")
    assert complaint(both) == (
        "seed must be a whole number, got 'x'; optimizer.lr must be a number, got 'fast'"
    )


@pytest.mark.parametrize("key", ["name", "schedule"])
@pytest.mark.parametrize(
    "value", ["../../x", "/abs", "a/b", ".", "..", "", ".hidden", "a\nb", "a\x1b[31m", "x" * 101]
)
def test_names_stay_in_the_store(key, value):
    assert complaint(changed(EM, key, value)).startswith(f"{key} must name a folder of the store")


@pytest.mark.parametrize("value", ["set2", "my run, lr=2e-5", "Übung_3", "a.b", "été"])
def test_plain_names_may_be_anything_a_folder_may(value):
    assert read_settings(changed(EM, "name", value)).name == value


def test_settings_that_exclude_each_other():
    assert "choose one" in complaint(EM | {"resume": True, "overwrite": True})
    assert "data.folder=" in complaint(changed(EM, "data.verify", False))


@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_recipe_brings_its_own_settings_at_their_defaults(recipe):
    """One description: the class of the recipe, whose defaults the configuration repeats."""
    whole = config("experiment=crossbar", f"crossbar/recipe={recipe}")
    update = read_settings(whole).crossbar.update
    assert recipe_settings(recipe, **update.model_dump()) == recipe_settings(recipe)
    assert tuple(update.model_dump()) == SETTINGS[recipe].names()
    assert read_settings(config("crossbar=aihwkit", f"crossbar/recipe={recipe}"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["+crossbar.update.momentum=0.9"],
            "crossbar.update: momentum is not read by mixed_precision; it reads granularity",
        ),
        (
            ["+crossbar.update.momentum=0.9", "+crossbar.update.chunks=4"],
            "crossbar.update: momentum, chunks are not read by mixed_precision; it reads gran",
        ),
        (["+crossbar.update.moment=0.9"], "crossbar.update.moment is no setting"),
        (
            ["crossbar.recipe=sgd"],
            "crossbar.update: holds the settings of mixed_precision, "
            "crossbar/recipe=sgd brings others",
        ),
        (
            ["crossbar.recipe=adam"],
            "crossbar.recipe must be one of mixed_precision, sgd, tiki_taka_v2, got 'adam'",
        ),
        (
            ["crossbar/recipe=sgd", "crossbar.update.momentum=0.9", "crossbar.update.chunks=4"],
            "crossbar.update: chunks is not read by sgd with momentum; it reads granularity, "
            "momentum",
        ),
        (
            ["experiment=crossbar_sgd", "crossbar=aihwkit"],
            "crossbar.update: momentum is not read by crossbar=aihwkit",
        ),
        (["crossbar.cells=triple"], "crossbar.cells must be 'single' or 'pair', got 'triple'"),
        (["crossbar.name=tile"], "crossbar.name must be one of digital, aihwkit, memristor"),
    ],
)
def test_settings_that_the_recipe_does_not_read_are_named(words, message):
    assert message in complaint(config("experiment=crossbar", *words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["optimizer=adam", "+optimizer.momentum=0.9"],
            "optimizer: momentum is not read by adam; it reads lr, crossbar_lr, weight_decay, "
            "decay",
        ),
        (["optimizer=sgd", "optimizer.name=adam"], "optimizer: momentum is not read by adam"),
        (["optimizer.name=sgd"], "optimizer.momentum is missing"),
        (["optimizer.name=lion"], "optimizer.name must be one of adam, sgd, got 'lion'"),
        (["optimizer=sgd", "optimizer.momentum=1.0"], "optimizer.momentum must be below 1, got"),
    ],
)
def test_settings_that_the_optimizer_does_not_read_are_named(words, message):
    assert message in complaint(config(*words))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.one_of(st.floats(), st.integers(), st.text(max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@given(key=st.sampled_from(sorted(leaves(EM))), value=VALUES)
def test_whatever_stands_there_is_taken_or_refused_in_one_line(key, value):
    told = ""
    try:
        read_settings(changed(EM, key, value))
    except SettingsError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 400
