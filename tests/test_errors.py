"""What a user can mend ends a command with one line; a fault of ours keeps its traceback."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from device_models import FieldCrossbarError, InputError
from experiments.command.options import USER_ERRORS

ROOT = Path(__file__).parents[1]
PACKAGES = ("device_models", "crossbar", "experiments")

OTHER_ERRORS = {
    "InstallError": "raised before anything of ours can be imported; commands catch ImportError"
}
"""Errors of ours that are not for a user to mend by what he gives, and why."""


def error_classes() -> Iterator[type[Exception]]:
    """Every class of the packages whose name ends in Error."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            names = [
                n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)
            ]
            if wanted := [name for name in names if name.endswith("Error")]:
                module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                yield from (getattr(module, name) for name in wanted)


def test_every_error_of_ours_has_the_one_base():
    classes = list(error_classes())
    assert len(classes) > 10
    without = {c.__name__ for c in classes if not issubclass(c, FieldCrossbarError)}
    assert without == set(OTHER_ERRORS)


def test_errors_are_caught_as_what_they_were_before():
    kinds = {c.__name__: c for c in error_classes()}
    for name in ("CardError", "FitError", "PulseDataError", "SettingsError", "NonFiniteError"):
        assert issubclass(kinds[name], ValueError), name
    for name in ("DataError", "StoreError", "DivergedError"):
        assert issubclass(kinds[name], RuntimeError), name
    assert issubclass(InputError, ValueError)
    error = kinds["FileError"](2, "not there", "a.csv")
    assert (str(error), error.filename) == ("a.csv: not there", "a.csv")


def test_a_command_catches_no_error_by_a_broad_name():
    """`except ValueError: end(error)` would hide a fault of ours behind one line."""
    broad = {"Exception", "BaseException", "ValueError", "TypeError", "KeyError", "RuntimeError"}
    for path in (ROOT / "experiments").rglob("*.py"):
        for handler in ast.walk(ast.parse(path.read_text())):
            if isinstance(handler, ast.ExceptHandler) and _ends(handler):
                caught = {n.id for n in ast.walk(handler.type or ast.Name("Exception"))
                          if isinstance(n, ast.Name)}  # fmt: skip
                assert not caught & broad, f"{path.name}: line {handler.lineno}"


def _ends(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends its command by `end(...)`."""
    calls = [n.func for n in ast.walk(handler) if isinstance(n, ast.Call)]
    return any(isinstance(call, ast.Name) and call.id == "end" for call in calls)


COMMANDS = {
    "export_card": ("load_card", ["lsmo_pvdf_co", "--neurosim", "a.json"]),
    "cards": ("list_cards", []),
    "device_figures": ("evaluate", ["--only", "S6"]),
    "report": ("read_groups", ["--store", "nowhere"]),
    "bench": ("measure", ["activation"]),
    "reconstruct_card": ("write_card", []),
    "fit_coverage": ("check_outputs", ["--trials", "1"]),
}
"""A function that each command calls inside its guard, and words to start the command with."""


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_of_the_user_is_one_line_and_a_fault_of_ours_is_raised(
    name, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    command = import_module(f"experiments.{name}")
    function, words = COMMANDS[name]
    monkeypatch.setattr(sys, "argv", [name, *words])
    for error in (InputError("no card\nof that name"), OSError(2, "is missing", "a.json")):
        monkeypatch.setattr(command, function, raising(error))
        with pytest.raises(
            SystemExit, match=r"^error: (no card of that name|a\.json: is missing)$"
        ):
            command.main()
    for fault in (KeyError("ltp"), TypeError("no number"), ValueError("shapes"), RuntimeError("x")):
        monkeypatch.setattr(command, function, raising(fault))
        with pytest.raises(type(fault)):
            command.main()


def raising(error: Exception):
    """A function that takes anything and raises `error`."""

    def raises(*_, **__):
        raise error

    return raises


@pytest.mark.parametrize("fault", [KeyError("ltp"), ValueError("shapes"), TypeError("none")])
def test_training_shows_where_a_fault_of_ours_comes_from(monkeypatch, tmp_path, capsys, fault):
    started(monkeypatch, tmp_path, fault)
    told = capsys.readouterr().err
    assert told.count("Traceback (most recent call last):") == 1
    assert "test_errors.py" in told
    assert told.endswith(f"error: baseline seed 0: a fault of fieldcrossbar: {fault!r}\n")


def test_training_tells_what_a_user_can_mend_in_one_line(monkeypatch, tmp_path, capsys):
    started(monkeypatch, tmp_path, InputError("zero must be one of a, b, got 'c'"))
    told = capsys.readouterr().err
    assert told == "error: baseline seed 0: zero must be one of a, b, got 'c'\n"


def started(monkeypatch, folder: Path, error: Exception) -> None:
    """The training command, failing with `error` once it runs; ends with status 1."""
    from experiments import train

    monkeypatch.chdir(folder)
    monkeypatch.setattr(train, "load_card", raising(error))
    monkeypatch.setattr(sys, "argv", ["train", "trainer=smoke", "threads=1"])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert stop.value.code == 1


def test_what_a_user_can_mend_holds_no_fault_of_ours():
    faults = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError)
    assert not any(issubclass(fault, USER_ERRORS) for fault in faults)
