"""The rules the packages keep: who imports whom, what faces show, what an import may load."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest
from import_graph import circles, import_graph, imports, module_name, rooms, siblings, taken_by
from packaging.requirements import Requirement

import crossbar
import device_models
from crossbar.compat import PAIRS

ROOT = Path(__file__).parents[1]
PACKAGES = ("device_models", "crossbar", "experiments")

FORBIDDEN = {
    "device_models": {"torch", "aihwkit", "hydra", "matplotlib", "crossbar", "experiments"},
    "crossbar": {"hydra", "omegaconf", "matplotlib", "pandas", "experiments"},
    "experiments/runs": {"experiments.training"},
    "device_models/junction": {"device_models.reconstruct", "device_models.card"},
}
"""Folder, and what no file in it imports."""

EXCEPTIONS = {"device_models/plotting.py": {"matplotlib"}}
"""Files that need more than their package; nothing else there imports them at its top."""

LONGEST = 300
"""Lines of a file; a longer one says why in its first line: "...; long: <reason>"."""

WHEN_CALLED = {
    ("device_models.card.model", "device_models.card.drawing"): "card.sample() draws cards",
    ("device_models.card.model", "device_models.plotting"): "card.plot() draws a card",
}
"""Imports inside a method of what itself needs the class, and why they are there."""

CIRCLES = {
    ("experiments.figures", "experiments.fitting"): "the command of a fit draws what it found",
}
"""Rooms that use one another, and why; no circle of files is among them."""

PUBLIC_FILES = {
    "crossbar.choices": "how every room refuses a name that is not among the choices",
    "crossbar.finite": "whether numbers are finite: the training loop asks it of its loss",
    "crossbar.preset_source": "a card as a file for other projects",
    "crossbar.probe": "tiles driven as a probe station would: loads aihwkit, not for networks",
    "device_models.errors": "what a user can mend: the bases of all errors",
    "device_models.files": "files written whole or not at all, read within limits, locked",
    "device_models.library": "cards by name, and the folder that they are in",
    "device_models.plain_text": "text of strangers and errors in one line",
    "device_models.plotting": "drawing of a card: matplotlib, which no face may load",
    "device_models.reconstruct": "the paper's card made anew: loads fit and compact model",
    "device_models.steps": "step sizes of a card: one subject, one file",
}
"""Files that are public beside the faces: each one subject by itself, and which."""


def source_files(*folders: str) -> list[Path]:
    """Every Python file in folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_point_one_way(folder):
    assert source_files(folder)
    for path in source_files(folder):
        name = str(path.relative_to(ROOT))
        forbidden = FORBIDDEN[folder] - EXCEPTIONS.get(name, set())
        wrong = {n for n in imports(path) for f in forbidden if f"{n}.".startswith(f"{f}.")}
        assert not wrong, f"{name} imports {', '.join(sorted(wrong))}"


def test_no_file_imports_itself_by_a_way_round():
    graph = import_graph(ROOT, PACKAGES)
    for name, other in WHEN_CALLED:
        graph[name].remove(other)
        at_top = ast.parse((ROOT / name.replace(".", "/")).with_suffix(".py").read_text()).body
        loaded = [n.module for n in at_top if isinstance(n, ast.ImportFrom)]
        assert other not in loaded, f"{name} loads {other} at once"
    ways = circles(graph)
    assert not ways, "\n".join(" -> ".join(way) for way in ways)


def test_no_room_imports_itself_by_a_way_round():
    """Rooms beside one another; a room and the folder it is in may use each other."""
    ways = circles(siblings(rooms(import_graph(ROOT, PACKAGES))))
    unexplained = [way for way in ways if tuple(sorted(set(way))) not in CIRCLES]
    assert not unexplained, "\n".join(" -> ".join(way) for way in unexplained)
    assert len(ways) == len(CIRCLES), "a circle that is gone needs no explanation"


