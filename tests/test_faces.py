"""The face of device_models: complete, lazy where it is heavy, the same to all that look at it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import device_models

HEAVY = ("device_models.fit", "device_models.pulses", "device_models.junction.memristor")


def loaded_after(code: str) -> set[str]:
    """Modules of device_models that a new process has loaded after `code`."""
    listing = "; import sys; print(*[m for m in sys.modules if m.startswith('device_models')])"
    done = subprocess.run(
        [sys.executable, "-c", code + listing], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_cards_load_neither_the_fit_nor_the_compact_model():
    code = "import device_models as d; d.load_card('lsmo_pvdf_co').conductance('LTP', 3.0, 75.0)"
    assert not loaded_after(code) & {*HEAVY, "device_models.plotting"}


@pytest.mark.parametrize(
    ("name", "module"),
    [("fit_card", HEAVY[0]), ("read_pulses", HEAVY[1]), ("Memristor", HEAVY[2])],
)
def test_what_is_heavy_comes_when_it_is_asked_for(name, module):
    assert module in loaded_after(f"from device_models import {name}")


def test_every_name_is_there_and_listed():
    for name in device_models.__all__:
        assert getattr(device_models, name) is not None
    assert set(device_models.__all__) <= set(dir(device_models))
    with pytest.raises(AttributeError, match="no attribute 'fit_crad'"):
        _ = device_models.fit_crad


def test_type_checkers_see_the_names_that_are_lazy():
    """What a name is at run time stands under TYPE_CHECKING too, from the same module."""
    tree = ast.parse(Path(device_models.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: str(node.module).removeprefix("device_models.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == device_models._LAZY
