"""Faces that are lazy where they are heavy: complete, and the same to all that look at them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import crossbar
import crossbar.arrays
import device_models
import device_models.junction

LAZY = (device_models, device_models.junction, crossbar.arrays)
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


def test_the_field_model_of_a_card_loads_no_other_file_of_the_compact_model():
    loaded = loaded_after("import device_models")
    files = {name for name in loaded if name.startswith("device_models.junction.")}
    assert files == {"device_models.junction.magnetics", "device_models.junction.checks"}


@pytest.mark.parametrize("face", LAZY, ids=lambda face: face.__name__)
def test_every_name_is_there_and_listed(face):
    for name in face.__all__:
        assert getattr(face, name) is not None
    assert set(face.__all__) <= set(dir(face))
    with pytest.raises(AttributeError, match=f"'{face.__name__}' has no attribute 'fit_crad'"):
        _ = face.fit_crad


@pytest.mark.parametrize("face", LAZY, ids=lambda face: face.__name__)
def test_type_checkers_see_the_names_that_are_lazy(face):
    """What a name is at run time stands under TYPE_CHECKING too, from the same module."""
    tree = ast.parse(Path(face.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        str(node.module).removeprefix(f"{face.__name__}."): tuple(a.name for a in node.names)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    assert seen == face._LAZY


def test_what_errors_docstrings_and_the_readme_tell_people_to_call_is_there():
    root = Path(crossbar.__file__).parents[1]
    sources = [p for folder in ("crossbar", "device_models") for p in (root / folder).rglob("*.py")]
    told = {
        (package, name)
        for path in (root / "README.md", *sources)
        for package, name in re.findall(r"\b(crossbar|device_models)\.(\w+)\(", path.read_text())
    }
    assert ("crossbar", "periphery") in told
    faces = {"crossbar": crossbar, "device_models": device_models}
    missing = [f"{package}.{name}" for package, name in told if name not in faces[package].__all__]
    assert not missing, ", ".join(missing)
