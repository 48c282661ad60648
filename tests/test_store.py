"""Run store: identity, locking, overwriting, and files that anyone may have put there."""

from __future__ import annotations

import os

import pytest
from stored_runs import files_below

from experiments.runs.store import FILES, Run, StoreError, list_runs, open_run


def config(store, **changes):
    base = {
        "name": "set2",
        "schedule": "quick",
        "seed": 0,
        "store": str(store),
        "resume": False,
        "overwrite": False,
        "threads": None,
        "accelerator": "auto",
        "data": {"folder": None, "cache": None, "download": True, "verify": True, "held_out": 0},
        "optimizer": {"lr": 1e-3},
    }
    return {**base, **changes}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "set2" / "quick-seed0-1"


def test_a_run_is_open_once(folder):
    with (
        open_run(folder, {}),
        pytest.raises(StoreError, match="in use by another process"),
        open_run(folder, {}, resume=True),
    ):
        pass
    with open_run(folder, {}, resume=True) as run:
        assert run.folder.is_dir()


def test_overwriting_leaves_nothing_of_the_old_run(folder):
    with open_run(folder, {}) as run:
        run.write_result({"status": "finished"})
        for name in ("last.pt", "previous.pt", "best.pt", "history.csv"):
            (folder / name).write_text("old")
    with pytest.raises(StoreError, match=r"\(finished\): resume=true"), open_run(folder, {}):
        pass
    assert run.result() == {"status": "finished"}
    with open_run(folder, {}, overwrite=True) as again:
        left = {path.name for path in again.folder.iterdir()}
    assert left == {"config.yaml", ".lock"}


@pytest.mark.parametrize("name", FILES)
def test_any_file_of_a_run_is_a_run(folder, name):
    """A run of which only a checkpoint is left is not trained over unasked."""
    folder.mkdir(parents=True)
    (folder / name).write_text("{}")
    before = files_below(folder)
    with pytest.raises(StoreError, match="holds this run already"), open_run(folder, {}):
        pass
    assert files_below(folder).items() >= before.items()


def test_resuming_keeps_the_configuration_as_it_was(folder):
    with open_run(folder, {"threads": 2}):
        pass
    with open_run(folder, {"threads": 1}, resume=True) as run:
        assert run.config()["threads"] == 2


def test_a_list_that_stands_twice_in_a_configuration_is_written_twice(folder):
    fields = [0.0, 50.0]
    with open_run(folder, {"activation_G": fields, "weights_G": fields}) as run:
        assert run.config() == {"activation_G": fields, "weights_G": fields}


def test_only_runs_with_a_result_are_listed(tmp_path):
    with open_run(tmp_path / "set2" / "a", {}):
        pass
    assert list_runs(tmp_path) == []
    for place in ("set2/b", "set2", "set2/b/c", "report"):
        with open_run(tmp_path / place, {}, overwrite=True) as run:
            run.write_result({"status": "finished"})
    assert list_runs(tmp_path) == [Run(tmp_path / "set2" / "b")]


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(folder):
    folder.mkdir(parents=True)
    precious = folder.parent / "precious"
    precious.write_text("data")
    (folder / ".lock").symlink_to(precious)
    with pytest.raises(OSError, match=r"\.lock: is a link"), open_run(folder, {}):
        pass
    assert precious.read_text() == "data"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "device"])
def test_a_file_of_a_run_that_is_no_regular_file_is_named(folder, name, kind):
    """Neither waited for, nor written through, nor removed."""
    folder.mkdir(parents=True)
    path = folder / name
    target = folder.parent / "precious"
    target.write_text("data")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(target if kind == "link" else "/dev/zero")
    for choice in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(OSError, match=f"{name}: is a "), open_run(folder, {}, **choice):
            pass
    assert os.path.lexists(path)
    assert target.read_text() == "data"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"status": "finished"}', '{"status": "finished", "epochs": "3"}', "\xff"],
)
def test_a_damaged_result_is_no_finished_one(folder, capsys, content):
    """Resuming then makes it again from the checkpoint."""
    folder.mkdir(parents=True)
    (folder / "result.json").write_bytes(content.encode("latin-1"))
    assert Run(folder).finished_result() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {folder}: its result is damaged and made again: ")
    with pytest.raises(StoreError, match=r"resume=true.*overwrite=true"), open_run(folder, {}):
        pass