def test_circles_are_found_also_through_functions(tmp_path):
    """What the two tests above would see: on files made for it."""
    room = tmp_path / "pkg"
    room.mkdir()
    (room / "__init__.py").write_text("from pkg.a import f\n")
    (room / "a.py").write_text("import pkg.b\n")
    (room / "b.py").write_text("def g():\n    from pkg.c import x\n")
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pkg.a\n"
    (room / "c.py").write_text(for_types)
    graph = import_graph(tmp_path, ("pkg",))
    assert graph == {"pkg": {"pkg.a"}, "pkg.a": {"pkg.b"}, "pkg.b": {"pkg.c"}, "pkg.c": set()}
    assert circles(graph) == []
    (room / "c.py").write_text("from pkg import f\n")
    assert circles(import_graph(tmp_path, ("pkg",))) == [["pkg", "pkg.a", "pkg.b", "pkg.c", "pkg"]]


def test_a_long_file_says_why():
    for path in source_files(*PACKAGES):
        text = path.read_text()
        first = text.split("\n", 1)[0]
        reason = re.search(r"; long: \w+", first)
        assert text.count("\n") <= LONGEST or reason, f"{path.relative_to(ROOT)} is long: why?"


# -- Faces -------------------------------------------------------------------------------------


def faces() -> Iterator[ModuleType]:
    """Every package of ours that says what it shows."""
    for path in source_files(*PACKAGES):
        if path.name == "__init__.py" and "__all__" in path.read_text():
            yield import_module(module_name(path, ROOT))


def shown_by(path: Path) -> tuple[set[str], bool]:
    """Public names that a face shows, and whether it holds code.

    One with code takes names of our packages for its own use too: only its definitions count.
    """
    taken, defined = set[str](), set[str]()
    tree = ast.parse(path.read_text())
    for_types = [n for node in tree.body if isinstance(node, ast.If) for n in node.body]
    for node in [*tree.body, *for_types]:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGES):
            taken |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            taken |= {t.id for t in targets if isinstance(t, ast.Name)}
    code = any(not name.startswith("_") for name in defined)
    names = defined if code else taken | defined
    return {name for name in names if not name.startswith("_")}, code


def test_a_face_lists_what_it_shows_and_every_name_is_there():
    seen = 0
    for face in faces():
        assert len(set(face.__all__)) == len(face.__all__), face.__name__
        shown, code = shown_by(Path(face.__file__))
        listed = set(face.__all__) - {"__version__"}
        assert shown <= listed if code else shown == listed, face.__name__
        missing = [name for name in face.__all__ if not hasattr(face, name)]
        assert not missing, f"{face.__name__}: {missing}"
        assert set(face.__all__) <= set(dir(face)), face.__name__
        seen += len(face.__all__)
    assert seen > 50


def behind_a_face(module: str, name: str) -> bool:
    """Whether an import takes a module that no face shows, or a name that its face does not list.

    Faces are packages with `__all__`; a name may be that of a public file in the package.
    """
    if module in PUBLIC_FILES or f"{module}.{name}" in PUBLIC_FILES:
        return False
    listed = getattr(import_module(module), "__all__", ())
    is_face = (ROOT / module.replace(".", "/") / "__init__.py").exists() and bool(listed)
    return not is_face or (name != "" and name not in listed)


def test_experiments_see_the_packages_by_their_faces():
    for path in source_files("experiments"):
        file = str(path.relative_to(ROOT))
        ours = {t for t in taken_by(path) if t[0].split(".")[0] in ("crossbar", "device_models")}
        behind = {taken for taken in ours if behind_a_face(*taken)}
        told = "; ".join(f"from {module} import {name}" for module, name in sorted(behind))
        assert not behind, f"{file} looks behind a face: {told}"


