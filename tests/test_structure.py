"""The rules the packages keep: who imports whom, and what the project is called."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import crossbar
from crossbar.compat import PAIRS

ROOT = Path(__file__).parents[1]

FORBIDDEN = {
    "device_models": {"torch", "aihwkit", "hydra", "matplotlib", "crossbar", "experiments"},
    "crossbar": {"hydra", "omegaconf", "matplotlib", "pandas", "experiments"},
}

EXCEPTIONS = {"device_models/plotting.py": {"matplotlib"}}
"""Files that need more than their package; nothing else there imports them at its top."""


def imported_modules(path: Path) -> set[str]:
    """Top-level names of every import statement in a file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        name = str(path.relative_to(ROOT))
        wrong = imported_modules(path) & FORBIDDEN[package] - EXCEPTIONS.get(name, set())
        assert not wrong, f"{name} imports {', '.join(sorted(wrong))}"


def test_importing_device_models_loads_nothing_it_must_not():
    """In a process of its own: what is imported inside functions is not loaded by an import."""
    names = sorted(FORBIDDEN["device_models"])
    code = f"import sys, device_models; print(*[n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_crossbar_is_ours():
    assert Path(crossbar.__file__).parent == ROOT / "crossbar"


def test_distribution_is_not_called_like_the_package_on_the_index():
    assert distribution("fieldcrossbar").metadata["Name"] == "fieldcrossbar"


@pytest.mark.parametrize("python", PAIRS)
def test_pinned_pairs_are_the_ones_the_check_names(python):
    """pyproject.toml and the start-up check name the same aihwkit/torch pair."""
    pins = {}
    for line in distribution("fieldcrossbar").requires or []:
        requirement = Requirement(line)
        environment = {"python_version": ".".join(map(str, python)), "extra": ""}
        if requirement.name in ("aihwkit", "torch") and requirement.marker.evaluate(environment):
            pins[requirement.name] = str(requirement.specifier).removeprefix("==")
    assert (pins["aihwkit"], pins["torch"]) == PAIRS[python]


def test_top_level_holds_only_what_it_should():
    allowed = {
        *("crossbar", "device_models", "conf", "experiments", "tests"),
        *("pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md"),
    }
    listed = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
    assert listed - allowed <= {"runs", "fieldcrossbar.egg-info", "__pycache__", "build"}
