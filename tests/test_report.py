"""Page and table from stored runs, and the errors of a store without any."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from experiments.figures.training import draw_training
from experiments.report import group_runs, markdown_table, table_rows, write_report
from experiments.store import StoreError, list_runs


def store_run(store, name, seed, accuracy, status="finished", **settings):
    """A run folder as the training leaves it, without checkpoints."""
    folder = store / name / f"quick-seed{seed}-{len(settings)}"
    folder.mkdir(parents=True)
    config = {"name": name, "seed": seed, "device": {"card": "lsmo_pvdf_co"}, **settings}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = [f"{epoch},{1 / epoch},{accuracy},{accuracy}" for epoch in (1, 2)]
    header = "epoch,train_loss,test_accuracy,test_accuracy_batch_statistics"
    (folder / "history.csv").write_text("\n".join([header, *rows]) + "\n")
    result = {
        "status": status,
        "name": name,
        "schedule": "quick",
        "seed": seed,
        "activation": "relu" if name == "baseline" else "em",
        "card": "lsmo_pvdf_co",
        "card_kind": "reconstructed",
        "card_sha256": "other",
        "crossbar_weights": 0,
        "test_is_held_out": False,
        "epochs": 2,
        "test_accuracy": accuracy,
        "test_accuracy_batch_statistics": accuracy,
        "seconds_per_epoch": 3.0,
    }
    (folder / "result.json").write_text(json.dumps(result))


def test_seeds_are_joined_and_settings_are_not(tmp_path):
    store_run(tmp_path, "set2", 0, 0.80)
    store_run(tmp_path, "set2", 1, 0.84)
    store_run(tmp_path, "set2", 0, 0.70, optimizer={"lr": 1})
    store_run(tmp_path, "baseline", 0, 0.90)
    rows = table_rows(group_runs(list_runs(tmp_path)))
    assert [row[0] for row in rows] == ["baseline", "set2", "set2"]
    assert {(row[2], row[3]) for row in rows} == {
        ("1", "90.00 %"),
        ("2", "82.00 ± 2.83 %"),
        ("1", "70.00 %"),
    }
    assert rows[0][-1] == "none"
    assert rows[1][-1] == "lsmo_pvdf_co (reconstructed)"
    assert markdown_table(rows).count("\n") == 5


def test_runs_that_did_not_finish_are_marked(tmp_path):
    store_run(tmp_path, "set2", 0, 0.5, status="interrupted")
    assert "not finished" in table_rows(group_runs(list_runs(tmp_path)))[0][1]


def test_page_escapes_what_it_shows(tmp_path):
    store_run(tmp_path, "<script>alert(1)</script>".replace("/", ""), 0, 0.5)
    page = write_report(tmp_path, tmp_path / "report").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_damaged_result_is_named(tmp_path):
    store_run(tmp_path, "set2", 0, 0.5)
    (path,) = tmp_path.glob("*/*/result.json")
    path.write_text("{")
    with pytest.raises(StoreError, match=r"result\.json: not JSON"):
        write_report(tmp_path, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_empty_store_is_one_line(tmp_path):
    command = [sys.executable, "-m", "experiments.report", "--store", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_every_variant_is_drawn():
    """More variants than colours: none is left out, and no two look alike."""
    row = {"epoch": 1, "test_accuracy": 0.5, "test_accuracy_batch_statistics": 0.5}
    histories = {f"variant {i}": [[row | {"train_loss": 1.0}]] for i in range(12)}
    accuracy = draw_training(histories).axes[0]
    shown = {line.get_label(): line for line in accuracy.lines}
    assert all(name in shown for name in histories)
    looks = {(shown[name].get_color(), shown[name].get_marker()) for name in histories}
    assert len(looks) == len(histories)
