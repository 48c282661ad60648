"""What all commands share: options checked as they are read, one-line ends, signs of life."""

from __future__ import annotations

import argparse
import io

import pytest
from rich.console import Console

from experiments import fit_coverage
from experiments.command import stage
from experiments.command.options import Parser, end, number, whole_number


@pytest.mark.parametrize(("kind", "good", "wrong", "wanted"), [
    (number(), ("0", "-1.5e3"), ("nan", "inf", "-inf", "1e400", "", "x"), "a finite number"),
    (number(0, above=True), ("5e-324",), ("0", "-1", "nan"), "a finite number above 0"),
    (number(0, 1), ("0", "1"), ("-0.1", "1.1", "nan"), "a finite number from 0 up to 1"),
    (number(zero=False), ("-0.1",), ("0", "-0.0", "nan"), "a finite number other than 0"),
    (whole_number(0, 2**32), ("0", "4294967296"), ("-1", "4294967297", "1.0", "1e2", "9" * 5000),
     "a whole number from 0 up to 4294967296"),
])  # fmt: skip
def test_numbers_are_in_their_range_or_named(kind, good, wrong, wanted):
    for text in good:
        assert kind(text) == float(text)
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match=f"^expected {wanted}, got ") as caught:
            kind(text)
        assert len(str(caught.value)) < 120


def test_wrong_arguments_end_in_one_line_without_the_usage(capsys):
    parser = Parser("What it does.")
    parser.add_argument("--width", type=number(0, above=True))
    for arguments, line in (
        (["--width", "-1"], "error: argument --width: expected a finite number above 0, got '-1'"),
        (["a\nb\x1b[31m"], "error: unrecognized arguments: a b\\x1b[31m"),
    ):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(arguments)
        assert caught.value.code == line
    assert capsys.readouterr() == ("", "")


def test_the_end_names_the_file_first():
    error = FileNotFoundError(2, "No such file or directory", "/nowhere/a")
    with pytest.raises(SystemExit, match=r"^error: /nowhere/a: No such file or directory$"):
        end(error)


def test_the_end_is_one_line_of_a_readable_length():
    with pytest.raises(SystemExit, match=r"^error: a b x+ \.\.\. x+$") as caught:
        end(ValueError("a\nb " + "x" * 10_000))
    assert len(str(caught.value)) <= 600


@pytest.mark.parametrize(("arguments", "line"), [
    (["--trials", "0"], "argument --trials: expected a whole number from 1 up to 1000000, got '0'"),
    (["--seed", "-1"], "argument --seed: expected a whole number from 0 "),
    (["--out", "."], r"\.: is a folder, not a regular file"),
])  # fmt: skip
def test_coverage_looks_at_its_options_before_hours_of_fits(monkeypatch, arguments, line):
    monkeypatch.delattr(fit_coverage, "coverage_row")
    with pytest.raises(SystemExit, match=f"^error: {line}"):
        fit_coverage.main(arguments)


@pytest.mark.parametrize(("terminal", "always", "shown"), [
    (True, False, True), (False, True, True), (False, False, False),
])  # fmt: skip
def test_long_work_is_shown_on_a_terminal_and_said_elsewhere(monkeypatch, terminal, always, shown):
    text = io.StringIO()
    monkeypatch.setattr(
        stage, "Console", lambda stderr: Console(file=text, force_terminal=terminal, width=60)
    )
    with stage.stage("fitting [/red] 7 readings", always=always):
        pass
    assert ("fitting [/red] 7 readings" in text.getvalue()) is shown
    assert terminal or text.getvalue() in ("", "fitting [/red] 7 readings\n")