@pytest.mark.parametrize(
    ("line", "behind"),
    [
        ("from crossbar import EMActivation, finite", False),
        ("from device_models.junction import Spike", False),
        ("from device_models.files import anything", False),
        ("import crossbar", False),
        ("from device_models.junction.stdp import Spike", True),
        ("from crossbar.reads import read_torch", True),
        ("from crossbar.recipes import MixedPrecision", True),
        ("from crossbar import tile", True),
        ("import crossbar.tile", True),
        ("from device_models.pulses.columns import roles", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import crossbar.rpu", True),
    ],
)
def test_what_is_behind_a_face_is_seen(tmp_path, line, behind):
    """Of files made for it, so that the test above cannot pass for nothing."""
    (tmp_path / "a.py").write_text(line)
    ours = [taken for taken in taken_by(tmp_path / "a.py") if taken[0] != "typing"]
    assert any(behind_a_face(*taken) for taken in ours) == behind


def test_every_public_file_is_there_and_used():
    taken = {t for path in source_files("experiments") for t in taken_by(path)}
    modules = {module for module, _ in taken} | {f"{module}.{name}" for module, name in taken}
    assert set(PUBLIC_FILES) <= modules


@pytest.mark.parametrize("face", [crossbar, device_models], ids=lambda face: face.__name__)
def test_a_face_knows_no_other_name(face):
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = face.no_such_name


def test_every_public_name_says_what_it_is():
    for path in source_files(*PACKAGES):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                told = ast.get_docstring(node)
                assert told, f"{path.relative_to(ROOT)}: {node.name} has no docstring"


def test_every_method_of_a_face_says_what_it_does():
    """Itself, or what it overrides: a base class of ours or others, or a protocol of ours."""
    undocumented = {
        f"{face.__name__}.{name}.{method}"
        for face in faces()
        for name in face.__all__
        for method in undocumented_methods(getattr(face, name))
    }
    assert not undocumented, ", ".join(sorted(undocumented))


def undocumented_methods(shown: object) -> Iterator[str]:
    """Public methods and properties without a docstring of a class of ours."""
    if inspect.isclass(shown) and shown.__module__.startswith(PACKAGES):
        for name, member in vars(shown).items():
            public = not name.startswith("_") and name not in PROTOCOLS
            callable_ = inspect.isfunction(member) or isinstance(member, property)
            if public and callable_ and not inspect.getdoc(getattr(shown, name)):
                yield name


def protocol_members() -> Iterator[str]:
    """Methods that a protocol of ours says once for all classes that have them."""
    for path in source_files("device_models", "crossbar"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases):
                yield from (m.name for m in node.body if isinstance(m, ast.FunctionDef)
                            and ast.get_docstring(m))  # fmt: skip


PROTOCOLS = {*protocol_members(), "forward", "extra_repr"}


# -- What an import loads ----------------------------------------------------------------------


def loaded_by(code: str, *names: str) -> set[str]:
    """Which modules are loaded after `code` in a process of its own."""
    code = f"import sys\n{code}\nprint(*[n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_device_models_loads_nothing_it_must_not():
    """In a process of its own: what is imported inside functions is not loaded by an import."""
    assert loaded_by("import device_models", *FORBIDDEN["device_models"]) == set()


def test_importing_device_models_loads_no_fit():
    fit, model = ("device_models.fit", "scipy.optimize"), "device_models.junction.memristor"
    heavy = (*fit, model, "device_models.pulses", "scipy.stats")
    assert loaded_by("import device_models", *heavy) == set()
    reading = "from device_models import load_card; load_card('lsmo_pvdf_co').law('LTP', 30.0)"
    assert loaded_by(reading, *heavy) == set()


def test_importing_crossbar_loads_nothing_heavy():
    heavy = ("torch", "aihwkit", "numba", "scipy.optimize", "matplotlib")
    assert loaded_by("import crossbar", *heavy) == set()


def test_an_activation_of_a_card_needs_no_aihwkit_and_no_tile():
    code = "from crossbar import EMActivation; EMActivation('lsmo_pvdf_co', fields_G=[0.0])"
    assert loaded_by(code, "torch", "aihwkit", "crossbar.tile") == {"torch"}


@pytest.mark.parametrize("name", sorted(crossbar._WITHOUT_AIHWKIT))
def test_what_is_said_to_need_no_aihwkit_does_not(name):
    assert loaded_by(f"import {name}", "aihwkit") == set()


# -- The project -------------------------------------------------------------------------------


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
