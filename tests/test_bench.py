"""The benchmark suite: it measures what it says, refuses what it must, and the README quotes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import bench
from experiments.benchmarks import training
from experiments.benchmarks.timing import Ceilings, Timing, compare, measure_ceilings

ROOT = Path(__file__).parents[1]
STORED = json.loads((ROOT / "experiments" / "results" / "bench.json").read_text())
MARKS = "<!-- bench: python -m experiments.bench -->\n<!-- end of bench -->"


def test_candidates_take_turns():
    calls: list[str] = []
    timings = compare(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        repeats=3,
        warm_up=1,
        notes={"b": "second"},
    )
    assert calls == ["a", "b"] * 4
    assert [(t.name, len(t.seconds), t.note) for t in timings] == [("a", 3, ""), ("b", 3, "second")]


def test_a_slow_round_leaves_the_ratio_alone():
    base = Timing("base", (1.0, 10.0, 1.0, 1.0))
    other = Timing("other", (2.0, 20.0, 2.0, 2.0))
    assert other.ratio(base) == 2.0
    assert (base.median_s, base.spread_s) == (1.0, 1.125)


def test_shares_are_of_the_machines_limits():
    timing = Timing("row", (2.0, 2.0, 2.0), bytes_moved=10e9, operations=40e9)
    assert timing.shares(Ceilings(10e9, 100e9)) == (0.5, 0.2)
    ceilings = measure_ceilings(repeats=2)
    assert 1e9 < ceilings.bytes_per_s < 1e13
    assert 1e8 < ceilings.operations_per_s < 1e15


def test_operations_are_counted():
    """By hand: kernels x positions; the digital first block reads one channel, and no gradient
    at the images is computed."""
    first, second, linear = 25 * 6 * 24**2, 150 * 16 * 8**2, 256 * 120 + 120 * 84 + 84 * 10
    tiles = 3 * (3 * first + second + linear)
    digital = 2 * first + 3 * second + 3 * linear
    assert training._tile_work().operations == 2 * tiles * training.N_IMAGES
    assert training._digital_work().operations == 2 * digital * training.N_IMAGES


def test_command_writes_every_time(tmp_path, capsys):
    bench.main(["small_activation", "--repeats", "2", "--threads", "1", "--store", str(tmp_path)])
    content = json.loads((tmp_path / "bench.json").read_text())
    rows = content["benchmarks"]["small_activation"]
    assert rows[0]["name"] == "ReLU"
    assert all(len(row["seconds"]) == 2 and min(row["seconds"]) > 0 for row in rows)
    assert content["machine"]["threads"] == 1
    assert content["ceilings"]["bytes_per_s"] > 0
    assert rows[0]["bytes_moved"] > 0
    assert rows[2]["operations"] > rows[0]["operations"]
    assert "EM, 16 curves" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no benchmark 'speed': choose from activation"),
        (["fit", "--repeats", "0"], "--repeats: expected a whole number from 1 "),
        (["fit", "--store", "/proc/nowhere", "--readme", "README.md"], "nowhere"),
    ],
)
def test_wrong_calls_are_one_line(arguments, message):
    with pytest.raises(SystemExit) as caught:
        bench.main(arguments)
    assert str(caught.value).startswith("error: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("readme", "stored", "message"),
    [
        ("no marks", json.dumps(STORED), "the README needs one <!-- bench"),
        (MARKS, "{}", "bench.json: not a file of this command (KeyError"),
        (MARKS, "{", "bench.json: not a file of this command (JSONDecodeError"),
    ],
)
def test_wrong_files_are_one_line_and_the_readme_stays(tmp_path, readme, stored, message):
    (tmp_path / "README.md").write_text(readme)
    (tmp_path / "bench.json").write_text(stored)
    with pytest.raises(SystemExit) as caught:
        bench.main(["--store", str(tmp_path), "--readme", str(tmp_path / "README.md")])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "README.md").read_text() == readme


def test_readme_shows_the_stored_run():
    """Every aim is measured, and the table in the README is made of the stored times."""
    content = json.loads((ROOT / "experiments" / "results" / "bench.json").read_text())
    names = {(name, row["name"]) for name, rows in content["benchmarks"].items() for row in rows}
    for aim in bench.AIMS:
        assert {(aim.benchmark, aim.row), (aim.benchmark, aim.base)} <= names
    assert set(bench.LIMITS) <= names
    readme = (ROOT / "README.md").read_text()
    assert bench.readme_with_bench(readme, content) == readme
