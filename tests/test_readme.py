"""The README keeps its word: its script runs, its commands exist, its numbers are stored."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from crossbar import fields_of
from experiments.carry import readme_with_carried, rows
from experiments.fit_device import main as fit_device
from experiments.report import readme_with_results
from experiments.runs.store import list_runs

ROOT = Path(__file__).parents[1]
STORE = ROOT / "experiments" / "results"
README = (ROOT / "README.md").read_text()


def test_the_ten_line_script_learns(capsys):
    script, carried = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    torch.manual_seed(0)
    scope: dict = {}
    exec(compile(script, "README.md", "exec"), scope)
    before = torch.nn.functional.mse_loss(torch.zeros_like(scope["y"]), scope["y"])
    assert scope["loss"] < 0.25 * before
    assert capsys.readouterr().out.startswith("loss 0.")
    exec(compile(carried, "README.md", "exec"), scope)
    (field,) = fields_of(scope["model"]).values()
    assert np.shape(field) == (2, 1)


@pytest.mark.parametrize("line", re.findall(r"^python -m experiments\.train (.*)$", README, re.M))
def test_every_training_command_composes(line):
    """Each override of the README's commands is known to the configuration."""
    words = [w.strip('"') for w in line.split("#")[0].split() if w != "-m"]
    overrides = [re.sub(r"=([^\[\],]+),.*", r"=\1", word) for word in words]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides)
    assert config.model.name == ("custom" if "model=custom" in line else "paper_cnn")


@pytest.mark.parametrize("module", sorted(set(re.findall(r"experiments\.(\w+)", README))))
def test_every_module_it_names_exists(module):
    assert (ROOT / "experiments" / f"{module}.py").exists()


def test_every_place_of_its_layout_exists():
    """Rooms and files that the layout names, below the package whose line they stand in."""
    layout = README[README.index("## Layout") : README.index("What changed for users")]
    block, words = layout.split("```")[1], layout.split("```")[2]
    package = ""
    for line in block.splitlines():
        package = (re.match(r"\w+/", line) or [package])[0]
        for place in re.findall(r"[\w/]+(?:\.py|/)", line.removeprefix(package)):
            folder = ROOT if place in ("tests/", "conf/") else ROOT / package
            assert (folder / place).exists(), f"{package}{place}"
    places = re.findall(r"`((?:crossbar|experiments|device_models)/[\w/]+\.py)`", words)
    assert len(places) >= 3
    for place in places:
        assert (ROOT / place).exists(), place
    for room in re.findall(r"`(crossbar/\w+)/<its name>.py`", words):
        assert (ROOT / room).is_dir(), room


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)`?", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_its_table_is_that_of_the_stored_runs():
    assert readme_with_results(README, STORE) == README


def test_its_table_of_fields_is_that_of_the_stored_networks():
    stored = json.loads((STORE / "carried.json").read_text())
    assert readme_with_carried(README, stored["runs"]) == README
    runs = {(run.result()["name"], run.result()["seed"]) for run in list_runs(STORE)}
    assert {(run["name"], run["seed"]) for run in stored["runs"]} <= runs


def test_its_sentence_on_pairs_is_that_of_the_stored_networks():
    pairs = json.loads((STORE / "carried_pairs.json").read_text())["runs"]
    kept = [float(kept.split()[0]) for _, kept, _ in rows(pairs)]
    said = f"{rows(pairs)[0][1]} %, and keep {min(kept):.2f} to {max(kept):.2f} %"
    assert f"n = {len(pairs)}" in README
    assert said in " ".join(README.split())


def test_stored_runs_say_where_they_come_from():
    runs = list_runs(STORE)
    assert len(runs) >= 12
    for run in runs:
        result = run.result()
        assert result["status"] == "finished"
        assert result["provenance"]["packages"]["aihwkit"]
        assert not result["test_is_held_out"]
        assert run.history()[-1]["test_accuracy"] == result["test_accuracy"]


def test_its_headline_is_that_of_the_command(tmp_path, capsys):
    """Words and numbers, whatever the last digit that a machine rounds."""
    shown = re.search(r"<!-- headline: .*? -->\n\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    data = ROOT / "device_models" / "cards" / "reram_gong_2018.csv"
    fit_device([str(data), "--out", str(tmp_path / "my_card.json")])
    told = capsys.readouterr().out
    found = told[told.index("Verdict") :].split("\n\n")[0]
    number = r"-?\d+(?:\.\d+)?"
    assert re.sub(number, "#", found).split() == re.sub(number, "#", shown[1]).split()
    for here, there in zip(re.findall(number, found), re.findall(number, shown[1]), strict=True):
        assert float(here) == pytest.approx(float(there), rel=0.05, abs=0.05)
